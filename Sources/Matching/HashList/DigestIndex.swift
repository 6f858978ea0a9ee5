import CKernels
import Hashing

/// A digest as it is compared with records: its bytes as big-endian words, the first ones first, zero behind its end.
struct DigestKey {
  let first, second, third, fourth: UInt64

  @inline(__always)
  init(_ digest: Digest) { (first, second, third, fourth) = (digest.first, digest.second, digest.third, digest.fourth) }
}

/// The sections that lookups of one algorithm's digests go through: filter, fan-out, records.
///
/// Plain numbers, so that a lookup neither counts references nor waits for more than the three places that it reads.
struct DigestIndex: @unchecked Sendable {
  /// The mapped file. The list that this is part of keeps it mapped.
  private let file: UnsafeRawPointer
  private let filter: Int
  private let filterBlocks: Int
  private let fanOut: Int
  private let fanOutBits: UInt64
  private let records: Int
  private let recordCount: Int
  private let recordSize: Int

  init(_ file: MappedFile, filter: HashListSection, fanOut: HashListSection, records: HashListSection) {
    self.file = file.bytes.baseAddress!
    self.filter = filter.offset
    filterBlocks = filter.count
    self.fanOut = fanOut.offset
    fanOutBits = UInt64(fanOut.fanOutBits)
    self.records = records.offset
    recordCount = records.count
    recordSize = records.recordSize
  }

  /// Has the filter's block for a key fetched.
  @inline(__always)
  func prefetchFilter(_ key: DigestKey) { ck_prefetch(file + filterBlock(key)) }

  /// Has the bounds of a key's bucket fetched.
  @inline(__always)
  func prefetchBounds(_ key: DigestKey) { ck_prefetch(file + bounds(key)) }

  /// Whether the filter lets a key through: `false` says that it is not listed.
  @inline(__always)
  func admits(_ key: DigestKey, _ tree: HashTree) throws(MatchingError) -> Bool {
    let offset = filterBlock(key)
    try tree.verify(offset: offset)
    // One bit in each lane of the block, from the second eight bytes of the key; `RecordFilter.mask` in numbers.
    let block = file + offset
    var all: UInt32 = 1
    for lane in 0..<8 {
      let bit = UInt32(truncatingIfNeeded: key.second &>> UInt64(56 - 8 * lane))
      all &= block.load(fromByteOffset: 4 * lane, as: UInt32.self) &>> bit
    }
    return all != 0
  }

  /// Where the records of a key's bucket begin and end.
  ///
  /// - Throws: ``MatchingError`` with `listCorrupt` where that is outside of the records.
  @inline(__always)
  func bucket(_ key: DigestKey, _ tree: HashTree) throws(MatchingError) -> Range<Int> {
    let offset = bounds(key)
    try tree.verify(offset: offset, fewBytes: 8)
    let low = Int((file + offset).load(as: UInt32.self))
    let high = Int((file + offset).load(fromByteOffset: 4, as: UInt32.self))
    guard low <= high, high <= recordCount else { throw tree.damaged("a bucket has impossible bounds") }
    return Range(uncheckedBounds: (low, high))
  }

  /// Has the record fetched that a key is most likely to be.
  @inline(__always)
  func prefetchRecord(_ key: DigestKey, in bucket: Range<Int>) {
    ck_prefetch(file + records + likely(key, in: bucket) * recordSize)
  }

