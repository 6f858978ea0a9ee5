import Glibc
import Matching
import SystemPackage

/// Walks files and folders in the order of their paths' bytes, and opens each regular file for reading.
///
/// Everything is opened relative to the folder it was listed in and no link is followed, so a tree that changes under the
/// walk cannot lead it elsewhere. Evidence is not written to: access times stay as they are where the kernel permits.
struct DirectoryWalk: ~Copyable {
  enum Entry {
    case file(FileDescriptor, sizeInBytes: Int64)
    /// A regular file of a walk that only looks.
    case unopened(sizeInBytes: Int64)
    case skipped(String)
    case error(String)
  }

  /// A folder being walked; its descriptor is open until the walk has left it.
  private struct Folder {
    let descriptor: Int32
    let path: FilePath
    /// What is still to come, last first.
    var names: [Name]
  }

  private struct Name {
    let bytes: [CChar]  // With the final zero.
    let isFolder: Bool
  }

  private struct Inode: Hashable {
    let device: dev_t
    let number: ino_t
  }

  /// Paths that the user gave, last first.
  private var roots: [FilePath]
  private var folders: [Folder] = []
  /// Files with several names, by the first of them that was met.
  private var inodesWithSeveralNames: Set<Inode> = []

  private let opensFiles: Bool

  /// - Parameters:
  ///   - roots: Paths as the user gave them. A path below another is walked once, as part of the other.
  ///   - opensFiles: `false` to learn what is there without reading it.
  init(_ roots: [FilePath], opensFiles: Bool = true) {
    self.opensFiles = opensFiles
    self.roots = Self.disjoint(roots).sorted { $1.bytes.lexicographicallyPrecedes($0.bytes) }
  }

  deinit { for folder in folders { close(folder.descriptor) } }

  /// The next item, or `nil` at the end. Folders are no items, but one that cannot be read is an error.
  mutating func next() -> (path: FilePath, entry: Entry)? {
    while true {
      if folders.isEmpty {
        guard let root = roots.popLast() else { return nil }
        // A link that the user names is meant: only here it is followed.
        if let item = root.withPlatformString({ visit(in: AT_FDCWD, $0, path: root, follow: true) }) { return item }
        continue
      }
      let current = folders.count - 1
      guard let name = folders[current].names.popLast() else {
        close(folders.removeLast().descriptor)
        continue
      }
      let (descriptor, path) = (folders[current].descriptor, folders[current].path.appending(name.bytes))
      if let item = name.bytes.withUnsafeBufferPointer({
        visit(in: descriptor, $0.baseAddress!, path: path, follow: false)
      }) {
        return item
      }
    }
  }

