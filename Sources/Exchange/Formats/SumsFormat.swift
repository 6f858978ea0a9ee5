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
    let escaped = text[0] == .backslash
    let body = text.from(escaped ? 1 : 0)
    if let (hash, name) = Self.tagged(body) ?? Self.untagged(body) {
      try sink.add(hash, number: number, id: escaped ? Self.unescape(name) : name.text)
    } else {
      try sink.add(HashText(byLength: body.trimmed), number: number)
    }
  }

  private static func untagged(_ line: UnsafeRawBufferPointer) -> (HashText, UnsafeRawBufferPointer)? {
    let start = line.firstIndex { $0 != .space } ?? 0
    guard let space = line.from(start).firstIndex(of: .space).map({ $0 + start }), space + 1 < line.count else { return nil }
    let marker = line[space + 1]
    let name = marker == .space || marker == UInt8(ascii: "*") ? space + 2 : space + 1
    return (HashText(byLength: line.from(start, to: space)), line.from(name))
  }

  private static func tagged(_ line: UnsafeRawBufferPointer) -> (HashText, UnsafeRawBufferPointer)? {
    guard let space = line.prefix(12).firstIndex(of: .space), space + 1 < line.count, line[space + 1] == UInt8(ascii: "("),
      let algorithm = DigestAlgorithm(name: line.from(0, to: space).text)
    else { return nil }
    // From the end: the name may hold ") = " itself.
    let mark = Array(") = ".utf8)
    var end = line.count - mark.count
    while end > space + 1 && !line[end..<end + mark.count].elementsEqual(mark) { end -= 1 }
    guard end > space + 1 else { return nil }
    return (HashText(algorithm, line.from(end + mark.count).trimmed), line.from(space + 2, to: end))
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
