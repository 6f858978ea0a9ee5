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
/// A pointer to plain numbers, so that a lookup neither counts references nor waits for more than the three places that it
/// reads. The list that this is part of keeps the file mapped.
struct DigestIndex: @unchecked Sendable {
  private let places: UnsafeMutablePointer<ck_digest_index>

  init(
    _ file: MappedFile, _ tree: HashTree, filter: HashListSection, fanOut: HashListSection, records: HashListSection,
    entryIndexes: HashListSection
  ) {
    places = .allocate(capacity: 1)
    places.initialize(
      to: ck_digest_index(
        file: file.bytes.baseAddress!.assumingMemoryBound(to: UInt8.self), verified: tree.verifiedBits,
        filter: filter.offset, filter_blocks: filter.count, fan_out: fanOut.offset, fan_out_bits: fanOut.fanOutBits,
        records: records.offset, record_count: records.count, record_size: records.recordSize,
        entry_indexes: entryIndexes.offset))
  }

  /// Frees what the index takes. It must not be asked again.
  func deallocate() { places.deallocate() }

  private var file: UnsafeRawPointer { UnsafeRawPointer(places.pointee.file) }

  /// Has the filter's block for a key fetched.
  @inline(__always)
  func prefetchFilter(_ key: DigestKey) { ck_prefetch(file + ck_filter_offset(places, key.first)) }

  /// Has the bounds of a key's bucket fetched.
  @inline(__always)
  func prefetchBounds(_ key: DigestKey) { ck_prefetch(file + ck_bounds_offset(places, key.first)) }

  /// Whether the filter lets a key through: `false` says that it is not listed.
  @inline(__always)
  func admits(_ key: DigestKey, _ tree: HashTree) throws(MatchingError) -> Bool {
    try tree.verify(offset: ck_filter_offset(places, key.first))
    return ck_filter_admits(places, key.first, key.second) != 0
  }

  /// Where the records of a key's bucket begin and end.
  ///
  /// - Throws: ``MatchingError`` with `listCorrupt` where that is outside of the records.
  @inline(__always)
  func bucket(_ key: DigestKey, _ tree: HashTree) throws(MatchingError) -> Range<Int> {
    let offset = ck_bounds_offset(places, key.first)
    try tree.verify(offset: offset, fewBytes: 8)
    let low = Int((file + offset).load(as: UInt32.self))
    let high = Int((file + offset).load(fromByteOffset: 4, as: UInt32.self))
    guard low <= high, high <= places.pointee.record_count else { throw tree.damaged("a bucket has impossible bounds") }
    return Range(uncheckedBounds: (low, high))
  }

  /// Has the records fetched that a key is most likely to be.
  @inline(__always)
  func prefetchRecord(_ key: DigestKey, in bucket: Range<Int>) {
    let likely = file + places.pointee.records + likely(key, in: bucket) * places.pointee.record_size
    // Half of the guesses are off by a cache line, one way or the other.
    for distance in [-64, 0, 64] { ck_prefetch(likely + distance) }
  }

  /// The index of a key's record, or `nil` where it is not listed.
  ///
  /// - Throws: ``MatchingError`` with `listCorrupt` when bytes that the answer rests on are damaged.
  @inline(__always)
  func find(_ key: DigestKey, _ tree: HashTree) throws(MatchingError) -> Int? {
    let found = ck_find_digest(places, key.first, key.second, key.third, key.fourth)
    if found >= 0 { return found }
    return found == CK_NOT_LISTED ? nil : try findVerifying(key, tree)
  }

  /// The same, wherever the record is: each block that is read is verified before.
  @inline(never)
  private func findVerifying(_ key: DigestKey, _ tree: HashTree) throws(MatchingError) -> Int? {
    guard try admits(key, tree) else { return nil }
    let bucket = try bucket(key, tree)
    var (low, high) = (bucket.lowerBound, bucket.upperBound)
    // From the guess on, steps that double enclose it.
    var probe = likely(key, in: bucket)
    var step = 1
    while low < high {
      let offset = places.pointee.records + probe * places.pointee.record_size
      try tree.verify(offset: offset, size: places.pointee.record_size)
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

  @inline(__always)
  private func likely(_ key: DigestKey, in bucket: Range<Int>) -> Int {
    ck_likely_record(places, key.first, bucket.lowerBound, bucket.upperBound)
  }

  /// Less than, equal to or more than zero, as the key stands before, at or behind the record.
  private func compare(_ key: DigestKey, _ record: UnsafeRawPointer) -> Int {
    let (first, second) = (RecordLayout.prefix(record), RecordLayout.prefix(record + 8))
    if key.first != first { return key.first < first ? -1 : 1 }
    if key.second != second { return key.second < second ? -1 : 1 }
    switch places.pointee.record_size {
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
