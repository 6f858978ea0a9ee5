import Matching
import Synchronization
import SystemPackage

/// Real files in a folder, and a journal of what was done to them, from which ``PowerCut`` tells what may be left.
///
/// The journal holds what changes something: reads pass it by. Paths in it are relative to the folder, which itself is
/// taken to be on the medium.
package final class CrashFileSystem: DurableFileSystem {
  package enum Operation: Sendable {
    case create(String, file: Int)
    case write(file: Int, offset: Int, bytes: [UInt8])
    case setLength(file: Int, Int)
    case sync(file: Int)
    case syncFolder(String)
    case rename(String, to: String)
    case remove(String)
    case makeFolder(String)
  }

  /// What a careless program would leave out, to see that a test notices.
  package enum Omission: Sendable {
    case sync, syncFolder
  }

  private struct State {
    var operations: [Operation] = []
    var fileNumbers: [CInt: Int] = [:]
    var filesMade = 0
    /// Operations until the process is killed.
    var left: Int?
  }

  private let root: String
  private let omission: Omission?
  private let host = HostFileSystem()
  private let state = Mutex(State())

  package init(root: FilePath, omitting omission: Omission? = nil) {
    self.root = root.string
    self.omission = omission
  }

  package var operations: [Operation] { state.withLock { $0.operations } }

  /// Lets a number of operations happen, and fails all that come after, as if the process were dead.
  package func killAfter(_ operations: Int) { state.withLock { $0.left = operations } }

  /// Whether the process was killed.
  package var isDead: Bool { state.withLock { $0.left == -1 } }

  /// Another process goes on with the files as they are.
  package func revive() { state.withLock { $0.left = nil } }

  /// Does what a live process may do, and writes it down.
  private func perform<Answer: Sendable>(
    _ body: (inout State) throws(Errno) -> (Answer, Operation?)
  ) throws(Errno) -> Answer {
    let result = state.withLock { state -> Result<Answer, Errno> in
      if let left = state.left {
        if left <= 0 {
          state.left = -1
          return .failure(.ioError)
        }
        state.left = left - 1
      }
      do throws(Errno) {
        let (answer, operation) = try body(&state)
        if let operation { state.operations.append(operation) }
        return .success(answer)
      } catch { return .failure(error) }
    }
    return try result.get()
  }

  /// The folder itself is the empty path, and what is outside of it `..`.
  private func relative(_ path: FilePath) -> String {
    path.string == root || path.string.hasPrefix("\(root)/") ? String(path.string.dropFirst(root.count + 1)) : ".."
  }

  package func create(_ path: FilePath, _ permissions: FilePermissions) throws(Errno) -> FileDescriptor {
    try perform { state throws(Errno) in
      let descriptor = try host.create(path, permissions)
      state.filesMade += 1
      state.fileNumbers[descriptor.rawValue] = state.filesMade
      return (descriptor, .create(relative(path), file: state.filesMade))
    }
  }

  package func read(
    _ file: FileDescriptor, at offset: Int64, into buffer: UnsafeMutableRawBufferPointer
  ) throws(Errno) -> Int {
    try host.read(file, at: offset, into: buffer)
  }

  package func write(
    _ file: FileDescriptor, at offset: Int64, _ bytes: UnsafeRawBufferPointer
  ) throws(Errno) -> Int {
    try perform { state throws(Errno) in
      let count = try host.write(file, at: offset, bytes)
      return (
        count, .write(file: state.fileNumbers[file.rawValue]!, offset: Int(offset), bytes: Array(bytes.prefix(count)))
      )
    }
  }

  package func sync(_ file: FileDescriptor) throws(Errno) {
    try perform { state throws(Errno) in
      ((), omission == .sync ? nil : .sync(file: state.fileNumbers[file.rawValue]!))
    }
  }

  package func close(_ file: FileDescriptor) { host.close(file) }

  package func syncFolder(_ path: FilePath) throws(Errno) {
    try perform { _ throws(Errno) in ((), omission == .syncFolder ? nil : .syncFolder(relative(path))) }
  }

  package func rename(_ path: FilePath, to newPath: FilePath) throws(Errno) {
    try perform { _ throws(Errno) in
      try host.rename(path, to: newPath)
      return ((), .rename(relative(path), to: relative(newPath)))
    }
  }

  package func remove(_ path: FilePath) throws(Errno) {
    try perform { _ throws(Errno) in
      try host.remove(path)
      return ((), .remove(relative(path)))
    }
  }

  package func makeFolder(_ path: FilePath, _ permissions: FilePermissions) throws(Errno) {
    try perform { _ throws(Errno) in
      try host.makeFolder(path, permissions)
      return ((), .makeFolder(relative(path)))
    }
  }

  package func names(in folder: FilePath) throws(Errno) -> [String] { try host.names(in: folder) }
}
