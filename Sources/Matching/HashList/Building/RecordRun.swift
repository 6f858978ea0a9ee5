/// Records in ascending order, one after the other.
class RecordRun {
  /// The record at hand, valid until the next call of `advance`; `nil` at the end, and before the first.
  fileprivate(set) var current: UnsafeRawPointer?
  /// Goes on to the next record.
  func advance() throws(MatchingError) { preconditionFailure("a run knows how to go on") }

  @inline(__always)
  final func arrive(at record: UnsafeRawPointer?) {
    current = record
  }
}

/// The records of a sorted chunk in memory, which is given back as they are passed.
final class ChunkRun: RecordRun {
  private let chunk: RecordChunk
  private var index = 0
  /// Where memory is given back next, or the end.
  private var stop: Int

  /// Records that are passed before their memory is given back.
  private let portion: Int

  private static let portionSize = 4 << 20

  init(_ chunk: RecordChunk) {
    self.chunk = chunk
    portion = Self.portionSize / chunk.layout.stride
    stop = min(portion, chunk.count)
  }

  override func advance() throws(MatchingError) {
    if index == stop {
      guard index < chunk.count else { return arrive(at: nil) }
      chunk.giveBack(before: index)
      stop = min(index + portion, chunk.count)
    }
    arrive(at: UnsafeRawPointer(chunk.start) + index * chunk.layout.stride)
    index += 1
  }
}

/// The records of a sorted chunk that was spilled.
final class SpilledRun: RecordRun {
  private let layout: RecordLayout
  private let file: SharedSpill
  private var offset: Int
  private let end: Int
  private let buffer: UnsafeMutableRawBufferPointer
  private var place = 0
  private var filled = 0

  private static let bufferSize = 128 << 10

  init(_ layout: RecordLayout, _ file: SharedSpill, offset: Int, count: Int) {
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
      filled = try file.spill.read(at: offset, into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<size]))
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
  /// Whether the record at hand is one more entry of the hash before.
  private(set) var isFurtherEntry = false
  private let withdrawn: Set<UInt32>

  /// - Parameter withdrawn: Entries that are passed over.
  /// - Returns: `nil` where the list has no hash of the algorithm.
  init?(_ list: HashList, _ layout: RecordLayout, without withdrawn: Set<UInt32> = []) {
    guard let records = list.records(layout.algorithm) else { return nil }
    self.list = list
    self.records = records
    self.layout = layout
    self.withdrawn = withdrawn
    buffer = .allocate(byteCount: layout.stride, alignment: 8)
  }

  deinit { buffer.deallocate() }

  override func advance() throws(MatchingError) {
    repeat { try advanceByOne() } while current != nil && withdrawn.contains(layout.entry(buffer))
  }

  private func advanceByOne() throws(MatchingError) {
    if pair < records.furtherEntries.count {
      let (record, entry) = try list.furtherEntry(pair, in: records)
      guard record >= index - 1 else { throw list.damaged("its further entries are out of order") }
      if record == index - 1 {
        pair += 1
        isFurtherEntry = true
        buffer.storeBytes(of: UInt32(truncatingIfNeeded: entry), toByteOffset: layout.keySize, as: UInt32.self)
        return arrive(at: buffer)
      }
    }
    isFurtherEntry = false
    guard index < records.keys.count else { return arrive(at: nil) }
    let quality = try list.quality(of: index, in: records) ?? HashListLayout.unknownQuality
    layout.write(
      UnsafeRawBufferPointer(start: try list.record(index, in: records), count: layout.keySize),
      entry: UInt32(truncatingIfNeeded: try list.entryIndex(of: index, in: records)),
      attribution: RecordLayout.unresolved,
      detail: layout.algorithm == .video ? UInt32(index) : UInt32(quality), to: buffer)
    index += 1
    arrive(at: buffer)
  }

  /// The entry of the record at hand.
  func entry() throws(MatchingError) -> ListEntry { try list.entry(at: Int(layout.entry(buffer))) }
}

/// Several runs as one. Of equal keys, those of an earlier run come first.
final class MergedRun: RecordRun {
  private let layout: RecordLayout
  private let runs: [RecordRun]
  /// The records at hand of all runs that are not at their end, as a heap with the least on top. Memory of our own, because
  /// an array costs more to reach, once for each record, than the work that is done in it.
  private let heap: UnsafeMutablePointer<Head>
  private var count = 0
  private var isStarted = false

  private struct Head {
    var prefix: UInt64
    var record: UnsafeRawPointer
    let run: Int
  }

  init(_ layout: RecordLayout, _ runs: [RecordRun]) {
    self.layout = layout
    self.runs = runs
    heap = .allocate(capacity: runs.count)
  }

  deinit { heap.deallocate() }

  override func advance() throws(MatchingError) {
    if isStarted {
      guard count > 0 else { return arrive(at: nil) }
      let run = heap[0].run
      try runs[run].advance()
      if let record = runs[run].current {
        heap[0] = Head(prefix: RecordLayout.prefix(record), record: record, run: run)
      } else {
        count -= 1
        heap[0] = heap[count]
      }
      sink(0)
    } else {
      isStarted = true
      for (index, run) in runs.enumerated() {
        try run.advance()
        guard let record = run.current else { continue }
        heap[count] = Head(prefix: RecordLayout.prefix(record), record: record, run: index)
        count += 1
      }
      for place in (0..<count).reversed() { sink(place) }
    }
    arrive(at: count > 0 ? heap[0].record : nil)
  }

  private func sink(_ start: Int) {
    let (heap, count, layout) = (heap, count, layout)
    guard start < count else { return }
    let sinking = heap[start]
    var place = start
    while true {
      var child = 2 * place + 1
      guard child < count else { break }
      if child + 1 < count && Self.precedes(heap[child + 1], heap[child], layout) { child += 1 }
      guard Self.precedes(heap[child], sinking, layout) else { break }
      heap[place] = heap[child]
      place = child
    }
    heap[place] = sinking
  }

  @inline(__always)
  private static func precedes(_ one: Head, _ other: Head, _ layout: RecordLayout) -> Bool {
    if one.prefix != other.prefix { return one.prefix < other.prefix }
    let order = layout.compareRest(one.record, other.record)
    return order != 0 ? order < 0 : one.run < other.run
  }
}
