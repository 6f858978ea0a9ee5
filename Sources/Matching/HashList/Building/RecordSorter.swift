import Dispatch
import Synchronization
import SystemPackage

/// Sorts any number of records of one algorithm in bounded memory: chunks are sorted in the background while the next is
/// filled, those that memory has no room for are spilled, and all are merged at the end.
struct RecordSorter: ~Copyable {
  let layout: RecordLayout
  private let memory: ChunkMemory
  private let background: ChunkQueue
  private var filling: RecordChunk?
  /// Where the next record goes, and where the chunk ends.
  private var place: UnsafeMutableRawPointer
  private var end: UnsafeMutableRawPointer
  /// Records in the chunks before.
  private var before = 0
  private var hasReserved = false

  /// - Parameter folder: Where chunks are spilled.
  init(_ layout: RecordLayout, _ memory: ChunkMemory, spillingTo folder: FilePath) {
    self.layout = layout
    self.memory = memory
    background = ChunkQueue(memory, spillingTo: folder)
    let chunk = RecordChunk(layout, sizeInBytes: ChunkMemory.smallestChunk)
    (filling, place, end) = (chunk, chunk.start, chunk.end)
  }

  /// Room for the next record, which the caller fills.
  ///
  /// - Throws: ``MatchingError`` when a chunk could not be spilled.
  @inline(__always)
  mutating func next() throws(MatchingError) -> UnsafeMutableRawPointer {
    if place == end { try beginChunk() }
    defer { place += layout.stride }
    return place
  }

  private mutating func beginChunk() throws(MatchingError) {
    try endChunk()
    guard before < HashListLayout.mostRecords else { throw MatchingError(.tooLarge, "a list has at most 2^32 hashes of a kind") }
    // A small list does not need a large chunk.
    let size = min(memory.chunkSize, max(ChunkMemory.smallestChunk, 2 * before * layout.stride))
    if size == memory.chunkSize && !hasReserved {
      memory.reserveChunksInWork()
      hasReserved = true
    }
    let chunk = RecordChunk(layout, sizeInBytes: size, in: background.takeSpare())
    (filling, place, end) = (chunk, chunk.start, chunk.end)
  }

  private mutating func endChunk() throws(MatchingError) {
    guard let chunk = filling.take() else { return }
    chunk.count = (place - chunk.start) / layout.stride
    before += chunk.count
    if chunk.count > 0 { try background.sort(chunk) }
  }

  /// Sorts the rest.
  ///
  /// - Returns: All records in sorted runs, in the order in which they were added.
  mutating func finish() throws(MatchingError) -> [RecordRun] {
    try endChunk()
    return try background.finish(layout)
  }
}

/// A spill file that several runs read.
final class SharedSpill {
  var spill: SpillFile

  init(in folder: FilePath) { spill = SpillFile(in: folder) }
}

/// Sorts chunks on a thread of its own, and spills those there is no room for.
///
/// `@unchecked Sendable`: all that changes is touched on the queue, or after it has come to rest; the failure is locked.
private final class ChunkQueue: @unchecked Sendable {
  private let queue = DispatchQueue(label: "muhafiz.sort")
  private let room = DispatchSemaphore(value: 2)
  private let memory: ChunkMemory
  private let folder: FilePath
  private let failure = Mutex<MatchingError?>(nil)
  /// What the last chunk has left.
  private let spare = Mutex<LargeMemory<UInt8>?>(nil)
  private var sorted: [Sorted] = []
  private var sortingRoom = SortingRoom()
  private var spill: SharedSpill?

  private enum Sorted {
    case chunk(RecordChunk)
    case spilled(SharedSpill, offset: Int, count: Int)
  }

  init(_ memory: ChunkMemory, spillingTo folder: FilePath) {
    self.memory = memory
    self.folder = folder
  }

  /// Takes a chunk; waits while two others are still being sorted.
  func sort(_ chunk: RecordChunk) throws(MatchingError) {
    room.wait()
    queue.async {
      self.take(chunk)
      self.room.signal()
    }
    // What went wrong with an earlier chunk ends the import now, not in an hour.
    if let failure = failure.withLock({ $0 }) { throw failure }
  }

  func takeSpare() -> LargeMemory<UInt8>? { spare.withLock { $0.take() } }

  private func take(_ chunk: RecordChunk) {
    if failure.withLock({ $0 != nil }) { return }
    let unused = chunk.sort(in: &sortingRoom)
    // Whoever fills it next waits for no page of it.
    spare.withLock { $0 = unused }
    if memory.keeps(chunk.bytes.count) {
      sorted.append(.chunk(chunk))
      return
    }
    let shared = spill ?? SharedSpill(in: folder)
    spill = shared
    let offset = shared.spill.size
    do {
      try shared.spill.append(chunk.bytes)
      sorted.append(.spilled(shared, offset: offset, count: chunk.count))
    } catch let error { failure.withLock { $0 = error } }
  }

  func finish(_ layout: RecordLayout) throws(MatchingError) -> [RecordRun] {
    queue.sync {}
    spare.withLock { $0 = nil }
    sortingRoom = SortingRoom()
    if let failure = failure.withLock({ $0 }) { throw failure }
    return sorted.map { sorted in
      switch sorted {
      case .chunk(let chunk): ChunkRun(chunk)
      case .spilled(let file, let offset, let count): SpilledRun(layout, file, offset: offset, count: count)
      }
    }
  }
}
