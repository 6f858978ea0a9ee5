import Hashing

/// A Merkle tree of a given size whose full nodes can be asked for, wherever they are kept.
///
/// Source: RFC 6962, section 2.1. `D[lo:hi]` there is `lo..<hi` here.
struct MerkleTree: ~Copyable {
  /// Entries in the tree.
  let size: Int64
  private let hasher: TreeHasher
  /// The hash of the full subtree over entries `index << height ..< (index + 1) << height`.
  private let fullNode: (_ height: Int, _ index: Int64) throws -> Digest

  init(size: Int64, fullNode: @escaping (_ height: Int, _ index: Int64) throws -> Digest) throws(CaseworkError) {
    self.size = size
    self.fullNode = fullNode
    hasher = try TreeHasher()
  }

  /// The hash of all entries.
  func root() throws -> Digest { size == 0 ? TreeHasher.empty : try hash(of: 0..<size) }

  /// The siblings on the way from an entry up to the root; RFC 6962, section 2.1.1.
  ///
  /// - Parameter index: Below ``size``.
  func inclusionProof(of index: Int64) throws -> [Digest] {
    precondition((0..<size).contains(index))
    return try path(index, in: 0..<size)
  }

  /// What shows that the tree of `size` begins with the tree of `earlier`; RFC 6962, section 2.1.2.
  ///
  /// - Parameter earlier: 0…``size``.
  func consistencyProof(from earlier: Int64) throws -> [Digest] {
    precondition((0...size).contains(earlier))
    return earlier == 0 ? [] : try subproof(earlier, 0..<size, isWhole: true)
  }

  /// - Parameter range: Begins at a multiple of a power of two that is no smaller than its count.
  func hash(of range: Range<Int64>) throws -> Digest {
    let count = Int64(range.count)
    if count.nonzeroBitCount == 1 {
      let height = count.trailingZeroBitCount
      return try fullNode(height, range.lowerBound >> Int64(height))
    }
    let middle = split(range)
    return hasher.node(try hash(of: range.lowerBound..<middle), try hash(of: middle..<range.upperBound))
  }

  private func path(_ index: Int64, in range: Range<Int64>) throws -> [Digest] {
    if range.count == 1 { return [] }
    let middle = split(range)
    let (left, right) = (range.lowerBound..<middle, middle..<range.upperBound)
    return index < middle
      ? try path(index, in: left) + [hash(of: right)] : try path(index, in: right) + [hash(of: left)]
  }

  private func subproof(_ end: Int64, _ range: Range<Int64>, isWhole: Bool) throws -> [Digest] {
    if end == range.upperBound { return isWhole ? [] : [try hash(of: range)] }
    let middle = split(range)
    let (left, right) = (range.lowerBound..<middle, middle..<range.upperBound)
    return end <= middle
      ? try subproof(end, left, isWhole: isWhole) + [hash(of: right)]
      : try subproof(end, right, isWhole: false) + [hash(of: left)]
  }

  /// Where a subtree of two entries or more divides: after the largest power of two below its count.
  private func split(_ range: Range<Int64>) -> Int64 {
    let count = Int64(range.count)
    return range.lowerBound + 1 << Int64(63 - (count - 1).leadingZeroBitCount)
  }
}

/// Checks of proofs, with nothing at hand but the proof.
///
/// Source: RFC 9162, sections 2.1.3.2 and 2.1.4.2, which spell out what RFC 6962 leaves to the reader.
enum MerkleProof {
  /// Whether the proof leads from a leaf to the root.
  static func includes(
    _ leaf: Digest, at index: Int64, inTreeOf size: Int64, root: Digest, proof: [Digest]
  ) throws(CaseworkError) -> Bool {
    guard index >= 0, index < size else { return false }
    let hasher = try TreeHasher()
    var (first, last) = (index, size - 1)
    var hash = leaf
    for sibling in proof {
      if last == 0 { return false }
      if first & 1 == 1 || first == last {
        hash = hasher.node(sibling, hash)
        while first & 1 == 0 && first != 0 { (first, last) = (first >> 1, last >> 1) }
      } else {
        hash = hasher.node(hash, sibling)
      }
      (first, last) = (first >> 1, last >> 1)
    }
    return last == 0 && hash == root
  }

  /// Whether the proof shows that the later tree begins with the earlier.
  static func extends(
    _ earlierRoot: Digest, of earlier: Int64, to laterRoot: Digest, of later: Int64, proof: [Digest]
  ) throws(CaseworkError) -> Bool {
    guard earlier >= 0, earlier <= later else { return false }
    if earlier == later { return proof.isEmpty && earlierRoot == laterRoot }
    if earlier == 0 { return proof.isEmpty && earlierRoot == TreeHasher.empty }
    let hasher = try TreeHasher()
    var path = earlier.nonzeroBitCount == 1 ? [earlierRoot] + proof : proof
    if path.isEmpty { return false }
    var (first, last) = (earlier - 1, later - 1)
    while first & 1 == 1 { (first, last) = (first >> 1, last >> 1) }
    let start = path.removeFirst()
    var (earlierHash, laterHash) = (start, start)
    for sibling in path {
      if last == 0 { return false }
      if first & 1 == 1 || first == last {
        earlierHash = hasher.node(sibling, earlierHash)
        laterHash = hasher.node(sibling, laterHash)
        while first & 1 == 0 && first != 0 { (first, last) = (first >> 1, last >> 1) }
      } else {
        laterHash = hasher.node(laterHash, sibling)
      }
      (first, last) = (first >> 1, last >> 1)
    }
    return last == 0 && earlierHash == earlierRoot && laterHash == laterRoot
  }
}
