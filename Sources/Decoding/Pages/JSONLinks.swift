/// The media that linked data in a page name: `contentUrl`, `thumbnailUrl`, `image`, `embedUrl` of schema.org.
///
/// The text is not held to JSON's rules: of each string it is known which names it stands under, however broken the rest.
package struct JSONLinks {
  package struct Link: Equatable {
    /// The name that it stands under.
    package let name: String
    package let url: String
    /// Whether it is a page that shows the media.
    package let isPage: Bool
  }

  /// - Returns: The links in their order; and a limit, where the text was read no further.
  package static func find(in text: some Sequence<UInt8>) -> ([Link], Unhashable?) {
    var reader = JSONLinks(bytes: Array(text))
    do throws(Unhashable) {
      try reader.read()
      return (reader.found, nil)
    } catch {
      return (reader.found, error)
    }
  }

  private static let mostDepth = 256
  private static let mediaNames: Set = [
    "contenturl", "thumbnailurl", "image", "images", "thumbnail", "logo", "photo", "photos", "video", "videos",
    "primaryimageofpage", "associatedmedia", "screenshot",
  ]

  private let bytes: [UInt8]
  private var at = 0
  private var found: [Link] = []
  /// The names that are open, the innermost last; a list has that of its object.
  private var names: [String] = [""]

  private init(bytes: [UInt8]) { self.bytes = bytes }

  private mutating func read() throws(Unhashable) {
    while at < bytes.count {
      let byte = bytes[at]
      at += 1
      switch byte {
      case UInt8(ascii: "{"), UInt8(ascii: "["):
        guard names.count < Self.mostDepth else {
          throw Unhashable(.limit, "limit: linked data of more than \(Self.mostDepth) levels")
        }
        names.append(names[names.count - 1])
      case UInt8(ascii: "}"), UInt8(ascii: "]"):
        if names.count > 1 { names.removeLast() }
      case UInt8(ascii: "\""):
        let text = string()
        while at < bytes.count, isSpace(bytes[at]) { at += 1 }
        if at < bytes.count, bytes[at] == UInt8(ascii: ":") {
          names[names.count - 1] = text
        } else {
          take(text)
        }
      default: break
      }
    }
  }

  private mutating func take(_ text: String) {
    let name = names[names.count - 1]
    let known = name.lowercased()
    if known == "embedurl" { return found.append(Link(name: name, url: text, isPage: true)) }
    let isPlace = known == "url" || known == "@id"
    // The place of an object is that of a picture where the object stands for one.
    let isMedia =
      Self.mediaNames.contains(known)
      || isPlace && names.dropLast().last.map { Self.mediaNames.contains($0.lowercased()) } == true
    // A name may hold words: "image": "a caption".
    let looksLikeURL = !text.contains(" ") && (text.contains("/") || text.contains("."))
    if isMedia && looksLikeURL || MediaExtension.ends(text) { found.append(Link(name: name, url: text, isPage: false)) }
  }

  /// From behind a quote.
  private mutating func string() -> String {
    var text: [UInt8] = []
    while at < bytes.count, bytes[at] != UInt8(ascii: "\"") {
      let byte = bytes[at]
      at += 1
      guard byte == UInt8(ascii: "\\"), at < bytes.count else {
        text.append(byte)
        continue
      }
      let escaped = bytes[at]
      at += 1
      switch escaped {
      case UInt8(ascii: "u"): text += unicode()
      case UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"), UInt8(ascii: "b"), UInt8(ascii: "f"):
        text.append(0x20)
      default: text.append(escaped)
      }
    }
    at += 1
    return String(decoding: text, as: UTF8.self)
  }

  private mutating func unicode() -> [UInt8] {
    var units = [unit()]
    if UTF16.isLeadSurrogate(units[0]), at + 1 < bytes.count, bytes[at] == UInt8(ascii: "\\"),
      bytes[at + 1] == UInt8(ascii: "u")
    {
      at += 2
      units.append(unit())
    }
    return Array(String(decoding: units, as: UTF16.self).utf8)
  }

  private mutating func unit() -> UInt16 {
    var code: UInt16 = 0
    var digits = 0
    while digits < 4, at < bytes.count, let digit = Character(UnicodeScalar(bytes[at])).hexDigitValue {
      code = code << 4 | UInt16(digit)
      digits += 1
      at += 1
    }
    return code
  }
}
