import Foundation
import Glibc
import Hashing
import Matching
import SystemPackage

/// The published form of a ledger: a folder that a web server can serve as it is.
///
///     ledger/checkpoint                  the latest signed head
///     ledger/tile/<L>/<N>[.p/<W>]        hashes
///     ledger/tile/entries/<N>[.p/<W>]    entries
///     ledger/key, ledger/key.pub         who signs; the first is for its owner's eyes only
///     ledger/copies                      folders that every checkpoint is copied to, one a line
struct LedgerFiles: Sendable {
  let folder: FilePath
  /// Where a test puts a power cut.
  var fileSystem: any DurableFileSystem = HostFileSystem()

  var checkpoint: FilePath { folder.appending("checkpoint") }
  var key: FilePath { folder.appending("key") }
  private var copies: FilePath { folder.appending("copies") }

  func path(of tile: LedgerTile) -> FilePath { folder.pushing(FilePath(tile.path)) }

  /// The bytes of a tile; of the full tile where the partial one is gone because the tree has grown.
  ///
  /// - Returns: `nil` when there is neither.
  func read(_ tile: LedgerTile) throws(CaseworkError) -> [UInt8]? {
    if let bytes = try Self.read(path(of: tile)) { return bytes }
    let full = LedgerTile(level: tile.level, index: tile.index, count: LedgerTile.width)
    guard let bytes = try Self.read(path(of: full)) else { return nil }
    guard tile.level == nil else { return Array(bytes.prefix(tile.count * 32)) }
    return LedgerTile.entries(ofBundle: bytes).map { LedgerTile.bundle($0.prefix(tile.count)) }
  }

  /// The hashes of a tile; `nil` when it is not there or has another size.
  func hashes(_ tile: LedgerTile) throws(CaseworkError) -> [Digest]? {
    guard let bytes = try read(tile), bytes.count == tile.count * 32 else { return nil }
    return bytes.withUnsafeBytes { all in
      stride(from: 0, to: all.count, by: 32).map {
        Digest(.sha256, bytes: UnsafeRawBufferPointer(rebasing: all[$0..<$0 + 32]))!
      }
    }
  }

  func write(_ tile: LedgerTile, _ bytes: [UInt8]) throws(CaseworkError) {
    let path = path(of: tile)
    do throws(MatchingError) {
      try DurableFile.makeFolder(path.removingLastComponent(), on: fileSystem)
      try DurableFile.replace(path, with: bytes, on: fileSystem)
      if tile.count == LedgerTile.width { try removePartials(of: path) }
    } catch { throw CaseworkError(error) }
  }

  /// A tile that is full replaces what it was while it grew; C2SP `tlog-tiles`, "Partial Tiles".
  private func removePartials(of path: FilePath) throws(MatchingError) {
    let partials = path.removingLastComponent().appending(path.lastComponent!.string + ".p")
    // What cannot be removed is read by nobody: the full tile is there.
    for name in try DurableFile.names(in: partials) {
      do { try fileSystem.remove(partials.appending(name)) } catch {}
    }
    _ = partials.withPlatformString(rmdir)
  }

  static func hashBytes(_ hashes: some Sequence<Digest>) -> [UInt8] { hashes.flatMap { $0.bytes } }

  /// A file's bytes; `nil` when there is none.
  static func read(_ path: FilePath) throws(CaseworkError) -> [UInt8]? {
    do {
      let file = try FileDescriptor.open(path, .readOnly, options: [.closeOnExec])
      defer { close(file.rawValue) }
      var bytes: [UInt8] = []
      while true {
        let piece = try [UInt8](unsafeUninitializedCapacity: 1 << 16) { buffer, count in
          count = try file.read(into: UnsafeMutableRawBufferPointer(buffer))
        }
        if piece.isEmpty { return bytes }
        bytes += piece
      }
    } catch let error as Errno {
      if error == .noSuchFileOrDirectory || error == .notDirectory { return nil }
      throw CaseworkError(MatchingError(error, "read", path))
    } catch { throw CaseworkError(.inputOutput, "cannot read \(path): \(error)") }
  }

  static func text(_ path: FilePath) throws(CaseworkError) -> String? {
    guard let bytes = try read(path) else { return nil }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw CaseworkError(.ledgerDamaged, "\(path) is not text")
    }
    return text
  }

  func replace(_ path: FilePath, with text: String) throws(CaseworkError) {
    do { try DurableFile.replace(path, with: Array(text.utf8), on: fileSystem) } catch { throw CaseworkError(error) }
  }

  /// Folders that every checkpoint is copied to.
  func places() throws(CaseworkError) -> [FilePath] {
    (try Self.text(copies) ?? "").split(whereSeparator: \.isNewline).map { FilePath(String($0)) }
  }

  /// Adds a folder to those that every checkpoint is copied to.
  func addPlace(_ place: FilePath) throws(CaseworkError) {
    var places = try places()
    if places.contains(place) { return }
    places.append(place)
    try replace(copies, with: places.map { $0.string + "\n" }.joined())
  }

  /// Where a place keeps a checkpoint. Each has a name of its own: none is ever written over by a later one.
  static func copy(of checkpoint: Checkpoint, in place: FilePath) -> FilePath {
    place.appending("\(checkpoint.origin.replacing("/", with: "_"))-\(checkpoint.size).checkpoint")
  }

  /// The checkpoints of `key` that a place keeps, with the names of their files.
  static func checkpoints(in place: FilePath, key: LedgerPublicKey) throws -> [(path: FilePath, note: String)] {
    let prefix = key.name.replacing("/", with: "_") + "-"
    return try DurableFile.names(in: place).filter { $0.hasPrefix(prefix) && $0.hasSuffix(".checkpoint") }.map { name in
      let path = place.appending(name)
      return (path, try text(path) ?? "")
    }
  }

  /// One publisher at a time; the next waits.
  func withLock<Result>(_ body: () throws -> Result) throws -> Result {
    let lock: FolderLock?
    do throws(MatchingError) {
      try DurableFile.makeFolder(folder)
      lock = try FolderLock(folder, waits: true)
    } catch { throw CaseworkError(error) }
    defer { withExtendedLifetime(lock) {} }
    return try body()
  }
}
