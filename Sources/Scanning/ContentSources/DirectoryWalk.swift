import Glibc
import Matching
import SystemPackage

/// Walks files and folders in the order of their paths' bytes.
///
/// Everything is opened relative to the folder it was listed in and no link is followed, so a tree that changes under the
/// walk cannot lead it elsewhere. Evidence is not written to: access times stay as they are where the kernel permits.
struct DirectoryWalk: ~Copyable {
  /// What the walk met: anything but a folder that can be read.
  struct Entry: Sendable {
    enum Kind: Sendable {
      case file(WalkedFile)
      case skipped(String)
      case error(String)
    }

    /// The place in order of the path that was given and led here.
    let root: Int
    let path: FilePath
    let kind: Kind
    /// `nil` where the file system did not say.
    let stamp: FileStamp?
  }

  /// A folder being walked.
  private struct Folder {
    /// `nil` while the walk is so far below that it was closed.
    var open: OpenFolder?
    let identity: WalkedFile.Identity
    /// How much of ``path`` is the folder's.
    let pathLength: Int
    /// What is still to come, last first.
    var names: [Name]
  }

  private struct Name {
    let bytes: [CChar]  // With the final zero.
    let isFolder: Bool
  }

  /// Paths that the user gave, last first.
  private var roots: [FilePath]
  private var rootsDone = 0
  private var folders: [Folder] = []
  /// The path of the innermost folder, without a final zero: one for all levels, or a deep tree would need its depth
  /// squared.
  private var path: [CChar] = []

  /// Folders that are kept open at once; those above are found again by `..`.
  private static let mostOpen = 64

  /// - Parameter roots: Paths as the user gave them. A path below another is walked once, as part of the other.
  init(_ roots: [FilePath]) {
    self.roots = Self.disjoint(roots).sorted { $1.precedes($0) }
  }

  /// The next item, or `nil` at the end. Folders are no items, but one that cannot be read is an error.
  mutating func next() -> Entry? {
    while true {
      guard let current = folders.indices.last else {
        guard let root = roots.popLast() else { return nil }
        rootsDone += 1
        path = root.bytes.map(CChar.init(bitPattern:))
        // A link that the user names is meant: only here it is followed.
        if let entry = visit(in: nil, path + [0]) { return entry }
        continue
      }
      guard let name = folders[current].names.popLast() else {
        if let entry = leave() { return entry }
        continue
      }
      path.removeSubrange(folders[current].pathLength...)
      if path.last != CChar(bitPattern: UInt8(ascii: "/")) { path.append(CChar(bitPattern: UInt8(ascii: "/"))) }
      path += name.bytes.dropLast()
      if let entry = visit(in: folders[current].open, name.bytes) { return entry }
    }
  }

  /// What is at ``path``, which ``next()`` has just gone to.
  private func entry(_ kind: Entry.Kind, _ status: stat? = nil) -> Entry {
    Entry(root: rootsDone, path: FilePath(platformString: path + [0]), kind: kind, stamp: status.map(FileStamp.init))
  }

  /// - Returns: `nil` where the path is a folder, which then is the next to be walked.
  private mutating func visit(in folder: OpenFolder?, _ name: [CChar]) -> Entry? {
    var status = stat()
    guard fstatat(folder?.descriptor ?? AT_FDCWD, name, &status, folder == nil ? 0 : AT_SYMLINK_NOFOLLOW) == 0 else {
      return entry(.error(Errno(rawValue: errno).reason))
    }
    switch status.st_mode & S_IFMT {
    case S_IFDIR: return enter(name, in: folder).map { entry(.error($0.reason)) }
    case S_IFREG: return entry(.file(WalkedFile(status, in: folder, name: name)), status)
    case S_IFLNK: return entry(.skipped("symbolic-link"), status)
    case S_IFIFO: return entry(.skipped("fifo"), status)
    case S_IFSOCK: return entry(.skipped("socket"), status)
    // A disk that the user names is meant; it has no stamp that would tell of a change.
    case S_IFBLK where folder == nil: return entry(.file(WalkedFile(status, in: nil, name: name)))
    case S_IFCHR, S_IFBLK: return entry(.skipped("device"), status)
    default: return entry(.skipped("special-file"), status)
    }
  }

  /// Lists a folder and makes it the next to be walked.
  private mutating func enter(_ name: [CChar], in parent: OpenFolder?) -> Errno? {
    var flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC
    if parent != nil { flags |= O_NOFOLLOW }
    let descriptor = openUntouched(in: parent?.descriptor ?? AT_FDCWD, name, flags)
    guard descriptor >= 0 else { return Errno(rawValue: errno) }
    let folder = OpenFolder(descriptor)
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { return Errno(rawValue: errno) }
    switch Self.names(in: folder) {
    case .failure(let error): return error
    case .success(let names):
      folders.append(
        Folder(open: folder, identity: WalkedFile.Identity(status), pathLength: path.count, names: names))
      if folders.count > Self.mostOpen { folders[folders.count - 1 - Self.mostOpen].open = nil }
      return nil
    }
  }

  /// Goes back to the folder above.
  ///
  /// - Returns: What is wrong where it is no longer above: then what was still to come in it is not found again.
  private mutating func leave() -> Entry? {
    let left = folders.removeLast()
    guard let above = folders.indices.last, folders[above].open == nil else { return nil }
    let descriptor = left.open.map { openUntouched(in: $0.descriptor, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC) } ?? -1
    let folder = descriptor >= 0 ? OpenFolder(descriptor) : nil
    var status = stat()
    if let folder, fstat(folder.descriptor, &status) == 0,
      folders[above].identity == WalkedFile.Identity(status)
    {
      folders[above].open = folder
      return nil
    }
    path.removeSubrange(folders[above].pathLength...)
    folders.removeAll()
    return entry(.error("was moved while what is in it was scanned; not all was found"))
  }

  private static func names(in folder: OpenFolder) -> Result<[Name], Errno> {
    // The stream owns its descriptor; the other one stays for opening what is in the folder.
    let listing = fcntl(folder.descriptor, F_DUPFD_CLOEXEC, 0)
    guard listing >= 0, let stream = fdopendir(listing) else {
      let error = Errno(rawValue: errno)
      if listing >= 0 { close(listing) }
      return .failure(error)
    }
    defer { closedir(stream) }
    var names: [Name] = []
    errno = 0
    while let entry = readdir(stream) {
      let bytes = name(of: entry)
      if bytes == [46, 0] || bytes == [46, 46, 0] { continue }
      names.append(Name(bytes: bytes, isFolder: isFolder(entry, in: folder.descriptor, bytes)))
      errno = 0
    }
    if errno != 0 { return .failure(Errno(rawValue: errno)) }
    names.sort { precedes($1, $0) }
    return .success(names)
  }

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
    let lengths = (one.bytes.count - 1, other.bytes.count - 1)
    let order = memcmp(one.bytes, other.bytes, min(lengths.0, lengths.1))
    if order != 0 { return order < 0 }
    // No name has a slash in it, so the byte behind what both have decides.
    let slash = UInt8(ascii: "/")
    if lengths.0 < lengths.1 { return !one.isFolder || slash < UInt8(bitPattern: other.bytes[lengths.0]) }
    if lengths.1 < lengths.0 { return other.isFolder && UInt8(bitPattern: one.bytes[lengths.1]) < slash }
    return !one.isFolder && other.isFolder
  }

  /// Leaves out what lies below, or is, another of the paths, so that nothing is scanned twice.
  static func disjoint(_ paths: [FilePath]) -> [FilePath] {
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
