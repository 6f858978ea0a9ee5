import Hashing
import Matching

/// The index that The Sleuth Kit's `hfind` makes of a hash database: `HEX|OFFSET`, under two lines that begin with zeros.
///
/// Source: `tsk/hashdb/binsrch_index.cpp`.
struct HfindFormat: LineParser {
  mutating func parse(_ line: UnsafeRawBufferPointer, number: Int, into sink: inout RecordSink) throws {
    let text = line.trimmed
    if text.isBlankOrComment { return }
    guard let bar = text.firstIndex(of: UInt8(ascii: "|")) else {
      return try sink.reject(number, "no '|' after the hash")
    }
    if Self.isHeader(text) { return }
    try sink.add(HashText(byLength: text.from(0, to: bar)), number: number)
  }

  /// Whether a line is one of the two that name the database: a zero for each digit of SHA-1, one more, and its kind or name.
  static func isHeader(_ text: UnsafeRawBufferPointer) -> Bool {
    guard text.count > 41 && text[41] == UInt8(ascii: "|") else { return false }
    return text.prefix(40).allSatisfy { $0 == UInt8(ascii: "0") }
      && (text[40] == UInt8(ascii: "0") || text[40] == UInt8(ascii: "1"))
  }
}
