import SystemPackage

/// Writes the near index of the perceptual hashes that stand in the file already.
struct NearIndexWriter {
  private let algorithm: HashListLayout.Algorithm
  private let recordCount: Int
  private let slots: [NearSlot]
  private let folder: FilePath

  /// - Parameter folder: Where temporary data go.
  init(_ algorithm: HashListLayout.Algorithm, recordCount: Int, spillingTo folder: FilePath) {
    self.algorithm = algorithm
    self.recordCount = recordCount
    self.folder = folder
    slots = NearSlot.slots(recordCount: recordCount)
  }

  /// The hashes are read once to count the values of all slots, and once for each slot to put them in order: memory holds
  /// the counts, and the numbers of one slot.
  func write(to file: inout HashListWriter) throws {
    try file.begin(.init(.nearSlots, algorithm))
    for slot in slots {
      try file.append(UInt16(slot.firstBit))
      try file.append(UInt16(slot.bits))
      try file.append(UInt32(0))
    }
    var starts = slots.map { [UInt32](repeating: 0, count: $0.valueCount + 1) }
    if !slots.isEmpty {
      try file.forEachRecord(of: algorithm) { hash in
        for (number, slot) in slots.enumerated() { starts[number][slot.value(of: hash) + 1] += 1 }
      }
    }
    try file.begin(.init(.nearStarts, algorithm))
    for number in starts.indices {
      for value in 1..<starts[number].count { starts[number][value] += starts[number][value - 1] }
      for start in starts[number] { try file.append(start) }
    }
    // Reading back and appending exclude each other.
    var ordered = SpillFile(in: folder)
    for (number, slot) in slots.enumerated() {
      let records = try order(slot, starts[number], &file)
      try records.withUnsafeBytes { try ordered.append($0) }
      starts[number] = []
    }
    try file.section(.init(.nearRecords, algorithm)) { append in try ordered.forEachPiece(append) }
  }

  /// The numbers of all records by their value in one slot, ascending where that is equal; as the file has them.
  private func order(_ slot: NearSlot, _ starts: [UInt32], _ file: inout HashListWriter) throws -> [UInt32] {
    var places = starts
    var ordered = [UInt32](repeating: 0, count: recordCount)
    var record: UInt32 = 0
    try file.forEachRecord(of: algorithm) { hash in
      let value = slot.value(of: hash)
      ordered[Int(places[value])] = record
      places[value] += 1
      record += 1
    }
    return ordered
  }
}
