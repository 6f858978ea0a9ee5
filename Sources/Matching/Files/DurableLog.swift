import Glibc
import SystemPackage

/// A file that grows by pieces, each of which is on the medium before the next begins.
///
/// A power cut leaves all pieces but the one under way, and of that anything; what is in the pieces says whether they are
/// whole. After a failure nothing more is appended: what the kernel kept of a piece whose sync failed is not known.
package struct DurableLog: ~Copyable {
  package let path: FilePath
  private let fileSystem: any DurableFileSystem
  private let descriptor: FileDescriptor
  private var size: Int64 = 0
  private var failure: MatchingError?

  /// Makes an empty file, which survives a power cut from here on; one of that name is emptied.
  package init(
    creating path: FilePath, on fileSystem: any DurableFileSystem = HostFileSystem()
  ) throws(MatchingError) {
    let file = try DurableFile.call("create", path) { () throws(Errno) in
      try fileSystem.create(path, [.ownerReadWrite, .groupRead])
    }
    // Without its name the file would be lost with everything in it.
    do { try DurableFile.syncFolder(DurableFile.folder(of: path), on: fileSystem) } catch {
      fileSystem.close(file)
      throw error
    }
    self.path = path
    self.fileSystem = fileSystem
    descriptor = file
  }

  deinit { fileSystem.close(descriptor) }

  /// Appends a piece. After this returns it survives a power cut.
  ///
  /// - Throws: ``MatchingError``; then the piece may be there in part, and every later call throws the same.
  package mutating func append(_ piece: UnsafeRawBufferPointer) throws(MatchingError) {
    if let failure { throw failure }
    do throws(MatchingError) {
      try DurableFile.writeAll(piece, at: size, to: descriptor, path, on: fileSystem)
      do throws(Errno) { try fileSystem.sync(descriptor) } catch { throw MatchingError(error, "sync", path) }
    } catch {
      failure = error
      throw error
    }
    size += Int64(piece.count)
  }
}
