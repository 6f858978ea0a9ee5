import Glibc

/// Splits HTML into its start tags, as browsers do.
///
/// This is the tokenizer of the HTML standard with all left out that no reference can come from: text, end tags, comments.
/// libxml2, which knows an older HTML, loses tags that browsers show, without a word: behind `<!-->` or an end tag at the
/// page's start, and with `<img/src=…>`. Every byte is looked at a fixed number of times, whatever the page.
///
/// Source: HTML standard, 13.2.5 "Tokenization". Names in attributes are compared by byte: they are ASCII.
package struct HTMLTokenizer {
  private let bytes: UnsafeBufferPointer<UInt8>
  private let end: Int
  private let isXML: Bool
  private var at: Int

  /// - Parameters:
  ///   - bytes: UTF-8; what is broken in it never moves a tag's end.
  ///   - range: The part to read.
  ///   - isXML: Whether elements may close themselves: `<script/>`.
  package init(_ bytes: UnsafeBufferPointer<UInt8>, in range: Range<Int>? = nil, isXML: Bool = false) {
    self.bytes = bytes
    self.isXML = isXML
    let range = range ?? 0..<bytes.count
    precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count, "a part of the bytes")
    (at, end) = (range.lowerBound, range.upperBound)
  }

  /// The next start tag; `nil` at the end.
  ///
  /// - Parameter readsRawText: Whether the contents of elements like `style` belong to their tag; those of `script` always
  ///   do. Else they are read as further tags.
  package mutating func next(readsRawText: Bool = true) -> HTMLTag? {
    while at < end, let start = find(0x3c, from: at) {
      at = start + 1
      guard at < end else { return nil }
      switch bytes[at] {
      case let letter where isLetter(letter):
        guard var tag = tag() else { return nil }
        if tag.isRawText(readsRawText), !(isXML && tag.closesItself) { tag.content = rawText(of: tag) }
        return tag
      case UInt8(ascii: "/"):
        at += 1
        if at < end, isLetter(bytes[at]) { _ = tag() } else { skip(past: 0x3e) }
      case UInt8(ascii: "!") where has("--", at: at + 1): skipComment()
      case UInt8(ascii: "!"), UInt8(ascii: "?"): skip(past: 0x3e)
      default: break
      }
    }
    return nil
  }

  private func find(_ byte: UInt8, from start: Int) -> Int? {
    guard start < end, let found = memchr(bytes.baseAddress! + start, CInt(byte), end - start) else { return nil }
    return UnsafeRawPointer(found) - UnsafeRawPointer(bytes.baseAddress!)
  }

  private func has(_ word: StaticString, at start: Int) -> Bool {
    guard start + word.utf8CodeUnitCount <= end else { return false }
    return (0..<word.utf8CodeUnitCount).allSatisfy { lowercased(bytes[start + $0]) == word.utf8Start[$0] }
  }

  private mutating func skip(past byte: UInt8) { at = find(byte, from: at).map { $0 + 1 } ?? end }

  /// From `!--`. A comment may end at once: `<!-->`, `<!--->`.
  private mutating func skipComment() {
    at += 3
    let start = at
    if has(">", at: at) || has("->", at: at) { return skip(past: 0x3e) }
    while let close = find(0x3e, from: at) {
      at = close + 1
      let dashes = close >= 1 && bytes[close - 1] == UInt8(ascii: "!") ? close - 3 : close - 2
      if dashes >= start, bytes[dashes] == UInt8(ascii: "-"), bytes[dashes + 1] == UInt8(ascii: "-") { return }
    }
    at = end
  }

  /// From a name's first letter; `nil` where the page ends within the tag, which browsers then drop.
  private mutating func tag() -> HTMLTag? {
    let name = at
    while at < end, !endsName(bytes[at]) { at += 1 }
    var tag = HTMLTag(bytes, name: name..<at)
    while true {
      while at < end, isSpace(bytes[at]) { at += 1 }
      guard at < end else { return nil }
      switch bytes[at] {
      case UInt8(ascii: ">"):
        at += 1
        return tag
      case UInt8(ascii: "/"):
        tag.closesItself = has("/>", at: at)
        at += 1
      default:
        guard let attribute = attribute() else { return nil }
        tag.attributes.append(attribute)
      }
    }
  }

  private func endsName(_ byte: UInt8) -> Bool {
    isSpace(byte) || byte == UInt8(ascii: "/") || byte == UInt8(ascii: ">")
  }

  private mutating func attribute() -> HTMLTag.Attribute? {
    let start = at
    at += 1  // a "=" in front is part of the name
    while at < end, !endsName(bytes[at]), bytes[at] != UInt8(ascii: "=") { at += 1 }
    let name = start..<at
    while at < end, isSpace(bytes[at]) { at += 1 }
    guard at < end, bytes[at] == UInt8(ascii: "=") else { return HTMLTag.Attribute(name: name, value: at..<at) }
    at += 1
    while at < end, isSpace(bytes[at]) { at += 1 }
    guard at < end else { return nil }
    if bytes[at] == UInt8(ascii: "\"") || bytes[at] == UInt8(ascii: "'") {
      guard let close = find(bytes[at], from: at + 1) else {
        at = end
        return nil
      }
      defer { at = close + 1 }
      return HTMLTag.Attribute(name: name, value: at + 1..<close)
    }
    let value = at
    while at < end, !isSpace(bytes[at]), bytes[at] != UInt8(ascii: ">") { at += 1 }
    return HTMLTag.Attribute(name: name, value: value..<at)
  }

  /// What follows a tag up to the end tag of its name, or to the end.
  private mutating func rawText(of tag: HTMLTag) -> Range<Int> {
    let start = at
    let isScript = tag.name == "script"
    // Source: "script data escaped" and "double escaped" states: within `<!--` a script may hold a script.
    var (isEscaped, isDoubleEscaped) = (false, false)
    while let next = isScript ? findScriptMark() : find(0x3c, from: at) {
      at = next + 1
      if bytes[next] == 0x3e {  // "-->"
        (isEscaped, isDoubleEscaped) = (false, false)
      } else if isScript, has("!--", at: at) {
        isEscaped = true
        at += 1  // its dashes may end it: "<!-->"
      } else if isEscaped, isScript, hasName(tag.name, at: at) {
        isDoubleEscaped = true
      } else if has("/", at: at), hasName(tag.name, at: at + 1) {
        if isDoubleEscaped {
          isDoubleEscaped = false
        } else {
          defer {
            at = next + 2
            _ = self.tag()
          }
          return start..<next
        }
      }
    }
    at = end
    return start..<end
  }

  /// The next `<`, or the last byte of the next `-->`.
  private func findScriptMark() -> Int? {
    (at..<end).first {
      bytes[$0] == 0x3c || (bytes[$0] == 0x3e && $0 >= 2 && bytes[$0 - 1] == 0x2d && bytes[$0 - 2] == 0x2d)
    }
  }

  private func hasName(_ name: String, at start: Int) -> Bool {
    let stop = start + name.utf8.count
    guard stop < end, endsName(bytes[stop]) else { return false }
    return zip(start..<stop, name.utf8).allSatisfy { lowercased(bytes[$0]) == $1 }
  }
}

