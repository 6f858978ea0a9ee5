/// A text that refers to media.
public enum PageFormat: String, Sendable, CaseIterable {
  case html = "text/html"
  /// HTML's elements in XML's syntax.
  case xhtml = "application/xhtml+xml"
  case css = "text/css"
  /// A playlist of HTTP Live Streaming. Source: RFC 8216.
  case hls = "application/vnd.apple.mpegurl"
  /// A manifest of MPEG-DASH. Source: ISO/IEC 23009-1.
  case dash = "application/dash+xml"

  /// Tells the format of a fetched body that is no media by ``MediaType/sniff(_:)``.
  ///
  /// The bytes have more say than the header, since servers often name a wrong type: a playlist or a manifest is known by
  /// its first line, and what looks like markup is read as HTML.
  ///
  /// - Parameters:
  ///   - mediaType: Of the header `Content-Type`, parameters included; `nil` where there is none.
  ///   - head: The start of the body, 512 bytes or more, or all of it.
  public static func tell(mediaType: String?, head: UnsafeRawBufferPointer) -> PageFormat? {
    let text = TextEncoding.textStart(of: head)
    if text.starts(with: "#EXTM3U".utf8) { return .hls }
    let type = mediaType?.prefix { $0 != ";" }.lowercased().filter { $0 != " " } ?? ""
    if type == PageFormat.dash.rawValue || Self.contains(text, "<mpd") { return .dash }
    switch type {
    case "text/html": return .html
    case "application/xhtml+xml": return .xhtml
    case "text/css": return .css
    case "application/vnd.apple.mpegurl", "application/x-mpegurl", "audio/mpegurl", "audio/x-mpegurl": return .hls
    default: break
    }
    // Source: MIME Sniffing standard, "unknown type", shortened: any of these words in front is markup.
    let isMarkup = text.first == UInt8(ascii: "<") && Self.markup.contains { Self.contains(text, $0) }
    return isMarkup ? .html : nil
  }

  private static let markup = [
    "<!doctype html", "<html", "<head", "<body", "<script", "<iframe", "<title", "<img", "<a ",
  ]

  private static func contains(_ text: [UInt8], _ word: String) -> Bool {
    let word = Array(word.utf8)
    guard text.count >= word.count else { return false }
    return (0...text.count - word.count).contains { at in
      word.indices.allSatisfy { lowercased(text[at + $0]) == word[$0] }
    }
  }
}

/// An ASCII letter in lower case; other bytes as they are.
func lowercased(_ byte: UInt8) -> UInt8 { (0x41...0x5a).contains(byte) ? byte | 0x20 : byte }

/// White space of HTML and of URLs around them: tab, line feed, form feed, carriage return, space.
func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0a || byte == 0x0c || byte == 0x0d }

func isLetter(_ byte: UInt8) -> Bool { (0x61...0x7a).contains(byte | 0x20) }

func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

extension StringProtocol {
  /// Without HTML's white space at either end.
  package var trimmed: String {
    let start = Substring(self).utf8.drop(while: isSpace)
    guard let end = start.lastIndex(where: { !isSpace($0) }) else { return "" }
    return String(decoding: start[...end], as: UTF8.self)
  }
}