  /// - Returns: `nil` where the path is a folder, which then is the next to be walked.
  private mutating func visit(
    in folder: Int32, _ name: UnsafePointer<CChar>, path: FilePath, follow: Bool
  ) -> (path: FilePath, entry: Entry)? {
    func failure() -> (path: FilePath, entry: Entry) { (path, .error(Errno(rawValue: errno).reason)) }
    var status = stat()
    guard fstatat(folder, name, &status, follow ? 0 : AT_SYMLINK_NOFOLLOW) == 0 else { return failure() }
    switch status.st_mode & S_IFMT {
    case S_IFDIR:
      return open(in: folder, name, path: path, follow: follow).map { (path, .error($0.reason)) }
    case S_IFREG: break
    case S_IFLNK: return (path, .skipped("symbolic-link"))
    case S_IFIFO: return (path, .skipped("fifo"))
    case S_IFSOCK: return (path, .skipped("socket"))
    case S_IFCHR, S_IFBLK: return (path, .skipped("device"))
    default: return (path, .skipped("special-file"))
    }
    if status.st_nlink > 1,
      !inodesWithSeveralNames.insert(Inode(device: status.st_dev, number: status.st_ino)).inserted
    {
      return (path, .skipped("hard-link"))
    }
    if !opensFiles { return (path, .unopened(sizeInBytes: Int64(status.st_size))) }
    // Not blocking: the file may have become a FIFO in between.
    var flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | Self.noAccessTime
    if !follow { flags |= O_NOFOLLOW }
    var descriptor = openat(folder, name, flags)
    if descriptor < 0 && errno == EPERM { descriptor = openat(folder, name, flags & ~Self.noAccessTime) }
    guard descriptor >= 0 else { return failure() }
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      return (path, .error("became another kind of file while it was opened"))
    }
    posix_fadvise(descriptor, 0, 0, POSIX_FADV_SEQUENTIAL)
    return (path, .file(FileDescriptor(rawValue: descriptor), sizeInBytes: Int64(status.st_size)))
  }

  /// Lists a folder and makes it the next to be walked.
  private mutating func open(in parent: Int32, _ name: UnsafePointer<CChar>, path: FilePath, follow: Bool) -> Errno? {
    var flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | Self.noAccessTime
    if !follow { flags |= O_NOFOLLOW }
    var descriptor = openat(parent, name, flags)
    if descriptor < 0 && errno == EPERM { descriptor = openat(parent, name, flags & ~Self.noAccessTime) }
    guard descriptor >= 0 else { return Errno(rawValue: errno) }
    // The stream owns its descriptor; a second one stays for opening what is in the folder.
    let listing = dup(descriptor)
    guard listing >= 0, let stream = fdopendir(listing) else {
      let error = Errno(rawValue: errno)
      if listing >= 0 { close(listing) }
      close(descriptor)
      return error
    }
    defer { closedir(stream) }
    var names: [Name] = []
    errno = 0
    while let entry = readdir(stream) {
      let bytes = Self.name(of: entry)
      if bytes == [46, 0] || bytes == [46, 46, 0] { continue }
      names.append(Name(bytes: bytes, isFolder: Self.isFolder(entry, in: descriptor, bytes)))
      errno = 0
    }
    if errno != 0 {
      let error = Errno(rawValue: errno)
      close(descriptor)
      return error
    }
    names.sort { Self.precedes($1, $0) }
    folders.append(Folder(descriptor: descriptor, path: path, names: names))
    return nil
  }

  private static let noAccessTime: Int32 = 0o1000000  // O_NOATIME, which Glibc's Swift module leaves out.

  private static func name(of entry: UnsafeMutablePointer<dirent>) -> [CChar] {
    withUnsafePointer(to: &entry.pointee.d_name) { tuple in
      let start = UnsafeRawPointer(tuple).assumingMemoryBound(to: CChar.self)
      return Array(UnsafeBufferPointer(start: start, count: strlen(start) + 1))
    }
  }

  private static func isFolder(_ entry: UnsafeMutablePointer<dirent>, in folder: Int32, _ name: [CChar]) -> Bool {
    if entry.pointee.d_type != UInt8(DT_UNKNOWN) { return entry.pointee.d_type == UInt8(DT_DIR) }
    var status = stat()
    return fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && status.st_mode & S_IFMT == S_IFDIR
  }

  /// The order of whole paths: a folder sorts as its name with a slash, because that is how the paths below it go on.
  private static func precedes(_ one: Name, _ other: Name) -> Bool {
    func key(_ name: Name) -> some Sequence<UInt8> {
      name.bytes.lazy.dropLast().map(UInt8.init(bitPattern:)) + (name.isFolder ? [UInt8(ascii: "/")] : [])
    }
    return key(one).lexicographicallyPrecedes(key(other))
  }

  /// Leaves out what lies below, or is, another of the paths, so that nothing is scanned twice.
  private static func disjoint(_ paths: [FilePath]) -> [FilePath] {
    let resolved = paths.map { path in
      path.withPlatformString { given in
        guard let real = realpath(given, nil) else { return path }
        defer { free(real) }
        return FilePath(platformString: real)
      }
    }
    return paths.indices.filter { index in
      !paths.indices.contains { other in
        other != index && resolved[index].starts(with: resolved[other])
          && (resolved[index] != resolved[other] || other < index)
      }
    }.map { paths[$0] }
  }
}

extension FilePath {
  /// The path of an entry, whatever bytes its name has.
  fileprivate func appending(_ name: [CChar]) -> FilePath {
    var path = self
    path.append(FilePath(platformString: name).components)
    return path
  }
}

extension Errno {
  /// What went wrong as a report says it: lower case, no full stop.
  var reason: String {
    let text = description
    return text.prefix(1).lowercased() + text.dropFirst()
  }
}
