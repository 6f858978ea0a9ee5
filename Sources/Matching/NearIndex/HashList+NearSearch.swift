import CKernels
import Hashing

extension HashList {
  /// Finds every listed perceptual hash within a distance of a query, or of several at once.
  ///
  /// All of them, always: the near index misses nothing within the distance, and where it would be slower than comparing
  /// every hash, as for a great distance or on a list made to be slow, every hash is compared.
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
    guard let records = records(.pdq), !queries.isEmpty else { return [] }
    let nearest = try hits(near: queries, within: distance, in: records)
    var met: [(entry: Int, record: Int, hit: Hit)] = []
    var entries: Set<Int> = []
    for (record, hit) in nearest.sorted(by: { ($0.value.distance, $0.key) < ($1.value.distance, $1.key) }) {
      if let quality = try quality(of: record, in: records), quality < leastQuality { continue }
      let first = try entryIndex(of: record, in: records)
      for entry in [first] + (try furtherEntries(of: record, in: records)) where entries.insert(entry).inserted {
        met.append((entry, record, hit))
      }
    }
    var matches: [Match] = []
    for (index, record, hit) in met {
      let entry = try entry(at: index)
      matches.append(
        Match(
          list: version, entry: entry.displayName, algorithm: .pdq, grade: .near, distanceInBits: hit.distance,
          category: entry.category, contributor: entry.contributor,
          near: NearMatch(
            query: hit.query, queryQuality: queries[hit.query].quality, listedQuality: try quality(of: record, in: records),
            entriesWithin: met.count)))
    }
    return matches
  }

  /// The nearest query to a record.
  struct Hit {
    let query: Int
    let distance: Int
  }

  /// The records of an algorithm with a near index that lie within a distance of some query.
  func hits(
    near queries: [PerceptualHash], within distance: Int, in records: Records
  ) throws(MatchingError) -> [Int: Hit] {
    var nearest: [Int: Hit] = [:]
    func add(_ record: Int, _ hit: Hit) {
      if let known = nearest[record], (known.distance, known.query) <= (hit.distance, hit.query) { return }
      nearest[record] = hit
    }
    var toCompare = Array(queries.indices)
    if let index = records.nearIndex, !index.slots.isEmpty {
      let plan = index.plan(within: distance)
      // One pass over all hashes serves eight queries.
      let passes = Double((queries.count + 7) / 8)
      let cost = plan.expectedWork * Double(queries.count) * NearPlan.comparisonsPerAccess
      if cost < passes * Double(index.recordCount) {
        let limit = index.recordCount / min(8, queries.count)
        var left: [Int] = []
        for query in queries.indices {
          let isDone = try indexed(queries[query], index, plan, limit, distance, in: records) {
            add($0, Hit(query: query, distance: $1))
          }
          if !isDone { left.append(query) }
        }
        toCompare = left
      }
    }
    for start in stride(from: 0, to: toCompare.count, by: Int(CK_NEAR_QUERIES)) {
      let batch = Array(toCompare[start..<min(start + Int(CK_NEAR_QUERIES), toCompare.count)])
      try compareAll(batch.map { queries[$0] }, within: distance, in: records) { add($0, Hit(query: batch[$1], distance: $2)) }
    }
    return nearest
  }

  /// Searches the near index.
  ///
  /// - Returns: `false` when there are so many candidates that comparing all hashes is better: then none was looked at.
  private func indexed(
    _ query: PerceptualHash, _ index: NearIndex, _ plan: NearPlan, _ limit: Int, _ distance: Int, in records: Records,
    _ found: (Int, Int) -> Void
  ) throws(MatchingError) -> Bool {
    var hits: [ck_near_hit] = []
    let (bytes, offset) = (file.bytes.baseAddress!, records.keys.offset)
    return try query.withBytes { (key: UnsafeRawBufferPointer) throws(MatchingError) -> Bool in
      try index.candidates(of: key.baseAddress!, plan, limit: limit) {
        (numbers: UnsafeBufferPointer<UInt32>) throws(MatchingError) in
        if hits.count < numbers.count { hits = [ck_near_hit](repeating: ck_near_hit(), count: numbers.count) }
        func measure() -> Int {
          ck_near_measure(
            bytes, offset, tree.verifiedBits, numbers.baseAddress!, numbers.count, key.baseAddress!, UInt32(distance), &hits)
        }
        var count = measure()
        if count < 0 {
          for number in numbers {
            try tree.verify(offset: offset + Int(number) * PerceptualHash.byteCount, size: PerceptualHash.byteCount)
          }
          count = measure()
        }
        for hit in hits[..<count] { found(Int(hit.record), Int(hit.distance)) }
      }
    }
  }

  /// Compares up to eight queries with every listed hash.
  private func compareAll(
    _ queries: [PerceptualHash], within distance: Int, in records: Records, _ found: (Int, Int, Int) -> Void
  ) throws(MatchingError) {
    try tree.verify(offset: records.keys.offset, size: records.keys.size)
    let packed = queries.flatMap { $0.withBytes { Array($0) } }
    let keys = file.bytes.baseAddress! + records.keys.offset
    var next = 0
    withUnsafeTemporaryAllocation(of: ck_near_hit.self, capacity: 1024) { room in
      while next < records.keys.count {
        let count = ck_near_search(
          keys, records.keys.count, packed, queries.count, UInt32(distance), room.baseAddress!, room.count, &next)
        for hit in room[..<count] { found(Int(hit.record), Int(hit.query), Int(hit.distance)) }
      }
    }
  }

  func quality(of record: Int, in records: Records) throws(MatchingError) -> UInt8? {
    guard let section = records.qualities else { return nil }
    try tree.verify(offset: section.offset + record, size: 1)
    let quality = file.bytes[section.offset + record]
    return quality == HashListLayout.unknownQuality ? nil : quality
  }
}
