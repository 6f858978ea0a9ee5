/// The address of a machine on the network.
public enum IPAddress: Sendable, Hashable, CustomStringConvertible {
  /// Four octets, the first the most significant.
  case v4(UInt32)
  /// Eight groups of 16 bits, the first the most significant.
  case v6(high: UInt64, low: UInt64)

  /// Reads an address as it is written in its one plain form: four decimal numbers, or RFC 4291, section 2.2.
  ///
  /// - Returns: `nil` for anything else, a zone and an abbreviated IPv4 address among it.
  public init?(_ text: some StringProtocol) {
    if let address = Self.v6(Array(text.utf8)) {
      self = address
      return
    }
    let parts = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard parts.count == 4 else { return nil }
    var value: UInt32 = 0
    for part in parts {
      guard let octet = Self.decimalOctet(part) else { return nil }
      value = value << 8 | octet
    }
    self = .v4(value)
  }

  /// An IPv4 address in network byte order, or an IPv6 address: 4 or 16 bytes; `nil` for another number of them.
  public init?(bytes: some Collection<UInt8>) {
    func joined(_ bytes: some Collection<UInt8>) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }
    switch bytes.count {
    case 4: self = .v4(UInt32(truncatingIfNeeded: joined(bytes)))
    case 16: self = .v6(high: joined(bytes.prefix(8)), low: joined(bytes.dropFirst(8)))
    default: return nil
    }
  }

  /// The form of RFC 5952, as the URL Standard writes it: no IPv4 address within an IPv6 address, no brackets.
  public var description: String {
    switch self {
    case .v4(let value): return (0..<4).map { String(value >> (24 - 8 * $0) & 0xFF) }.joined(separator: ".")
    case .v6(let high, let low):
      let groups = Self.groups(high, low)
      let hex = groups.map { String($0, radix: 16) }
      // The longest run of two or more zeros, the first of equals, is left out.
      var longest = 0..<0
      var start = 0
      for index in 0...8 where index == 8 || groups[index] != 0 {
        if index - start > max(longest.count, 1) { longest = start..<index }
        start = index + 1
      }
      guard !longest.isEmpty else { return hex.joined(separator: ":") }
      return hex[..<longest.lowerBound].joined(separator: ":") + "::"
        + hex[longest.upperBound...].joined(separator: ":")
    }
  }

  private static func groups(_ high: UInt64, _ low: UInt64) -> [UInt16] {
    [high, low].flatMap { half in (0..<4).map { UInt16(truncatingIfNeeded: half >> (48 - 16 * $0)) } }
  }

  private static func decimalOctet(_ digits: some Collection<UInt8>) -> UInt32? {
    guard (1...3).contains(digits.count), digits.allSatisfy(isDigit) else { return nil }
    // A leading zero is octal to some and decimal to others.
    if digits.count > 1 && digits.first == UInt8(ascii: "0") { return nil }
    let value = digits.reduce(0) { $0 * 10 + UInt32($1 - 0x30) }
    return value <= 255 ? value : nil
  }
}

extension IPAddress {
  /// Reads an IPv6 address without brackets, its last 32 bits also as an IPv4 address.
  ///
  /// Source: URL Standard, "IPv6 parser".
  static func v6(_ text: [UInt8]) -> IPAddress? {
    let colon = UInt8(ascii: ":")
    guard text.count <= 45, text.contains(colon) else { return nil }
    var groups: [UInt16] = []
    /// Where `::` stands.
    var gap: Int?
    var rest = text[...]
    if rest.starts(with: [colon, colon]) {
      gap = 0
      rest = rest.dropFirst(2)
    } else if rest.first == colon {
      return nil
    }
    while !rest.isEmpty {
      guard groups.count < 8 else { return nil }
      let part = rest.prefix { $0 != colon }
      if part.contains(UInt8(ascii: ".")) {
        guard part.endIndex == text.endIndex, groups.count <= 6,
          case .v4(let value)? = IPAddress(String(decoding: part, as: UTF8.self))
        else { return nil }
        groups += [UInt16(value >> 16), UInt16(value & 0xFFFF)]
        break
      }
      guard (1...4).contains(part.count), part.allSatisfy(isHexDigit),
        let group = UInt16(String(decoding: part, as: UTF8.self), radix: 16)
      else { return nil }
      groups.append(group)
      rest = rest[part.endIndex...]
      if rest.isEmpty { break }
      rest = rest.dropFirst()
      if rest.first == colon {
        guard gap == nil else { return nil }
        gap = groups.count
        rest = rest.dropFirst()
      } else if rest.isEmpty {
        return nil
      }
    }
    if let gap {
      guard groups.count < 8 else { return nil }
      groups.insert(contentsOf: repeatElement(0, count: 8 - groups.count), at: gap)
    }
    guard groups.count == 8 else { return nil }
    func half(_ groups: ArraySlice<UInt16>) -> UInt64 { groups.reduce(0) { $0 << 16 | UInt64($1) } }
    return .v6(high: half(groups[..<4]), low: half(groups[4...]))
  }
}

func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

func isHexDigit(_ byte: UInt8) -> Bool {
  switch byte {
  case 0x30...0x39, 0x41...0x46, 0x61...0x66: true
  default: false
  }
}
