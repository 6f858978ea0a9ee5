import Foundation
import GRDB
import Hashing
import Matching
import SystemPackage

/// The append-only record of everything that happened, and its signed heads.
///
/// Entries are appended by ``CaseStore``, in the transaction of what they record; they are the truth. This publishes them:
/// as tiles that can be made again from the entries at any time, and as a ``Checkpoint`` that binds them. A checkpoint that
/// is kept elsewhere is what makes it visible when the ledger is cut short or written anew.
public final class Ledger: Sendable {
  let store: CaseStore
  let files: LedgerFiles

  /// - Parameter folder: Need not exist yet.
  public convenience init(_ store: CaseStore, folder: FilePath) { self.init(store, files: LedgerFiles(folder: folder)) }

  init(_ store: CaseStore, files: LedgerFiles) {
    self.store = store
    self.files = files
  }

  public var keyPath: FilePath { files.key }

  /// The key that this ledger's checkpoints are signed with; made on first use.
  ///
  /// - Parameter name: For a new key: the origin of its checkpoints. `nil` for one made of the key itself.
  public func key(named name: String? = nil) throws -> LedgerKey {
    try files.withLock { try LedgerKey.load(at: files.key, name: name) }
  }

  /// Folders that every checkpoint is copied to.
  public func places() throws -> [FilePath] { try files.places() }

  /// Adds a folder to those that every checkpoint is copied to. It should be on another machine, or another's.
  public func addPlace(_ place: FilePath) throws { try files.withLock { try files.addPlace(place) } }

  /// What publishing did.
  public struct Published: Sendable {
    public let checkpoint: Checkpoint
    /// Where copies of it are now.
    public let copies: [FilePath]
    /// Places that could not be written, each with the reason.
    public let failures: [String]
  }

  /// Writes what was appended since the last time as tiles, and signs a checkpoint over all of it.
  ///
  /// Nothing is signed that does not continue the last checkpoints, in the folder and in every place that can be read.
  ///
  /// - Throws: ``CaseworkError`` with `ledgerDamaged` where entries that were signed are gone or were changed.
  public func publish() throws -> Published {
    try files.withLock {
      let key = try LedgerKey.load(at: files.key)
      let last = try lastCheckpoint(key.publicKey)
      let size = try store.entryCount()
      guard size >= last?.size ?? 0 else { throw Self.shorter(size, than: last!) }
      var checkpoint = last
      if last == nil || size > last!.size {
        let root = try extend(to: size, from: last)
        checkpoint = try Checkpoint(size: size, root: root, key: key)
        for place in try files.places() { try check(checkpoint!, continues: place, key.publicKey) }
        try store.keep(checkpoint!)
        try files.replace(files.checkpoint, with: checkpoint!.note)
      }
      return try copy(checkpoint!)
    }
  }

  /// The checkpoint in the folder; `nil` where nothing was ever published.
  func lastCheckpoint(_ key: LedgerPublicKey) throws -> Checkpoint? {
    try LedgerFiles.text(files.checkpoint).map { try Checkpoint($0, signedBy: key) }
  }

  static func shorter(_ size: Int64, than checkpoint: Checkpoint) -> CaseworkError {
    CaseworkError(
      .ledgerDamaged,
      "the ledger was cut short: it has \(size) entries, and a checkpoint was signed over \(checkpoint.size)",
      hint: "keep everything as it is; 'muhafiz ledger verify' says more")
  }

  /// Writes the tiles of a tree that grew, and answers its root.
  private func extend(to size: Int64, from last: Checkpoint?) throws -> Digest {
    let hasher = try TreeHasher()
    // A full edge on the disk is trusted only where it has the root that was signed; else all is made from the entries.
    var edge = try last.flatMap { try readEdge(of: $0, hasher) } ?? TreeEdge()
    let begin = edge.size
    var bundle: [[UInt8]] = []
    let bundleStart = begin / Int64(LedgerTile.width) * Int64(LedgerTile.width)
    try store.forEachEntry(in: bundleStart..<size) { index, entry in
      bundle.append(Array(entry))
      if index >= begin {
        try edge.append(hasher.leaf(entry), hasher) { tile, hashes in
          try files.write(tile, LedgerFiles.hashBytes(hashes))
        }
        if edge.size == last?.size, edge.root(hasher) != last?.root {
          throw CaseworkError(
            .ledgerDamaged, "the first \(edge.size) entries of the ledger are not those that were signed",
            hint: "keep everything as it is; 'muhafiz ledger verify' says which")
        }
      }
      if bundle.count == LedgerTile.width {
        let tile = LedgerTile(level: nil, index: index / Int64(LedgerTile.width), count: bundle.count)
        try files.write(tile, LedgerTile.bundle(bundle))
        bundle = []
      }
    }
    guard edge.size == size else {
      throw CaseworkError(
        .ledgerDamaged, "entry \(edge.size) of the ledger is missing", hint: "'muhafiz ledger verify' says more")
    }
    if !bundle.isEmpty {
      let tile = LedgerTile(level: nil, index: size / Int64(LedgerTile.width), count: bundle.count)
      try files.write(tile, LedgerTile.bundle(bundle))
    }
    for (level, hashes) in edge.levels.enumerated() where !hashes.isEmpty {
      let tile = LedgerTile(level: level, index: size >> Int64(8 * (level + 1)), count: hashes.count)
      try files.write(tile, LedgerFiles.hashBytes(hashes))
    }
    return edge.root(hasher)
  }

