import Synchronization

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
  private let lastPlan = Mutex<NearPlan?>(nil)

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

  /// The plan of a search within a distance.
  func plan(within distance: Int) -> NearPlan {
    if let last = lastPlan.withLock({ $0 }), last.distance == distance { return last }
    let plan = NearPlan(slots, recordCount: recordCount, distance: distance)
    lastPlan.withLock { $0 = plan }
    return plan
  }

  /// Collects the records that share a looked-up value with a hash in some slot.
  ///
  /// Neither step decides anything by what it has just read, so that the processor asks memory for many places at once:
  /// whether all was sound is looked at behind each.
  ///
  /// - Parameters:
  ///   - limit: Records at most, over all slots.
  ///   - body: Gets record numbers below ``recordCount``, some thousands at a time; a number may come several times.
  /// - Returns: `false` when there would be more than `limit`: then `body` has seen none.
  func candidates(
    of hash: UnsafeRawPointer, _ plan: NearPlan, limit: Int,
    _ body: (UnsafeBufferPointer<UInt32>) throws(MatchingError) -> Void
  ) throws(MatchingError) -> Bool {
    var (places, total, areSound) = places(of: hash, plan)
    if !areSound {
      // Blocks that are read for the first time, or damage.
      for (slot, differences) in plan.differences.enumerated() {
        let value = UInt32(slots[slot].value(of: hash))
        for difference in differences { _ = try range(slot, Int(value ^ difference)) }
      }
      (places, total, areSound) = self.places(of: hash, plan)
      guard areSound else { throw tree.damaged("it changes while it is read") }
    }
    if total > limit { return false }
    let numbers = UnsafeMutablePointer<UInt32>.allocate(capacity: Self.portion + Self.step)
    defer { numbers.deallocate() }
    var next = Cursor()
    while next.place < places.count {
      let from = next
      var (count, areVerified) = copy(places, from: &next, to: numbers)
      if !areVerified {
        for place in places[from.place..<min(next.place + 1, places.count)] {
          try tree.verify(offset: place.offset, size: place.count * 4)
        }
        next = from
        (count, _) = copy(places, from: &next, to: numbers)
      }
      let copied = UnsafeBufferPointer(start: numbers, count: count)
      var greatest: UInt32 = 0
      for number in copied { greatest = max(greatest, number) }
      guard greatest < recordCount else { throw namesRecord(greatest) }
      try body(copied)
    }
    return true
  }

  /// Where record numbers with one value stand in the file.
  private struct Place {
    var offset = 0
    var count = 0
  }

  /// How far places were copied.
  private struct Cursor {
    var place = 0
    /// Numbers of it that were.
    var done = 0
  }

  /// Record numbers that are copied at once, needed or not: few values have more.
  private static let step = 8
  /// Record numbers that are handed over at a time: a processor's second cache holds their hashes.
  private static let portion = 4096

  /// Where the records with the looked-up values are, as far as all bounds are sound.
  private func places(of hash: UnsafeRawPointer, _ plan: NearPlan) -> (places: ArraySlice<Place>, total: Int, areSound: Bool) {
    let bytes = file.bytes.baseAddress!
    var (count, total, areSound) = (0, 0, true)
    var places = [Place](repeating: Place(), count: plan.valueCount + 1)
    places.withUnsafeMutableBufferPointer { places in
      for (slot, differences) in plan.differences.enumerated() where !differences.isEmpty {
        let value = UInt32(slots[slot].value(of: hash))
        let (starts, records) = (startOffsets[slot], recordOffsets[slot])
        for difference in differences {
          let offset = starts &+ Int(value ^ difference) &* 4
          let start = Int(bytes.load(fromByteOffset: offset, as: UInt32.self))
          let end = Int(bytes.load(fromByteOffset: offset &+ 4, as: UInt32.self))
          let isSound = tree.isVerified(at: offset, size: 8) && start <= end && end <= recordCount
          areSound = areSound && isSound
          places[count] = Place(offset: records &+ start &* 4, count: end &- start)
          count &+= start == end ? 0 : 1
          total &+= end &- start
        }
      }
    }
    return (places[..<count], total, areSound)
  }

  /// Copies record numbers, about as many as a portion has.
  ///
  /// What is copied beside those at a place is overwritten by the next: bytes of the file in any case, which ends with
  /// blocks of the tree.
  private func copy(
    _ places: ArraySlice<Place>, from next: inout Cursor, to numbers: UnsafeMutablePointer<UInt32>
  ) -> (count: Int, areVerified: Bool) {
    let bytes = file.bytes.baseAddress!
    var (cursor, filled, areVerified) = (next, 0, true)
    places.withUnsafeBufferPointer { places in
      while cursor.place < places.count && filled < Self.portion {
        let place = places[cursor.place]
        let offset = place.offset &+ cursor.done &* 4
        let count = min(Self.step, place.count &- cursor.done)
        UnsafeMutableRawPointer(numbers + filled).storeBytes(
          of: bytes.loadUnaligned(fromByteOffset: offset, as: SIMD8<UInt32>.self), as: SIMD8<UInt32>.self)
        areVerified = areVerified && tree.isVerified(at: offset, size: count &* 4)
        filled &+= count
        cursor.done &+= count
        if cursor.done == place.count { cursor = Cursor(place: cursor.place &+ 1) }
      }
    }
    next = cursor
    return (filled, areVerified)
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

  private func namesRecord(_ record: UInt32) -> MatchingError {
    .damaged(file.path, "its near index names record \(record) of \(recordCount)")
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
        try tree.verify(offset: recordOffsets[number] + range.lowerBound * 4, size: range.count * 4)
        for place in range {
          let record = file.bytes.load(UInt32.self, at: recordOffsets[number] + place * 4)
          guard record < recordCount else { throw namesRecord(record) }
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
