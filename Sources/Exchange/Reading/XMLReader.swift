import Hashing

/// Reads XML as a stream of elements, their attributes and text.
///
/// It knows what partners' exports are made of and nothing that could hurt: no document type, so no entities but the five of
/// the language itself and numbers, nothing external, and bounds for depth and length. Names come without their prefix.
///
/// Source: Extensible Markup Language 1.0, fifth edition.
struct XMLReader: ~Copyable {
  /// What was read.
  enum Event: Equatable {
    /// `name` begins; its attributes are in ``XMLReader/attributes``.
    case start(String)
    /// `name` has ended; the text directly in it, without space around, is in ``XMLReader/text``.
    case end(String)
  }

  private var bytes: ByteStream
  private var hasRoot = false
  private var open: [String] = []
  private var pendingEnd: String?
  private var content: [UInt8] = []
  private(set) var attributes: [(name: String, value: String)] = []

  static let greatestDepth = 64
  /// Longest text, name or value that is kept, in bytes.
  static let longestText = 1 << 16
  static let mostAttributes = 64

  init(_ bytes: consuming ByteStream) { self.bytes = bytes }

  var fileName: String { bytes.fileName }

  /// Text since the last event.
  var text: String { content.withUnsafeBytes { $0.withoutSpace.text } }

  func attribute(_ name: String) -> String? { attributes.first { $0.name == name }?.value }

  /// Moves to the next event; `nil` when the document has ended.
  mutating func next() throws -> Event? {
    if let name = pendingEnd {
      pendingEnd = nil
      content.removeAll(keepingCapacity: true)
      return try end(name)
    }
    content.removeAll(keepingCapacity: true)
    while let byte = try bytes.next() {
      switch byte {
      case UInt8(ascii: "<"):
        if let event = try markup() { return event }
      default:
        // Space before a text is not kept, however much there is.
        if content.isEmpty && Self.isSpace(byte) { continue }
        guard !open.isEmpty else { throw malformed("text outside the document") }
        if byte == UInt8(ascii: "&") { try keep(reference()) } else { try keep(byte) }
      }
    }
    guard open.isEmpty else { throw malformed("the file ends inside '\(open.last!.prefix(32))'") }
    return nil
  }

  func malformed(_ reason: String) -> ExchangeError {
    ExchangeError(
      .malformed, "\(fileName): byte \(bytes.offset): XML is broken: \(reason)", hint: "nothing of the file was taken")
  }

  // MARK: -