  /// The right edge of the tree of a checkpoint, from its partial tiles; `nil` where they are gone or not what was signed.
  private func readEdge(of checkpoint: Checkpoint, _ hasher: borrowing TreeHasher) throws -> TreeEdge? {
    var levels: [[Digest]] = []
    while checkpoint.size >> Int64(8 * levels.count) > 0 {
      let level = levels.count
      let index = checkpoint.size >> Int64(8 * (level + 1))
      guard let tile = LedgerTile.at(level: level, index: index, ofTree: checkpoint.size) else {
        levels.append([])
        continue
      }
      guard let hashes = try files.hashes(tile) else { return nil }
      levels.append(hashes)
    }
    let edge = TreeEdge(size: checkpoint.size, levels: levels)
    return edge.root(hasher) == checkpoint.root ? edge : nil
  }

  /// Makes sure that a place keeps nothing that was signed over other entries.
  private func check(_ checkpoint: Checkpoint, continues place: FilePath, _ key: LedgerPublicKey) throws {
    let kept: [Checkpoint]
    do {
      kept = try LedgerFiles.checkpoints(in: place, key: key).map { try Checkpoint($0.note, signedBy: key) }
    } catch is MatchingError { return }  // A place that cannot be reached now is named when the copy to it fails.
    guard let latest = kept.max(by: { $0.size < $1.size }), latest.size > 0 else { return }
    guard latest.size <= checkpoint.size else { throw Self.shorter(checkpoint.size, than: latest) }
    guard try tree(of: checkpoint).hash(of: 0..<latest.size) == latest.root else {
      throw CaseworkError(
        .ledgerDamaged,
        "the ledger was forked: \(place) keeps a checkpoint over \(latest.size) entries other than those here",
        hint: "keep both as they are; one of them was written anew")
    }
  }

  /// Copies a checkpoint to every configured place.
  private func copy(_ checkpoint: Checkpoint) throws -> Published {
    var copies: [FilePath] = []
    var failures: [String] = []
    for place in try files.places() {
      let path = LedgerFiles.copy(of: checkpoint, in: place)
      do throws(CaseworkError) {
        if try LedgerFiles.read(path) == nil { try files.replace(path, with: checkpoint.note) }
        copies.append(path)
      } catch { failures.append("\(place): \(error)") }
    }
    return Published(checkpoint: checkpoint, copies: copies, failures: failures)
  }
}

extension CaseStore {
  /// Entries in the ledger.
  public func entryCount() throws -> Int64 {
    try read { try Int64.fetchOne($0, sql: "SELECT max(idx) + 1 FROM ledger_entry") ?? 0 }
  }

  /// Hands over entries in order. A gap is passed over: indices tell.
  func forEachEntry(in range: Range<Int64>, _ body: (Int64, UnsafeRawBufferPointer) throws -> Void) throws {
    try forEachRow(in: range) { index, _, data in try body(index, data) }
  }

  func forEachRow(
    in range: Range<Int64>, _ body: (_ index: Int64, _ subject: String?, _ data: UnsafeRawBufferPointer) throws -> Void
  ) throws {
    try read { database in
      let rows = try Row.fetchCursor(
        database.cachedStatement(
          sql: "SELECT idx, subject, data FROM ledger_entry WHERE idx >= ? AND idx < ? ORDER BY idx"),
        arguments: [range.lowerBound, range.upperBound])
      while let row = try rows.next() {
        try row.withUnsafeData(atIndex: 2) { data in
          try (data ?? Data()).withUnsafeBytes { try body(row[0], row[1], $0) }
        }
      }
    }
  }

  /// Keeps a signed head with the entries.
  func keep(_ checkpoint: Checkpoint) throws {
    try write { database, _ in
      try database.execute(
        sql: "INSERT OR IGNORE INTO ledger_checkpoint (size, note) VALUES (?, ?)",
        arguments: [checkpoint.size, checkpoint.note])
    }
  }

  /// The signed heads that are kept with the entries, the smallest first.
  func keptCheckpoints() throws -> [String] {
    try read { try String.fetchAll($0, sql: "SELECT note FROM ledger_checkpoint ORDER BY size") }
  }
}
