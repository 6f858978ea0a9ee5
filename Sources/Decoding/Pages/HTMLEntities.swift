/// Characters that are written as a name or a number: `&amp;`, `&#x41;`.
///
/// Source: HTML standard, 13.2.5.72 "Character reference state", for values of attributes.
enum HTMLEntities {
  /// Decodes a value; what is no UTF-8, and bytes of zero, become U+FFFD.
  static func decode(_ value: Slice<UnsafeBufferPointer<UInt8>>) -> String {
    guard value.contains(where: { $0 == UInt8(ascii: "&") || $0 == 0 }) else {
      return String(decoding: value, as: UTF8.self)
    }
    var decoded: [UInt8] = []
    decoded.reserveCapacity(value.count)
    var at = value.startIndex
    while at < value.endIndex {
      switch value[at] {
      case 0: decoded += replacement
      case UInt8(ascii: "&"):
        if let (characters, next) = reference(value, at + 1) {
          decoded += characters
          at = next
          continue
        }
        decoded.append(value[at])
      default: decoded.append(value[at])
      }
      at += 1
    }
    return String(decoding: decoded, as: UTF8.self)
  }

  private static let replacement: [UInt8] = [0xef, 0xbf, 0xbd]

  /// - Parameter start: Behind the `&`.
  /// - Returns: The characters as UTF-8, and where the text goes on; `nil` where there is no reference.
  private static func reference(_ text: Slice<UnsafeBufferPointer<UInt8>>, _ start: Int) -> ([UInt8], Int)? {
    guard start < text.endIndex else { return nil }
    if text[start] == UInt8(ascii: "#") { return number(text, start + 1) }
    var name: [UInt8] = []
    var best: ([UInt8], Int)?
    var at = start
    while at < text.endIndex, name.count < longestName, isLetter(text[at]) || isDigit(text[at]) {
      name.append(text[at])
      at += 1
      guard let entity = names[name] else { continue }
      if at < text.endIndex, text[at] == UInt8(ascii: ";") { return (entity.characters, at + 1) }
      if entity.mayLackSemicolon { best = (entity.characters, at) }
    }
    // What goes on like a name or a parameter is one: "?a=1&copy=2".
    if let (_, next) = best, next < text.endIndex,
      text[next] == UInt8(ascii: "=") || isLetter(text[next]) || isDigit(text[next])
    {
      return nil
    }
    return best
  }

  private static func number(_ text: Slice<UnsafeBufferPointer<UInt8>>, _ start: Int) -> ([UInt8], Int)? {
    let isHexadecimal = start < text.endIndex && text[start] | 0x20 == UInt8(ascii: "x")
    var at = isHexadecimal ? start + 1 : start
    let first = at
    var code: UInt32 = 0
    while at < text.endIndex, let digit = Character(UnicodeScalar(text[at])).hexDigitValue,
      isHexadecimal || digit < 10
    {
      // Beyond Unicode it stays there.
      code = min(code * (isHexadecimal ? 16 : 10) + UInt32(digit), 0x11_0000)
      at += 1
    }
    guard at > first else { return nil }
    if at < text.endIndex, text[at] == UInt8(ascii: ";") { at += 1 }
    if (0x80...0x9f).contains(code) { code = UInt32(windows1252[Int(code) - 0x80]) }
    let scalar = code == 0 ? nil : UnicodeScalar(code)
    return (scalar.map { Array(String(Character($0)).utf8) } ?? replacement, at)
  }

  /// What pages mean with the numbers 0x80…0x9F. Source: "Numeric character reference end state".
  private static let windows1252: [UInt16] = [
    0x20ac, 0x81, 0x201a, 0x192, 0x201e, 0x2026, 0x2020, 0x2021, 0x2c6, 0x2030, 0x160, 0x2039, 0x152, 0x8d, 0x17d, 0x8f,
    0x90, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014, 0x2dc, 0x2122, 0x161, 0x203a, 0x153, 0x9d, 0x17e,
    0x178,
  ]

  private struct Entity {
    let characters: [UInt8]
    let mayLackSemicolon: Bool
  }

  private static let longestName = 31

  private static let names: [[UInt8]: Entity] = {
    var names: [[UInt8]: Entity] = [:]
    for word in table.split(separator: " ") {
      let parts = word.split(separator: "=")
      let codes = parts[1].split(separator: "+").compactMap { UInt32($0, radix: 16).flatMap(UnicodeScalar.init) }
      let characters = codes.flatMap { Array(String(Character($0)).utf8) }
      let mayLackSemicolon = parts[0].hasSuffix("*")
      let name = mayLackSemicolon ? parts[0].dropLast() : parts[0]
      names[Array(name.utf8)] = Entity(characters: characters, mayLackSemicolon: mayLackSemicolon)
    }
    return names
  }()
}
