import Dispatch
import Synchronization
import SystemPackage

/// Sorts any number of records of one algorithm in bounded memory: chunks are sorted in the background while the next is
/// filled, those that memory has no room for are spilled, and all are merged at the end.
final class RecordSorter {
  let layout: RecordLayout
  private let folder: FilePath
  private let chunkSize: Int
  private let background: ChunkQueue
  private var filling: RecordChunk?
  private(set) var count = 0

  /// Chunks in use at once besides those kept: one being filled, one waiting, and one being sorted in twice its size.
  private static let chunksInWork = 5
  private static let largestChunk = 32 << 20
  private static let smallestChunk = 64 << 10

  /// - Parameters:
  ///   - memoryInBytes: What all chunks may take; at least some hundred kilobytes are used.
  ///   - folder: Where chunks are spilled.
  init(_ layout: RecordLayout, memoryInBytes: Int, folder: FilePath) {
    self.layout = layout
    self.folder = folder
    chunkSize = max(Self.smallestChunk, min(Self.largestChunk, memoryInBytes / (2 * Self.chunksInWork)))
    background = ChunkQueue(keeping: max(0, memoryInBytes / chunkSize - Self.chunksInWork), folder: folder)
  }

  /// Room for the next record, which the caller fills.
  ///
  /// - Throws: ``MatchingError`` when a chunk could not be spilled.
  func next() throws(MatchingError) -> UnsafeMutableRawPointer {
    if let filling, !filling.isFull {
      count += 1
      return filling.next()
    }
    if let filling { try background.sort(filling) }
    // A small list does not need a large chunk.
    let chunk = RecordChunk(layout, sizeInBytes: min(chunkSize, max(Self.smallestChunk, 2 * count * layout.stride)))
    filling = chunk
    count += 1
    return chunk.next()
  }

  /// Sorts the rest.
  ///
  /// - Returns: All records in sorted runs, in the order in which they were added.
  func finish() throws(MatchingError) -> [RecordRun] {
    if let filling { try background.sort(filling) }
    filling = nil
    return try background.finish(layout)
  }
}

/// Sorts chunks on a thread of its own, and spills those there is no room for.
///
/// `@unchecked Sendable`: all that changes is touched on the queue, or after it has come to rest.
private final class ChunkQueue: @unchecked Sendable {
  private let queue = DispatchQueue(label: "muhafiz.sort")
  private let room = DispatchSemaphore(value: 2)
  private let keeping: Int
  private let folder: FilePath
  private var sorted: [Sorted] = []
  private var kept = 0
  private let failure = Mutex<MatchingError?>(nil)

  private enum Sorted {
    case chunk(RecordChunk)
    case spilled(SpillFile, offset: Int, count: Int)
  }

  private var spill: SpillFile?

  init(keeping: Int, folder: FilePath) {
    self.keeping = keeping
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

  private func take(_ chunk: RecordChunk) {
    if failure.withLock({ $0 != nil }) { return }
    chunk.sort()
    if kept < keeping {
      kept += 1
      sorted.append(.chunk(chunk))
      return
    }
    do {
      let spill = spill ?? SpillFile(in: folder)
      self.spill = spill
      let offset = spill.size
      try spill.append(chunk.bytes)
      sorted.append(.spilled(spill, offset: offset, count: chunk.count))
    } catch let error { failure.withLock { $0 = error } }
  }

  func finish(_ layout: RecordLayout) throws(MatchingError) -> [RecordRun] {
    queue.sync {}
    if let failure = failure.withLock({ $0 }) { throw failure }
    return sorted.map { sorted in
      switch sorted {
      case .chunk(let chunk): ChunkRun(chunk)
      case .spilled(let file, let offset, let count): SpilledRun(layout, file, offset: offset, count: count)
      }
    }
  }
}
