import CKernels
import Glibc
import SystemPackage

/// The calls that durable writes are made of: the one place where a test puts a power cut or a failing disk.
///
/// Each answers as the kernel does: a write may take less than it was given, and a call may be interrupted. What to do
/// about it is for ``DurableFile``, so that it is done, and tested, once. Reading hash lists does not come this way:
/// they are mapped.
package protocol DurableFileSystem: Sendable {
  /// Opens a file for reading and writing: made where there is none, emptied where there is one.
  func create(_ path: FilePath, _ permissions: FilePermissions) throws(Errno) -> FileDescriptor

  /// Reads up to the size of `buffer`, from `offset` on.
  ///
  /// - Returns: Bytes read; 0 at the end of the file.
  func read(_ file: FileDescriptor, at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int

  /// Writes at `offset`.
  ///
  /// - Returns: Bytes written, which may be fewer than there are.
  func write(_ file: FileDescriptor, at offset: Int64, _ bytes: UnsafeRawBufferPointer) throws(Errno) -> Int

  /// Waits until the file's bytes are on the medium.
  func sync(_ file: FileDescriptor) throws(Errno)

  /// Ends the use of a descriptor. What counts was synced before, so there is nothing to report.
  func close(_ file: FileDescriptor)

  /// Waits until a folder's names are on the medium: those that came, went and changed.
  func syncFolder(_ path: FilePath) throws(Errno)

  /// Gives a file another name, in place of whatever has it.
  func rename(_ path: FilePath, to newPath: FilePath) throws(Errno)

  func remove(_ path: FilePath) throws(Errno)

  func makeFolder(_ path: FilePath, _ permissions: FilePermissions) throws(Errno)

  /// The names in a folder but `.` and `..`, in no order.
  func names(in folder: FilePath) throws(Errno) -> [String]
}

/// The file system of the machine.
package struct HostFileSystem: DurableFileSystem {
  package init() {}

  private static let largePiece = 1 << 20

  package func create(_ path: FilePath, _ permissions: FilePermissions) throws(Errno) -> FileDescriptor {
    let flags = O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC
    return FileDescriptor(rawValue: try answer(path.withPlatformString { open($0, flags, permissions.rawValue) }))
  }

  package func read(
    _ file: FileDescriptor, at offset: Int64, into buffer: UnsafeMutableRawBufferPointer
  ) throws(Errno) -> Int {
    try answer(pread(file.rawValue, buffer.baseAddress, buffer.count, off_t(offset)))
  }

  package func write(
    _ file: FileDescriptor, at offset: Int64, _ bytes: UnsafeRawBufferPointer
  ) throws(Errno) -> Int {
    let count = try answer(pwrite(file.rawValue, bytes.baseAddress, bytes.count, off_t(offset)))
    // The disk begins with large pieces while the next are made, so that the sync waits for the last of them only. A
    // failure is the sync's to report.
    if count >= Self.largePiece { _ = ck_begin_writeback(file.rawValue, offset, Int64(count)) }
    return count
  }

  package func sync(_ file: FileDescriptor) throws(Errno) { _ = try answer(fsync(file.rawValue)) }

  package func close(_ file: FileDescriptor) { _ = Glibc.close(file.rawValue) }

  package func syncFolder(_ path: FilePath) throws(Errno) {
    let flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC
    let folder = FileDescriptor(rawValue: try answer(path.withPlatformString { open($0, flags) }))
    defer { close(folder) }
    try sync(folder)
  }

  package func rename(_ path: FilePath, to newPath: FilePath) throws(Errno) {
    _ = try answer(path.withPlatformString { old in newPath.withPlatformString { Glibc.rename(old, $0) } })
  }

  package func remove(_ path: FilePath) throws(Errno) { _ = try answer(path.withPlatformString(unlink)) }

  package func makeFolder(_ path: FilePath, _ permissions: FilePermissions) throws(Errno) {
    _ = try answer(path.withPlatformString { mkdir($0, permissions.rawValue) })
  }

  package func names(in folder: FilePath) throws(Errno) -> [String] {
    guard let stream = folder.withPlatformString(opendir) else { throw Errno(rawValue: errno) }
    defer { closedir(stream) }
    var names: [String] = []
    while true {
      // The end and a failure both come as nothing; only the number tells them apart.
      errno = 0
      guard let entry = readdir(stream) else { break }
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        String(cString: UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self))
      }
      if name != "." && name != ".." { names.append(name) }
    }
    guard errno == 0 else { throw Errno(rawValue: errno) }
    return names
  }

  private func answer<Number: SignedInteger>(_ result: Number) throws(Errno) -> Number {
    guard result >= 0 else { throw Errno(rawValue: errno) }
    return result
  }
}
