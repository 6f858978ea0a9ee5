import Glibc

/// What a file system says of a file by which a change of the file is noticed.
///
/// The number of the device is not part of it: a disk that was taken away and put back may come back under another.
struct FileStamp: Sendable, Hashable {
  let inode: UInt64
  let sizeInBytes: Int64
  /// Nanoseconds since 1970 at which the content was changed.
  let modified: Int64
  /// Nanoseconds since 1970 at which the content, the names or the rights were changed.
  let changed: Int64

  init(inode: UInt64, sizeInBytes: Int64, modified: Int64, changed: Int64) {
    self.inode = inode
    self.sizeInBytes = sizeInBytes
    self.modified = modified
    self.changed = changed
  }

  init(_ status: stat) {
    self.init(
      inode: UInt64(status.st_ino), sizeInBytes: Int64(status.st_size), modified: status.st_mtim.nanoseconds,
      changed: status.st_ctim.nanoseconds)
  }
}

extension timespec {
  /// Since 1970. A time that a damaged file system makes up may be any number, so nothing here may overflow.
  fileprivate var nanoseconds: Int64 { Int64(tv_sec) &* 1_000_000_000 &+ Int64(tv_nsec) }
}