  /// The index of a key's record within its bucket, or `nil`.
  ///
  /// The bits behind those of the bucket say where in it a digest stands, give or take some places: from there it is a few
  /// records up or down, one after the other, which the processor guesses better than any way that turns. The way ends where
  /// the block does: the next one may be on the disk.
  @inline(__always)
  func find(_ key: DigestKey, in bucket: Range<Int>, _ tree: HashTree) throws(MatchingError) -> Int? {
    if bucket.isEmpty { return nil }
    let guess = likely(key, in: bucket)
    let records = file + records
    var record = records + guess &* recordSize
    // Half of the guesses are off by a cache line, one way or the other.
    ck_prefetch(record - 64)
    ck_prefetch(record + 64)
    try tree.verify(offset: record - file, fewBytes: recordSize)
    let (first, end) = (records + bucket.lowerBound &* recordSize, records + bucket.upperBound &* recordSize)
    let block = file + (record - file) & ~(HashListLayout.blockSize - 1)
    // Where the first and the last record in the block may begin.
    let (low, highest) = (max(first, block), min(end, block + HashListLayout.blockSize) - recordSize)
    if RecordLayout.prefix(record) < key.first {
      repeat { record += recordSize } while record <= highest && RecordLayout.prefix(record) < key.first
      if record > highest {
        return record == end ? nil : try search(key, in: bucket, from: guess, tree)
      }
    } else {
      let lowest = low + recordSize
      while record >= lowest && RecordLayout.prefix(record - recordSize) >= key.first { record -= recordSize }
      // Records before it may begin with the same bytes.
      if record < lowest && record != first { return try search(key, in: bucket, from: guess, tree) }
    }
    if RecordLayout.prefix(record) != key.first { return nil }
    if compareRest(key, record) == 0 { return (record - records) / recordSize }
    // Others may begin with the same bytes: in a list that somebody made up.
    return try search(key, in: bucket, from: guess, tree)
  }

  /// The index of a key's record within its bucket, or `nil`: from a guess on, steps that double enclose it.
  private func search(_ key: DigestKey, in bucket: Range<Int>, from guess: Int, _ tree: HashTree) throws(MatchingError) -> Int? {
    var (low, high) = (bucket.lowerBound, bucket.upperBound)
    var probe = guess
    var step = 1
    while low < high {
      let offset = records + probe * recordSize
      try tree.verify(offset: offset, size: recordSize)
      let order = compare(key, file + offset)
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

  /// The offset of the filter's block for a key, whose first 32 bits are a fraction of all blocks.
  @inline(__always)
  private func filterBlock(_ key: DigestKey) -> Int {
    filter &+ Int(truncatingIfNeeded: ((key.first &>> 32) &* UInt64(truncatingIfNeeded: filterBlocks)) &>> 32)
      &* HashListLayout.filterBlockSize
  }

  /// The offset of the bounds of the bucket that a key's first bits name.
  @inline(__always)
  private func bounds(_ key: DigestKey) -> Int {
    // Shifted twice: a list of one bucket has no bits at all, and 64 is not a distance to shift by.
    let bucket = (key.first &>> 1) &>> (63 &- fanOutBits)
    return fanOut &+ Int(truncatingIfNeeded: bucket) &* 4
  }

  @inline(__always)
  private func likely(_ key: DigestKey, in bucket: Range<Int>) -> Int {
    let fraction = (key.first &<< fanOutBits) &>> 32
    let width = UInt64(truncatingIfNeeded: bucket.upperBound &- bucket.lowerBound)
    return bucket.lowerBound &+ Int(truncatingIfNeeded: (width &* fraction) &>> 32)
  }

  /// Less than, equal to or more than zero, as the key stands before, at or behind the record.
  @inline(__always)
  private func compare(_ key: DigestKey, _ record: UnsafeRawPointer) -> Int {
    let first = RecordLayout.prefix(record)
    if key.first != first { return key.first < first ? -1 : 1 }
    return compareRest(key, record)
  }

  private func compareRest(_ key: DigestKey, _ record: UnsafeRawPointer) -> Int {
    let second = RecordLayout.prefix(record + 8)
    if key.second != second { return key.second < second ? -1 : 1 }
    switch recordSize {
    case 16: return 0
    case 20:
      let third = UInt64(UInt32(bigEndian: (record + 16).loadUnaligned(as: UInt32.self))) << 32
      return key.third == third ? 0 : key.third < third ? -1 : 1
    default:
      let (third, fourth) = (RecordLayout.prefix(record + 16), RecordLayout.prefix(record + 24))
      if key.third != third { return key.third < third ? -1 : 1 }
      return key.fourth == fourth ? 0 : key.fourth < fourth ? -1 : 1
    }
  }
}
