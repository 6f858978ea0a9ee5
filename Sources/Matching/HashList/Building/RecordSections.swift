import SystemPackage

/// Writes all sections of one algorithm from its records in ascending order.
struct RecordSections: ~Copyable {
  private typealias Layout = HashListLayout

  let layout: RecordLayout
  private let folder: FilePath
  private var indexes: SpillFile
  private var further: SpillFile
  private var qualities: SpillFile
  /// Of videos, where the frames of each are, in the order of the records.
  private(set) var places: SpillFile

  /// Distinct hashes written.
  private(set) var recordCount = 0
  private(set) var duplicates = 0
  /// Hashes that contributors put into different categories of one scheme.
  private(set) var conflicts = 0

  init(_ layout: RecordLayout, spillingTo folder: FilePath) {
    self.layout = layout
    self.folder = folder
    indexes = SpillFile(in: folder)
    further = SpillFile(in: folder)
    qualities = SpillFile(in: folder)
    places = SpillFile(in: folder)
  }

  /// - Parameters:
  ///   - records: Ascending; of equal ones the first names the hash.
  ///   - removals: Hashes, ascending, that are left out where an earlier version has them.
  ///   - entries: Knows who says what of a hash that several entries have.
  mutating func write(
    _ records: RecordRun, leavingOut removals: RecordRun, _ entries: borrowing EntryTable, to file: inout HashListWriter
  ) throws {
    try file.begin(.init(.records, layout.algorithm))
    try merge(records, removals, entries, to: &file)
    // All of them may have been taken out.
    guard recordCount > 0 else { return file.dropEmptySection() }
    var filter = layout.algorithm.isNear ? nil : FilterWriter(spill: SpillFile(in: folder), recordCount: recordCount)
    let (starts, bits) = try addressing(&file, &filter)
    try file.begin(.init(.fanOut, layout.algorithm, fanOutBits: bits))
    for start in starts { try file.append(start) }
    try file.section(.init(.entryIndexes, layout.algorithm)) { append in try indexes.forEachPiece(append) }
    try file.section(.init(.furtherEntries, layout.algorithm)) { append in try further.forEachPiece(append) }
    if layout.algorithm == .pdq {
      try file.section(.init(.qualities, layout.algorithm)) { append in try qualities.forEachPiece(append) }
    }
    if let blocks = try filter.take()?.finish() {
      try file.section(.init(.filter, layout.algorithm)) { append in try blocks.forEachPiece(append) }
    } else {
      try NearIndexWriter(layout.algorithm, recordCount: recordCount, spillingTo: folder).write(to: &file)
    }
  }

  private mutating func merge(
    _ records: RecordRun, _ removals: RecordRun, _ entries: borrowing EntryTable, to file: inout HashListWriter
  ) throws {
    let key = UnsafeMutableRawPointer.allocate(byteCount: layout.stride, alignment: 8)
    defer { key.deallocate() }
    var statements = Statements()
    try records.advance()
    try removals.advance()
    while let record = records.current {
      let isFirst = recordCount == 0 && duplicates == 0 || !layout.equal(record, key)
      if isFirst {
        while let removal = removals.current, layout.precedes(removal, record) { try removals.advance() }
        if let removal = removals.current, layout.attribution(record) == RecordLayout.unresolved,
          layout.equal(removal, record)
        {
          try passOver(records, like: removal)
          continue
        }
        key.copyMemory(from: record, byteCount: layout.stride)
        statements.reset()
        try file.append(UnsafeRawBufferPointer(start: record, count: layout.keySize))
        try indexes.append(layout.entry(record))
        try keepDetail(of: record)
        recordCount += 1
      } else if layout.algorithm == .videoFrame {
        // Equal frames come in the order of their videos.
        if layout.entry(record) != layout.entry(key) {
          try further.append(UInt32(recordCount - 1))
          try further.append(layout.entry(record))
          key.copyMemory(from: record, byteCount: layout.stride)
        }
      } else {
        if layout.attribution(record) != RecordLayout.unresolved { duplicates += 1 }
        if statements.attributions.isEmpty { statements.attributions.append(try attribution(of: key, entries)) }
        try addFurther(record, entries, to: &statements)
      }
      try records.advance()
    }
  }

  private mutating func keepDetail(of record: UnsafeRawPointer) throws {
    switch layout.algorithm {
    case .pdq: try withUnsafeBytes(of: UInt8(truncatingIfNeeded: layout.detail(record))) { try qualities.append($0) }
    case .video:
      try places.append(layout.attribution(record) == RecordLayout.unresolved ? UInt32(1) : 0)
      try places.append(layout.detail(record))
    default: break
    }
  }

  /// Passes over what an earlier version says of a hash that is taken out; what was added of it comes after.
  private func passOver(_ records: RecordRun, like removal: UnsafeRawPointer) throws {
    while let record = records.current, layout.attribution(record) == RecordLayout.unresolved,
      layout.equal(record, removal)
    { try records.advance() }
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
  private mutating func addFurther(
    _ record: UnsafeRawPointer, _ entries: borrowing EntryTable, to statements: inout Statements
  ) throws {
    let attribution = try attribution(of: record, entries)
    guard !statements.attributions.contains(attribution) else { return }
    if !statements.areInConflict && entries.conflict(statements.attributions, attribution) {
      statements.areInConflict = true
      conflicts += 1
    }
    statements.attributions.append(attribution)
    try further.append(UInt32(recordCount - 1))
    try further.append(layout.entry(record))
  }

  private func attribution(of record: UnsafeRawPointer, _ entries: borrowing EntryTable) throws -> UInt32 {
    let attribution = layout.attribution(record)
    return attribution == RecordLayout.unresolved ? try entries.attribution(ofAdopted: layout.entry(record)) : attribution
  }

  /// The fan-out of the records that were written, which are read back once, and their filter on the way.
  private func addressing(
    _ file: inout HashListWriter, _ filter: inout FilterWriter?
  ) throws -> (starts: [UInt32], bits: Int) {
    let bits = Layout.fanOutBits(recordCount: recordCount)
    var starts = [UInt32](repeating: 0, count: 1 << bits + 1)
    try starts.withUnsafeMutableBufferPointer { starts in
      try file.forEachRecord(of: layout.algorithm) { key in
        starts[Layout.bucket(of: key, bits: bits) + 1] += 1
        try filter?.add(key)
      }
      for bucket in 1..<starts.count { starts[bucket] += starts[bucket - 1] }
    }
    return (starts, bits)
  }
}

/// Makes a filter block by block, from keys in order.
private struct FilterWriter: ~Copyable {
  private var spill: SpillFile
  private let blockCount: Int
  private var current = 0
  private var lanes = SIMD8<UInt32>.zero

  init(spill: consuming SpillFile, recordCount: Int) {
    self.spill = spill
    blockCount = RecordFilter.blockCount(recordCount: recordCount)
  }

  mutating func add(_ key: UnsafeRawPointer) throws(MatchingError) {
    let block = RecordFilter.block(of: key, blockCount: blockCount)
    while current < block { try emit() }
    lanes |= RecordFilter.mask(of: key)
  }

  private mutating func emit() throws(MatchingError) {
    for lane in 0..<8 { try spill.append(lanes[lane]) }
    lanes = .zero
    current += 1
  }

  /// - Returns: All blocks.
  consuming func finish() throws(MatchingError) -> SpillFile {
    while current < blockCount { try emit() }
    return spill
  }
}
