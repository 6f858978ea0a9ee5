import Glibc
import Hashing
import SystemPackage

/// SHA-256 of a whole image file or device, to show that it is after a scan what it was before.
public enum SourceDigest {
  private static let bufferSize = 1 << 20

  /// Reads the source from first to last byte.
  ///
  /// - Throws: `Errno` where a byte cannot be read: a digest of less would be one of something else. `Errno.canceled`
  ///   where the control is told to stop meanwhile.
  public static func take(of path: FilePath, control: ScanControl) throws -> Digest {
    let descriptor = path.withPlatformString { openUntouched(in: AT_FDCWD, $0, O_RDONLY | O_CLOEXEC) }
    guard descriptor >= 0 else { throw Errno(rawValue: errno) }
    defer { close(descriptor) }
    posix_fadvise(descriptor, 0, 0, POSIX_FADV_SEQUENTIAL)
    return try take(of: FileDescriptor(rawValue: descriptor), control: control)
  }

  /// Reads a file from where it is to its last byte.
  static func take(of file: FileDescriptor, control: ScanControl) throws -> Digest {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: bufferSize, alignment: 4096)
    defer { buffer.deallocate() }
    var digester = try Digester([.sha256])
    while case let count = try file.read(into: buffer), count > 0 {
      if control.isStopped { throw Errno.canceled }
      try digester.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
      control.pace(count)
    }
    return try digester.finish()[0]
  }
}
