/// Some bits of a perceptual hash that stand next to each other; `HashListFormat.md`, "Near index".
///
/// Hashes that differ in few bits agree in most slots, and nearly agree in the others: where a search looks up all values
/// close to the query's in each slot, no hash within the distance can be missed.
struct NearSlot: Equatable {
  /// Counted from the most significant bit of the first byte.
  let firstBit: Int
  /// 1…24.
  let bits: Int

  static let mostBits = 24
  static let mostSlots = 64
  /// Below this comparing all hashes is as fast.
  static let leastRecords = 1 << 13

  /// The slots of a list with so many hashes; none for a small one.
  ///
  /// More hashes want wider slots: fewer candidates to compare, for more values to look up.
  static func slots(recordCount: Int) -> [NearSlot] {
    let count =
      switch recordCount {
      case ..<leastRecords: 0
      case ..<(1 << 19): 16
      case ..<(1 << 22): 14
      default: 12
      }
    return (0..<count).map { index in
      let first = 256 * index / count
      return NearSlot(firstBit: first, bits: 256 * (index + 1) / count - first)
    }
  }

  /// The values that a slot can have.
  var valueCount: Int { 1 << bits }

  /// A hash's value in this slot.
  @inline(__always)
  func value(of hash: UnsafeRawPointer) -> Int {
    // Up to 24 bits from any bit on lie within four bytes; the last ones of a hash have fewer behind them.
    let byte = min(firstBit >> 3, 24)
    let window = UInt64(bigEndian: hash.loadUnaligned(fromByteOffset: byte, as: UInt64.self))
    return Int((window << UInt64(firstBit - byte * 8)) >> UInt64(64 - bits))
  }
}
