import Foundation
import Hashing
import Matching
import SystemPackage

extension Ledger {
  /// Reads every entry, makes the tree again, and compares it with the tiles and with every checkpoint that can be found:
  /// in the folder, with the entries, in the configured places, and those given.
  ///
  /// - Parameters:
  ///   - given: Notes of checkpoints that somebody kept, with the names of their files.
  ///   - workers: Threads that read and hash.
  public func verify(against given: [(name: String, note: String)] = [], workers: Int = 2) throws -> LedgerVerification {
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
    // What is read in one go: some megabytes for each worker, so that memory does not grow with the ledger.
    let share = 64
    for start in stride(from: 0, to: tiles, by: share * workers) {
      let shares = stride(from: start, to: min(tiles, start + share * workers), by: share).map {
        Int64($0)..<Int64(min(tiles, $0 + share))
      }
      for tile in try concurrently(shares, { try reader.read($0) }).joined() {
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

/// Runs `body` for each element on a thread of its own, and answers in order.
private func concurrently<Element: Sendable, Result: Sendable>(
  _ elements: [Element], _ body: @Sendable (Element) throws -> Result
) throws -> [Result] {
  let slots = Slots<Result>(count: elements.count)
  DispatchQueue.concurrentPerform(iterations: elements.count) { position in
    slots.results[position] = .some(Swift.Result { try body(elements[position]) })
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
