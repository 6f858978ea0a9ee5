import Foundation
import GRDB
import Hashing
import Matching
import SystemPackage

/// That an entry is in a signed ledger, in a form that can be checked with the public key alone.
///
///     c2sp.org/tlog-proof@v1
///     extra <Base64 of a bundle of entries>      the last is the one proven, those before it are its history
///     index <of the last entry>
///     <Base64 of a sibling, from the leaf up>…
///
///     <checkpoint>
///
/// Source: C2SP `tlog-proof`; what `extra` holds is in `LedgerFormat.md`, "Proofs".
public struct LedgerProof: Sendable {
  /// Entries about one subject that follow each other, as JSON. The last is included in the tree, and each names the leaf
  /// hash of the one before it, so that none of them can be exchanged or left out.
  public let entries: [[UInt8]]
  /// Of the last entry in the ledger.
  public let index: Int64
  public let checkpoint: Checkpoint
  /// Whether the first entry is the first there is about its subject.
  public let isWhole: Bool
  public let text: String

  /// What a default proof stays under, whatever its history.
  public static let usualSize = 4096

  init(entries: [[UInt8]], index: Int64, siblings: [Digest], checkpoint: Checkpoint) throws {
    var text =
      "c2sp.org/tlog-proof@v1\nextra \(Data(LedgerTile.bundle(entries)).base64EncodedString())\nindex \(index)\n"
    for sibling in siblings { text += "\(sibling.base64)\n" }
    text += "\n\(checkpoint.note)"
    self.entries = entries
    self.index = index
    self.checkpoint = checkpoint
    self.text = text
    isWhole = try Self.checkChain(entries)
  }

  /// Reads a proof and checks it from end to end.
  ///
  /// - Throws: ``CaseworkError`` with `ledgerDamaged`, saying what does not hold.
  public init(checking text: String, key: LedgerPublicKey) throws {
    func refused(_ why: String) -> CaseworkError { CaseworkError(.ledgerDamaged, "the proof does not hold: \(why)") }
    guard text.utf8.count <= 1 << 24, let gap = text.range(of: "\n\n") else { throw refused("it is malformed") }
    let head = text[..<gap.lowerBound].split(separator: "\n", omittingEmptySubsequences: false)
    guard head.count >= 3, head[0] == "c2sp.org/tlog-proof@v1", head[1].hasPrefix("extra "),
      head[2].hasPrefix("index "),
      let bundle = Data(strictBase64: head[1].dropFirst(6)),
      let entries = LedgerTile.entries(ofBundle: Array(bundle)), let last = entries.last,
      let index = Int64(head[2].dropFirst(6)), String(index) == head[2].dropFirst(6), head.count <= 3 + 64
    else { throw refused("it is malformed") }
    var siblings: [Digest] = []
    for line in head[3...] {
      guard let sibling = Digest(base64: line) else { throw refused("it is malformed") }
      siblings.append(sibling)
    }
    checkpoint = try Checkpoint(String(text[gap.upperBound...]), signedBy: key)
    guard
      try MerkleProof.includes(
        TreeHasher().leaf(last), at: index, inTreeOf: checkpoint.size, root: checkpoint.root, proof: siblings)
    else { throw refused("its entry is not the one at \(index) of the ledger that was signed") }
    isWhole = try Self.checkChain(entries)
    self.entries = entries
    self.index = index
    self.text = text
  }

  /// - Returns: Whether nothing comes before the first.
  private static func checkChain(_ entries: [[UInt8]]) throws -> Bool {
    let hasher = try TreeHasher()
    let heads = entries.map { entry in entry.withUnsafeBytes { LedgerEntryHead($0) } }
    for (position, head) in heads.enumerated() {
      guard let head, entries.count == 1 || head.subject != nil else {
        throw CaseworkError(.ledgerDamaged, "the proof does not hold: one of its entries is none")
      }
      if position == 0 { continue }
      guard head.subject == heads[0]?.subject, head.previous == hasher.leaf(entries[position - 1]) else {
        throw CaseworkError(.ledgerDamaged, "the proof does not hold: its entries do not follow each other")
      }
    }
    return heads.first??.previous == nil
  }
}

