/// The URLs of a style sheet, or of the styles of one element: `url(…)`, `image-set("…" 2x)`, `@import "…"`.
///
/// Source: CSS Syntax Module Level 3, "Tokenization"; CSS Images Module Level 4.
package struct CSSURLs {
  package struct Found: Equatable {
    package let text: String
    /// Whether another style sheet is meant.
    package let isImport: Bool
  }

  package static func find(in text: String) -> [Found] {
    var reader = CSSURLs(bytes: Array(text.utf8))
    reader.read()
    return reader.found
  }

  private let bytes: [UInt8]
  private var at = 0
  private var found: [Found] = []
  /// Whether the next string or URL is that of an `@import`.
  private var isImport = false
  /// For each open parenthesis, whether strings in it are URLs.
  private var open: [Bool] = []

  private init(bytes: [UInt8]) { self.bytes = bytes }

  private mutating func read() {
    while at < bytes.count {
      switch bytes[at] {
      case UInt8(ascii: "/") where has(UInt8(ascii: "*"), at: at + 1): skipComment()
      case UInt8(ascii: "\""), UInt8(ascii: "'"):
        let text = string()
        if isImport || open.last == true { add(text) }
      case UInt8(ascii: "("):
        open.append(open.last ?? false)
        at += 1
      case UInt8(ascii: ")"):
        _ = open.popLast()
        at += 1
      case UInt8(ascii: ";"), UInt8(ascii: "{"), UInt8(ascii: "}"):
        isImport = false
        open = []
        at += 1
      case UInt8(ascii: "@"):
        at += 1
        isImport = name() == "import"
      case let byte where Self.isName(byte) || byte == UInt8(ascii: "\\"):
        let name = name()
        if has(UInt8(ascii: "("), at: at) { function(name) }
      default: at += 1
      }
    }
  }

  private func has(_ byte: UInt8, at place: Int) -> Bool { place < bytes.count && bytes[place] == byte }

  private static func isName(_ byte: UInt8) -> Bool {
    isLetter(byte) || isDigit(byte) || byte >= 0x80 || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
  }

  private mutating func skipComment() {
    at += 2
    while at < bytes.count {
      at += 1
      if bytes[at - 1] == UInt8(ascii: "*"), has(UInt8(ascii: "/"), at: at) { break }
    }
    at += 1
  }

  /// At an open parenthesis behind a name.
  private mutating func function(_ name: String) {
    at += 1
    guard name == "url" || name == "src" else {
      open.append(name.hasSuffix("image-set") || name == "image")
      return
    }
    while at < bytes.count, isSpace(bytes[at]) { at += 1 }
    if has(UInt8(ascii: "\""), at: at) || has(UInt8(ascii: "'"), at: at) {
      add(string())
      open.append(false)
      return
    }
    var text: [UInt8] = []
    while at < bytes.count, bytes[at] != UInt8(ascii: ")") { take(into: &text) }
    at += 1
    add(String(decoding: text, as: UTF8.self))
  }

  private mutating func add(_ text: String) {
    let text = text.trimmed
    if !text.isEmpty { found.append(Found(text: text, isImport: isImport)) }
    isImport = false
  }

  /// From a quote to its like; a line break ends a string that nobody closed.
  private mutating func string() -> String {
    let quote = bytes[at]
    var text: [UInt8] = []
    at += 1
    while at < bytes.count, bytes[at] != quote, bytes[at] != 0x0a { take(into: &text) }
    at += 1
    return String(decoding: text, as: UTF8.self)
  }

  /// In lower case.
  private mutating func name() -> String {
    var text: [UInt8] = []
    while at < bytes.count, Self.isName(bytes[at]) || bytes[at] == UInt8(ascii: "\\") { take(into: &text) }
    return String(decoding: text.map(lowercased), as: UTF8.self)
  }

  /// Takes a byte, or an escaped character: a backslash and up to six hexadecimal digits and a space, or anything else.
  private mutating func take(into text: inout [UInt8]) {
    let byte = bytes[at]
    at += 1
    guard byte == UInt8(ascii: "\\"), at < bytes.count else { return text.append(byte) }
    var code: UInt32 = 0
    var digits = 0
    while digits < 6, at < bytes.count, let digit = Character(UnicodeScalar(bytes[at])).hexDigitValue {
      code = code * 16 + UInt32(digit)
      digits += 1
      at += 1
    }
    if digits == 0 {
      if bytes[at] != 0x0a { text.append(bytes[at]) }
      at += 1
      return
    }
    if at < bytes.count, isSpace(bytes[at]) { at += 1 }
    text += Array(String(Character(UnicodeScalar(code) ?? "\u{fffd}")).utf8)
  }
}
