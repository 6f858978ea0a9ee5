import Foundation
import Hashing
import Matching
import SystemPackage

/// Something in the ledger that is not as it was recorded and signed.
public struct LedgerFault: Sendable, Equatable, CustomStringConvertible {
  public enum Kind: String, Sendable, CaseIterable {
    /// An entry's bytes are not those that its hash in the tiles was made of.
    case entryChanged = "entry-changed"
    case entryMissing = "entry-missing"
    /// An entry does not follow the one that it says it follows.
    case historyBroken = "history-broken"
    /// A case or a takedown stands elsewhere than its last entry says.
    case recordDiffers = "record-differs"
    /// A tile is not what the entries make it.
    case tileDamaged = "tile-damaged"
    /// A checkpoint is not signed with the ledger's key, or was changed after.
    case checkpointInvalid = "checkpoint-invalid"
    /// A checkpoint was signed over more entries than there are.
    case cutShort = "cut-short"
    /// A checkpoint was signed over other entries than those that are here.
    case rewritten
  }

  public let kind: Kind
  /// Which entries it is about, as nearly as can be told.
  public let entries: Range<Int64>?
  public let description: String
}

/// What reading a ledger from end to end has shown.
public struct LedgerVerification: Sendable {
  /// Entries that were read.
  public internal(set) var size: Int64 = 0
  public internal(set) var root = TreeHasher.empty
  /// Entries under the checkpoint in the folder; those after it are not signed yet.
  public internal(set) var signed: Int64 = 0
  /// Checkpoints that were compared, wherever they are kept.
  public internal(set) var checkpoints = 0
  /// The first faults of each kind.
  public internal(set) var faults: [LedgerFault] = []
  /// All faults, also those not among ``faults``.
  public internal(set) var faultCount = 0
  /// Places whose checkpoints could not be read.
  public internal(set) var unreadable: [String] = []

  public var isSound: Bool { faultCount == 0 }

  /// Kept for each kind; a ledger that was written anew has a fault in every entry.
  static let kept = 10

  mutating func add(_ kind: LedgerFault.Kind, _ entries: Range<Int64>?, _ description: String) {
    faultCount += 1
    if faults.count(where: { $0.kind == kind }) < Self.kept {
      faults.append(LedgerFault(kind: kind, entries: entries, description: description))
    }
  }
}

extension Ledger {
  /// Reads every entry, makes the tree again, and compares it with the tiles and with every checkpoint that can be found:
  /// in the folder, with the entries, in the configured places, and those given.
  ///
  /// - Parameters:
  ///   - given: Notes of checkpoints that somebody kept, with the names of their files.
  ///   - workers: Threads that read and hash.
  public func verify(against given: [(name: String, note: String)] = [], workers: Int = 2) throws -> LedgerVerification
  {
    var result = LedgerVerification()
    // Whoever is to check a ledger need not be able to sign it.
    let key = try LedgerKey.loadPublic(at: files.key) ?? key().publicKey
    var witnesses = Witnesses(key: key)
    // The published size first: entries that come while this runs are read, and only lack tiles.
    let last = try LedgerFiles.text(files.checkpoint).flatMap {
      witnesses.add("the ledger's checkpoint", $0, to: &result)
    }
    result.signed = last?.size ?? 0
    for note in try store.keptCheckpoints() {
      _ = witnesses.add("a checkpoint kept with the entries", note, to: &result)
    }
    for place in try files.places() {
      do {
        for (path, note) in try LedgerFiles.checkpoints(in: place, key: key) {
          _ = witnesses.add("\(path)", note, to: &result)
        }
      } catch { result.unreadable.append("\(place): \(error)") }
    }
    for (name, note) in given { _ = witnesses.add(name, note, to: &result) }
    result.size = try store.entryCount()
    result.checkpoints = witnesses.all.count

    let hasher = try TreeHasher()
    let wanted = Set(witnesses.all.map(\.checkpoint.size))
    var histories = Histories()
    var nodes: [Digest] = []  // Of height 8: full tiles of entries, one after the other.
    var edge = TreeEdge()  // Over those.
    var roots: [Int64: Digest] = [0: TreeHasher.empty]
    let tiles = Int((result.size + Int64(LedgerTile.width) - 1) / Int64(LedgerTile.width))
    let reader = TileReader(store: store, files: files, size: result.size, signed: result.signed, wanted: wanted)
    let share = 64
    for start in stride(from: 0, to: tiles, by: share * workers) {
      let end = min(tiles, start + share * workers)
      for tile in try concurrently(start..<end, workers: workers, { try reader.read(Int64($0)) }) {
        for fault in tile.faults { result.add(fault.kind, fault.entries, fault.description) }
        for (size, right) in tile.partials { roots[size] = edge.root(hasher, right: right) }
        if let node = tile.node {
          nodes.append(node)
          edge.append(node, hasher) { _, _ in }
          let reached = edge.size * Int64(LedgerTile.width)
          if reached == result.size || wanted.contains(reached) { roots[reached] = edge.root(hasher) }
        }
        for entry in tile.history { histories.add(entry, to: &result) }
      }
    }
    result.root = roots[result.size]!
    try checkUpperTiles(nodes, hasher, &result)
    witnesses.compare(with: roots, &result)
    try histories.compare(with: store, &result)
    return result
  }

