/// The filter in front of the records of one digest algorithm; `HashListFormat.md`, "Filter".
///
/// It only ever says "look": a digest that it turns away is certainly not listed, one that it lets through is looked up.
/// Blocks stand in the order of the records, so a writer makes them while it writes those.
enum RecordFilter {
  static func blockCount(recordCount: Int) -> Int {
    (recordCount * HashListLayout.filterBitsPerRecord + 8 * HashListLayout.filterBlockSize - 1)
      / (8 * HashListLayout.filterBlockSize)
  }

  /// The block that a key belongs to: its first 32 bits as a fraction of all blocks.
  @inline(__always)
  static func block(of key: UnsafeRawPointer, blockCount: Int) -> Int {
    Int((UInt64(UInt32(bigEndian: key.loadUnaligned(as: UInt32.self))) &* UInt64(blockCount)) >> 32)
  }

  /// One bit in each lane of a block, from the second eight bytes of a key.
  @inline(__always)
  static func mask(of key: UnsafeRawPointer) -> SIMD8<UInt32> {
    let bytes = (key + 8).loadUnaligned(as: SIMD8<UInt8>.self)
    return SIMD8<UInt32>(repeating: 1) &<< SIMD8<UInt32>(truncatingIfNeeded: bytes)
  }
}
