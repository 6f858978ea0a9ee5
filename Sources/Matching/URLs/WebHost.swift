import CIDN

/// The host of a URL: a name, or an address.
public enum WebHost: Sendable, Hashable, CustomStringConvertible {
  /// In lower case and ASCII, without a final dot.
  case domain(String)
  case address(IPAddress)

  /// As it stands in a URL: an IPv6 address in brackets.
  public var description: String {
    switch self {
    case .domain(let name): name
    case .address(.v6(let high, let low)): "[\(IPAddress.v6(high: high, low: low))]"
    case .address(let address): address.description
    }
  }

  /// The name, or the address without brackets.
  public var name: String {
    switch self {
    case .domain(let name): name
    case .address(let address): address.description
    }
  }

  /// Reads a host as it stands in a URL.
  ///
  /// An IPv4 address may have any form that the URL Standard reads: `0x7f.1`, `017700000001`, `2130706433`.
  init(_ text: ArraySlice<UInt8>) throws(URLRefusal) {
    guard !text.isEmpty else { throw .noHost }
    if text.first == UInt8(ascii: "[") {
      guard text.dropFirst().last == UInt8(ascii: "]") else { throw .address }
      let inner = Array(text.dropFirst().dropLast())
      if inner.contains(UInt8(ascii: "%")) { throw .zone }
      guard let address = IPAddress.v6(inner) else { throw .address }
      self = .address(address)
      return
    }
    guard !text.contains(UInt8(ascii: "%")) else { throw .escapedHost }
    var name = try Self.ascii(text)
    if name.last == UInt8(ascii: ".") { name.removeLast() }
    let labels = name.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard name.count <= 253, labels.allSatisfy({ (1...63).contains($0.count) }) else { throw .hostLength }
    guard name.allSatisfy(Self.isOfName) else { throw .hostCharacter }
    guard Self.isNumber(labels[labels.count - 1]) else {
      self = .domain(String(decoding: name, as: UTF8.self))
      return
    }
    guard let value = Self.v4(labels) else { throw .address }
    self = .address(.v4(value))
  }

  /// The host in lower case and ASCII.
  private static func ascii(_ text: ArraySlice<UInt8>) throws(URLRefusal) -> [UInt8] {
    let isASCII = text.allSatisfy { $0 < 0x80 }
    let lower = text.map { (0x41...0x5A).contains($0) ? $0 + 0x20 : $0 }
    // Names with two hyphens at the third place or with an underscore are in use, and libidn2 refuses them.
    if isASCII && !isEncoded(lower) { return lower }
    guard let name = String(validating: text, as: UTF8.self) else { throw .brokenText }
    if name.unicodeScalars.contains(where: \.isHiddenMark) { throw .hiddenMark }
    var result: UnsafeMutablePointer<UInt8>?
    let flags = CInt(IDN2_NFC_INPUT.rawValue | IDN2_NONTRANSITIONAL.rawValue)
    let status = name.withCString { input in
      input.withMemoryRebound(to: UInt8.self, capacity: name.utf8.count + 1) { idn2_lookup_u8($0, &result, flags) }
    }
    guard status == IDN2_OK.rawValue, let result else {
      throw .internationalHost(String(cString: idn2_strerror(status)))
    }
    defer { idn2_free(result) }
    return Array(String(cString: result).lowercased().utf8)
  }

  /// Whether a label says that it stands for an international one: what it stands for has to be a name.
  private static func isEncoded(_ text: [UInt8]) -> Bool {
    text.split(separator: UInt8(ascii: ".")).contains { $0.starts(with: "xn--".utf8) }
  }

  private static func isOfName(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x61...0x7A, UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."): true
    default: false
    }
  }

  /// Whether a host that ends in this label is an address or nothing.
  ///
  /// Source: URL Standard, "ends in a number checker".
  private static func isNumber(_ label: some Collection<UInt8>) -> Bool {
    label.allSatisfy(isDigit) || (label.starts(with: "0x".utf8) && label.dropFirst(2).allSatisfy(isHexDigit))
  }

  /// Source: URL Standard, "IPv4 parser".
  private static func v4(_ labels: [ArraySlice<UInt8>]) -> UInt32? {
    guard labels.count <= 4 else { return nil }
    var numbers: [UInt64] = []
    for label in labels {
      guard let number = number(label) else { return nil }
      numbers.append(number)
    }
    let last = numbers.removeLast()
    guard numbers.allSatisfy({ $0 <= 255 }), last < UInt64(1) << (8 * UInt64(4 - numbers.count)) else { return nil }
    let leading = numbers.enumerated().reduce(UInt64(0)) { $0 | $1.element << UInt64(24 - 8 * $1.offset) }
    return UInt32(leading | last)
  }

  /// A number in decimal, in octal with a `0` or in hexadecimal with a `0x` before it.
  private static func number(_ label: ArraySlice<UInt8>) -> UInt64? {
    let text = String(decoding: label, as: UTF8.self)
    if text.hasPrefix("0x") { return text.count == 2 ? 0 : UInt64(text.dropFirst(2), radix: 16) }
    guard label.allSatisfy(isDigit) else { return nil }
    return label.count > 1 && label.first == UInt8(ascii: "0") ? UInt64(text, radix: 8) : UInt64(text)
  }
}

extension Unicode.Scalar {
  /// Whether the scalar is not seen, or turns the text around it: what a reader sees is not what is there.
  var isHiddenMark: Bool {
    switch value {
    case 0xAD, 0x61C, 0x180E, 0x200B...0x200F, 0x202A...0x202E, 0x2060...0x206F, 0xFEFF, 0xFFF9...0xFFFB,
      0xE0000...0xE007F:
      true
    default: false
    }
  }
}
