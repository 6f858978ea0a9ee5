import Glibc
import SystemPackage

/// A file of ours mapped for reading. Hash list files are never changed or shortened, which is what makes this safe;
/// files of others, evidence above all, are read and never mapped.
final class MappedFile: Sendable {
  let path: FilePath
  // Set once in `init`, unmapped in `deinit`; the memory is read-only.
  nonisolated(unsafe) let bytes: UnsafeRawBufferPointer

  init(_ path: FilePath) throws(MatchingError) {
    self.path = path
    let descriptor: FileDescriptor
    // Non-blocking: a pipe in the place of a file must be refused, not waited for.
    do { descriptor = try FileDescriptor.open(path, .readOnly, options: [.closeOnExec, .nonBlocking]) } catch {
      throw MatchingError(error as? Errno ?? .ioError, "open", path)
    }
    defer { close(descriptor.rawValue) }
    var status = stat()
    guard fstat(descriptor.rawValue, &status) == 0 else {
      throw MatchingError(Errno(rawValue: errno), "examine", path)
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw MatchingError(.notAHashList, "\(path) is not a regular file")
    }
    let size = Int(status.st_size)
    if size == 0 {
      bytes = UnsafeRawBufferPointer(start: nil, count: 0)
      return
    }
    guard let start = mmap(nil, size, PROT_READ, MAP_SHARED, descriptor.rawValue, 0), start != MAP_FAILED else {
      throw MatchingError(Errno(rawValue: errno), "map", path)
    }
    bytes = UnsafeRawBufferPointer(start: start, count: size)
    advise(MADV_RANDOM)
  }

  /// Reads all of it, from the first byte to the last: pages are fetched ahead. Else they are not, as a lookup touches one
  /// and would wait for hundreds.
  func inOrder<Answer>(_ body: () throws(MatchingError) -> Answer) throws(MatchingError) -> Answer {
    advise(MADV_SEQUENTIAL)
    defer { advise(MADV_RANDOM) }
    return try body()
  }

  /// Has the kernel forget what it keeps of the file; the next reader waits for the disk.
  func leaveMemory() throws(MatchingError) {
    // Pages that somebody has mapped stay, so they are let go first.
    advise(MADV_DONTNEED)
    let descriptor: FileDescriptor
    do { descriptor = try FileDescriptor.open(path, .readOnly, options: .closeOnExec) } catch {
      throw MatchingError(error as? Errno ?? .ioError, "open", path)
    }
    defer { close(descriptor.rawValue) }
    posix_fadvise(descriptor.rawValue, 0, 0, POSIX_FADV_DONTNEED)
  }

  private func advise(_ use: CInt) {
    if let start = bytes.baseAddress { madvise(UnsafeMutableRawPointer(mutating: start), bytes.count, use) }
  }

  deinit {
    if let start = bytes.baseAddress { munmap(UnsafeMutableRawPointer(mutating: start), bytes.count) }
  }

  /// The bytes of a small file of ours.
  static func contents(of path: FilePath) throws(MatchingError) -> [UInt8] {
    let file = try MappedFile(path)
    // The bytes are gone with the file: it must outlive the copying.
    return withExtendedLifetime(file) { Array(file.bytes) }
  }
}
