import CKernels
import Hashing

extension HashList {
  /// Finds the entry that lists a digest.
  ///
  /// - Returns: The match, or `nil` when the list does not have the digest.
  /// - Throws: ``MatchingError`` with `listCorrupt` when bytes that the answer rests on are damaged.
  public func match(for digest: Digest) throws(MatchingError) -> Match? {
    guard let records = records(.init(digest.algorithm)) else { return nil }
    guard let index = try digest.withBytes({ (key: UnsafeRawBufferPointer) throws(MatchingError) in
      try find(key, in: records)
    }) else { return nil }
    let grade: MatchGrade = digest.algorithm == .sha256 ? .exact : .legacyExact
    return try match(records, record: index, algorithm: .init(digest.algorithm), grade: grade, distanceInBits: 0)
  }

  /// The index of a record, by halving the bucket that its first bits name.
  private func find(_ key: UnsafeRawBufferPointer, in records: Records) throws(MatchingError) -> Int? {
    let bucket = HashListLayout.bucket(of: key, bits: records.fanOut.fanOutBits)
    var low = try fanOut(records, bucket)
    var high = try fanOut(records, bucket + 1)
    guard low <= high, high <= records.keys.count else { throw damaged("bucket \(bucket) has impossible bounds") }
    while low < high {
      let middle = (low + high) / 2
      let order = compare(key, try record(middle, in: records))
      if order == 0 { return middle }
      if order < 0 { high = middle } else { low = middle + 1 }
    }
    return nil
  }

  private func fanOut(_ records: Records, _ bucket: Int) throws(MatchingError) -> Int {
    let offset = records.fanOut.offset + bucket * 8
    try tree.verify(offset: offset, size: 8)
    guard let start = Int(exactly: file.bytes.load(UInt64.self, at: offset)) else {
      throw damaged("bucket \(bucket) has impossible bounds")
    }
    return start
  }

  func record(_ index: Int, in records: Records) throws(MatchingError) -> UnsafeRawBufferPointer {
    let size = records.keys.recordSize
    let offset = records.keys.offset + index * size
    try tree.verify(offset: offset, size: size)
    return file.bytes.slice(offset, size)
  }

  /// Finds every listed perceptual hash within a distance of a query, or of several at once.
  ///
  /// The search compares all records, so its recall is 100 % by construction.
  ///
  /// - Parameters:
  ///   - queries: Usually the eight hashes of one picture turned and mirrored; any number.
  ///   - distance: Bits that may differ: 0…256; less than 0 is a mistake of the caller's and traps.
  ///   - leastQuality: Listed hashes known to be of a lower quality are passed over.
  /// - Returns: One match for each entry met, at its least distance, nearest first.
  /// - Throws: ``MatchingError`` with `listCorrupt`.
  public func matches(
    near queries: [PerceptualHash], within distance: Int, leastQuality: UInt8 = PerceptualHash.leastQuality
  ) throws(MatchingError) -> [Match] {
    guard let records = records(.pdq), records.keys.count > 0, !queries.isEmpty else { return [] }
    try tree.verify(offset: records.keys.offset, size: records.keys.size)
    var nearest: [Int: Int] = [:]
    for start in stride(from: 0, to: queries.count, by: Int(CK_NEAR_QUERIES)) {
      let batch = queries[start..<min(start + Int(CK_NEAR_QUERIES), queries.count)]
      for hit in search(batch, in: records, within: distance) {
        let record = Int(hit.record)
        nearest[record] = min(nearest[record] ?? 256, Int(hit.distance))
      }
    }
    var matches: [Match] = []
    var met: Set<Int> = []
    for (record, distance) in nearest.sorted(by: { ($0.value, $0.key) < ($1.value, $1.key) }) {
      if let quality = try quality(of: record, in: records), quality < leastQuality { continue }
      guard met.insert(try entryIndex(of: record, in: records)).inserted else { continue }
      matches.append(try match(records, record: record, algorithm: .pdq, grade: .near, distanceInBits: distance))
    }
    return matches
  }

  private func search(_ queries: ArraySlice<PerceptualHash>, in records: Records, within distance: Int) -> [ck_near_hit] {
    var packed: [UInt8] = []
    for query in queries { query.withBytes { packed.append(contentsOf: $0) } }
    let keys = file.bytes.slice(records.keys.offset, records.keys.size)
    var hits: [ck_near_hit] = []
    var next = 0
    withUnsafeTemporaryAllocation(of: ck_near_hit.self, capacity: 1024) { room in
      while next < records.keys.count {
        let found = ck_near_search(
          keys.baseAddress!, records.keys.count, packed, queries.count, UInt32(distance), room.baseAddress!, room.count,
          &next)
        hits.append(contentsOf: room[..<found])
      }
    }
    return hits
  }

  private func quality(of record: Int, in records: Records) throws(MatchingError) -> UInt8? {
    guard let section = records.qualities else { return nil }
    try tree.verify(offset: section.offset + record, size: 1)
    let quality = file.bytes[section.offset + record]
    return quality == HashListLayout.unknownQuality ? nil : quality
  }

  func entryIndex(of record: Int, in records: Records) throws(MatchingError) -> Int {
    let offset = records.entryIndexes.offset + record * 4
    try tree.verify(offset: offset, size: 4)
    return Int(file.bytes.load(UInt32.self, at: offset))
  }

  /// The match that a record makes, with what its entry says.
  private func match(
    _ records: Records, record: Int, algorithm: MatchAlgorithm, grade: MatchGrade, distanceInBits: Int
  ) throws(MatchingError) -> Match {
    let entry = try entry(at: try entryIndex(of: record, in: records))
    return Match(
      list: version, entry: entry.displayName, algorithm: algorithm, grade: grade, distanceInBits: distanceInBits,
      category: entry.category, contributor: entry.contributor)
  }

  func damaged(_ what: String) -> MatchingError {
    MatchingError(
      .listCorrupt, "list file \(path) is damaged: \(what)", hint: "import the list again, or run 'muhafiz list verify'")
  }
}

/// Less than, equal to or more than zero, as the bytes of one stand before, at or behind the other's.
@inline(__always)
private func compare(_ one: UnsafeRawBufferPointer, _ other: UnsafeRawBufferPointer) -> Int {
  // Digests begin with 16 bytes at least; two big-endian words decide nearly always.
  for offset in stride(from: 0, to: one.count & ~7, by: 8) {
    let left = UInt64(bigEndian: one.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    let right = UInt64(bigEndian: other.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    if left != right { return left < right ? -1 : 1 }
  }
  for offset in one.count & ~7..<one.count where one[offset] != other[offset] {
    return one[offset] < other[offset] ? -1 : 1
  }
  return 0
}
