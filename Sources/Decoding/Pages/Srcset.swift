/// The candidates of a `srcset`: the same picture in several sizes.
///
/// Source: HTML standard, 4.8.4.3.10 "Parsing a srcset attribute". Candidates whose descriptors a browser would not
/// understand are kept: a picture is there all the same.
package enum Srcset {
  package struct Candidate: Equatable {
    package let url: String
    /// `640w`, `2x`; empty where there is none.
    package let descriptor: String
  }

  package static func candidates(in text: String) -> [Candidate] {
    let bytes = Array(text.utf8)
    var candidates: [Candidate] = []
    var at = 0
    while true {
      while at < bytes.count, isSpace(bytes[at]) || bytes[at] == comma { at += 1 }
      guard at < bytes.count else { return candidates }
      let start = at
      // A comma is part of a URL, unless it is the last of it.
      while at < bytes.count, !isSpace(bytes[at]) { at += 1 }
      var url = bytes[start..<at]
      var descriptor = bytes[at..<at]
      if url.last == comma {
        while url.last == comma { url.removeLast() }
      } else {
        descriptor = descriptors(bytes, &at)
      }
      candidates.append(
        Candidate(
          url: String(decoding: url, as: UTF8.self), descriptor: String(decoding: descriptor, as: UTF8.self).trimmed))
    }
  }

  private static let comma = UInt8(ascii: ",")

  /// Up to a comma that stands in no parentheses.
  private static func descriptors(_ bytes: [UInt8], _ at: inout Int) -> ArraySlice<UInt8> {
    let start = at
    var isInParentheses = false
    while at < bytes.count, isInParentheses || bytes[at] != comma {
      if bytes[at] == UInt8(ascii: "(") { isInParentheses = true }
      if bytes[at] == UInt8(ascii: ")") { isInParentheses = false }
      at += 1
    }
    return bytes[start..<at]
  }
}
