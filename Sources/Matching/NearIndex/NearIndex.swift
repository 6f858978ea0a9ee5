import CKernels

/// The near index of a list's perceptual hashes: for each slot, the hashes by their value in it.
///
/// Opening it reads the table of slots and nothing else.
final class NearIndex: Sendable {
  let slots: [NearSlot]
  let recordCount: Int
  private let file: MappedFile
  private let tree: HashTree
  /// Offset in the file of each slot's first start, and of its first record number.
  private let startOffsets: [Int]
  private let recordOffsets: [Int]

  /// - Throws: ``MatchingError`` with `listCorrupt` when the sections do not fit together.
  init(
    recordCount: Int, slots section: HashListSection, starts: HashListSection, records: HashListSection,
    _ file: MappedFile, _ tree: HashTree
  ) throws(MatchingError) {
    guard section.count <= NearSlot.mostSlots else { throw .damaged(file.path, "its near index has \(section.count) slots") }
    try tree.verify(offset: section.offset, size: section.size)
    var slots: [NearSlot] = []
    var (startOffset, recordOffset, bit) = (starts.offset, records.offset, 0)
    var (startOffsets, recordOffsets): ([Int], [Int]) = ([], [])
    for row in 0..<section.count {
      let bytes = file.bytes.slice(section.offset + row * section.recordSize, section.recordSize)
      let slot = NearSlot(firstBit: Int(bytes.load(UInt16.self, at: 0)), bits: Int(bytes.load(UInt16.self, at: 2)))
      // Slots that share bits would let one difference count twice, and a match be missed.
      guard (1...NearSlot.mostBits).contains(slot.bits), slot.firstBit >= bit, slot.firstBit + slot.bits <= 256 else {
        throw .damaged(file.path, "slot \(row) of its near index is impossible")
      }
      bit = slot.firstBit + slot.bits
      slots.append(slot)
      startOffsets.append(startOffset)
      recordOffsets.append(recordOffset)
      startOffset += (slot.valueCount + 1) * 4
      recordOffset += recordCount * 4
    }
    guard startOffset == starts.offset + starts.size, recordOffset == records.offset + records.size else {
      throw .damaged(file.path, "the parts of its near index do not fit together")
    }
    (self.slots, self.startOffsets, self.recordOffsets) = (slots, startOffsets, recordOffsets)
    self.recordCount = recordCount
    self.file = file
    self.tree = tree
  }

  /// Collects the records that share a looked-up value with a hash in some slot, slot by slot.
  ///
  /// - Parameters:
  ///   - limit: Records at most, over all slots.
  ///   - body: Gets record numbers below ``recordCount`` of one slot; over all slots a number may come several times.
  /// - Returns: `false` when there would be more than `limit`: then `body` may not have seen all of them.
  func candidates(
    of hash: UnsafeRawPointer, _ plan: NearPlan, limit: Int, _ body: ([UInt32]) throws(MatchingError) -> Void
  ) throws(MatchingError) -> Bool {
    let bytes = file.bytes.baseAddress!
    var ranges: [Range<Int>] = []
    var candidates: [UInt32] = []
    var total = 0
    for (slot, differences) in plan.differences.enumerated() where !differences.isEmpty {
      let value = UInt32(slots[slot].value(of: hash))
      let starts = startOffsets[slot]
      for difference in differences { ck_prefetch(bytes + starts + Int(value ^ difference) * 4) }
      ranges.removeAll(keepingCapacity: true)
      for difference in differences {
        let range = try self.range(slot, Int(value ^ difference))
        if range.isEmpty { continue }
        total += range.count
        ranges.append(range)
        ck_prefetch(bytes + recordOffsets[slot] + range.lowerBound * 4)
      }
      if total > limit { return false }
      candidates.removeAll(keepingCapacity: true)
      for range in ranges { try append(range, slot, to: &candidates) }
      try body(candidates)
    }
    return true
  }

  /// The places of the records with one value in one slot.
  @inline(__always)
  private func range(_ slot: Int, _ value: Int) throws(MatchingError) -> Range<Int> {
    let offset = startOffsets[slot] + value * 4
    try tree.verify(offset: offset, size: 8)
    let start = Int(file.bytes.load(UInt32.self, at: offset))
    let end = Int(file.bytes.load(UInt32.self, at: offset + 4))
    guard start <= end, end <= recordCount else {
      throw .damaged(file.path, "value \(value) in slot \(slot) of its near index has impossible bounds")
    }
    return start..<end
  }

  @inline(__always)
  private func append(_ range: Range<Int>, _ slot: Int, to candidates: inout [UInt32]) throws(MatchingError) {
    let offset = recordOffsets[slot] + range.lowerBound * 4
    try tree.verify(offset: offset, size: range.count * 4)
    for place in 0..<range.count {
      let record = file.bytes.load(UInt32.self, at: offset + place * 4)
      guard record < recordCount else { throw .damaged(file.path, "its near index names record \(record) of \(recordCount)") }
      candidates.append(record)
    }
  }

  /// Checks that each slot has each record once, under its value.
  ///
  /// - Parameter hash: Lends a record.
  func verify(_ hash: (Int) throws(MatchingError) -> UnsafeRawPointer) throws(MatchingError) {
    for (number, slot) in slots.enumerated() {
      var met = [Bool](repeating: false, count: recordCount)
      var end = 0
      for value in 0..<slot.valueCount {
        let range = try range(number, value)
        guard range.lowerBound == end else { throw .damaged(file.path, "values of its near index leave a gap") }
        end = range.upperBound
        var records: [UInt32] = []
        try append(range, number, to: &records)
        for record in records {
          guard try slot.value(of: hash(Int(record))) == value, !met[Int(record)] else {
            throw .damaged(file.path, "its near index has record \(record) in the wrong place")
          }
          met[Int(record)] = true
        }
      }
      guard end == recordCount else { throw .damaged(file.path, "its near index leaves records out") }
    }
  }
}
