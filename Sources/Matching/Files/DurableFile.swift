import Glibc
import SystemPackage

/// A file that is either there whole or not at all, also after a crash or a power cut.
///
/// Written beside its place under a temporary name, synced, renamed, and the folder synced. What a crash leaves
/// behind is an orphan with a name that `sweepOrphans` knows.
///
/// A sync that failed is never asked for again: the kernel may have dropped what it could not write, and a second call
/// would then report success for bytes that are nowhere. The file is given up and written anew.
package struct DurableFile: ~Copyable {
  package let path: FilePath
  private let temporary: FilePath
  private let fileSystem: any DurableFileSystem
  private let descriptor: FileDescriptor
  private var buffer: [UInt8]
  private var written: Int64
  private var finished: Bool

  /// Files are written in pieces of this size, at multiples of it: the kernel keeps such a piece in one large page, and a
  /// mapping of the file translates one address where it would otherwise translate 512.
  private static let pieceSize = 1 << 21
  static let orphanSuffix = ".partial"

  /// Begins a file that will appear at `path` once it is committed.
  package init(
    replacing path: FilePath, permissions: FilePermissions = [.ownerReadWrite, .groupRead],
    on fileSystem: any DurableFileSystem = HostFileSystem()
  ) throws(MatchingError) {
    guard let name = path.lastComponent?.string else {
      throw MatchingError(.badName, "'\(path)' is not the name of a file")
    }
    // Not by the process alone: two in different containers may have the same number.
    let mark = String(UInt64.random(in: 0...UInt64.max), radix: 16)
    let temporary = path.removingLastComponent().appending(".\(name).\(mark)\(Self.orphanSuffix)")
    descriptor = try Self.call("create", temporary) { () throws(Errno) in
      try fileSystem.create(temporary, permissions)
    }
    self.path = path
    self.temporary = temporary
    self.fileSystem = fileSystem
    buffer = []
    written = 0
    finished = false
  }

  deinit {
    fileSystem.close(descriptor)
    // What cannot be removed now is an orphan: see `sweepOrphans`.
    if !finished { do { try fileSystem.remove(temporary) } catch {} }
  }

  /// Bytes appended so far.
  package var size: Int64 { written + Int64(buffer.count) }

  package mutating func append(_ bytes: UnsafeRawBufferPointer) throws(MatchingError) {
    var done = 0
    while done < bytes.count {
      let room = Self.pieceSize - Int(size) % Self.pieceSize
      let piece = UnsafeRawBufferPointer(rebasing: bytes[done...].prefix(room))
      if piece.count == Self.pieceSize {
        try writeAll(piece, at: written)
        written += Int64(piece.count)
      } else {
        buffer.append(contentsOf: piece)
        if piece.count == room { try flush() }
      }
      done += piece.count
    }
  }

  /// Writes over bytes that were appended before.
  package mutating func overwrite(at offset: Int64, _ bytes: UnsafeRawBufferPointer) throws(MatchingError) {
    try flush()
    try writeAll(bytes, at: offset)
  }

  /// Reads back part of what was appended, in pieces of a mebibyte.
  package mutating func readBack(_ range: Range<Int>, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
    try flush()
    let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
    defer { piece.deallocate() }
    var offset = Int64(range.lowerBound)
    while offset < Int64(range.upperBound) {
      let room = UnsafeMutableRawBufferPointer(rebasing: piece.prefix(range.upperBound - Int(offset)))
      let count = try Self.call("read back", temporary) { () throws(Errno) in
        try fileSystem.read(descriptor, at: offset, into: room)
      }
      guard count > 0 else { throw MatchingError(.inputOutput, "\(temporary) became shorter while it was written") }
      try body(UnsafeRawBufferPointer(rebasing: piece[..<count]))
      offset += Int64(count)
    }
  }

  /// Makes the file appear at its place. After this returns it survives a power cut.
  ///
  /// - Throws: ``MatchingError``. The place has what it had before, unless it was the folder that could not be synced:
  ///   then the file is there, and whether it survives a power cut is not known.
  package consuming func commit() throws(MatchingError) {
    try flush()
    do throws(Errno) { try fileSystem.sync(descriptor) } catch { throw MatchingError(error, "sync", temporary) }
    try Self.call("replace", path) { () throws(Errno) in try fileSystem.rename(temporary, to: path) }
    finished = true
    try Self.syncFolder(Self.folder(of: path), on: fileSystem)
  }

  /// Replaces a small file in one step.
  package static func replace(
    _ path: FilePath, with bytes: [UInt8], on fileSystem: any DurableFileSystem = HostFileSystem()
  ) throws(MatchingError) {
    var file = try DurableFile(replacing: path, on: fileSystem)
    do { try bytes.withUnsafeBytes { try file.append($0) } } catch { throw error as! MatchingError }
    try file.commit()
  }

  private mutating func flush() throws(MatchingError) {
    if buffer.isEmpty { return }
    do { try buffer.withUnsafeBytes { try writeAll($0, at: written) } } catch { throw error as! MatchingError }
    written += Int64(buffer.count)
    buffer.removeAll(keepingCapacity: true)
  }

  private func writeAll(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(MatchingError) {
    try Self.writeAll(bytes, at: offset, to: descriptor, temporary, on: fileSystem)
  }

  /// Writes all of some bytes to a file that is open under a path.
  static func writeAll(
    _ bytes: UnsafeRawBufferPointer, at offset: Int64, to descriptor: FileDescriptor, _ path: FilePath,
    on fileSystem: any DurableFileSystem
  ) throws(MatchingError) {
    var done = 0
    while done < bytes.count {
      let count = try call("write", path) { () throws(Errno) in
        try fileSystem.write(descriptor, at: offset + Int64(done), UnsafeRawBufferPointer(rebasing: bytes[done...]))
      }
      guard count > 0 else { throw MatchingError(.inputOutput, "cannot write \(path): it takes no more bytes") }
      done += count
    }
  }

  /// Makes a call, again where a signal interrupted it, and says what it was about where it fails. Not for a sync.
  static func call<Answer>(
    _ doing: String, _ path: FilePath, _ body: () throws(Errno) -> Answer
  ) throws(MatchingError) -> Answer {
    while true {
      do throws(Errno) { return try body() } catch {
        guard error == .interrupted else { throw MatchingError(error, doing, path) }
      }
    }
  }
}
