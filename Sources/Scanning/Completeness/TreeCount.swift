import Glibc
import Matching
import Synchronization
import SystemPackage

/// How many items lie below paths, and how long they are together, without opening any.
///
/// A walk of its own that shares nothing with the scan's, so that the one can be held against the other: names are taken
/// as the folders list them, in no order.
public final class TreeCount: Sendable {
  private let items = Atomic(0)
  private let bytes = Atomic<Int64>(0)
  private let isFinished = Atomic(false)

  public init() {}

  /// All items and their bytes; `nil` until they are counted.
  public var total: (items: Int, bytes: Int64)? {
    isFinished.load(ordering: .acquiring) ? (items.load(ordering: .relaxed), bytes.load(ordering: .relaxed)) : nil
  }

  /// Counts everything below the paths but folders; folders that cannot be read count as one.
  ///
  /// - Parameters:
  ///   - measures: Whether lengths are wanted, which costs a look at each file.
  ///   - isStopped: Asked for every folder: `true` ends the count, which then has no total.
  public func count(_ roots: [FilePath], measures: Bool, isStopped: () -> Bool = { false }) {
    for root in DirectoryWalk.disjoint(roots) {
      var status = stat()
      guard root.withPlatformString({ stat($0, &status) }) == 0, status.st_mode & S_IFMT == S_IFDIR else {
        items.add(1, ordering: .relaxed)
        if status.st_mode & S_IFMT == S_IFREG { bytes.add(Int64(status.st_size), ordering: .relaxed) }
        continue
      }
      guard count(below: root, measures, isStopped) else { return }
    }
    isFinished.store(true, ordering: .releasing)
  }

  /// - Returns: Whether the count came to its end.
  private func count(below root: FilePath, _ measures: Bool, _ isStopped: () -> Bool) -> Bool {
    // Folders that are still to be read, by name: a folder stays open until those in it are done.
    var pending: [(parent: OpenFolder?, name: [CChar])] = [(nil, root.bytes.map(CChar.init(bitPattern:)) + [0])]
    while let (parent, name) = pending.popLast() {
      if isStopped() { return false }
      let flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | (parent == nil ? 0 : O_NOFOLLOW)
      let descriptor = openUntouched(in: parent?.descriptor ?? AT_FDCWD, name, flags)
      guard descriptor >= 0 else {
        items.add(1, ordering: .relaxed)
        continue
      }
      let folder = OpenFolder(descriptor)
      pending += folders(in: folder, measures).map { (folder, $0) }
    }
    return true
  }

  /// Counts what is in a folder.
  ///
  /// - Returns: The folders in it.
  private func folders(in folder: OpenFolder, _ measures: Bool) -> [[CChar]] {
    let listing = fcntl(folder.descriptor, F_DUPFD_CLOEXEC, 0)
    guard listing >= 0, let stream = fdopendir(listing) else {
      if listing >= 0 { close(listing) }
      items.add(1, ordering: .relaxed)
      return []
    }
    defer { closedir(stream) }
    var folders: [[CChar]] = []
    while let entry = readdir(stream) {
      let type = Int(entry.pointee.d_type)
      withUnsafePointer(to: &entry.pointee.d_name) { tuple in
        let name = UnsafeRawPointer(tuple).assumingMemoryBound(to: CChar.self)
        if strcmp(name, ".") == 0 || strcmp(name, "..") == 0 { return }
        var status = stat()
        let isLooked = measures || type == Int(DT_UNKNOWN)
        let isKnown = isLooked && fstatat(folder.descriptor, name, &status, AT_SYMLINK_NOFOLLOW) == 0
        if isKnown ? status.st_mode & S_IFMT == S_IFDIR : type == Int(DT_DIR) {
          folders.append(Array(UnsafeBufferPointer(start: name, count: strlen(name) + 1)))
          return
        }
        items.add(1, ordering: .relaxed)
        if isKnown && status.st_mode & S_IFMT == S_IFREG { bytes.add(Int64(status.st_size), ordering: .relaxed) }
      }
    }
    return folders
  }
}