/// A start tag of HTML.
package struct HTMLTag {
  /// Places of a name and of a value in the bytes; without a value, of nothing.
  package struct Attribute {
    package let name: Range<Int>
    package let value: Range<Int>
  }

  /// In lower case; in XML too, where case would matter, and with its prefix.
  package let name: String

  /// As written, those with one name included: the first holds.
  package internal(set) var attributes: [Attribute] = []

  /// Whether it ends with `/>`.
  package internal(set) var closesItself = false

  /// Place of its contents, where those are text and no tags.
  package internal(set) var content = 0..<0

  private let bytes: UnsafeBufferPointer<UInt8>

  init(_ bytes: UnsafeBufferPointer<UInt8>, name: Range<Int>) {
    self.bytes = bytes
    self.name = Self.lowercase(bytes[name])
  }

  /// An attribute's name in lower case.
  package func name(of attribute: Attribute) -> String { Self.lowercase(bytes[attribute.name]) }

  /// Whether an attribute's name, in lower case, begins with one of the bytes: most do not, and need not become strings.
  func name(of attribute: Attribute, beginsWithOneOf bytes: Set<UInt8>) -> Bool {
    bytes.contains(lowercased(self.bytes[attribute.name.lowerBound]))
  }

  /// An attribute's value with its character references decoded, and repaired where it is no UTF-8.
  package func value(of attribute: Attribute) -> String { HTMLEntities.decode(bytes[attribute.value]) }

  /// The value of the first attribute with a name.
  package func value(_ name: String) -> String? {
    attributes.first { self.name(of: $0) == name }.map { value(of: $0) }
  }

  func isRawText(_ readsRawText: Bool) -> Bool {
    if name == "script" { return true }
    return readsRawText && ["style", "textarea", "title", "xmp", "iframe", "noembed", "noframes"].contains(name)
  }

  private static func lowercase(_ name: Slice<UnsafeBufferPointer<UInt8>>) -> String {
    // Longer ones are no name that means anything here.
    String(decoding: name.prefix(255).lazy.map(lowercased), as: UTF8.self)
  }
}
