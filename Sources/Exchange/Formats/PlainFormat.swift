import Hashing
import Matching

/// Hex digits, one hash a line: MD5, SHA-1 or SHA-256 by length, or with the algorithm before a colon.
struct PlainFormat: LineParser {
  mutating func parse(_ line: UnsafeRawBufferPointer, number: Int, into sink: inout RecordSink) throws {
    let text = line.trimmed
    if text.isBlankOrComment { return }
    let hash: HashText
    if let colon = text.colonBehindName {
      hash = HashText(named: text.from(0, to: colon).text, text.from(colon + 1))
    } else {
      hash = HashText(byLength: text)
    }
    try sink.add(hash, number: number)
  }
}

/// PDQ hashes: `HEX,name` as the reference's tools write them, or bare. Further fields belong to the name.
struct PDQFormat: LineParser {
  mutating func parse(_ line: UnsafeRawBufferPointer, number: Int, into sink: inout RecordSink) throws {
    let text = line.trimmed
    if text.isBlankOrComment { return }
    let comma = text.position(of: .comma)
    let name = comma.map { text.from($0 + 1).trimmed.text }
    try sink.add(HashText(pdq: text.from(0, to: comma).trimmed), number: number, id: name)
  }
}
