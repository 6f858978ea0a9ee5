import SystemPackage

/// Writes all sections of one algorithm from its records in ascending order.
struct RecordSections: ~Copyable {
  private typealias Layout = HashListLayout

  private let layout: RecordLayout
  private let folder: FilePath
  private let entries: EntryTable
  private let indexes: SpillFile
  private let further: SpillFile
  private let qualities: SpillFile

  /// Distinct hashes written.
  private(set) var recordCount = 0
  private(set) var duplicates = 0
  private(set) var removed = 0
  /// Hashes that contributors put into different categories of one scheme.
  private(set) var conflicts = 0

  init(_ layout: RecordLayout, entries: EntryTable, spillingTo folder: FilePath) {
    self.layout = layout
    self.entries = entries
    self.folder = folder
    indexes = SpillFile(in: folder)
    further = SpillFile(in: folder)
    qualities = SpillFile(in: folder)
  }

  /// - Parameters:
  ///   - records: Ascending; of equal ones the first names the hash.
  ///   - removals: Hashes, ascending, that are left out where an earlier version has them.
  mutating func write(
    _ records: RecordRun, leavingOut removals: RecordRun?, to file: inout HashListWriter
  ) throws {
    try file.begin(.init(.records, layout.algorithm))
    try merge(records, removals, to: &file)
    guard recordCount > 0 else { return }
    let (starts, bits) = try addressing(&file)
    try file.begin(.init(.fanOut, layout.algorithm, fanOutBits: bits))
    for start in starts { try file.append(start) }
    try file.section(.init(.entryIndexes, layout.algorithm)) { append in try indexes.forEachPiece(append) }
    try file.section(.init(.furtherEntries, layout.algorithm)) { append in try further.forEachPiece(append) }
    if layout.algorithm == .pdq {
      try file.section(.init(.qualities, layout.algorithm)) { append in try qualities.forEachPiece(append) }
      try NearIndexWriter(recordCount: recordCount, spillingTo: folder).write(to: &file)
    } else {
      try writeFilter(to: &file)
    }
  }

  private mutating func merge(_ records: RecordRun, _ removals: RecordRun?, to file: inout HashListWriter) throws {
    let key = UnsafeMutableRawPointer.allocate(byteCount: layout.stride, alignment: 8)
    defer { key.deallocate() }
    var statements = Statements()
    try records.advance()
    try removals?.advance()
    while let record = records.current {
      let isFirst = recordCount == 0 && duplicates == 0 || !layout.equal(record, key)
      if isFirst {
        if let removals {
          while let removal = removals.current, layout.precedes(removal, record) { try removals.advance() }
          if layout.attribution(record) == RecordLayout.unresolved, let removal = removals.current,
            layout.equal(removal, record)
          {
            removed += try passOver(records, like: removal)
            continue
          }
        }
        key.copyMemory(from: record, byteCount: layout.stride)
        statements.reset()
        try file.append(UnsafeRawBufferPointer(start: record, count: layout.keySize))
        try append(layout.entry(record), to: indexes)
        if layout.algorithm == .pdq {
          try withUnsafeBytes(of: layout.quality(record)) { try qualities.append($0) }
        }
        recordCount += 1
      } else {
        if layout.attribution(record) != RecordLayout.unresolved { duplicates += 1 }
        if statements.attributions.isEmpty { statements.attributions.append(try attribution(of: key)) }
        try addFurther(record, to: &statements)
      }
      try records.advance()
    }
  }

  /// Passes over what an earlier version says of a hash that is taken out; what was added of it comes after.
  ///
  /// - Returns: 1, the number of hashes taken out.
  private func passOver(_ records: RecordRun, like removal: UnsafeRawPointer) throws -> Int {
    while let record = records.current, layout.attribution(record) == RecordLayout.unresolved,
      layout.equal(record, removal)
    { try records.advance() }
    return 1
  }

  /// What was said so far of the hash at hand.
  private struct Statements {
    /// Each once.
    var attributions: [UInt32] = []
    var areInConflict = false

    mutating func reset() {
      attributions.removeAll(keepingCapacity: true)
      areInConflict = false
    }
  }

  /// Keeps a further entry of the hash at hand where somebody else says so, or says otherwise.
  private mutating func addFurther(_ record: UnsafeRawPointer, to statements: inout Statements) throws {
    let attribution = try attribution(of: record)
    guard !statements.attributions.contains(attribution) else { return }
    if !statements.areInConflict && statements.attributions.contains(where: { entries.conflict($0, attribution) }) {
      statements.areInConflict = true
      conflicts += 1
    }
    statements.attributions.append(attribution)
    try append(UInt32(recordCount - 1), to: further)
    try append(layout.entry(record), to: further)
  }

  private func attribution(of record: UnsafeRawPointer) throws -> UInt32 {
    let attribution = layout.attribution(record)
    return attribution == RecordLayout.unresolved ? try entries.attribution(ofAdopted: layout.entry(record)) : attribution
  }

  private func append(_ number: UInt32, to spill: SpillFile) throws {
    try withUnsafeBytes(of: number.littleEndian) { try spill.append($0) }
  }

  /// The fan-out of the records that were written.
  private func addressing(_ file: inout HashListWriter) throws -> (starts: [UInt32], bits: Int) {
    let bits = Layout.fanOutBits(recordCount: recordCount)
    var starts = [UInt32](repeating: 0, count: 1 << bits + 1)
    try starts.withUnsafeMutableBufferPointer { starts in
      try forEachKey(&file) { key in starts[Layout.bucket(of: key, bits: bits) + 1] += 1 }
      for bucket in 1..<starts.count { starts[bucket] += starts[bucket - 1] }
    }
    return (starts, bits)
  }

  /// Makes the filter block by block, in the order of the records, and appends it.
  private func writeFilter(to file: inout HashListWriter) throws {
    let blockCount = RecordFilter.blockCount(recordCount: recordCount)
    let spill = SpillFile(in: folder)
    var current = 0
    var lanes = SIMD8<UInt32>.zero
    func emit() throws {
      for lane in 0..<8 { lanes[lane] = lanes[lane].littleEndian }
      try withUnsafeBytes(of: lanes) { try spill.append($0) }
      lanes = .zero
      current += 1
    }
    try forEachKey(&file) { key in
      let block = RecordFilter.block(of: key, blockCount: blockCount)
      while current < block { try emit() }
      lanes |= RecordFilter.mask(of: key)
    }
    while current < blockCount { try emit() }
    try file.section(.init(.filter, layout.algorithm)) { append in try spill.forEachPiece(append) }
  }

  /// Reads the keys back from the file.
  private func forEachKey(_ file: inout HashListWriter, _ body: (UnsafeRawPointer) throws -> Void) throws {
    try file.forEachRecord(of: layout.algorithm, body)
  }
}
