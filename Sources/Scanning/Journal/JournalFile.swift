import Glibc
import SystemPackage

/// Reads the records that one session of a scan wrote, in their order, a frame at a time.
///
/// The last frame may be torn: the scan was cut off while it was written, and had reported nothing of it. Damage before
/// that is an error.
struct JournalFile: ~Copyable {
  private let path: FilePath
  private let context: JournalFrame.Context
  private let descriptor: FileDescriptor
  private let size: UInt64
  private var offset: UInt64 = 0
  private var frame: UInt64 = 0
  private var payload = JournalBytesReader([])
  private var isAtEnd = false

  init(opening path: FilePath, _ context: JournalFrame.Context) throws(JournalError) {
    let file = path.withPlatformString { open($0, O_RDONLY | O_CLOEXEC | O_NONBLOCK) }
    guard file >= 0 else { throw .unreadable(path, Errno(rawValue: errno)) }
    var status = stat()
    guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      close(file)
      throw JournalError.damaged(path, "it is not a regular file")
    }
    self.path = path
    self.context = context
    descriptor = FileDescriptor(rawValue: file)
    size = UInt64(status.st_size)
  }

  deinit { close(descriptor.rawValue) }

  /// The next record, or `nil` behind the last that is whole.
  mutating func next() throws -> JournalRecord? {
    while payload.isAtEnd {
      if isAtEnd { return nil }
      guard let bytes = try wholeFrame(at: offset, number: frame) else {
        isAtEnd = true
        try checkThatNothingFollows()
        return nil
      }
      payload = JournalBytesReader(bytes[...])
      offset += UInt64(JournalFrame.headerSize + bytes.count)
      frame += 1
    }
    do throws(JournalBytesReader.Malformed) { return try JournalRecord(from: &payload) } catch {
      throw JournalError.damaged(path, "frame \(frame - 1) holds no records")
    }
  }

  /// - Returns: The payload; `nil` where there is no whole frame of that number.
  private func wholeFrame(at offset: UInt64, number: UInt64?) throws -> [UInt8]? {
    let header = try read(at: offset, count: JournalFrame.headerSize)
    guard let count = JournalFrame.payloadSize(header[...]), count > 0,
      count <= size - offset - UInt64(JournalFrame.headerSize)
    else { return nil }
    let payload = try read(at: offset + UInt64(JournalFrame.headerSize), count: Int(count))
    let isWhole = try JournalFrame.isWhole(
      header[...], payload[...], number: number ?? JournalFrame.number(of: header[...]), context)
    return isWhole ? payload : nil
  }

  /// A whole frame behind one that is not: then that one was not torn by a cut, it was changed since.
  private func checkThatNothingFollows() throws {
    let pieceSize = 1 << 20
    var start = offset
    while start < size {
      // Pieces overlap, so that none of what is looked for lies across their edge.
      let piece = try read(at: start, count: pieceSize + JournalFrame.magic.count)
      for index in piece.indices
      where piece[index] == JournalFrame.magic[0] && piece[index...].starts(with: JournalFrame.magic) {
        let found = start + UInt64(index)
        if found > offset, try wholeFrame(at: found, number: nil) != nil {
          throw JournalError.damaged(path, "frame \(frame), at byte \(offset), is not what was written")
        }
      }
      start += UInt64(pieceSize)
    }
  }

  /// Fewer bytes than asked for at the end of the file.
  private func read(at offset: UInt64, count: Int) throws(JournalError) -> [UInt8] {
    let room = Int(min(UInt64(count), size > offset ? size - offset : 0))
    var bytes: [UInt8] = []
    do {
      bytes = try [UInt8](unsafeUninitializedCapacity: room) { buffer, done in
        while done < room {
          let rest = UnsafeMutableRawBufferPointer(UnsafeMutableBufferPointer(rebasing: buffer[done...]))
          let count = try descriptor.read(fromAbsoluteOffset: Int64(offset) + Int64(done), into: rest)
          if count == 0 { break }
          done += count
        }
      }
    } catch { throw JournalError.unreadable(path, error as? Errno ?? .ioError) }
    return bytes
  }
}