  /// Compares the tiles of hashes above the entries'.
  private func checkUpperTiles(_ nodes: [Digest], _ hasher: borrowing TreeHasher, _ result: inout LedgerVerification)
    throws
  {
    var (level, hashes) = (1, nodes)
    while result.signed >> Int64(8 * level) > 0 {
      var above: [Digest] = []
      for index in 0... {
        guard let tile = LedgerTile.at(level: level, index: Int64(index), ofTree: result.signed) else { break }
        let start = index * LedgerTile.width
        guard start + tile.count <= hashes.count else { break }  // Entries are missing, which was said.
        let expected = hashes[start..<start + tile.count]
        if try files.read(tile) != LedgerFiles.hashBytes(expected) {
          let span = Int64(LedgerTile.width) << Int64(8 * level)
          let entries = Int64(index) * span..<min(result.signed, Int64(index + 1) * span)
          result.add(.tileDamaged, entries, "\(tile.path) is missing or not what the entries make it")
        }
        if tile.count == LedgerTile.width { above.append(TreeEdge.fold(expected, hasher)!) }
      }
      (level, hashes) = (level + 1, above)
    }
  }
}

/// Runs `body` for each number, on several threads, and answers in order.
private func concurrently<Result: Sendable>(
  _ range: Range<Int>, workers: Int, _ body: @Sendable (Int) throws -> Result
) throws -> [Result] {
  let slots = Slots<Result>(count: range.count)
  DispatchQueue.concurrentPerform(iterations: workers) { worker in
    for position in stride(from: worker, to: range.count, by: workers) {
      slots.results[position] = .some(Swift.Result { try body(range.lowerBound + position) })
    }
  }
  return try slots.results.map { try $0!.get() }
}

/// `@unchecked`: each slot is written by one thread, and read after all have ended.
private final class Slots<Value>: @unchecked Sendable {
  let results: UnsafeMutableBufferPointer<Result<Value, any Error>?>

  init(count: Int) {
    results = .allocate(capacity: count)
    results.initialize(repeating: nil)
  }

  deinit {
    results.deinitialize()
    results.deallocate()
  }
}

/// Checkpoints that the tree is compared with.
private struct Witnesses {
  let key: LedgerPublicKey
  var all: [(name: String, checkpoint: Checkpoint)] = []

  mutating func add(_ name: String, _ note: String, to result: inout LedgerVerification) -> Checkpoint? {
    do {
      let checkpoint = try Checkpoint(note, signedBy: key)
      all.append((name, checkpoint))
      return checkpoint
    } catch {
      result.add(.checkpointInvalid, nil, "\(name): \(error)")
      return nil
    }
  }

  /// Says which checkpoints do not hold, and between which entries the change must lie.
  func compare(with roots: [Int64: Digest], _ result: inout LedgerVerification) {
    let holding = all.map(\.checkpoint).filter { roots[$0.size] == $0.root }.map(\.size)
    for (name, checkpoint) in all where roots[checkpoint.size] != checkpoint.root {
      let size = checkpoint.size
      guard size <= result.size else {
        result.add(
          .cutShort, result.size..<size,
          "\(name) was signed over \(size) entries, and there are \(result.size): the rest is gone")
        continue
      }
      let sound = holding.filter { $0 < size }.max() ?? 0
      result.add(
        .rewritten, sound..<size,
        "\(name) was signed over other entries: one of \(sound)…\(size - 1) was changed, or all were written anew")
    }
  }
}

/// Reads 256 entries, and compares them with their tile and their bundle.
private struct TileReader: Sendable {
  let store: CaseStore
  let files: LedgerFiles
  let size: Int64
  let signed: Int64
  /// Sizes of trees whose roots are asked for.
  let wanted: Set<Int64>

  struct Tile: Sendable {
    var faults: [LedgerFault] = []
    /// The hash of all 256; `nil` for fewer.
    var node: Digest?
    /// For trees that end within this tile: the hash of what they have of it.
    var partials: [(size: Int64, right: Digest)] = []
    var history: [HistoryEntry] = []
  }

