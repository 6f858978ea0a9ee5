import Hashing

/// Reads JSON as a stream: the caller asks for the next key or element, takes what it wants and skips the rest.
///
///     try json.beginObject()
///     while let key = try json.nextKey() {
///       if key == "MD5" { digest = try json.text() } else { try json.skip() }
///     }
///
/// Only what is asked for is kept, so neither a long file nor a long string costs memory. Source: RFC 8259.
struct JSONReader: ~Copyable {
  private var bytes: ByteStream
  /// For each open object or array, whether nothing of it was read yet.
  private var isAtStart: [Bool] = []
  private var string: [UInt8] = []

  /// Objects and arrays within each other; the formats need seven.
  static let greatestDepth = 64
  /// Longest text that is kept, in bytes.
  static let longestText = 1 << 16

  /// What a value is, told by its first character.
  enum Kind {
    case object, array, string, number, literal
  }

  init(_ bytes: consuming ByteStream) { self.bytes = bytes }

  var fileName: String { bytes.fileName }

  /// The kind of the value that comes next.
  mutating func kind() throws -> Kind {
    switch try peek() {
    case UInt8(ascii: "{"): .object
    case UInt8(ascii: "["): .array
    case .quote: .string
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): .number
    case UInt8(ascii: "t"), UInt8(ascii: "f"), UInt8(ascii: "n"): .literal
    default: throw malformed("a value was expected")
    }
  }

  mutating func beginObject() throws { try begin(UInt8(ascii: "{")) }

  mutating func beginArray() throws { try begin(UInt8(ascii: "[")) }

  /// Moves to the next member of an object.
  ///
  /// - Returns: Its key; `nil` when the object has ended.
  mutating func nextKey() throws -> String? {
    guard try moves(to: UInt8(ascii: "}")) else { return nil }
    guard try peek() == .quote else { throw malformed("a key was expected") }
    let key = try keptString()
    guard try peek() == .colon else { throw malformed("a colon was expected") }
    _ = try bytes.next()
    return key
  }

  /// Moves to the next element of an array.
  ///
  /// - Returns: `false` when the array has ended.
  mutating func nextElement() throws -> Bool { try moves(to: UInt8(ascii: "]")) }

  /// Takes a string, a number, `true` or `false` as text. An object or an array is skipped.
  ///
  /// - Returns: `nil` for `null`, an object or an array.
  mutating func text() throws -> String? {
    switch try kind() {
    case .object, .array:
      try skip()
      return nil
    case .string: return try keptString()
    case .number: return try word()
    case .literal:
      let word = try word()
      return word == "null" ? nil : word
    }
  }

  /// Takes a value of any kind without keeping it.
  mutating func skip() throws {
    switch try kind() {
    case .object:
      try beginObject()
      while try moves(to: UInt8(ascii: "}")) {
        guard try peek() == .quote else { throw malformed("a key was expected") }
        try readString(keeping: false)
        guard try peek() == .colon else { throw malformed("a colon was expected") }
        _ = try bytes.next()
        try skip()
      }
    case .array:
      try beginArray()
      while try nextElement() { try skip() }
    case .string: try readString(keeping: false)
    case .number, .literal: _ = try word()
    }
  }

  /// Refuses anything but space after the value that the file holds.
  mutating func finish() throws {
    while let byte = try bytes.next() {
      if !Self.isSpace(byte) { throw malformed("something follows the end") }
    }
  }

  func malformed(_ reason: String) -> ExchangeError {
    ExchangeError(
      .malformed, "\(fileName): byte \(bytes.offset): JSON is broken: \(reason)", hint: "nothing of the file was taken")
  }

  // MARK: -

  private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 }

  /// The next byte that is no space, without taking it.
  private mutating func peek() throws -> UInt8 {
    while let byte = try bytes.peek() {
      if !Self.isSpace(byte) { return byte }
      bytes.advance(1)
    }
    throw malformed("the file ends too early")
  }

  private mutating func begin(_ bracket: UInt8) throws {
    guard try peek() == bracket else {
      throw malformed(bracket == UInt8(ascii: "{") ? "an object was expected" : "an array was expected")
    }
    guard isAtStart.count < Self.greatestDepth else { throw malformed("more than \(Self.greatestDepth) levels") }
    bytes.advance(1)
    isAtStart.append(true)
  }

  /// Passes the comma before the next member or element; at the closing bracket ends the object or array.
  private mutating func moves(to bracket: UInt8) throws -> Bool {
    guard let first = isAtStart.last else { throw malformed("nothing is open") }
    let byte = try peek()
    if byte == bracket {
      bytes.advance(1)
      isAtStart.removeLast()
      return false
    }
    if first {
      isAtStart[isAtStart.count - 1] = false
      return true
    }
    guard byte == .comma else { throw malformed("a comma was expected") }
    bytes.advance(1)
    return true
  }

  private mutating func keptString() throws -> String {
    string.removeAll(keepingCapacity: true)
    try readString(keeping: true)
    return String(decoding: string, as: UTF8.self)
  }

  private mutating func keep(_ piece: UnsafeRawBufferPointer) throws {
    guard string.count + piece.count <= Self.longestText else {
      throw malformed("a text that is needed is longer than \(Self.longestText) bytes")
    }
    string.append(contentsOf: piece)
  }

  private mutating func readString(keeping: Bool) throws {
    bytes.advance(1)
    while try bytes.fill() {
      let piece = bytes.piece
      var index = 0
      while index < piece.count && piece[index] != .quote && piece[index] != .backslash && piece[index] >= 0x20 {
        index += 1
      }
      if keeping { try keep(piece.from(0, to: index)) }
      bytes.advance(index)
      guard index < piece.count else { continue }
      switch piece[index] {
      case .quote:
        bytes.advance(1)
        return
      case .backslash: try escape(keeping: keeping)
      default: throw malformed("a control character in a string")
      }
    }
    throw malformed("a string is not closed")
  }

  private mutating func escape(keeping: Bool) throws {
    bytes.advance(1)
    let scalar: Unicode.Scalar
    switch try bytes.next() {
    case UInt8(ascii: "n"): scalar = "\n"
    case UInt8(ascii: "t"): scalar = "\t"
    case UInt8(ascii: "r"): scalar = "\r"
    case UInt8(ascii: "b"): scalar = "\u{8}"
    case UInt8(ascii: "f"): scalar = "\u{C}"
    case UInt8(ascii: "u"): scalar = try escapedScalar()
    case let byte? where [.quote, .backslash, UInt8(ascii: "/")].contains(byte): scalar = Unicode.Scalar(byte)
    default: throw malformed("an unknown escape")
    }
    if keeping { try Array(String(Character(scalar)).utf8).withUnsafeBytes { try keep($0) } }
  }

  /// The four digits after `\u`, and those of the second half of a pair. Half a pair becomes U+FFFD.
  private mutating func escapedScalar() throws -> Unicode.Scalar {
    let first = try fourDigits()
    guard (0xD800..<0xDC00).contains(first) else { return Unicode.Scalar(first) ?? "\u{FFFD}" }
    guard try bytes.peek() == .backslash else { return "\u{FFFD}" }
    bytes.advance(1)
    guard try bytes.next() == UInt8(ascii: "u") else { throw malformed("half a surrogate pair") }
    let second = try fourDigits()
    guard (0xDC00..<0xE000).contains(second) else { return "\u{FFFD}" }
    return Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00)) ?? "\u{FFFD}"
  }

  private mutating func fourDigits() throws -> UInt32 {
    var value: UInt32 = 0
    for _ in 0..<4 {
      guard let digit = try bytes.next().flatMap({ nibble($0) }) else {
        throw malformed("an escape without four hex digits")
      }
      value = value << 4 | UInt32(digit)
    }
    return value
  }

  /// A number or a literal.
  private mutating func word() throws -> String {
    var word: [UInt8] = []
    while let byte = try bytes.peek(), Self.isPartOfWord(byte) {
      guard word.count < 64 else { throw malformed("a number of more than 64 characters") }
      word.append(byte)
      bytes.advance(1)
    }
    let text = String(decoding: word, as: UTF8.self)
    guard ["true", "false", "null"].contains(text) || Double(text) != nil else { throw malformed("an unknown word") }
    return text
  }

  private static func isPartOfWord(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"),
      UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."):
      true
    default: false
    }
  }
}

extension JSONReader {
  /// Hands over the value at hand where it is an object, or the objects of an array, however deep; passes over the rest.
  ///
  /// - Parameter body: Is called before the object has begun, and reads it to its end.
  mutating func forEachObject(_ body: (inout JSONReader) throws -> Void) throws {
    switch try kind() {
    case .array:
      try beginArray()
      while try nextElement() { try forEachObject(body) }
    case .object: try body(&self)
    case .string, .number, .literal: try skip()
    }
  }
}
