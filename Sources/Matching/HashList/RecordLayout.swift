import Hashing

/// How a hash stands in memory on its way into a list: the hash, the entry that has it, and who says so.
///
///     0          key         16, 20 or 32 bytes, as in the file
///     key        entry       4
///     key + 4    attribution 4
///     key + 8    detail      4, only for perceptual hashes: the quality; and for videos: where the frames are
struct RecordLayout {
  let algorithm: HashListLayout.Algorithm
  let keySize: Int
  let stride: Int
  private let hasDetail: Bool

  /// The attribution of a record of an earlier version, which is looked up where it is needed.
  static let unresolved = UInt32.max

  init(_ algorithm: HashListLayout.Algorithm) {
    self.algorithm = algorithm
    keySize = algorithm.recordSize
    hasDetail = algorithm == .pdq || algorithm == .video
    stride = keySize + (hasDetail ? 12 : 8)
  }

  func entry(_ record: UnsafeRawPointer) -> UInt32 { record.loadUnaligned(fromByteOffset: keySize, as: UInt32.self) }

  func attribution(_ record: UnsafeRawPointer) -> UInt32 {
    record.loadUnaligned(fromByteOffset: keySize + 4, as: UInt32.self)
  }

  func detail(_ record: UnsafeRawPointer) -> UInt32 {
    record.loadUnaligned(fromByteOffset: keySize + 8, as: UInt32.self)
  }

  /// Writes the record of a digest.
  @inline(__always)
  func write(_ key: DigestKey, entry: UInt32, attribution: UInt32, to record: UnsafeMutableRawPointer) {
    record.storeBytes(of: key.first.bigEndian, as: UInt64.self)
    record.storeBytes(of: key.second.bigEndian, toByteOffset: 8, as: UInt64.self)
    switch keySize {
    case 16: break
    case 20: record.storeBytes(of: UInt32(truncatingIfNeeded: key.third >> 32).bigEndian, toByteOffset: 16, as: UInt32.self)
    default:
      record.storeBytes(of: key.third.bigEndian, toByteOffset: 16, as: UInt64.self)
      record.storeBytes(of: key.fourth.bigEndian, toByteOffset: 24, as: UInt64.self)
    }
    record.storeBytes(of: entry, toByteOffset: keySize, as: UInt32.self)
    record.storeBytes(of: attribution, toByteOffset: keySize + 4, as: UInt32.self)
  }

  func write(
    _ key: UnsafeRawBufferPointer, entry: UInt32, attribution: UInt32, detail: UInt32 = 0, to record: UnsafeMutableRawPointer
  ) {
    record.copyMemory(from: key.baseAddress!, byteCount: keySize)
    record.storeBytes(of: entry, toByteOffset: keySize, as: UInt32.self)
    record.storeBytes(of: attribution, toByteOffset: keySize + 4, as: UInt32.self)
    if hasDetail { record.storeBytes(of: detail, toByteOffset: keySize + 8, as: UInt32.self) }
  }

  /// The first eight bytes of a key as a number: it decides nearly every comparison.
  @inline(__always)
  static func prefix(_ record: UnsafeRawPointer) -> UInt64 { UInt64(bigEndian: record.loadUnaligned(as: UInt64.self)) }

  /// Less than, equal to or more than zero, as one key stands before, at or behind the other.
  @inline(__always)
  func compare(_ one: UnsafeRawPointer, _ other: UnsafeRawPointer) -> Int {
    let (left, right) = (Self.prefix(one), Self.prefix(other))
    return left != right ? (left < right ? -1 : 1) : compareRest(one, other)
  }

  /// The same where the prefixes are known to be equal.
  @inline(__always)
  func compareRest(_ one: UnsafeRawPointer, _ other: UnsafeRawPointer) -> Int {
    for offset in Swift.stride(from: 8, to: keySize & ~7, by: 8) {
      let (left, right) = (Self.prefix(one + offset), Self.prefix(other + offset))
      if left != right { return left < right ? -1 : 1 }
    }
    if keySize & 7 == 0 { return 0 }
    // SHA-1 has four bytes left.
    let left = UInt32(bigEndian: one.loadUnaligned(fromByteOffset: keySize - 4, as: UInt32.self))
    let right = UInt32(bigEndian: other.loadUnaligned(fromByteOffset: keySize - 4, as: UInt32.self))
    return left < right ? -1 : left == right ? 0 : 1
  }

  @inline(__always)
  func precedes(_ one: UnsafeRawPointer, _ other: UnsafeRawPointer) -> Bool {
    compare(one, other) < 0
  }

  @inline(__always)
  func equal(_ one: UnsafeRawPointer, _ other: UnsafeRawPointer) -> Bool { compare(one, other) == 0 }
}
