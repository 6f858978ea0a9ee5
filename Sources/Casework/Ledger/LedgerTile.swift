import Hashing

/// The place of a tile: up to 256 hashes of one height of the tree, or the entries under them.
///
/// A tile of level `L` holds the hashes of full subtrees of height 8 × `L`; its hash, once it is full, stands in the tile
/// above. Source: C2SP `tlog-tiles`, "Merkle Tree" and "Log entries".
struct LedgerTile: Hashable {
  static let width = 256

  /// `nil` for the entries themselves.
  let level: Int?
  let index: Int64
  /// Hashes or entries in it, 1…256.
  let count: Int

  /// Where it is kept: `tile/0/x001/x234/067.p/8`.
  var path: String {
    var digits = String(index)
    digits = String(repeating: "0", count: (3 - digits.count % 3) % 3) + digits
    var parts: [String] = []
    while !digits.isEmpty {
      parts.append((digits.count > 3 ? "x" : "") + digits.prefix(3))
      digits.removeFirst(3)
    }
    let partial = count == Self.width ? "" : ".p/\(count)"
    return "tile/\(level.map { "\($0)" } ?? "entries")/" + parts.joined(separator: "/") + partial
  }

  /// The tile at a place in a tree of `size`; `nil` where the tree does not reach.
  static func at(level: Int?, index: Int64, ofTree size: Int64) -> LedgerTile? {
    let count = (size >> Int64(8 * (level ?? 0))) - index * Int64(width)
    return count > 0 ? LedgerTile(level: level, index: index, count: Int(min(count, Int64(width)))) : nil
  }

  /// Entries as they stand in a bundle: each after its length as two bytes, most significant first.
  static func bundle(_ entries: some Sequence<[UInt8]>) -> [UInt8] {
    var bytes: [UInt8] = []
    for entry in entries {
      bytes.append(UInt8(entry.count >> 8))
      bytes.append(UInt8(entry.count & 0xFF))
      bytes += entry
    }
    return bytes
  }

  /// The entries of a bundle; `nil` when the lengths do not add up.
  static func entries(ofBundle bytes: [UInt8]) -> [[UInt8]]? {
    var entries: [[UInt8]] = []
    var rest = bytes[...]
    while !rest.isEmpty {
      guard let high = rest.popFirst(), let low = rest.popFirst() else { return nil }
      let count = Int(high) << 8 | Int(low)
      guard rest.count >= count else { return nil }
      entries.append(Array(rest.prefix(count)))
      rest = rest.dropFirst(count)
    }
    return entries
  }
}

/// The right edge of a tree that grows: for each level the hashes that no full tile holds yet.
struct TreeEdge {
  /// From level 0 up; each with fewer than 256 hashes.
  private(set) var levels: [[Digest]] = []
  private(set) var size: Int64 = 0

  init() {}

  /// The edge of a tree of `size` whose partial tiles hold these hashes.
  init(size: Int64, levels: [[Digest]]) {
    self.size = size
    self.levels = levels
  }

  /// Adds an entry's hash. Calls `full` for each tile that it fills, the lowest first.
  mutating func append(
    _ leaf: Digest, _ hasher: borrowing TreeHasher, full: (LedgerTile, [Digest]) throws -> Void
  ) rethrows {
    size += 1
    var hash = leaf
    var level = 0
    while true {
      if level == levels.count { levels.append([]) }
      levels[level].append(hash)
      guard levels[level].count == LedgerTile.width else { return }
      let hashes = levels[level]
      levels[level].removeAll(keepingCapacity: true)
      let span = Int64(8 * (level + 1))
      try full(LedgerTile(level: level, index: (size >> span) - 1, count: LedgerTile.width), hashes)
      hash = Self.fold(hashes[...], hasher)!
      level += 1
    }
  }

  /// The hash of all entries, and of what stands to the right of them.
  func root(_ hasher: borrowing TreeHasher, right: Digest? = nil) -> Digest {
    var right = right
    // The smaller subtrees stand to the right of all larger ones, so they join from the right, one by one.
    for hashes in levels { right = Self.fold(hashes[...], hasher, right: right) }
    return right ?? TreeHasher.empty
  }

  /// The hash over the nodes of one height, and over what stands to the right of them.
  ///
  /// - Parameter nodes: The first stands at a multiple of 256.
  /// - Returns: `nil` for no nodes and nothing to the right.
  static func fold(_ nodes: ArraySlice<Digest>, _ hasher: borrowing TreeHasher, right: Digest? = nil) -> Digest? {
    var result = right
    var end = nodes.endIndex
    while end > nodes.startIndex {
      let count = end - nodes.startIndex
      let start = end - count & -count  // The lowest bit of the count: the smallest full subtree is the last.
      let subtree = full(nodes[start..<end], hasher)
      result = result.map { hasher.node(subtree, $0) } ?? subtree
      end = start
    }
    return result
  }

  /// - Parameter nodes: A power of two of them.
  private static func full(_ nodes: ArraySlice<Digest>, _ hasher: borrowing TreeHasher) -> Digest {
    var level = Array(nodes)
    var count = level.count
    while count > 1 {
      count /= 2
      for index in 0..<count { level[index] = hasher.node(level[2 * index], level[2 * index + 1]) }
    }
    return level[0]
  }
}
