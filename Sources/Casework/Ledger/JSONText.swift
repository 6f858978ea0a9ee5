/// A JSON object whose members stand in the order they were added.
///
/// An entry's bytes are hashed and read by people for years, so order and escapes are part of the format, which
/// Foundation's encoder leaves open.
struct JSONText {
  private(set) var bytes: [UInt8] = [UInt8(ascii: "{")]

  /// The object, closed.
  var closed: [UInt8] { bytes + [UInt8(ascii: "}")] }

  /// Adds text; nothing for `nil`.
  mutating func add(_ name: StaticString, _ value: String?) {
    guard let value else { return }
    begin(name)
    Self.quote(value, into: &bytes)
  }

  mutating func add(_ name: StaticString, _ value: Int64?) {
    guard let value else { return }
    begin(name)
    bytes += String(value).utf8
  }

  mutating func add(_ name: StaticString, _ value: Int) { add(name, Int64(value)) }

  mutating func add(_ name: StaticString, _ value: Bool) {
    begin(name)
    bytes += (value ? "true" : "false").utf8
  }

  /// Adds a list of text; nothing for an empty one.
  mutating func add(_ name: StaticString, _ values: [String]) {
    if values.isEmpty { return }
    begin(name)
    bytes.append(UInt8(ascii: "["))
    for (index, value) in values.enumerated() {
      if index > 0 { bytes.append(UInt8(ascii: ",")) }
      Self.quote(value, into: &bytes)
    }
    bytes.append(UInt8(ascii: "]"))
  }

  mutating func add(_ name: StaticString, _ object: JSONText) {
    begin(name)
    bytes += object.closed
  }

  /// Adds a list of objects; nothing for an empty one.
  mutating func add(_ name: StaticString, _ objects: [JSONText]) {
    if objects.isEmpty { return }
    begin(name)
    bytes.append(UInt8(ascii: "["))
    for (index, object) in objects.enumerated() {
      if index > 0 { bytes.append(UInt8(ascii: ",")) }
      bytes += object.closed
    }
    bytes.append(UInt8(ascii: "]"))
  }

  private mutating func begin(_ name: StaticString) {
    if bytes.count > 1 { bytes.append(UInt8(ascii: ",")) }
    bytes.append(UInt8(ascii: "\""))
    name.withUTF8Buffer { bytes += $0 }
    bytes += "\":".utf8
  }

  /// Control characters, and those that turn the direction of reading, are escaped: the bytes show what they say.
  private static func quote(_ value: String, into bytes: inout [UInt8]) {
    bytes.append(UInt8(ascii: "\""))
    defer { bytes.append(UInt8(ascii: "\"")) }
    if value.utf8.allSatisfy({ (0x20...0x7E).contains($0) && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }) {
      bytes += value.utf8
      return
    }
    for scalar in value.unicodeScalars {
      switch scalar.value {
      case 0x22: bytes += "\\\"".utf8
      case 0x5C: bytes += "\\\\".utf8
      case 0x0A: bytes += "\\n".utf8
      case 0..<0x20, 0x7F..<0xA0, 0x061C, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069:
        let digits = String(scalar.value, radix: 16)
        bytes += "\\u\(String(repeating: "0", count: 4 - digits.count))\(digits)".utf8
      default: bytes += String(scalar).utf8
      }
    }
  }
}
