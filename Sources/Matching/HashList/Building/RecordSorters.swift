import Hashing
import Synchronization
import SystemPackage

/// A sorter for each algorithm.
struct RecordSorters: ~Copyable {
  private var md5: RecordSorter
  private var sha1: RecordSorter
  private var sha256: RecordSorter
  private var pdq: RecordSorter
  private var video: RecordSorter
  private var videoFrame: RecordSorter

  /// - Parameter memory: Shared by all; a list of one algorithm has it for itself.
  init(_ memory: ChunkMemory, spillingTo folder: FilePath) {
    func sorter(_ algorithm: HashListLayout.Algorithm) -> RecordSorter {
      RecordSorter(RecordLayout(algorithm), memory, spillingTo: folder)
    }
    md5 = sorter(.md5)
    sha1 = sorter(.sha1)
    sha256 = sorter(.sha256)
    pdq = sorter(.pdq)
    video = sorter(.video)
    videoFrame = sorter(.videoFrame)
  }

  /// Adds the hashes of one entry but those of its video.
  mutating func add(_ entry: ListEntry, row: UInt32, attribution: UInt32) throws(MatchingError) {
    for digest in entry.digests { try add(digest, row: row, attribution: attribution) }
    for hash in entry.perceptualHashes {
      let record = try pdq.next()
      let layout = pdq.layout
      let quality = UInt32(hash.quality ?? HashListLayout.unknownQuality)
      hash.withBytes { layout.write($0, entry: row, attribution: attribution, detail: quality, to: record) }
    }
  }

  /// Adds the video of an entry.
  ///
  /// - Parameters:
  ///   - digest: Of its rows.
  ///   - place: Where they are; see ``VideoTable``.
  mutating func add(video digest: Digest, place: UInt32, row: UInt32, attribution: UInt32) throws(MatchingError) {
    let record = try video.next()
    let layout = video.layout
    digest.withBytes { layout.write($0, entry: row, attribution: attribution, detail: place, to: record) }
  }

  /// Adds one comparable frame of a video, by the video's number in the list.
  mutating func add(frame hash: UnsafeRawBufferPointer, ofVideo number: UInt32) throws(MatchingError) {
    videoFrame.layout.write(hash, entry: number, attribution: 0, to: try videoFrame.next())
  }

  /// Adds one digest of an entry.
  mutating func add(_ digest: Digest, row: UInt32, attribution: UInt32) throws(MatchingError) {
    switch digest.algorithm {
    case .md5: try Self.add(digest, row, attribution, to: &md5)
    case .sha1: try Self.add(digest, row, attribution, to: &sha1)
    case .sha256: try Self.add(digest, row, attribution, to: &sha256)
    }
  }

  @inline(__always)
  private static func add(
    _ digest: Digest, _ row: UInt32, _ attribution: UInt32, to sorter: inout RecordSorter
  ) throws(MatchingError) {
    let record = try sorter.next()
    let layout = sorter.layout
    layout.write(DigestKey(digest), entry: row, attribution: attribution, to: record)
  }

  /// Sorts the rest of one algorithm.
  ///
  /// - Returns: All its records in sorted runs, in the order in which they were added.
  mutating func finish(_ algorithm: HashListLayout.Algorithm) throws(MatchingError) -> [RecordRun] {
    switch algorithm {
    case .none: []
    case .md5: try md5.finish()
    case .sha1: try sha1.finish()
    case .sha256: try sha256.finish()
    case .pdq: try pdq.finish()
    case .video: try video.finish()
    case .videoFrame: try videoFrame.finish()
    }
  }
}

/// Memory for records on their way into one list.
final class ChunkMemory: Sendable {
  /// Bytes of one chunk.
  let chunkSize: Int
  private let left: Atomic<Int>

  private static let largestChunk = 32 << 20
  static let smallestChunk = 64 << 10

  /// Chunks that are being filled and sorted, and what is kept for the next; one algorithm's.
  private static let chunksInWork = 6

  /// - Parameter sizeInBytes: All that sorting may take; an eighth of it is left for what the merge needs.
  init(sizeInBytes: Int) {
    chunkSize = max(Self.smallestChunk, min(Self.largestChunk, sizeInBytes / 32))
    left = Atomic(sizeInBytes / 8 * 7)
  }

  /// Takes note that one more algorithm fills chunks of the full size.
  func reserveChunksInWork() { left.subtract(Self.chunksInWork * chunkSize, ordering: .relaxed) }

  /// Whether a chunk may stay in memory until the merge.
  func keeps(_ sizeInBytes: Int) -> Bool {
    if left.subtract(sizeInBytes, ordering: .relaxed).newValue >= 0 { return true }
    left.add(sizeInBytes, ordering: .relaxed)
    return false
  }
}
