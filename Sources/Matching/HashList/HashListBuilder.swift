import Foundation
import Hashing
import SystemPackage

/// Who a list is and where it came from; kept in the list file, section "Information".
public struct HashListInformation: Sendable, Equatable {
  public var name: String
  public var version: String
  /// The partner's file that the list was made from, by name only.
  public var source: String
  public var created: Date

  public init(name: String, version: String, source: String, created: Date) {
    self.name = name
    self.version = version
    self.source = source
    self.created = created
  }
}

/// What became of the hashes that were added to a builder.
public struct HashListCounts: Sendable, Equatable {
  /// Distinct hashes in the list.
  public var accepted = 0
  /// Further occurrences of a hash that is in the list already; the first entry that had it is kept.
  public var duplicates = 0
  /// Rows that say where hashes come from; an entry may have several hashes.
  public var entries = 0
}

/// Collects entries and writes them as an immutable hash list file.
///
/// Nothing is on disk until ``write(to:information:)``, so a list that fails on the way is never half imported.
public struct HashListBuilder {
  private var records: [HashListLayout.Algorithm: [Record]] = [:]
  private var entries: [EntryRow] = []
  private var strings = StringPool()
  private var attributions: [Attribution: UInt32] = [:]
  private var attributionRows: [Attribution] = []

  private struct Record {
    let key: PerceptualHash  // 32 bytes in order, whatever the algorithm; the quality where it is one.
    let entry: UInt32
  }

  private struct EntryRow {
    let recordNumber: Int
    let id: StringPool.Reference?
    let attribution: UInt32
  }

  private struct Attribution: Hashable {
    let contributor: String?
    let category: Category?
  }

  public init() {}

  /// Adds the hashes of one entry.
  public mutating func add(_ entry: ListEntry) {
    let row = UInt32(entries.count)
    let attribution = Attribution(contributor: entry.contributor, category: entry.category)
    let number = attributions[attribution] ?? UInt32(attributionRows.count)
    if number == attributionRows.count {
      attributions[attribution] = number
      attributionRows.append(attribution)
    }
    entries.append(
      EntryRow(recordNumber: entry.recordNumber, id: entry.id.map { strings.add($0) }, attribution: number))
    for digest in entry.digests {
      let key = digest.withBytes { bytes in PerceptualHash(words: bigEndianWords(bytes)) }
      records[.init(digest.algorithm), default: []].append(Record(key: key, entry: row))
    }
    for hash in entry.perceptualHashes { records[.pdq, default: []].append(Record(key: hash, entry: row)) }
  }

  /// Writes the list durably.
  ///
  /// - Returns: How many hashes the file holds, and the digest that identifies it.
  /// - Throws: ``MatchingError``, and then there is no file at `path` that was not there before, unless it was the
  ///   folder that could not be synced.
  public mutating func write(
    to path: FilePath, information: HashListInformation
  ) throws -> (counts: HashListCounts, digest: Digest) {
    try write(to: path, information: information, on: HostFileSystem())
  }

  mutating func write(
    to path: FilePath, information: HashListInformation, on fileSystem: any DurableFileSystem
  ) throws -> (counts: HashListCounts, digest: Digest) {
    var counts = HashListCounts(entries: entries.count)
    var file = try HashListWriter.begin(path, on: fileSystem)
    for algorithm in HashListLayout.Algorithm.allCases {
      guard var sorted = records.removeValue(forKey: algorithm) else { continue }
      sorted.sort { $0.key.words == $1.key.words ? $0.entry < $1.entry : $0.key.words.precedes($1.key.words) }
      let all = sorted.count
      var last: SIMD4<UInt64>?
      sorted.removeAll { record in
        defer { last = record.key.words }
        return record.key.words == last
      }
      counts.accepted += sorted.count
      counts.duplicates += all - sorted.count
      try writeRecords(sorted, algorithm, to: &file)
    }
    try writeEntries(to: &file)
    try file.section(.init(.information)) { append in
      let fields = [("name", information.name), ("version", information.version), ("source", information.source)]
      // One line a field: what a name may not hold cannot break a line.
      let text = fields.map { "\($0)\t\($1.map { $0.isNewline || $0 == "\t" ? " " : $0 }.map(String.init).joined())\n" }
      try Array(text.joined().utf8).withUnsafeBytes { try append($0) }
    }
    let digest = try file.finish(created: information.created, entryCount: entries.count)
    return (counts, digest)
  }

