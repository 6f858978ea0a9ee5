import CKernels
import Hashing

extension HashList {
  /// Finds the entry that lists a digest; the first, where there are several.
  ///
  /// - Returns: The match, or `nil` when the list does not have the digest.
  /// - Throws: ``MatchingError`` with `listCorrupt` when bytes that the answer rests on are damaged.
  public func match(for digest: Digest) throws(MatchingError) -> Match? {
    guard let index = try find(digest), let records = records(.init(digest.algorithm)) else { return nil }
    return try match(in: records, entry: try entryIndex(of: index, in: records), digest)
  }

  /// Finds the entries that list a digest: the first of each contributor and category.
  ///
  /// - Returns: Matches, in the order of the source; empty when the list does not have the digest.
  /// - Throws: ``MatchingError`` with `listCorrupt` when bytes that the answer rests on are damaged.
  public func matches(for digest: Digest) throws(MatchingError) -> [Match] {
    guard let index = try find(digest), let records = records(.init(digest.algorithm)) else { return [] }
    return try matches(of: index, in: records, digest)
  }

  private func matches(of index: Int, in records: Records, _ digest: Digest) throws(MatchingError) -> [Match] {
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
    for algorithm in DigestAlgorithm.allCases {
      guard let index = index(algorithm), let records = records(.init(algorithm)) else { continue }
      var batch = LookupBatch(index, tree)
      var start = 0
      while start < digests.count {
        start = batch.fill(from: digests, at: start, algorithm)
        try batch.forEachFound { (number, record) throws(MatchingError) in
          found[number] = try matches(of: record, in: records, digests[number])
        }
      }
    }
    return found
  }

  /// Has the filter's blocks for some digests fetched while other work goes on.
  func prefetch(_ digests: some Sequence<Digest>) {
    for digest in digests { index(digest.algorithm)?.prefetchFilter(DigestKey(digest)) }
  }

  @inline(__always)
  private func find(_ digest: Digest) throws(MatchingError) -> Int? {
    try index(digest.algorithm)?.find(DigestKey(digest), tree)
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
