import Dispatch
import Hashing
import SystemPackage
import Synchronization

/// Digests and writes blocks on a thread of its own, so that merging, digesting and writing go on at once.
///
/// `@unchecked Sendable`: all that changes is touched on the queue, or after it has come to rest; the rest is locked.
final class BlockSink: @unchecked Sendable {
  private let queue = DispatchQueue(label: "muhafiz.blocks")
  private let room = DispatchSemaphore(value: BlockSink.piecesInWork)
  private let idle = Mutex<[Piece]>([])
  private let failure = Mutex<MatchingError?>(nil)
  private var file: DurableFile?
  private var leaves: [UInt8] = []

  /// Memory that one side at a time uses.
  private struct Piece: @unchecked Sendable {
    let bytes: UnsafeMutableRawBufferPointer
  }

  private static let piecesInWork = 4
  private static let pieceSize = 1 << 20

  /// - Parameter file: Has the header's block already.
  init(_ file: consuming DurableFile) { self.file = consume file }

  deinit { idle.withLock { for piece in $0 { piece.bytes.deallocate() } } }

  /// Room for a whole number of blocks.
  func emptyPiece() -> UnsafeMutableRawBufferPointer {
    idle.withLock { $0.popLast() }?.bytes ?? .allocate(byteCount: Self.pieceSize, alignment: HashListLayout.blockSize)
  }

  /// Takes a piece, which is the sink's from now on; waits while there is much to do.
  ///
  /// - Parameter count: A whole number of blocks.
  func take(_ piece: UnsafeMutableRawBufferPointer, count: Int) throws(MatchingError) {
    room.wait()
    let piece = Piece(bytes: piece)
    queue.async {
      self.write(UnsafeRawBufferPointer(rebasing: piece.bytes[..<count]))
      self.idle.withLock { $0.append(piece) }
      self.room.signal()
    }
    try check()
  }

  private func write(_ bytes: UnsafeRawBufferPointer) {
    if failure.withLock({ $0 != nil }) { return }
    do {
      leaves += try Self.digests(of: bytes)
      try file!.append(bytes)
    } catch {
      let failed = error as? MatchingError ?? MatchingError(.inputOutput, "\(error)")
      failure.withLock { $0 = failed }
    }
  }

  private func check() throws(MatchingError) {
    if let failure = failure.withLock({ $0 }) { throw failure }
  }

  /// SHA-256 of each block, one behind the other.
  static func digests(of bytes: UnsafeRawBufferPointer) throws -> [UInt8] {
    let size = HashListLayout.blockSize
    var digester = try BatchDigester([.sha256])
    let blocks = stride(from: 0, to: bytes.count, by: size).map { bytes.slice($0, size) }
    var digests: [UInt8] = []
    digests.reserveCapacity(blocks.count * HashListLayout.nodeSize)
    for digest in try digester.digests(of: blocks) { digest[0].withBytes { digests.append(contentsOf: $0) } }
    return digests
  }

  /// Waits until all is written.
  ///
  /// - Returns: The digests of all blocks.
  func digests() throws(MatchingError) -> [UInt8] {
    queue.sync {}
    try check()
    return leaves
  }

  /// Reads bytes that were taken before.
  func readBack(_ range: Range<Int>, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
    queue.sync {}
    try check()
    try file!.readBack(range, body)
  }

  /// Writes the tree behind the blocks and the header before them, and makes the file appear.
  func finish(tree: [UInt8], header: [UInt8]) throws {
    guard var file = file.take() else { return }
    try tree.withUnsafeBytes { try file.append($0) }
    try header.withUnsafeBytes { try file.overwrite(at: 0, $0) }
    try file.commit()
  }
}