  private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 }

  private mutating func keep(_ byte: UInt8) throws {
    guard content.count < Self.longestText else { throw malformed("a text of more than \(Self.longestText) bytes") }
    content.append(byte)
  }

  private mutating func keep(_ scalar: Unicode.Scalar) throws {
    for byte in String(Character(scalar)).utf8 { try keep(byte) }
  }

  private mutating func byte() throws -> UInt8 {
    guard let byte = try bytes.next() else { throw malformed("the file ends too early") }
    return byte
  }

  /// What follows `<`.
  private mutating func markup() throws -> Event? {
    switch try bytes.peek() {
    case UInt8(ascii: "?"):
      try instruction()
      return nil
    case UInt8(ascii: "!"):
      bytes.advance(1)
      try declaration()
      return nil
    case UInt8(ascii: "/"):
      bytes.advance(1)
      let (name, last) = try name()
      guard try afterSpace(last) == UInt8(ascii: ">") else { throw malformed("an end tag is not closed") }
      return try end(name)
    default: return try startTag()
    }
  }

  private mutating func end(_ name: String) throws -> Event {
    guard open.popLast() == name else { throw malformed("'\(name.prefix(32))' ends what is not open") }
    return .end(name)
  }

  private mutating func startTag() throws -> Event {
    let (name, last) = try name()
    guard open.count < Self.greatestDepth else { throw malformed("more than \(Self.greatestDepth) levels") }
    guard !open.isEmpty || !hasRoot else { throw malformed("a second document follows the first") }
    hasRoot = true
    open.append(name)
    attributes.removeAll(keepingCapacity: true)
    var byte = try afterSpace(last)
    while byte != UInt8(ascii: ">") && byte != UInt8(ascii: "/") {
      let (key, last) = try self.name(beginningWith: byte)
      guard try afterSpace(last) == UInt8(ascii: "=") else { throw malformed("an attribute without a value") }
      let quote = try afterSpace(self.byte())
      guard quote == .quote || quote == UInt8(ascii: "'") else { throw malformed("a value without quotes") }
      guard attributes.count < Self.mostAttributes else {
        throw malformed("more than \(Self.mostAttributes) attributes")
      }
      attributes.append((key, try value(until: quote)))
      byte = try afterSpace(self.byte())
    }
    if byte == UInt8(ascii: "/") {
      guard try self.byte() == UInt8(ascii: ">") else { throw malformed("a tag is not closed") }
      pendingEnd = name
    }
    return .start(name)
  }

  /// Passes over space; `byte` is the first to look at.
  private mutating func afterSpace(_ byte: UInt8) throws -> UInt8 {
    var byte = byte
    while Self.isSpace(byte) { byte = try self.byte() }
    return byte
  }

  /// A name without its prefix, and the byte after it.
  private mutating func name(beginningWith first: UInt8? = nil) throws -> (String, UInt8) {
    var name: [UInt8] = []
    var byte = try first ?? self.byte()
    while !Self.isSpace(byte) && ![UInt8(ascii: ">"), UInt8(ascii: "/"), UInt8(ascii: "=")].contains(byte) {
      guard byte > 0x20, ![UInt8(ascii: "<"), .quote, UInt8(ascii: "&")].contains(byte), name.count < 256 else {
        throw malformed("a name that is none")
      }
      if byte == .colon { name.removeAll() } else { name.append(byte) }
      byte = try self.byte()
    }
    guard !name.isEmpty else { throw malformed("a name was expected") }
    return (String(decoding: name, as: UTF8.self), byte)
  }

  private mutating func value(until quote: UInt8) throws -> String {
    content.removeAll(keepingCapacity: true)
    defer { content.removeAll(keepingCapacity: true) }
    while true {
      let byte = try byte()
      if byte == quote { return String(decoding: content, as: UTF8.self) }
      if byte == UInt8(ascii: "<") { throw malformed("a tag inside a value") }
      if byte == UInt8(ascii: "&") { try keep(reference()) } else { try keep(byte) }
    }
  }

  /// What follows `&`: one of the language's own entities, or a number.
  private mutating func reference() throws -> Unicode.Scalar {
    var name = ""
    while true {
      let byte = try byte()
      if byte == UInt8(ascii: ";") { break }
      guard name.utf8.count < 10 else { throw malformed("an entity that is not known") }
      name.unicodeScalars.append(Unicode.Scalar(byte))
    }
    switch name {
    case "amp": return "&"
    case "lt": return "<"
    case "gt": return ">"
    case "quot": return "\""
    case "apos": return "'"
    default:
      let number =
        if name.hasPrefix("#x") { UInt32(name.dropFirst(2), radix: 16) } else if name.hasPrefix("#") {
          UInt32(name.dropFirst())
        } else { UInt32?.none }
      guard let scalar = number.flatMap({ Unicode.Scalar($0) }), number != 0 else {
        throw malformed("an entity that is not known")
      }
      return scalar
    }
  }

  /// `<?…?>`: passed over, but an encoding other than UTF-8 is refused.
  private mutating func instruction() throws {
    var text: [UInt8] = []
    while !text.suffix(2).elementsEqual("?>".utf8) || text.count < 3 {
      guard text.count < Self.longestText else { throw malformed("an instruction is not closed") }
      text.append(try byte())
    }
    let lower = String(decoding: text, as: UTF8.self).lowercased()
    guard lower.hasPrefix("?xml"), let at = lower.firstRange(of: "encoding") else { return }
    let said = lower[at.upperBound...].prefix(40)
    if !said.contains("utf-8") && !said.contains("us-ascii") {
      throw ExchangeError(
        .wrongEncoding, "\(fileName) is XML in another encoding than UTF-8", hint: "convert it to UTF-8")
    }
  }

  /// `<!--…-->` is passed over, `<![CDATA[…]]>` is text, `<!DOCTYPE` is refused.
  private mutating func declaration() throws {
    var opening: [UInt8] = []
    while !opening.elementsEqual("--".utf8) && !opening.elementsEqual("[CDATA[".utf8) {
      guard opening.count < 7 else { throw malformed("a document type or declaration, which is not accepted") }
      opening.append(try byte())
    }
    let isText = opening.count == 7
    let closing = Array((isText ? "]]>" : "-->").utf8)
    guard !isText || !open.isEmpty else { throw malformed("text outside the document") }
    // The last bytes that may belong to the closing mark.
    var held: [UInt8] = []
    while true {
      held.append(try byte())
      if held == closing { return }
      if held.count == closing.count {
        if isText { try keep(held[0]) }
        held.removeFirst()
      }
    }
  }
}

extension UnsafeRawBufferPointer {
  /// Without spaces, tabs and line ends around.
  fileprivate var withoutSpace: UnsafeRawBufferPointer {
    func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 }
    guard let first = firstIndex(where: { !isSpace($0) }), let last = lastIndex(where: { !isSpace($0) }) else {
      return from(count)
    }
    return from(first, to: last + 1)
  }
}
