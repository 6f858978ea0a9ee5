import Foundation
import GRDB
import Glibc
import Hashing
import Matching
import SystemPackage
import TestSupport
import Testing

@testable import Casework

struct LedgerTests {
  @Test func publishesTheLayoutOfTheSpecificationForEverySize() throws {
    for sizes in [[1], [2], [255], [256], [257], [1, 255, 256, 257, 300, 511, 512, 513]] {
      let home = try TestHome()
      var written = 0
      for size in sizes {
        try home.appendEntries(written..<size)
        written = size
        let checkpoint = try home.ledger.publish().checkpoint
        #expect(checkpoint.size == size)
        let leaves = try leaves(home)
        #expect(checkpoint.root == (try root(leaves)))
        for tile in 0...size / 256 {
          guard let place = LedgerTile.at(level: 0, index: Int64(tile), ofTree: Int64(size)) else { continue }
          let hashes = try Data(contentsOf: home.file("ledger/\(place.path)"))
          #expect(Array(hashes) == LedgerFiles.hashBytes(leaves[tile * 256..<tile * 256 + place.count]))
          let bundle = try Data(
            contentsOf: home.file("ledger/" + LedgerTile(level: nil, index: place.index, count: place.count).path))
          #expect(LedgerTile.entries(ofBundle: Array(bundle))?.count == place.count)
          if place.count == 256 {
            #expect(!FileManager.default.fileExists(atPath: home.file("ledger/\(place.path).p").path))
          }
        }
        let verification = try home.ledger.verify()
        #expect(
          verification.isSound && verification.size == size && verification.root == checkpoint.root,
          "\(verification.faults)")
      }
    }
  }

  private func leaves(_ home: TestHome) throws -> [Digest] {
    let hasher = try TreeHasher()
    var leaves: [Digest] = []
    try home.store.forEachEntry(in: 0..<Int64.max) { _, data in leaves.append(hasher.leaf(data)) }
    return leaves
  }

  private func root(_ leaves: [Digest]) throws -> Digest {
    let hasher = try TreeHasher()
    var edge = TreeEdge()
    for leaf in leaves { edge.append(leaf, hasher) { _, _ in } }
    return edge.root(hasher)
  }

  @Test func publishingTwiceChangesNothingAndAnEmptyLedgerIsSound() throws {
    let home = try TestHome()
    let empty = try home.ledger.publish().checkpoint
    #expect(empty.size == 0 && empty.root == TreeHasher.empty)
    #expect(try home.ledger.verify().isSound)
    try home.appendEntries(0..<3)
    let first = try home.ledger.publish().checkpoint
    #expect(try home.ledger.publish().checkpoint == first)
    #expect(try home.ledger.verify().checkpoints == 3)  // The folder's, and the two that are kept with the entries.
  }

  @Test func tilesAreMadeAgainFromTheEntries() throws {
    let home = try TestHome()
    try home.appendEntries(0..<300)
    let before = try home.ledger.publish().checkpoint
    try FileManager.default.removeItem(at: home.file("ledger/tile"))
    try home.appendEntries(300..<301)
    let after = try home.ledger.publish().checkpoint
    #expect(after.size == 301)
    #expect(try home.ledger.verify().isSound)
    let proof = try home.ledger.consistencyProof(from: before, to: after)
    #expect(try MerkleProof.extends(before.root, of: 300, to: after.root, of: 301, proof: proof))
  }

  @Test func whoeverVerifiesNeedNotBeAbleToSign() throws {
    let home = try TestHome()
    try home.appendEntries(0..<10)
    let note = try home.ledger.publish().checkpoint.note
    try FileManager.default.removeItem(at: home.file("ledger/key"))
    #expect(try home.ledger.verify(against: [("kept", note)]).isSound)
    #expect(throws: CaseworkError(.keyUnusable, "")) { try home.ledger.publish() }
  }

  @Test func proofsHoldWithThePublicKeyAlone() throws {
    let home = try TestHome()
    let cases = try home.record(1...300)
    let key = try home.ledger.key().publicKey
    for number in [cases[0], cases[150], cases[299]] {
      let proof = try home.ledger.proof(of: .caseFile(number))
      #expect(proof.text.utf8.count < LedgerProof.usualSize && proof.isWhole && proof.entries.count == 1)
      let checked = try LedgerProof(checking: proof.text, key: key)
      #expect(checked.entries == proof.entries && checked.index == proof.index && checked.isWhole)
      let other = try LedgerKey(name: key.name, seed: Array(repeating: 3, count: 32)).publicKey
      #expect(throws: CaseworkError(.ledgerDamaged, "")) { try LedgerProof(checking: proof.text, key: other) }
    }
    #expect(throws: CaseworkError(.noSuchCase, "")) { try home.ledger.proof(of: .caseFile(CaseNumber(999))) }
  }

  @Test func aProofWithAnyByteChangedIsRefused() throws {
    let home = try TestHome()
    let number = try home.record(1...5)[2]
    let key = try home.ledger.key().publicKey
    let text = Array(try home.ledger.proof(of: .caseFile(number)).text.utf8)
    for position in text.indices {
      for value in [text[position] ^ 1, text[position] ^ 0x20] {
        var changed = text
        changed[position] = value
        guard let note = String(validating: changed, as: UTF8.self) else { continue }
        #expect(throws: CaseworkError.self, "byte \(position)") { try LedgerProof(checking: note, key: key) }
      }
      #expect(throws: CaseworkError.self) {
        try LedgerProof(checking: String(decoding: text[..<position], as: UTF8.self), key: key)
      }
    }
  }

  @Test func aClockThatGoesBackIsRecordedAndOrderStays() throws {
    let home = try TestHome()
    var written: [String] = []
    for (step, jump) in [0, 86_400, -86_400, -3600, 1, 0.001, -0.001].enumerated() {
      home.now = home.now.addingTimeInterval(jump)
      try home.appendEntries(step..<step + 1)
      written.append(LedgerTime.text(home.now.milliseconds))
    }
    var times: [String] = []
    var back: [Int64?] = []
    try home.store.forEachEntry(in: 0..<100) { _, data in
      let object = try JSONSerialization.jsonObject(with: Data(data)) as! [String: Any]
      times.append(object["time"] as! String)
      back.append((object["clock_back_ms"] as? NSNumber)?.int64Value)
    }
    #expect(times == written)
    #expect(back == [nil, nil, 86_400_000, 3_600_000, nil, nil, 1])
    _ = try home.ledger.publish()
    #expect(try home.ledger.verify().isSound)
  }

  @Test func anEntryPast64KiBIsRefusedAndNothingOfItsTransactionStays() throws {
    let home = try TestHome()
    #expect(throws: CaseworkError(.entryTooLong, "")) {
      try home.store.write { _, ledger in
        try ledger.append(LedgerEntry(.login, by: "u"), at: home.now)
        try ledger.append(LedgerEntry(.login, by: String(repeating: "u", count: 0x1_0000)), at: home.now)
      }
    }
    #expect(try home.store.entryCount() == 0)
  }

  @Test func entriesCannotBeChangedThroughTheDatabaseByAccident() throws {
    let home = try TestHome()
    try home.appendEntries(0..<2)
    for statement in ["UPDATE ledger_entry SET idx = 7 WHERE idx = 1", "DELETE FROM ledger_entry"] {
      #expect(throws: (any Error).self) { try home.store.database.write { try $0.execute(sql: statement) } }
    }
    #expect(try home.store.entryCount() == 2)
  }

  @Test func writesOfManyThreadsAreGroupedAndEachSucceedsOrFailsAlone() throws {
    let home = try TestHome()
    try home.store.write { database, _ in try database.execute(sql: "CREATE TABLE t (n INTEGER UNIQUE)") }
    let store = home.store
    let now = home.now
    DispatchQueue.concurrentPerform(iterations: 8) { worker in
      for number in 0..<50 {
        do {
          try store.write { database, ledger in
            try ledger.append(LedgerEntry(.login, by: "worker \(worker)"), at: now)
            try database.execute(sql: "INSERT INTO t VALUES (?)", arguments: [worker * 1000 + number])
            // Every fifth is there already: what its transaction appended must go with it.
            if number % 5 == 4 {
              try database.execute(sql: "INSERT INTO t VALUES (?)", arguments: [worker * 1000 + number])
            }
          }
          if number % 5 == 4 { Issue.record("a duplicate was written") }
        } catch {
          if number % 5 != 4 { Issue.record(error) }
        }
      }
    }
    #expect(try store.entryCount() == 8 * 40)
    #expect(try store.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM t") } == 8 * 40)
    _ = try home.ledger.publish()
    #expect(try home.ledger.verify().isSound)
  }
}
