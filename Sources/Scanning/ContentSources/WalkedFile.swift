import Glibc
import Synchronization
import SystemPackage

/// A folder that is open, as long as anybody needs it.
final class OpenFolder: Sendable {
  let descriptor: Int32

  init(_ descriptor: Int32) { self.descriptor = descriptor }

  deinit { close(descriptor) }
}

/// A regular file that a walk met, or a disk that the user named, and the way to its bytes.
///
/// It is opened relative to the folder it was listed in and must still be the file that was listed, so a tree that
/// changes under the walk cannot lead elsewhere.
final class WalkedFile: Sendable {
  /// A file, on whatever disk.
  struct Identity: Hashable {
    let device: UInt64
    let inode: UInt64

    init(_ status: stat) {
      device = UInt64(status.st_dev)
      inode = UInt64(status.st_ino)
    }
  }

  let identity: Identity
  let sizeInBytes: Int64
  /// Names that the file has, as far as its file system counts them.
  let nameCount: Int
  /// What the file takes of the disk: less than its length where it has holes, or is compressed.
  private let allocatedBytes: Int64
  /// `nil` for a path that was given by the user, which is opened from the working directory.
  private let folder: OpenFolder?
  private let name: [CChar]  // With the final zero.
  /// What opening came to, while that is of use.
  private let opened = Mutex<Result<Opened, Failure>?>(nil)

  /// The file, open for reading, and what it was then.
  struct Opened {
    let descriptor: FileDescriptor
    /// `nil` for a disk, whose length no status tells.
    let sizeInBytes: Int64?
    let modified: timespec
  }

  struct Failure: Error {
    let reason: String
  }

  init(_ status: stat, in folder: OpenFolder?, name: [CChar]) {
    identity = Identity(status)
    sizeInBytes = Int64(status.st_size)
    nameCount = Int(clamping: status.st_nlink)
    allocatedBytes = Int64(status.st_blocks) &* 512
    self.folder = folder
    self.name = name
  }

  deinit {
    if case .success(let opened) = opened.withLock({ $0 }) { close(opened.descriptor.rawValue) }
  }

  /// Opens the file, unless it is open; it is closed with the last reference to this object, or when it was read whole.
  func open() -> Result<Opened, Failure> {
    opened.withLock { opened in
      if let opened { return opened }
      let result = openNow()
      opened = result
      return result
    }
  }

  /// Reads a short file whole.
  ///
  /// - Parameter room: More than the file should have, so that its end is seen.
  /// - Returns: How many bytes there are, and when they were last changed. `nil` where anything is not as expected, for the
  ///   file to be read in the usual way.
  func read(into room: UnsafeMutableRawBufferPointer) -> (count: Int, modified: timespec)? {
    guard case .success(let file) = open(), let size = file.sizeInBytes, size < room.count,
      pread(file.descriptor.rawValue, room.baseAddress, Int(size) + 1, 0) == Int(size)
    else { return nil }
    // Whoever does need more of it opens it anew; who reads ahead meanwhile advises the kernel on another file, at worst.
    opened.withLock { $0 = nil }
    close(file.descriptor.rawValue)
    return (Int(size), file.modified)
  }

  /// Opens the file and lets the kernel begin to read it, because it is among the next.
  func readAhead() {
    guard case .success(let opened) = open() else { return }
    posix_fadvise(opened.descriptor.rawValue, 0, Self.readAheadSize, POSIX_FADV_WILLNEED)
  }

  /// How much of the file are holes, which nothing was ever written to and which read as zeros.
  ///
  /// - Parameter limit: Where to stop counting.
  func holesInBytes(upTo limit: Int64) -> Int64 {
    guard sizeInBytes - allocatedBytes > limit, case .success(let opened) = open() else { return 0 }
    let descriptor = opened.descriptor
    defer { lseek(descriptor.rawValue, 0, SEEK_SET) }
    var (holes, place): (Int64, Int64) = (0, 0)
    while holes <= limit, place < sizeInBytes {
      let hole = Int64(lseek(descriptor.rawValue, off_t(place), Self.seekHole))
      guard hole >= place, hole < sizeInBytes else { break }
      let data = Int64(lseek(descriptor.rawValue, off_t(hole), Self.seekData))
      // No data behind it: the hole goes on to the end.
      place = data > hole ? data : sizeInBytes
      holes += place - hole
    }
    return holes
  }

  // Glibc's Swift module leaves these out.
  private static let (seekData, seekHole): (Int32, Int32) = (3, 4)

  /// What a disk reads in the time of a seek or two; the rest of a long file is read ahead while it is digested.
  private static let readAheadSize = 1 << 20
  /// What the kernel reads ahead by itself: no file up to here is read any sooner for being called sequential.
  private static let kernelReadAheadSize = 1 << 17

  private func openNow() -> Result<Opened, Failure> {
    // Not blocking: the file may have become a FIFO in between.
    var flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY
    if folder != nil { flags |= O_NOFOLLOW }
    let descriptor = openUntouched(in: folder?.descriptor ?? AT_FDCWD, name, flags)
    guard descriptor >= 0 else { return .failure(Failure(reason: Errno(rawValue: errno).reason)) }
    var status = stat()
    guard fstat(descriptor, &status) == 0,
      status.st_mode & S_IFMT == S_IFREG || (folder == nil && status.st_mode & S_IFMT == S_IFBLK),
      identity == Identity(status)
    else {
      close(descriptor)
      return .failure(Failure(reason: "became another file before it was opened"))
    }
    let isFile = status.st_mode & S_IFMT == S_IFREG
    if !isFile || sizeInBytes > Self.kernelReadAheadSize { posix_fadvise(descriptor, 0, 0, POSIX_FADV_SEQUENTIAL) }
    return .success(
      Opened(
        descriptor: FileDescriptor(rawValue: descriptor), sizeInBytes: isFile ? Int64(status.st_size) : nil,
        modified: status.st_mtim))
  }
}

/// Opens for reading without changing the time of the last access, where the kernel permits that.
func openUntouched(in folder: Int32, _ name: UnsafePointer<CChar>, _ flags: Int32) -> Int32 {
  let noAccessTime: Int32 = 0o1000000  // O_NOATIME, which Glibc's Swift module leaves out.
  let descriptor = openat(folder, name, flags | noAccessTime)
  return descriptor < 0 && errno == EPERM ? openat(folder, name, flags) : descriptor
}

extension Errno {
  /// What went wrong as a report says it: lower case, no full stop.
  var reason: String {
    let text = description
    return text.prefix(1).lowercased() + text.dropFirst()
  }
}