  private func writeRecords(
    _ sorted: [Record], _ algorithm: HashListLayout.Algorithm, to file: inout HashListWriter
  ) throws {
    let size = algorithm.recordSize
    try file.section(.init(.records, algorithm)) { append in
      for record in sorted { try record.key.withBytes { try append($0.slice(0, size)) } }
    }
    let bits = HashListLayout.fanOutBits(recordCount: sorted.count)
    var starts = [UInt64](repeating: 0, count: 1 << bits + 1)
    for record in sorted { starts[record.key.withBytes { HashListLayout.bucket(of: $0, bits: bits) } + 1] += 1 }
    for bucket in 1..<starts.count { starts[bucket] += starts[bucket - 1] }
    try file.section(.init(.fanOut, algorithm, fanOutBits: bits)) { append in
      for start in starts { try withUnsafeBytes(of: start.littleEndian) { try append($0) } }
    }
    try file.section(.init(.entryIndexes, algorithm)) { append in
      for record in sorted { try withUnsafeBytes(of: record.entry.littleEndian) { try append($0) } }
    }
    if algorithm == .pdq {
      try file.section(.init(.qualities, algorithm)) { append in
        for record in sorted {
          try withUnsafeBytes(of: record.key.quality ?? HashListLayout.unknownQuality) { try append($0) }
        }
      }
    }
  }

  private mutating func writeEntries(to file: inout HashListWriter) throws {
    func row(_ size: Int, _ numbers: [(UInt64, Int)]) -> [UInt8] {
      var row = [UInt8](repeating: 0, count: size)
      row.withUnsafeMutableBytes { for (number, offset) in numbers { $0.store(number, at: offset) } }
      return row
    }
    let rows = entries
    try file.section(.init(.entries)) { append in
      for entry in rows {
        let lengths = UInt64(entry.attribution) | UInt64(entry.id?.length ?? 0) << 32
        let bytes = row(
          HashListLayout.entrySize,
          [(UInt64(entry.recordNumber), 0), (entry.id?.offset ?? HashListLayout.noString, 8), (lengths, 16)])
        try bytes.withUnsafeBytes { try append($0) }
      }
    }
    let attributed = attributionRows.map { attribution in
      [attribution.contributor, attribution.category?.scheme, attribution.category?.label].map { text in
        text.map { strings.add($0) }
      }
    }
    try file.section(.init(.attributions)) { append in
      for references in attributed {
        var numbers: [(UInt64, Int)] = []
        for (index, reference) in references.enumerated() {
          numbers.append((reference?.offset ?? HashListLayout.noString, index * 16))
          numbers.append((UInt64(reference?.length ?? 0), index * 16 + 8))
        }
        try row(HashListLayout.attributionSize, numbers).withUnsafeBytes { try append($0) }
      }
    }
    let heap = strings.bytes
    try file.section(.init(.strings)) { append in
      try heap.withUnsafeBytes { try append($0) }
    }
  }
}

/// Bytes of strings one after the other, as they stand in the file.
private struct StringPool {
  struct Reference {
    let offset: UInt64
    let length: UInt32
  }

  private(set) var bytes: [UInt8] = []

  mutating func add(_ text: String) -> Reference {
    let reference = Reference(offset: UInt64(bytes.count), length: UInt32(text.utf8.count))
    bytes.append(contentsOf: text.utf8)
    return reference
  }
}
