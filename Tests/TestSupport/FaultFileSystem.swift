import Matching
import Synchronization
import SystemPackage

/// The host's file system with a fault in one of its calls, or in all from one on.
package final class FaultFileSystem: DurableFileSystem {
  package enum Fault: Sendable, Equatable, CustomStringConvertible {
    case fails(Errno)
    /// A read or a write takes one byte only.
    case takesOneByte

    package var description: String {
      switch self {
      case .fails(let error): "\(error)"
      case .takesOneByte: "one byte"
      }
    }
  }

  package enum Kind: Sendable {
    case create, read, write, sync, syncFolder, rename, remove, makeFolder, names
  }

  /// A call that was made: what it was and which file it was about.
  package struct Call: Sendable {
    package let kind: Kind
    package let path: FilePath
  }

  private struct State {
    var calls: [Call] = []
    var paths: [CInt: FilePath] = [:]
    var fault: (fault: Fault, calls: Range<Int>)?
    var fired = 0
  }

  private let host = HostFileSystem()
  private let state = Mutex(State())
  private let beforeSync: @Sendable () -> Void

  /// - Parameter beforeSync: What happens elsewhere while a file is about to be synced.
  package init(beforeSync: @escaping @Sendable () -> Void = {}) { self.beforeSync = beforeSync }

  /// The calls that were made since the last `inject`.
  package var calls: [Call] { state.withLock { $0.calls } }

  /// How often the fault has happened.
  package var fired: Int { state.withLock { $0.fired } }

  /// Puts a fault into calls by their number, counted from 0 from here on.
  package func inject(_ fault: Fault, into calls: Range<Int>) {
    state.withLock { state in
      (state.calls, state.fired) = ([], 0)
      state.fault = (fault, calls)
    }
  }

  /// Puts no fault into anything any more.
  package func heal() { inject(.takesOneByte, into: 0..<0) }

  /// Counts the call.
  ///
  /// - Returns: Whether it may take one byte only.
  @discardableResult
  private func begin(_ kind: Kind, _ path: FilePath) throws(Errno) -> Bool {
    let fault = state.withLock { state -> Fault? in
      let number = state.calls.count
      state.calls.append(Call(kind: kind, path: path))
      guard let fault = state.fault, fault.calls.contains(number) else { return nil }
      if fault.fault == .takesOneByte && kind != .read && kind != .write { return nil }
      state.fired += 1
      return fault.fault
    }
    if case .fails(let error) = fault { throw error }
    return fault == .takesOneByte
  }

  private func path(of file: FileDescriptor) -> FilePath { state.withLock { $0.paths[file.rawValue]! } }

  package func create(_ path: FilePath, _ permissions: FilePermissions) throws(Errno) -> FileDescriptor {
    try begin(.create, path)
    let descriptor = try host.create(path, permissions)
    state.withLock { $0.paths[descriptor.rawValue] = path }
    return descriptor
  }

  package func read(
    _ file: FileDescriptor, at offset: Int64, into buffer: UnsafeMutableRawBufferPointer
  ) throws(Errno) -> Int {
    let isShort = try begin(.read, path(of: file))
    return try host.read(file, at: offset, into: isShort ? .init(rebasing: buffer.prefix(1)) : buffer)
  }

  package func write(
    _ file: FileDescriptor, at offset: Int64, _ bytes: UnsafeRawBufferPointer
  ) throws(Errno) -> Int {
    let isShort = try begin(.write, path(of: file))
    return try host.write(file, at: offset, isShort ? .init(rebasing: bytes.prefix(1)) : bytes)
  }

  package func sync(_ file: FileDescriptor) throws(Errno) {
    beforeSync()
    try begin(.sync, path(of: file))
    try host.sync(file)
  }

  package func close(_ file: FileDescriptor) { host.close(file) }

  package func syncFolder(_ path: FilePath) throws(Errno) {
    try begin(.syncFolder, path)
    try host.syncFolder(path)
  }

  package func rename(_ path: FilePath, to newPath: FilePath) throws(Errno) {
    try begin(.rename, newPath)
    try host.rename(path, to: newPath)
  }

  package func remove(_ path: FilePath) throws(Errno) {
    try begin(.remove, path)
    try host.remove(path)
  }

  package func makeFolder(_ path: FilePath, _ permissions: FilePermissions) throws(Errno) {
    try begin(.makeFolder, path)
    try host.makeFolder(path, permissions)
  }

  package func names(in folder: FilePath) throws(Errno) -> [String] {
    try begin(.names, folder)
    return try host.names(in: folder)
  }
}
