import Glibc
import SystemPackage

extension DurableFile {
  /// Removes what writers that did not live to the end have left in a folder. Hold the folder's lock.
  package static func sweepOrphans(
    in folder: FilePath, on fileSystem: any DurableFileSystem = HostFileSystem()
  ) throws(MatchingError) {
    try sweep(".", in: folder, on: fileSystem)
  }

  /// Removes what writers of one file that did not live to the end have left beside it. Nobody else may be writing it.
  package static func sweepOrphans(
    of path: FilePath, on fileSystem: any DurableFileSystem = HostFileSystem()
  ) throws(MatchingError) {
    guard let own = path.lastComponent?.string else { return }
    try sweep(".\(own).", in: folder(of: path), on: fileSystem)
  }

  private static func sweep(
    _ prefix: String, in folder: FilePath, on fileSystem: any DurableFileSystem
  ) throws(MatchingError) {
    for name in try names(in: folder, on: fileSystem) where name.hasPrefix(prefix) && name.hasSuffix(orphanSuffix) {
      let orphan = folder.appending(name)
      try call("remove", orphan) { () throws(Errno) in try fileSystem.remove(orphan) }
    }
  }

  /// The names in a folder but `.` and `..`, sorted; empty when there is no such folder.
  package static func names(
    in folder: FilePath, on fileSystem: any DurableFileSystem = HostFileSystem()
  ) throws(MatchingError) -> [String] {
    try call("read the folder", folder) { () throws(Errno) in
      do throws(Errno) { return try fileSystem.names(in: folder).sorted() } catch {
        guard error == .noSuchFileOrDirectory else { throw error }
        return []
      }
    }
  }

  /// Makes a folder and those above it that are missing. After this returns they survive a power cut.
  ///
  /// - Throws: ``MatchingError`` with `permission`, `diskFull` or `inputOutput`.
  package static func makeFolder(
    _ path: FilePath, on fileSystem: any DurableFileSystem = HostFileSystem()
  ) throws(MatchingError) {
    var missing: [FilePath] = []
    var present = path
    while !present.isEmpty && !exists(present) && missing.count < 256 {
      missing.append(present)
      present.removeLastComponent()
    }
    // Whoever made the last folder that is there may have been killed before its name was synced.
    if !present.isEmpty && mayWrite(in: folder(of: present)) { try syncFolder(folder(of: present), on: fileSystem) }
    if missing.isEmpty && !isFolder(path) { missing = [path] }
    for missing in missing.reversed() {
      do throws(Errno) { try make(missing, on: fileSystem) } catch {
        let cause = MatchingError(error, "make the folder", missing)
        // Also where the file system has no room for folders at all, as /proc: nobody may write there.
        throw MatchingError(
          cause.code == .diskFull || error == .ioError ? cause.code : .permission, cause.description,
          hint: "choose another place with --home or $MUHAFIZ_HOME")
      }
      try syncFolder(folder(of: missing), on: fileSystem)
    }
  }

  private static func make(_ path: FilePath, on fileSystem: any DurableFileSystem) throws(Errno) {
    while true {
      do throws(Errno) { return try fileSystem.makeFolder(path, [.ownerReadWriteExecute, .groupReadExecute]) } catch {
        // Somebody else was quicker.
        if error == .fileExists && isFolder(path) { return }
        guard error == .interrupted else { throw error }
      }
    }
  }

  static func folder(of path: FilePath) -> FilePath {
    let folder = path.removingLastComponent()
    return folder.isEmpty ? "." : folder
  }

  private static func exists(_ path: FilePath) -> Bool { path.withPlatformString { access($0, F_OK) } == 0 }

  private static func mayWrite(in path: FilePath) -> Bool { path.withPlatformString { access($0, W_OK) } == 0 }

  private static func isFolder(_ path: FilePath) -> Bool {
    var status = stat()
    return path.withPlatformString { stat($0, &status) } == 0 && status.st_mode & S_IFMT == S_IFDIR
  }

  /// Makes what happened to the names in a folder survive a power cut. Asked for once: see ``DurableFile``.
  static func syncFolder(_ path: FilePath, on fileSystem: any DurableFileSystem) throws(MatchingError) {
    do throws(Errno) { try fileSystem.syncFolder(path) } catch { throw MatchingError(error, "sync the folder", path) }
  }
}
