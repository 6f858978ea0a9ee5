import Foundation
import Hashing

/// Reads entries tile by tile, and compares them with what was published.
struct TileReader: Sendable {
  let store: CaseStore
  let files: LedgerFiles
  /// Entries to be read.
  let size: Int64
  /// Entries under the published checkpoint.
  let signed: Int64
  /// Sizes of trees whose roots are asked for.
  let wanted: Set<Int64>

  /// What up to 256 entries come to.
  struct Tile: Sendable {
    var faults: [LedgerFault] = []
    /// The hash of all 256; `nil` for fewer.
    var node: Digest?
    /// For trees that end within this tile: the hash of what they have of it.
    var partials: [(size: Int64, right: Digest)] = []
    var history: [HistoryEntry] = []
  }

  /// Reads tiles that follow each other, in one pass over their entries.
  func read(_ indices: Range<Int64>) throws -> [Tile] {
    let hasher = try TreeHasher()
    var tiles: [Tile] = []
    var open = try begin(indices.lowerBound)
    func finish() throws {
      tiles.append(try open.finish(self, hasher))
      if open.index + 1 < indices.upperBound { open = try begin(open.index + 1) }
    }
    let width = Int64(LedgerTile.width)
    try store.forEachRow(in: indices.lowerBound * width..<min(size, indices.upperBound * width)) { number, subject, data in
      while number >= open.range.upperBound { try finish() }
      open.add(number, subject, data, hasher)
    }
    while tiles.count < indices.count { try finish() }
    return tiles
  }

  private func begin(_ index: Int64) throws -> OpenTile {
    let first = index * Int64(LedgerTile.width)
    let published = LedgerTile.at(level: 0, index: index, ofTree: signed)
    return OpenTile(
      index: index, range: first..<min(size, first + Int64(LedgerTile.width)), published: published,
      known: try published.map { try files.hashes($0) } ?? [])
  }
}

/// A tile whose entries are being read.
private struct OpenTile {
  let index: Int64
  let range: Range<Int64>
  let published: LedgerTile?
  /// The hashes that were published.
  private let known: [Digest]
  private var tile = TileReader.Tile()
  private var leaves: [Digest] = []
  private var bundle: [UInt8] = []

  /// - Parameter known: `nil` where the published tile is missing or damaged.
  init(index: Int64, range: Range<Int64>, published: LedgerTile?, known: [Digest]?) {
    self.index = index
    self.range = range
    self.published = published
    self.known = known ?? []
    leaves.reserveCapacity(range.count)
    if let published, known == nil { fault(.tileDamaged, range, "\(published.path) is missing or has not its size") }
  }

  private var next: Int64 { range.lowerBound + Int64(leaves.count) }

  mutating func add(
    _ number: Int64, _ subject: String?, _ data: UnsafeRawBufferPointer, _ hasher: borrowing TreeHasher
  ) {
    while next < number { addMissing() }
    let leaf = hasher.leaf(data)
    if known.indices.contains(leaves.count) && known[leaves.count] != leaf {
      fault(.entryChanged, number..<number + 1, "entry \(number) is not the one that was recorded")
    } else if let head = LedgerEntryHead(data), head.subject == subject {
      if let subject {
        tile.history.append(
          HistoryEntry(index: number, subject: subject, previous: head.previous, state: head.state, leaf: leaf))
      }
    } else {
      fault(
        .entryChanged, number..<number + 1,
        "entry \(number) does not begin as an entry, or is filed under another subject")
    }
    if leaves.count < published?.count ?? 0 {
      bundle.append(UInt8(truncatingIfNeeded: data.count >> 8))
      bundle.append(UInt8(truncatingIfNeeded: data.count))
      bundle.append(contentsOf: data)
    }
    leaves.append(leaf)
  }

  /// Keeps the places of the entries after a gap. What its tile says stands for the missing one.
  private mutating func addMissing() {
    fault(.entryMissing, next..<next + 1, "entry \(next) is missing")
    leaves.append(known.indices.contains(leaves.count) ? known[leaves.count] : TreeHasher.empty)
  }

  mutating func finish(_ reader: TileReader, _ hasher: borrowing TreeHasher) throws -> TileReader.Tile {
    while next < range.upperBound { addMissing() }
    if let published, tile.faults.isEmpty {
      let place = LedgerTile(level: nil, index: index, count: published.count)
      if try reader.files.read(place) != bundle {
        fault(.tileDamaged, range, "\(place.path) does not hold the entries that it should")
      }
    }
    for size in reader.wanted
    where size > range.lowerBound && size < range.lowerBound + Int64(LedgerTile.width) && size <= range.upperBound {
      tile.partials.append((size, TreeEdge.fold(leaves[..<Int(size - range.lowerBound)], hasher)!))
    }
    if leaves.count == LedgerTile.width {
      tile.node = TreeEdge.fold(leaves[...], hasher)
    } else if !reader.wanted.contains(range.upperBound) {
      tile.partials.append((range.upperBound, TreeEdge.fold(leaves[...], hasher)!))
    }
    return tile
  }

  private mutating func fault(_ kind: LedgerFault.Kind, _ entries: Range<Int64>, _ text: String) {
    tile.faults.append(LedgerFault(kind: kind, entries: entries, description: text))
  }
}
