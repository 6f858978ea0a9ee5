import Glibc
import SystemPackage

/// Keeps other processes, and other holders in this one, from what is in a folder, by its file `LOCK`.
package final class FolderLock: Sendable {
  private let descriptor: FileDescriptor

  /// - Parameter waits: Whether to wait for whoever holds the lock.
  /// - Returns: `nil` where somebody else holds it.
  package init?(_ folder: FilePath, waits: Bool = false) throws(MatchingError) {
    let path = folder.appending("LOCK")
    do {
      descriptor = try FileDescriptor.open(
        path, .readWrite, options: [.create, .closeOnExec], permissions: .ownerReadWrite)
    } catch { throw MatchingError(error as? Errno ?? .ioError, "open", path) }
    // The descriptor is closed by `deinit`, which runs for an object that is whole, thrown away or not.
    while flock(descriptor.rawValue, LOCK_EX | (waits ? 0 : LOCK_NB)) != 0 {
      switch errno {
      case EINTR: continue
      case EWOULDBLOCK: return nil
      default: throw MatchingError(Errno(rawValue: errno), "lock", path)
      }
    }
  }

  deinit {
    // A child that was forked meanwhile may still hold the descriptor, and with it the lock.
    flock(descriptor.rawValue, LOCK_UN)
    close(descriptor.rawValue)
  }
}
