import Glibc
import SystemPackage

/// A file that is either there whole or not at all, also after a crash or a power cut.
///
/// Written beside its place under a temporary name, synced, renamed, and the folder synced. What a crash leaves
/// behind is an orphan with a name that `sweepOrphans` knows.
package struct DurableFile: ~Copyable {
  package let path: FilePath
  private let temporary: FilePath
  private let descriptor: FileDescriptor
  private var buffer: [UInt8]
  private var written: Int64
  private var finished: Bool

  private static let bufferSize = 1 << 18
  private static let orphanSuffix = ".partial"

  /// Begins a file that will appear at `path` once it is committed.
  package init(replacing path: FilePath, permissions: FilePermissions = [.ownerReadWrite, .groupRead]) throws(MatchingError) {
    guard let name = path.lastComponent?.string else {
      throw MatchingError(.badName, "'\(path)' is not the name of a file")
    }
    let temporary = path.removingLastComponent().appending(".\(name).\(getpid())\(Self.orphanSuffix)")
    let descriptor = try Self.create(temporary, permissions)
    self.path = path
    self.temporary = temporary
    self.descriptor = descriptor
    buffer = []
    written = 0
    finished = false
    buffer.reserveCapacity(Self.bufferSize)
  }

  deinit {
    do { try descriptor.close() } catch {}  // Nothing is lost: what counts was synced before.
    if !finished { _ = temporary.withPlatformString(unlink) }
  }

  /// Bytes appended so far.
  package var size: Int64 { written + Int64(buffer.count) }

  package mutating func append(_ bytes: UnsafeRawBufferPointer) throws(MatchingError) {
    if buffer.count + bytes.count > Self.bufferSize { try flush() }
    if bytes.count >= Self.bufferSize {
      try writeAll(bytes, at: written)
      written += Int64(bytes.count)
    } else {
      buffer.append(contentsOf: bytes)
    }
  }

  /// Writes over bytes that were appended before.
  package mutating func overwrite(at offset: Int64, _ bytes: UnsafeRawBufferPointer) throws(MatchingError) {
    try flush()
    try writeAll(bytes, at: offset)
  }

  /// Reads back part of what was appended, in pieces of a mebibyte.
  package mutating func readBack(_ range: Range<Int>, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
    try flush()
    let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
    defer { piece.deallocate() }
    var offset = range.lowerBound
    while offset < range.upperBound {
      let room = UnsafeMutableRawBufferPointer(rebasing: piece.prefix(range.upperBound - offset))
      let count: Int
      do { count = try descriptor.read(fromAbsoluteOffset: Int64(offset), into: room) } catch {
        throw Self.failure(error, "read back", temporary)
      }
      guard count > 0 else { throw MatchingError(.inputOutput, "\(temporary) became shorter while it was written") }
      try body(UnsafeRawBufferPointer(rebasing: piece[..<count]))
      offset += count
    }
  }

  /// Makes the file appear at its place. After this returns it survives a power cut.
  package consuming func commit() throws(MatchingError) {
    try flush()
    guard fsync(descriptor.rawValue) == 0 else { throw Self.failure(Errno(rawValue: errno), "sync", temporary) }
    guard temporary.withPlatformString({ from in path.withPlatformString { rename(from, $0) } }) == 0 else {
      throw Self.failure(Errno(rawValue: errno), "replace", path)
    }
    finished = true
    try Self.syncFolder(path.removingLastComponent())
  }

  /// Replaces a small file in one step.
  package static func replace(_ path: FilePath, with bytes: [UInt8]) throws(MatchingError) {
    var file = try DurableFile(replacing: path)
    do { try bytes.withUnsafeBytes { try file.append($0) } } catch { throw error as! MatchingError }
    try file.commit()
  }

  /// Removes what writers that did not live to the end have left in a folder. Hold the folder's lock.
  package static func sweepOrphans(in folder: FilePath) throws(MatchingError) {
    for name in try names(in: folder) where name.hasPrefix(".") && name.hasSuffix(orphanSuffix) {
      _ = folder.appending(name).withPlatformString(unlink)
    }
  }

  /// The names in a folder but `.` and `..`, sorted; empty when there is no such folder.
  package static func names(in folder: FilePath) throws(MatchingError) -> [String] {
    guard let stream = folder.withPlatformString(opendir) else {
      let error = Errno(rawValue: errno)
      if error == .noSuchFileOrDirectory { return [] }
      throw failure(error, "read", folder)
    }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        String(cString: UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self))
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  /// Makes a folder and those above it that are missing.
  ///
  /// - Throws: ``MatchingError`` with `permission`, or `diskFull`.
  package static func makeFolder(_ path: FilePath) throws(MatchingError) {
    var missing = [path]
    while let folder = missing.last {
      if folder.withPlatformString({ mkdir($0, 0o750) }) == 0 {
        try syncFolder(folder.removingLastComponent())
        missing.removeLast()
        continue
      }
      let error = Errno(rawValue: errno)
      let parent = folder.removingLastComponent()
      if error == .fileExists && isFolder(folder) {
        missing.removeLast()
      } else if error == .noSuchFileOrDirectory && !parent.isEmpty && missing.count < 256 && !exists(parent) {
        missing.append(parent)
      } else {
        // Also where the file system has no room for folders at all, as /proc: nobody may write there.
        throw MatchingError(
          error == .noSpace ? .diskFull : .permission, "cannot make the folder \(folder): \(error)",
          hint: "choose another place with --home or $MUHAFIZ_HOME")
      }
    }
  }

  private static func exists(_ path: FilePath) -> Bool { path.withPlatformString { access($0, F_OK) } == 0 }

  private static func isFolder(_ path: FilePath) -> Bool {
    var status = stat()
    return path.withPlatformString { stat($0, &status) } == 0 && status.st_mode & S_IFMT == S_IFDIR
  }

  private static func syncFolder(_ path: FilePath) throws(MatchingError) {
    let folder = path.isEmpty ? FilePath(".") : path
    let descriptor: FileDescriptor
    do { descriptor = try FileDescriptor.open(folder, .readOnly, options: [.directory, .closeOnExec]) } catch {
      throw failure(error, "sync the folder", folder)
    }
    let status = fsync(descriptor.rawValue)
    let error = Errno(rawValue: errno)
    do { try descriptor.close() } catch { throw failure(error, "close the folder", folder) }
    guard status == 0 else { throw failure(error, "sync the folder", folder) }
  }

  private static func create(
    _ path: FilePath, _ permissions: FilePermissions
  ) throws(MatchingError) -> FileDescriptor {
    do {
      return try FileDescriptor.open(
        path, .readWrite, options: [.create, .truncate, .closeOnExec], permissions: permissions)
    } catch { throw failure(error, "write", path) }
  }

  private mutating func flush() throws(MatchingError) {
    if buffer.isEmpty { return }
    do { try buffer.withUnsafeBytes { try writeAll($0, at: written) } } catch { throw error as! MatchingError }
    written += Int64(buffer.count)
    buffer.removeAll(keepingCapacity: true)
  }

  private func writeAll(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(MatchingError) {
    do { try descriptor.writeAll(toAbsoluteOffset: offset, bytes) } catch {
      throw Self.failure(error, "write", temporary)
    }
  }

  private static func failure(_ error: any Error, _ doing: String, _ path: FilePath) -> MatchingError {
    switch error {
    case let error as MatchingError: error
    case let error as Errno: MatchingError(error, doing, path)
    default: MatchingError(.inputOutput, "cannot \(doing) \(path): \(error)")
    }
  }
}