  func read(_ index: Int64) throws -> Tile {
    var tile = Tile()
    let hasher = try TreeHasher()
    let first = index * Int64(LedgerTile.width)
    let range = first..<min(size, first + Int64(LedgerTile.width))
    let published = LedgerTile.at(level: 0, index: index, ofTree: signed)
    let tileHashes = try published.map { try files.hashes($0) }
    if let published, tileHashes! == nil {
      tile.faults.append(fault(.tileDamaged, range, "\(published.path) is missing or has not its size"))
    }
    let known = (tileHashes ?? nil) ?? []
    var leaves: [Digest] = []
    leaves.reserveCapacity(range.count)
    var bundle: [UInt8] = []
    try store.forEachRow(in: range) { number, subject, data in
      while first + Int64(leaves.count) < number { addMissing(first + Int64(leaves.count), known, &leaves, &tile) }
      let leaf = hasher.leaf(data)
      let isKnown = known.indices.contains(leaves.count)
      if isKnown && known[leaves.count] != leaf {
        tile.faults.append(
          fault(.entryChanged, number..<number + 1, "entry \(number) is not the one that was recorded"))
      } else if let head = LedgerEntryHead(data), head.subject == subject {
        if let subject {
          tile.history.append(
            HistoryEntry(index: number, subject: subject, previous: head.previous, state: head.state, leaf: leaf))
        }
      } else {
        tile.faults.append(
          fault(
            .entryChanged, number..<number + 1,
            "entry \(number) does not begin as an entry, or is filed under another subject"))
      }
      if leaves.count < published?.count ?? 0 {
        bundle.append(UInt8(truncatingIfNeeded: data.count >> 8))
        bundle.append(UInt8(truncatingIfNeeded: data.count))
        bundle.append(contentsOf: data)
      }
      leaves.append(leaf)
    }
    while leaves.count < range.count { addMissing(first + Int64(leaves.count), known, &leaves, &tile) }
    if let published, tile.faults.isEmpty {
      let place = LedgerTile(level: nil, index: index, count: published.count)
      if try files.read(place) != bundle {
        tile.faults.append(fault(.tileDamaged, range, "\(place.path) does not hold the entries that it should"))
      }
    }
    for size in wanted where size > first && size < first + Int64(LedgerTile.width) && size <= range.upperBound {
      tile.partials.append((size, TreeEdge.fold(leaves[..<Int(size - first)], hasher)!))
    }
    if leaves.count == LedgerTile.width {
      tile.node = TreeEdge.fold(leaves[...], hasher)
    } else if !wanted.contains(range.upperBound) {
      tile.partials.append((range.upperBound, TreeEdge.fold(leaves[...], hasher)!))
    }
    return tile
  }

  /// Keeps the places of the entries after a gap. What its tile says stands for the missing one.
  private func addMissing(_ number: Int64, _ known: [Digest], _ leaves: inout [Digest], _ tile: inout Tile) {
    tile.faults.append(fault(.entryMissing, number..<number + 1, "entry \(number) is missing"))
    leaves.append(known.indices.contains(leaves.count) ? known[leaves.count] : TreeHasher.empty)
  }

  private func fault(_ kind: LedgerFault.Kind, _ entries: Range<Int64>, _ text: String) -> LedgerFault {
    LedgerFault(kind: kind, entries: entries, description: text)
  }
}

/// An entry with a history of its own.
private struct HistoryEntry: Sendable {
  let index: Int64
  let subject: String
  let previous: Digest?
  let state: String?
  let leaf: Digest
}

/// Follows every subject from entry to entry.
private struct Histories {
  private var latest: [String: HistoryEntry] = [:]

  mutating func add(_ entry: HistoryEntry, to result: inout LedgerVerification) {
    let before = latest[entry.subject]
    if entry.previous != before?.leaf {
      let text = before.map {
        "entry \(entry.index) does not follow entry \($0.index) about \(entry.subject) as it now is"
      }
      result.add(
        .historyBroken, (before?.index ?? entry.index)..<entry.index + 1,
        text ?? "entry \(entry.index) follows an entry about \(entry.subject) that is not there")
    }
    latest[entry.subject] = entry
  }

  /// Compares where cases and takedowns stand with what their last entries say.
  func compare(with store: CaseStore, _ result: inout LedgerVerification) throws {
    let states = try store.statesOfRecord()
    for (subject, state) in states.sorted(by: { $0.key < $1.key }) where latest[subject]?.state != state {
      let said = latest[subject]?.state.map { "'\($0)'" } ?? "nothing"
      result.add(.recordDiffers, nil, "\(subject) stands as '\(state)', and the ledger says \(said)")
    }
    for (subject, entry) in latest.sorted(by: { $0.key < $1.key }) where entry.state != nil && states[subject] == nil {
      result.add(
        .recordDiffers, entry.index..<entry.index + 1, "the ledger tells of \(subject), which is not in the record")
    }
  }
}
