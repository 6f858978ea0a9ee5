import Hashing
import Matching

/// The local file of ThreatExchange's tools: the type of a signal, a space, the signal.
///
/// Source: python-threatexchange, `exchanges/impl/file_api.py`.
struct ThreatExchangeFormat: LineParser {
  mutating func parse(_ line: UnsafeRawBufferPointer, number: Int, into sink: inout RecordSink) throws {
    let text = line.trimmed
    if text.isBlankOrComment { return }
    guard let space = text.firstIndex(of: .space) else {
      return try sink.reject(number, "no space after the type of the signal")
    }
    let type = text.from(0, to: space).text.lowercased()
    let signal = text.from(space).trimmed
    guard let kind = Self.hashKind(of: type) else {
      sink.leaveOut(type)
      return try sink.reject(number, "a signal of a type that is not compared here")
    }
    try sink.add(HashText(named: kind, signal), number: number)
  }

  /// The algorithm of a signal's type: `pdq`, `video_md5`, `photo_md5`, `hash_sha256` …; `nil` for what is no such hash.
  static func hashKind(of type: String) -> Substring? {
    let name = type.split(separator: "_").last ?? ""
    return name == "pdq" || DigestAlgorithm(name: name) != nil ? name : nil
  }
}
