import Hashing
import TestSupport
import Testing

@testable import Casework

struct MerkleTreeTests {
  /// The entries and roots that implementations of RFC 6962 test themselves with (certificate-transparency, `merkletree`).
  private static let entries: [[UInt8]] = [
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
  ].map { Hashing.bytes(hex: $0.utf8)! }
  private static let roots = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
  ].map { digest($0) }

  private static func digest(_ hex: String) -> Digest { Digest(.sha256, hex: hex)! }

  /// A tree in memory, which answers from the definition and keeps nothing.
  private func tree(of leaves: [Digest]) throws -> MerkleTree {
    try MerkleTree(size: Int64(leaves.count)) { height, index in
      let hasher = try TreeHasher()
      var level = Array(leaves[Int(index) << height..<Int(index + 1) << height])
      while level.count > 1 {
        level = stride(from: 0, to: level.count, by: 2).map { hasher.node(level[$0], level[$0 + 1]) }
      }
      return level[0]
    }
  }

  private func leaves(_ count: Int) throws -> [Digest] {
    let hasher = try TreeHasher()
    return (0..<count).map { hasher.leaf(Array("entry \($0)".utf8)) }
  }

  @Test func rootsAreThoseOfThePublishedVectors() throws {
    let hasher = try TreeHasher()
    let leaves = Self.entries.map { hasher.leaf($0) }
    var edge = TreeEdge()
    for size in 0...8 {
      #expect(try tree(of: Array(leaves[..<size])).root() == Self.roots[size])
      #expect(edge.root(hasher) == Self.roots[size])
      if size < 8 { edge.append(leaves[size], hasher) { _, _ in } }
    }
  }

  @Test func proofsAreThoseOfThePublishedVectors() throws {
    let hasher = try TreeHasher()
    let all = try tree(of: Self.entries.map { hasher.leaf($0) })
    #expect(
      try all.consistencyProof(from: 6)
        == [
          "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
          "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
          "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ].map(Self.digest))
    let five = try tree(of: Self.entries[..<5].map { hasher.leaf($0) })
    #expect(
      try five.consistencyProof(from: 2)
        == [
          "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
          "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ].map(Self.digest))
  }

  @Test func everyEntryOfEverySizeHasAProofAndNoOther() throws {
    let leaves = try leaves(40)
    for size in 1...40 {
      let tree = try tree(of: Array(leaves[..<size]))
      let root = try tree.root()
      for index in 0..<Int64(size) {
        let proof = try tree.inclusionProof(of: index)
        func holds(_ leaf: Digest, _ index: Int64, _ size: Int64, _ proof: [Digest]) throws -> Bool {
          try MerkleProof.includes(leaf, at: index, inTreeOf: size, root: root, proof: proof)
        }
        #expect(try holds(leaves[Int(index)], index, Int64(size), proof))
        #expect(try !holds(TreeHasher.empty, index, Int64(size), proof))
        #expect(try !holds(leaves[Int(index)], index + 1, Int64(size), proof))
        #expect(try !holds(leaves[Int(index)], -1, Int64(size), proof) && !holds(leaves[Int(index)], index, 0, proof))
        #expect(try !holds(leaves[Int(index)], index, Int64(size), proof + [root]))
        if !proof.isEmpty { #expect(try !holds(leaves[Int(index)], index, Int64(size), Array(proof.dropLast()))) }
        for position in proof.indices {
          var changed = proof
          changed[position] = TreeHasher.empty
          #expect(try !holds(leaves[Int(index)], index, Int64(size), changed))
        }
      }
    }
  }

  @Test func everyEarlierTreeIsProvenAndNoOther() throws {
    let leaves = try leaves(33)
    let roots = try (0...33).map { try tree(of: Array(leaves[..<$0])).root() }
    for later in 0...33 {
      let tree = try tree(of: Array(leaves[..<later]))
      for earlier in 0...later {
        let proof = try tree.consistencyProof(from: Int64(earlier))
        func holds(_ from: Digest, _ to: Digest, _ proof: [Digest]) throws -> Bool {
          try MerkleProof.extends(from, of: Int64(earlier), to: to, of: Int64(later), proof: proof)
        }
        #expect(try holds(roots[earlier], roots[later], proof))
        let other = try TreeHasher().leaf([1])
        #expect(try !holds(other, roots[later], proof))
        if earlier > 0 { #expect(try !holds(roots[earlier], other, proof)) }
        #expect(try !holds(roots[earlier], roots[later], proof + [other]))
        for position in proof.indices {
          var changed = proof
          changed[position] = other
          #expect(try !holds(roots[earlier], roots[later], changed))
        }
      }
    }
    #expect(try !MerkleProof.extends(roots[3], of: 3, to: roots[2], of: 2, proof: []))
  }

  @Test func edgesFillTilesAsTheTreeGrows() throws {
    let leaves = try leaves(1)
    let hasher = try TreeHasher()
    var edge = TreeEdge()
    var filled: [LedgerTile] = []
    for _ in 0..<65_536 + 257 {
      edge.append(leaves[0], hasher) { tile, hashes in
        #expect(hashes.count == 256)
        filled.append(tile)
      }
    }
    #expect(filled.filter { $0.level == 0 }.map(\.index) == Array(0...256))
    #expect(filled.filter { $0.level == 1 }.map(\.index) == [0] && filled.count == 258)
    #expect(edge.levels.map(\.count) == [1, 1, 1])
    #expect(edge.root(hasher) == (try tree(of: Array(repeating: leaves[0], count: 65_536 + 257)).root()))
  }

  @Test func tilesAreWhereTheSpecificationPutsThem() {
    func path(_ level: Int?, _ index: Int64, _ count: Int) -> String {
      LedgerTile(level: level, index: index, count: count).path
    }
    #expect(path(0, 1_234_067, 256) == "tile/0/x001/x234/067")
    #expect(path(nil, 1_234_067, 8) == "tile/entries/x001/x234/067.p/8")
    #expect(
      path(2, 0, 1) == "tile/2/000.p/1" && path(1, 999, 256) == "tile/1/999" && path(1, 1000, 256) == "tile/1/x001/000")
    // The example of "Partial Tiles": 70,000 entries.
    #expect(LedgerTile.at(level: 0, index: 272, ofTree: 70_000)?.count == 256)
    #expect(LedgerTile.at(level: 0, index: 273, ofTree: 70_000)?.count == 112)
    #expect(LedgerTile.at(level: 0, index: 274, ofTree: 70_000) == nil)
    #expect(
      LedgerTile.at(level: 1, index: 1, ofTree: 70_000)?.count == 17
        && LedgerTile.at(level: 2, index: 0, ofTree: 70_000)?.count == 1)
    #expect(LedgerTile.at(level: 0, index: 1, ofTree: 256) == nil)
  }

  @Test func bundlesKeepTheirEntriesAndRefuseHalfOnes() {
    let entries: [[UInt8]] = [[], [1], Array(repeating: 7, count: 0xFFFF)]
    let bundle = LedgerTile.bundle(entries)
    #expect(bundle.count == 6 + 1 + 0xFFFF && LedgerTile.entries(ofBundle: bundle) == entries)
    for cut in [1, 3, 4, bundle.count - 1] { #expect(LedgerTile.entries(ofBundle: Array(bundle[..<cut])) == nil) }
    #expect(LedgerTile.entries(ofBundle: []) == [])
  }
}
