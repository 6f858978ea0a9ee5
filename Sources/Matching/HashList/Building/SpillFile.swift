import Glibc
import SystemPackage

/// Bytes put aside while a list is built: a file without a name, gone with the program however that ends.
///
/// What fits into the buffer never reaches the disk.
struct SpillFile: ~Copyable {
  private let folder: FilePath
  private var descriptor: FileDescriptor?
  private let buffer: UnsafeMutableRawBufferPointer
  private var buffered = 0
  private var written = 0

  /// - Parameters:
  ///   - folder: Where the file is made, once it is needed.
  ///   - bufferSize: Bytes that are kept in memory.
  init(in folder: FilePath, bufferSize: Int = 1 << 20) {
    self.folder = folder
    buffer = .allocate(byteCount: bufferSize, alignment: 4096)
  }

  deinit {
    buffer.deallocate()
    if let descriptor { close(descriptor.rawValue) }
  }

  /// Bytes appended so far.
  var size: Int { written + buffered }

  mutating func append(_ bytes: UnsafeRawBufferPointer) throws(MatchingError) {
    if buffered + bytes.count > buffer.count { try flush() }
    if bytes.count > buffer.count { return try write(bytes) }
    UnsafeMutableRawBufferPointer(rebasing: buffer[buffered...]).copyMemory(from: bytes)
    buffered += bytes.count
  }

  /// Appends a number as the file has it.
  @inline(__always)
  mutating func append<Number: FixedWidthInteger & BitwiseCopyable>(_ number: Number) throws(MatchingError) {
    let size = MemoryLayout<Number>.size
    if buffered + size > buffer.count { try flush() }
    buffer.storeBytes(of: number.littleEndian, toByteOffset: buffered, as: Number.self)
    buffered += size
  }

  /// Reads bytes that were appended.
  ///
  /// - Returns: How many there were, less than asked for only at the end.
  func read(at offset: Int, into target: UnsafeMutableRawBufferPointer) throws(MatchingError) -> Int {
    let count = min(target.count, size - offset)
    var done = 0
    while done < count {
      if offset + done >= written {
        let rest = UnsafeRawBufferPointer(buffer).slice(offset + done - written, count - done)
        UnsafeMutableRawBufferPointer(rebasing: target[done...]).copyMemory(from: rest)
        return count
      }
      let piece = UnsafeMutableRawBufferPointer(rebasing: target[done..<min(count, done + written - offset - done)])
      let got: Int
      do { got = try descriptor!.read(fromAbsoluteOffset: Int64(offset + done), into: piece) } catch {
        throw failure(error, "read back")
      }
      guard got > 0 else { throw MatchingError(.inputOutput, "temporary data in \(folder) became shorter") }
      done += got
    }
    return count
  }

  /// Hands over all bytes in order, in pieces.
  func forEachPiece(_ body: (UnsafeRawBufferPointer) throws -> Void) throws {
    let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
    defer { piece.deallocate() }
    var offset = 0
    while offset < size {
      let count = try read(at: offset, into: piece)
      try body(UnsafeRawBufferPointer(rebasing: piece[..<count]))
      offset += count
    }
  }

  private mutating func flush() throws(MatchingError) {
    try write(UnsafeRawBufferPointer(rebasing: buffer[..<buffered]))
    buffered = 0
  }

  private mutating func write(_ bytes: UnsafeRawBufferPointer) throws(MatchingError) {
    if descriptor == nil { descriptor = try Self.open(in: folder) }
    do { try descriptor!.writeAll(toAbsoluteOffset: Int64(written), bytes) } catch { throw failure(error, "write") }
    written += bytes.count
  }

  private static func open(in folder: FilePath) throws(MatchingError) -> FileDescriptor {
    let unnamed: Int32 = 0o20200000  // O_TMPFILE, which Glibc's Swift module leaves out.
    let descriptor = folder.withPlatformString { Glibc.open($0, unnamed | O_RDWR | O_CLOEXEC, 0o600) }
    if descriptor >= 0 { return FileDescriptor(rawValue: descriptor) }
    // A file system without unnamed files: one with a name that is taken away at once.
    var template = Array(folder.appending(".spill-XXXXXX").string.utf8CString)
    let named = mkstemp(&template)
    guard named >= 0 else { throw MatchingError(Errno(rawValue: errno), "write temporary data in", folder) }
    _ = fcntl(named, F_SETFD, FD_CLOEXEC)
    unlink(template)
    return FileDescriptor(rawValue: named)
  }

  private func failure(_ error: any Error, _ doing: String) -> MatchingError {
    MatchingError(error as? Errno ?? .ioError, "\(doing) temporary data in", folder)
  }
}
