import Hashing
import Synchronization

/// The shape of a hash list's tree of block digests; `HashListFormat.md`, "Hash tree".
struct HashTreeShape {
  /// Blocks of data: all between the header and the tree.
  let dataBlocks: Int
  /// Blocks of each level, the digests of data blocks first, the single top block last.
  let levels: [Int]

  init(dataBlocks: Int) {
    self.dataBlocks = dataBlocks
    var levels: [Int] = []
    var below = dataBlocks
    repeat {
      below = max(1, (below + HashListLayout.nodesPerBlock - 1) / HashListLayout.nodesPerBlock)
      levels.append(below)
    } while below > 1
    self.levels = levels
  }

  var blocks: Int { levels.reduce(0, +) }
}

/// Checks each block of a mapped hash list the first time that an answer needs it.
///
/// A block's digest stands in a block of the tree, whose digest stands a level higher, up to the root in the header. A
/// block once found good is not digested again; two threads may do so at once, to the same end.
final class HashTree: Sendable {
  private let file: MappedFile
  private let shape: HashTreeShape
  private let root: Digest
  /// Number in the file of the first block of each level.
  private let levelStarts: [Int]
  /// One bit for each block of the file: found good. Owned; freed in `deinit`; only touched atomically.
  nonisolated(unsafe) private let verified: UnsafeMutablePointer<Atomic<UInt64>>
  private let words: Int

  init(_ file: MappedFile, shape: HashTreeShape, treeBlock: Int, root: Digest) {
    self.file = file
    self.shape = shape
    self.root = root
    var starts: [Int] = []
    var next = treeBlock
    for blocks in shape.levels {
      starts.append(next)
      next += blocks
    }
    levelStarts = starts
    words = next / 64 + 1
    verified = .allocate(capacity: words)
    for index in 0..<words { (verified + index).initialize(to: Atomic(0)) }
  }

  deinit {
    verified.deinitialize(count: words)
    verified.deallocate()
  }

  /// The bits of ``verified`` for a kernel, which reads them atomically; valid while this lives.
  var verifiedBits: UnsafePointer<UInt64> { UnsafePointer(UnsafeRawPointer(verified).assumingMemoryBound(to: UInt64.self)) }

  /// Makes sure that bytes of the data are what the builder wrote.
  ///
  /// - Throws: ``MatchingError`` with `listCorrupt`, naming the block.
  @inline(__always)
  func verify(offset: Int, size: Int) throws(MatchingError) {
    if size == 0 { return }
    let last = (offset &+ size &- 1) &>> HashListLayout.blockShift
    var block = offset &>> HashListLayout.blockShift
    repeat {
      if !isVerified(block) { try verifyBlock(block, level: -1) }
      block &+= 1
    } while block <= last
  }

  /// The same for bytes that do not cross from one block to the next.
  @inline(__always)
  func verify(offset: Int) throws(MatchingError) {
    let block = offset &>> HashListLayout.blockShift
    if !isVerified(block) { try verifyBlock(block, level: -1) }
  }

  /// The same for some bytes, fewer than a block has.
  @inline(__always)
  func verify(offset: Int, fewBytes size: Int) throws(MatchingError) {
    try verify(offset: offset)
    let last = offset &+ size &- 1
    if (offset ^ last) &>> HashListLayout.blockShift != 0 { try verify(offset: last) }
  }

  /// Makes sure that the tree itself is what the builder wrote.
  func verifyTree() throws(MatchingError) {
    for (level, start) in levelStarts.enumerated().reversed() {
      for block in start..<start + shape.levels[level] where !isVerified(block) { try verifyBlock(block, level: level) }
    }
  }

  func damaged(_ what: String) -> MatchingError { .damaged(file.path, what) }

  /// Whether bytes that lie in one block, or in two next to each other, were found good before.
  @inline(__always)
  func isVerified(at offset: Int, size: Int) -> Bool {
    isVerified(offset &>> HashListLayout.blockShift) && isVerified((offset &+ size &- 1) &>> HashListLayout.blockShift)
  }

  @inline(__always)
  private func isVerified(_ block: Int) -> Bool {
    verified[block &>> 6].load(ordering: .relaxed) &>> UInt64(truncatingIfNeeded: block) & 1 != 0
  }

  /// - Parameter level: -1 for data.
  private func verifyBlock(_ block: Int, level: Int) throws(MatchingError) {
    let expected: Digest
    if level == levelStarts.count - 1 {
      expected = root
    } else {
      let index = block - (level < 0 ? 1 : levelStarts[level])
      let parent = levelStarts[level + 1] + index / HashListLayout.nodesPerBlock
      if !isVerified(parent) { try verifyBlock(parent, level: level + 1) }
      let offset = parent * HashListLayout.blockSize + index % HashListLayout.nodesPerBlock * HashListLayout.nodeSize
      expected = Digest(.sha256, bytes: file.bytes.slice(offset, HashListLayout.nodeSize))!
    }
    guard try sha256(file.bytes.slice(block * HashListLayout.blockSize, HashListLayout.blockSize)) == expected else {
      throw MatchingError(
        .listCorrupt, "list file \(file.path) is damaged: block \(block) does not have the digest that it was written with",
        hint: "import the list again, or run 'muhafiz list verify'")
    }
    verified[block >> 6].bitwiseOr(1 << UInt64(block & 63), ordering: .relaxed)
  }
}

/// SHA-256 of bytes in memory.
func sha256(_ bytes: UnsafeRawBufferPointer) throws(MatchingError) -> Digest {
  do { return try Digest.sha256(of: bytes) } catch {
    throw MatchingError(.inputOutput, "\(error)")
  }
}
