/// Records in ascending order, one after the other.
class RecordRun {
  /// The record at hand, valid until the next call of `advance`; `nil` at the end, and before the first.
  fileprivate(set) var current: UnsafeRawPointer?
  /// The beginning of its key.
  fileprivate(set) var prefix: UInt64 = 0

  /// Goes on to the next record.
  func advance() throws(MatchingError) { preconditionFailure("a run knows how to go on") }

  @inline(__always)
  final func arrive(at record: UnsafeRawPointer?) {
    current = record
    if let record { prefix = RecordLayout.prefix(record) }
  }
}

/// The records of a sorted chunk in memory.
final class ChunkRun: RecordRun {
  private let chunk: RecordChunk
  private var index = 0

  init(_ chunk: RecordChunk) { self.chunk = chunk }

  override func advance() throws(MatchingError) {
    guard index < chunk.count else { return arrive(at: nil) }
    arrive(at: chunk.bytes.baseAddress! + index * chunk.layout.stride)
    index += 1
  }
}

/// The records of a sorted chunk that was spilled.
final class SpilledRun: RecordRun {
  private let layout: RecordLayout
  private let file: SpillFile
  private var offset: Int
  private let end: Int
  private let buffer: UnsafeMutableRawBufferPointer
  private var place = 0
  private var filled = 0

  private static let bufferSize = 128 << 10

  init(_ layout: RecordLayout, _ file: SpillFile, offset: Int, count: Int) {
    self.layout = layout
    self.file = file
    self.offset = offset
    end = offset + count * layout.stride
    buffer = .allocate(byteCount: Self.bufferSize / layout.stride * layout.stride, alignment: 64)
  }

  deinit { buffer.deallocate() }

  override func advance() throws(MatchingError) {
    if place == filled {
      let size = min(buffer.count, end - offset)
      guard size > 0 else { return arrive(at: nil) }
      filled = try file.read(at: offset, into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<size]))
      guard filled == size else { throw MatchingError(.inputOutput, "temporary data became shorter") }
      offset += filled
      place = 0
    }
    arrive(at: UnsafeRawPointer(buffer.baseAddress!) + place)
    place += layout.stride
  }
}

/// The records of an earlier version, with their further entries right behind them.
final class ListRun: RecordRun {
  private let list: HashList
  private let records: HashList.Records
  private let layout: RecordLayout
  private let buffer: UnsafeMutableRawPointer
  private var index = 0
  /// The next pair of the further entries.
  private var pair = 0

  /// - Returns: `nil` where the list has no hash of the algorithm.
  init?(_ list: HashList, _ layout: RecordLayout) {
    guard let records = list.records(layout.algorithm) else { return nil }
    self.list = list
    self.records = records
    self.layout = layout
    buffer = .allocate(byteCount: layout.stride, alignment: 8)
  }

  deinit { buffer.deallocate() }

  override func advance() throws(MatchingError) {
    if pair < records.furtherEntries.count {
      let (record, entry) = try list.furtherEntry(pair, in: records)
      guard record >= index - 1 else { throw list.damaged("its further entries are out of order") }
      if record == index - 1 {
        pair += 1
        buffer.storeBytes(of: UInt32(truncatingIfNeeded: entry), toByteOffset: layout.keySize, as: UInt32.self)
        return arrive(at: buffer)
      }
    }
    guard index < records.keys.count else { return arrive(at: nil) }
    let quality = try list.quality(of: index, in: records)
    layout.write(
      UnsafeRawBufferPointer(start: try list.record(index, in: records), count: layout.keySize),
      entry: UInt32(truncatingIfNeeded: try list.entryIndex(of: index, in: records)),
      attribution: RecordLayout.unresolved, quality: quality, to: buffer)
    index += 1
    arrive(at: buffer)
  }
}

/// Several runs as one. Of equal keys, those of an earlier run come first.
final class MergedRun: RecordRun {
  private let layout: RecordLayout
  private let runs: [RecordRun]
  /// Indices of runs that are not at their end, as a heap with the least record on top.
  private var heap: [Int] = []
  private var isStarted = false

  init(_ layout: RecordLayout, _ runs: [RecordRun]) {
    self.layout = layout
    self.runs = runs
  }

  override func advance() throws(MatchingError) {
    if isStarted {
      guard let top = heap.first else { return arrive(at: nil) }
      try runs[top].advance()
      if runs[top].current == nil {
        heap[0] = heap[heap.count - 1]
        heap.removeLast()
      }
      sink(0)
    } else {
      isStarted = true
      for index in runs.indices {
        try runs[index].advance()
        if runs[index].current != nil { heap.append(index) }
      }
      for place in heap.indices.reversed() { sink(place) }
    }
    guard let top = heap.first else { return arrive(at: nil) }
    current = runs[top].current
    prefix = runs[top].prefix
  }

  private func sink(_ start: Int) {
    heap.withUnsafeMutableBufferPointer { heap in
      var place = start
      while true {
        var least = place
        let child = 2 * place + 1
        if child < heap.count && precedes(heap[child], heap[least]) { least = child }
        if child + 1 < heap.count && precedes(heap[child + 1], heap[least]) { least = child + 1 }
        if least == place { return }
        heap.swapAt(place, least)
        place = least
      }
    }
  }

  @inline(__always)
  private func precedes(_ one: Int, _ other: Int) -> Bool {
    let (left, right) = (runs[one], runs[other])
    if left.prefix != right.prefix { return left.prefix < right.prefix }
    let order = layout.compareRest(left.current!, right.current!)
    return order != 0 ? order < 0 : one < other
  }
}
