import CKernels
import Hashing

extension HashList {
  /// Finds the entry that lists a digest; the first, where there are several.
  ///
  /// - Returns: The match, or `nil` when the list does not have the digest.
  /// - Throws: ``MatchingError`` with `listCorrupt` when bytes that the answer rests on are damaged.
  public func match(for digest: Digest) throws(MatchingError) -> Match? {
    guard let (records, index) = try find(digest) else { return nil }
    return try match(in: records, entry: try entryIndex(of: index, in: records), digest)
  }

  /// Finds the entries that list a digest: the first of each contributor and category.
  ///
  /// - Returns: Matches, in the order of the source; empty when the list does not have the digest.
  /// - Throws: ``MatchingError`` with `listCorrupt` when bytes that the answer rests on are damaged.
  public func matches(for digest: Digest) throws(MatchingError) -> [Match] {
    guard let (records, index) = try find(digest) else { return [] }
    var matches = [try match(in: records, entry: try entryIndex(of: index, in: records), digest)]
    for entry in try furtherEntries(of: index, in: records) {
      matches.append(try match(in: records, entry: entry, digest))
    }
    return matches
  }

  /// Whether the list has a digest.
  ///
  /// - Throws: ``MatchingError`` with `listCorrupt` when bytes that the answer rests on are damaged.
  public func contains(_ digest: Digest) throws(MatchingError) -> Bool { try find(digest) != nil }

  /// Looks many digests up at once: what one lookup waits for is fetched while others are worked on.
  ///
  /// - Returns: The matches of each digest that is listed, by its index in `digests`.
  /// - Throws: ``MatchingError`` with `listCorrupt`.
  public func matches(forEach digests: [Digest]) throws(MatchingError) -> [Int: [Match]] {
    var found: [Int: [Match]] = [:]
    for start in stride(from: 0, to: digests.count, by: Self.batchSize) {
      let batch = start..<min(start + Self.batchSize, digests.count)
      prefetch(digests[batch])
      for index in batch {
        let matches = try matches(for: digests[index])
        if !matches.isEmpty { found[index] = matches }
      }
    }
    return found
  }

  private static let batchSize = 64

  /// Has the filter's blocks for some digests fetched while other work goes on.
  func prefetch(_ digests: some Sequence<Digest>) {
    for digest in digests {
      guard let filter = records(.init(digest.algorithm))?.filter else { continue }
      digest.withBytes { key in
        let block = RecordFilter.block(of: key.baseAddress!, blockCount: filter.count)
        ck_prefetch(file.bytes.baseAddress! + filter.offset + block * HashListLayout.filterBlockSize)
      }
    }
  }

  private func find(_ digest: Digest) throws(MatchingError) -> (Records, Int)? {
    guard let records = records(.init(digest.algorithm)) else { return nil }
    let index = try digest.withBytes { (key: UnsafeRawBufferPointer) throws(MatchingError) -> Int? in
      // Needed on a hit, and there by the time the filter has answered.
      let bucket = HashListLayout.bucket(of: key.baseAddress!, bits: records.fanOut.fanOutBits)
      ck_prefetch(file.bytes.baseAddress! + records.fanOut.offset + bucket * 4)
      guard try isAdmitted(key.baseAddress!, records) else { return nil }
      return try find(key.baseAddress!, in: records)
    }
    return index.map { (records, $0) }
  }

  /// Whether the filter lets a key through: `false` says that it is not listed.
  func isAdmitted(_ key: UnsafeRawPointer, _ records: Records) throws(MatchingError) -> Bool {
    guard let filter = records.filter else { return true }
    let block = RecordFilter.block(of: key, blockCount: filter.count)
    let offset = filter.offset + block * HashListLayout.filterBlockSize
    try tree.verify(offset: offset, size: HashListLayout.filterBlockSize)
    return RecordFilter.admits(file.bytes.baseAddress! + offset, RecordFilter.mask(of: key))
  }

  /// The index of a record within the bucket that its first bits name.
  ///
  /// The bits behind those say where in the bucket a digest stands, give or take some places; from there steps that double
  /// enclose it. Digests are spread evenly; where those of a hostile list are not, the steps double all the same.
  private func find(_ key: UnsafeRawPointer, in records: Records) throws(MatchingError) -> Int? {
    let bits = records.fanOut.fanOutBits
    let bucket = HashListLayout.bucket(of: key, bits: bits)
    var low = Int(try fanOut(records, bucket))
    var high = Int(try fanOut(records, bucket + 1))
    guard low <= high, high <= records.keys.count else { throw damaged("bucket \(bucket) has impossible bounds") }
    guard low < high else { return nil }
    let layout = RecordLayout(records.algorithm)
    let fraction = (RecordLayout.prefix(key) << UInt64(bits)) >> 32
    var probe = low + Int((UInt64(high - low) * fraction) >> 32)
    var step = 1
    while low < high {
      let order = layout.compare(key, try record(probe, in: records))
      if order == 0 { return probe }
      if order < 0 { high = probe } else { low = probe + 1 }
      if step < high - low {
        probe = order < 0 ? max(low, high - step) : min(high - 1, low + step - 1)
        step *= 2
      } else {
        probe = (low + high) / 2
      }
    }
    return nil
  }

  @inline(__always)
  private func fanOut(_ records: Records, _ bucket: Int) throws(MatchingError) -> UInt32 {
    let offset = records.fanOut.offset + bucket * 4
    try tree.verify(offset: offset, size: 4)
    return file.bytes.load(UInt32.self, at: offset)
  }

  @inline(__always)
  func record(_ index: Int, in records: Records) throws(MatchingError) -> UnsafeRawPointer {
    let size = records.keys.recordSize
    let offset = records.keys.offset + index * size
    try tree.verify(offset: offset, size: size)
    return file.bytes.baseAddress! + offset
  }

  func entryIndex(of record: Int, in records: Records) throws(MatchingError) -> Int {
    let offset = records.entryIndexes.offset + record * 4
    try tree.verify(offset: offset, size: 4)
    return Int(file.bytes.load(UInt32.self, at: offset))
  }

  /// A row of the further entries: a record, and one more entry that has it.
  func furtherEntry(_ row: Int, in records: Records) throws(MatchingError) -> (record: Int, entry: Int) {
    let offset = records.furtherEntries.offset + row * 8
    try tree.verify(offset: offset, size: 8)
    return (Int(file.bytes.load(UInt32.self, at: offset)), Int(file.bytes.load(UInt32.self, at: offset + 4)))
  }

  /// The entries of a record besides the one that its index names.
  func furtherEntries(of record: Int, in records: Records) throws(MatchingError) -> [Int] {
    var (low, high) = (0, records.furtherEntries.count)
    while low < high {
      let middle = (low + high) / 2
      if try furtherEntry(middle, in: records).record < record { low = middle + 1 } else { high = middle }
    }
    var entries: [Int] = []
    while low < records.furtherEntries.count {
      let (owner, entry) = try furtherEntry(low, in: records)
      guard owner == record else { break }
      entries.append(entry)
      low += 1
    }
    return entries
  }

  private func match(in records: Records, entry index: Int, _ digest: Digest) throws(MatchingError) -> Match {
    let entry = try entry(at: index)
    return Match(
      list: version, entry: entry.displayName, algorithm: .init(digest.algorithm),
      grade: digest.algorithm == .sha256 ? .exact : .legacyExact, category: entry.category, contributor: entry.contributor)
  }

  func damaged(_ what: String) -> MatchingError { .damaged(path, what) }
}