extension Ledger {
  /// A proof of the last entry about a subject, with as much of its history as stays under ``LedgerProof/usualSize``.
  ///
  /// - Parameter whole: With all of its history, however long.
  public func proof(of subject: LedgerSubject, whole: Bool = false) throws -> LedgerProof {
    let checkpoint = try publish().checkpoint
    let rows = try store.entries(about: subject).filter { $0.index < checkpoint.size }
    guard let last = rows.last else {
      throw CaseworkError(.noSuchCase, "the ledger has no entry about \(subject)")
    }
    var entries = [last.data]
    var proof = try proof(of: entries, at: last.index, in: checkpoint)
    let siblings = try siblings(of: last.index, in: checkpoint)
    for row in rows.dropLast().reversed() {
      entries.insert(row.data, at: 0)
      let longer = try LedgerProof(entries: entries, index: last.index, siblings: siblings, checkpoint: checkpoint)
      guard whole || longer.text.utf8.count < LedgerProof.usualSize else { break }
      proof = longer
    }
    return proof
  }

  /// A proof of one entry.
  public func proof(ofEntry index: Int64) throws -> LedgerProof {
    let checkpoint = try publish().checkpoint
    guard (0..<checkpoint.size).contains(index) else {
      throw CaseworkError(.noSuchCase, "the ledger has no entry \(index); it has \(checkpoint.size)")
    }
    var entry: [UInt8] = []
    try store.forEachEntry(in: index..<index + 1) { _, data in entry = Array(data) }
    return try proof(of: [entry], at: index, in: checkpoint)
  }

  /// What shows to the keeper of an earlier checkpoint that the ledger of a later one begins with the same entries.
  func consistencyProof(from earlier: Checkpoint, to later: Checkpoint) throws -> [Digest] {
    try tree(of: later).consistencyProof(from: earlier.size)
  }

  /// A proof, after it was checked against the checkpoint: tiles that were damaged make none.
  private func proof(of entries: [[UInt8]], at index: Int64, in checkpoint: Checkpoint) throws -> LedgerProof {
    let siblings = try siblings(of: index, in: checkpoint)
    guard
      try MerkleProof.includes(
        TreeHasher().leaf(entries.last!), at: index, inTreeOf: checkpoint.size, root: checkpoint.root, proof: siblings)
    else {
      throw CaseworkError(
        .ledgerDamaged, "entry \(index) is not the one that was signed, or the tiles are damaged",
        hint: "'muhafiz ledger verify' says which")
    }
    return try LedgerProof(entries: entries, index: index, siblings: siblings, checkpoint: checkpoint)
  }

  private func siblings(of index: Int64, in checkpoint: Checkpoint) throws -> [Digest] {
    try tree(of: checkpoint).inclusionProof(of: index)
  }

  /// The tree as its tiles have it.
  func tree(of checkpoint: Checkpoint) throws -> MerkleTree {
    let files = files
    var kept: [LedgerTile: [Digest]] = [:]
    return try MerkleTree(size: checkpoint.size) { height, index in
      let level = height / 8
      let first = index << Int64(height % 8)
      let tileIndex = first / Int64(LedgerTile.width)
      guard let tile = LedgerTile.at(level: level, index: tileIndex, ofTree: checkpoint.size),
        let hashes = try kept[tile] ?? files.hashes(tile)
      else { throw CaseworkError(.ledgerDamaged, "tile \(tileIndex) of level \(level) is missing or damaged") }
      kept[tile] = hashes
      let start = Int(first % Int64(LedgerTile.width))
      return TreeEdge.fold(hashes[start..<start + 1 << (height % 8)], try TreeHasher())!
    }
  }
}

extension CaseStore {
  /// The entries about a subject, the oldest first.
  public func entries(about subject: LedgerSubject) throws -> [(index: Int64, data: [UInt8])] {
    try read { database in
      try Row.fetchAll(
        database, sql: "SELECT idx, data FROM ledger_entry WHERE subject = ? ORDER BY idx", arguments: ["\(subject)"]
      ).map { ($0["idx"], Array($0["data"] as Data)) }
    }
  }
}
