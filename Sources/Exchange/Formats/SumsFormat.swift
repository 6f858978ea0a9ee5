import Hashing
import Matching

/// What sum tools print: `HEX  name` and `HEX *name` (GNU), `SHA256 (name) = HEX` (BSD).
///
/// A line that begins with a backslash has `\\`, `\n` and `\r` in its name escaped; a file of `--zero` lines has none and
/// ends each with a zero byte. Source: GNU coreutils manual, "cksum output modes".
struct SumsFormat: LineParser {
  mutating func parse(_ line: UnsafeRawBufferPointer, number: Int, into sink: inout RecordSink) throws {
    // Names may end in spaces: only the line's own end is cut off.
    let text = line.last == UInt8(ascii: "\r") ? line.from(0, to: line.count - 1) : line
    if text.trimmed.isBlankOrComment { return }
    let isEscaped = text[0] == .backslash
    let body = text.from(isEscaped ? 1 : 0)
    guard let (hash, name) = Self.hashAndName(body) else {
      return try sink.add(HashText(byLength: body.trimmed), number: number)
    }
    try sink.add(hash, number: number, id: isEscaped ? Self.unescape(name) : name.text)
  }

  private typealias NamedHash = (hash: HashText, name: UnsafeRawBufferPointer)

  private static func hashAndName(_ line: UnsafeRawBufferPointer) -> NamedHash? {
    let start = line.firstIndex { $0 != .space } ?? 0
    guard let space = line.position(of: .space, from: start), space + 1 < line.count else { return nil }
    let next = line[space + 1]
    if next == UInt8(ascii: "("), space <= 10, let algorithm = DigestAlgorithm(name: line.from(start, to: space).text) {
      return tagged(algorithm, line.from(space + 2))
    }
    let name = next == .space || next == UInt8(ascii: "*") ? space + 2 : space + 1
    return (HashText(byLength: line.from(start, to: space)), line.from(name))
  }

  /// What follows `SHA256 (`. The name ends at the last `) = `, as it may hold that itself.
  private static func tagged(_ algorithm: DigestAlgorithm, _ line: UnsafeRawBufferPointer) -> NamedHash? {
    let mark = Array(") = ".utf8)
    var end = line.count - mark.count
    while end >= 0 && !line[end..<end + mark.count].elementsEqual(mark) { end -= 1 }
    return end < 0 ? nil : (HashText(algorithm, line.from(end + mark.count).trimmed), line.from(0, to: end))
  }

  private static func unescape(_ name: UnsafeRawBufferPointer) -> String {
    var bytes: [UInt8] = []
    var index = 0
    while index < name.count {
      var byte = name[index]
      if byte == .backslash && index + 1 < name.count {
        index += 1
        switch name[index] {
        case UInt8(ascii: "n"): byte = UInt8(ascii: "\n")
        case UInt8(ascii: "r"): byte = UInt8(ascii: "\r")
        default: byte = name[index]
        }
      }
      bytes.append(byte)
      index += 1
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
