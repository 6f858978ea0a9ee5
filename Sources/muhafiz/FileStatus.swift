import Foundation
import Glibc
import SystemPackage

/// What the file system says of a path.
enum FileStatus {
  /// - Throws: `Errno` when there is nothing at the path, or it cannot be known.
  static func exists(_ path: FilePath) throws(Errno) {
    var status = stat()
    guard path.withPlatformString({ stat($0, &status) }) == 0 else { throw Errno(rawValue: errno) }
  }

  /// The path from the root of the file system, with links resolved; the path itself where that is not possible.
  static func absolute(_ path: FilePath) -> FilePath {
    path.withPlatformString { given in
      guard let real = realpath(given, nil) else { return path }
      defer { free(real) }
      return FilePath(platformString: real)
    }
  }
}

/// Processors that this program may use.
var processorCount: Int { ProcessInfo.processInfo.activeProcessorCount }
