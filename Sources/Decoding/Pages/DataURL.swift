/// A URL that holds its content itself. Source: RFC 2397; Fetch standard, "data: URLs".
package struct DataURL: Equatable {
  /// In lower case, without parameters; `text/plain` where none is named.
  package let mediaType: String
  package let bytes: [UInt8]

  /// Whether it is a font, which pages often carry and which shows nothing.
  package var isFont: Bool { mediaType.contains("font") }

  /// - Returns: `nil` where the URL is none of these, or has no comma.
  package init?(_ url: String) {
    let text = url.utf8
    guard text.prefix(5).map(lowercased).elementsEqual("data:".utf8), let comma = text.firstIndex(of: UInt8(ascii: ","))
    else { return nil }
    let head = String(decoding: text.dropFirst(5)[..<comma], as: UTF8.self).lowercased()
    let type = head.prefix { $0 != ";" }.trimmed
    mediaType = type.isEmpty ? "text/plain" : type
    let body = Self.withoutPercents(text[text.index(after: comma)...].prefix { $0 != UInt8(ascii: "#") })
    let isBase64 = head.trimmed.hasSuffix("base64") && head.contains(";")
    bytes = isBase64 ? Self.base64(body) : body
  }

  private static func withoutPercents(_ text: Substring.UTF8View) -> [UInt8] {
    let text = Array(text)
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count)
    var at = 0
    while at < text.count {
      if text[at] == UInt8(ascii: "%"), at + 2 < text.count, let high = hexadecimal(text[at + 1]),
        let low = hexadecimal(text[at + 2])
      {
        bytes.append(high << 4 | low)
        at += 3
      } else {
        bytes.append(text[at])
        at += 1
      }
    }
    return bytes
  }

  private static func hexadecimal(_ byte: UInt8) -> UInt8? {
    switch byte {
    case 0x30...0x39: byte - 0x30
    case 0x41...0x46, 0x61...0x66: (byte | 0x20) - 0x57
    default: nil
    }
  }

  /// Takes both alphabets, and leaves out whatever belongs to none: pages break the lines.
  private static func base64(_ text: [UInt8]) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count / 4 * 3)
    var (bits, count): (UInt32, Int) = (0, 0)
    for byte in text {
      let value: UInt32
      switch byte {
      case 0x41...0x5a: value = UInt32(byte - 0x41)
      case 0x61...0x7a: value = UInt32(byte - 0x61 + 26)
      case 0x30...0x39: value = UInt32(byte - 0x30 + 52)
      case UInt8(ascii: "+"), UInt8(ascii: "-"): value = 62
      case UInt8(ascii: "/"), UInt8(ascii: "_"): value = 63
      default: continue
      }
      bits = bits << 6 | value
      count += 6
      if count >= 8 {
        count -= 8
        bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
      }
    }
    return bytes
  }
}
