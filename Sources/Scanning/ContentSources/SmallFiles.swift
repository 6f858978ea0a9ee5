import Glibc
import Hashing

/// A file that was read whole.
struct SmallFile {
  /// Its bytes, until the next files are read.
  let bytes: UnsafeRawBufferPointer
  let digests: [Digest]
  let modified: timespec
}

/// Reads small files together, because many are digested in less time than one by one.
///
/// What is not as expected is nobody's answer: a file that cannot be opened, that has become longer or shorter or ends in an
/// error is left to be read by itself.
struct SmallFiles: ~Copyable {
  private let buffer: UnsafeMutableRawBufferPointer
  private var digester: BatchDigester

  /// A longer file is read piece by piece.
  static let mostSize = 1 << 20

  init(_ algorithms: Set<DigestAlgorithm>) throws {
    digester = try BatchDigester(algorithms)
    buffer = .allocate(byteCount: 2 * Self.mostSize, alignment: 4096)
  }

  deinit { buffer.deallocate() }

  /// Reads what is small of that which is to be done next, and has what comes later read ahead.
  ///
  /// - Returns: One for each turn, `nil` for what was not read.
  /// - Throws: ``HashingError``.
  mutating func read(_ turns: [WalkSource.Turn]) throws -> [SmallFile?] {
    var contents: [(turn: Int, bytes: UnsafeRawBufferPointer, modified: timespec)] = []
    var used = 0
    for (number, turn) in turns.enumerated() {
      turn.coming?.readAhead()
      // What has further names may have been read under one of them.
      guard let file = turn.work.file, file.nameCount < 2, file.sizeInBytes < Self.mostSize else { continue }
      let room = UnsafeMutableRawBufferPointer(rebasing: buffer[used...])
      guard let (count, modified) = file.read(into: room) else { continue }
      contents.append((number, UnsafeRawBufferPointer(rebasing: room[..<count]), modified))
      used = min((used + count + 63) / 64 * 64, buffer.count)
    }
    var files = [SmallFile?](repeating: nil, count: turns.count)
    for (content, digests) in zip(contents, try digester.digests(of: contents.map(\.bytes))) {
      files[content.turn] = SmallFile(bytes: content.bytes, digests: digests, modified: content.modified)
    }
    return files
  }
}
