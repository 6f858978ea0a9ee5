import Hashing
import Matching

/// Hex digits, one hash a line: MD5, SHA-1 or SHA-256 by length, or with the algorithm before a colon.
struct PlainFormat: RecordParser {
  mutating func parse(_ line: UnsafeRawBufferPointer, number: Int, into sink: inout RecordSink) throws {
    let text = line.trimmed
    if text.isBlankOrComment { return }
    let hash: HashText
    if let colon = text.prefix(8).firstIndex(of: .colon) {
      hash = HashText(named: text.from(0, to: colon).text, text.from(colon + 1))
    } else {
      hash = HashText(byLength: text)
    }
    try sink.add(hash, number: number)
  }
}

/// PDQ hashes: `HEX,name` as the reference's tools write them, or bare. Further fields belong to the name.
struct PDQFormat: RecordParser {
  mutating func parse(_ line: UnsafeRawBufferPointer, number: Int, into sink: inout RecordSink) throws {
    let text = line.trimmed
    if text.isBlankOrComment { return }
    let comma = text.firstIndex(of: .comma)
    let name = comma.map { text.from($0 + 1).trimmed.text }
    try sink.add(HashText(pdq: text.from(0, to: comma).trimmed), number: number, id: name)
  }
}

extension RecordSink {
  /// Takes an entry of one hash, or refuses it.
  mutating func add(_ hash: HashText, number: Int, id: String? = nil) throws {
    var entry = ListEntry(id: id?.isEmpty == false ? id : nil, recordNumber: number, contributor: options.contributor)
    switch hash {
    case .digest(let digest): entry.digests = [digest]
    case .perceptual(let hash): entry.perceptualHashes = [hash]
    case .refused(let reason): return try reject(number, reason)
    }
    try add(entry)
  }

  /// Takes an entry of several hashes; those that are refused are left out of it.
  mutating func add(_ hashes: [HashText], to entry: ListEntry) throws {
    var entry = entry
    for hash in hashes {
      switch hash {
      case .digest(let digest): entry.digests.append(digest)
      case .perceptual(let hash): entry.perceptualHashes.append(hash)
      case .refused(let reason): try reject(entry.recordNumber, reason)
      }
    }
    if hashes.isEmpty { return try reject(entry.recordNumber, "no hash in the record") }
    if !entry.digests.isEmpty || !entry.perceptualHashes.isEmpty { try add(entry) }
  }
}
