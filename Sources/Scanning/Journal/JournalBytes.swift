/// Bytes of a journal under construction; `JournalFormat.md`, "Records", says how each kind of value is written.
struct JournalBytes {
  private(set) var bytes: [UInt8] = []

  mutating func put(_ number: UInt64) {
    var rest = number
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }

  mutating func put(_ number: Int) { put(UInt64(bitPattern: Int64(number))) }

  mutating func put(_ number: Int64) { put(UInt64(bitPattern: number)) }

  mutating func put(raw: some Sequence<UInt8>) { bytes.append(contentsOf: raw) }

  mutating func put(sized: some Collection<UInt8>) {
    put(sized.count)
    put(raw: sized)
  }

  mutating func put(_ text: String) { put(sized: text.utf8) }

  /// A zero for `nil`, else a one and the value.
  mutating func put<Value>(_ value: Value?, _ put: (inout Self, Value) -> Void) {
    bytes.append(value == nil ? 0 : 1)
    if let value { put(&self, value) }
  }

  mutating func put<Value>(_ values: [Value], _ put: (inout Self, Value) -> Void) {
    self.put(values.count)
    for value in values { put(&self, value) }
  }
}

/// Reads what ``JournalBytes`` wrote. The bytes have passed their digest; whatever does not fit is an error all the same.
struct JournalBytesReader {
  struct Malformed: Error {}

  private var rest: ArraySlice<UInt8>

  init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

  var isAtEnd: Bool { rest.isEmpty }

  mutating func number() throws(Malformed) -> UInt64 {
    var value: UInt64 = 0
    for shift in stride(from: UInt64(0), to: 70, by: 7) {
      guard let byte = rest.popFirst(), shift < 63 || byte < 2 else { throw Malformed() }
      value |= UInt64(byte & 0x7F) << shift
      if byte < 0x80 { return value }
    }
    throw Malformed()
  }

  mutating func int() throws(Malformed) -> Int { Int(try int64()) }

  mutating func int64() throws(Malformed) -> Int64 { Int64(bitPattern: try number()) }

  mutating func raw(_ count: Int) throws(Malformed) -> ArraySlice<UInt8> {
    guard count >= 0, count <= rest.count else { throw Malformed() }
    defer { rest = rest.dropFirst(count) }
    return rest.prefix(count)
  }

  mutating func sized() throws(Malformed) -> ArraySlice<UInt8> { try raw(int()) }

  mutating func string() throws(Malformed) -> String {
    guard let text = String(validating: try sized(), as: UTF8.self) else { throw Malformed() }
    return text
  }

  mutating func optional<Value>(_ read: (inout Self) throws(Malformed) -> Value) throws(Malformed) -> Value? {
    switch rest.popFirst() {
    case 0: return nil
    case 1: return try read(&self)
    default: throw Malformed()
    }
  }

  mutating func array<Value>(_ read: (inout Self) throws(Malformed) -> Value) throws(Malformed) -> [Value] {
    let count = try int()
    // Each value has a byte at least, so no count makes more room than there are bytes.
    guard count >= 0, count <= rest.count else { throw Malformed() }
    var values: [Value] = []
    values.reserveCapacity(count)
    for _ in 0..<count { values.append(try read(&self)) }
    return values
  }

  /// One of several words.
  mutating func word<Word: RawRepresentable>() throws(Malformed) -> Word where Word.RawValue == String {
    guard let word = Word(rawValue: try string()) else { throw Malformed() }
    return word
  }
}
