import Foundation
import GRDB
import Hashing
import Matching
import SystemPackage
import TestSupport
import Testing

@testable import Casework

/// Whatever is done to a ledger after it was signed is seen, and the place of it is named.
struct LedgerTamperTests {
  private func published(_ count: Int) throws -> TestHome {
    let home = try TestHome()
    try home.appendEntries(0..<count)
    _ = try home.ledger.publish()
    return home
  }

  @Test func anyByteOfAnyEntryChangedIsFoundAndNamed() throws {
    let home = try published(1000)
    let entries = try home.store.read { try Data.fetchAll($0, sql: "SELECT data FROM ledger_entry ORDER BY idx") }
    try home.tamper()
    // Every byte of some entries, and some bytes of many, one change at a time.
    var changes: [(entry: Int, byte: Int)] = [0, 255, 256, 511, 512, 999].flatMap { entry in
      stride(from: 0, to: entries[entry].count, by: isLongRun ? 1 : 40).map { (entry, $0) }
    }
    var generator = SeededGenerator(seed: 21)
    print("seed 21")
    for _ in 0..<(isLongRun ? 100_000 : 60) {
      let entry = Int.random(in: 0..<1000, using: &generator)
      changes.append((entry, Int.random(in: entries[entry].indices, using: &generator)))
    }
    for (entry, byte) in changes {
      var changed = entries[entry]
      changed[byte] ^= UInt8(1 << Int.random(in: 0..<8, using: &generator))
      try set(changed, at: entry, home)
      let verification = try home.ledger.verify()
      #expect(verification.faults.first?.kind == .entryChanged, "entry \(entry), byte \(byte)")
      #expect(verification.faults.first?.entries == Int64(entry)..<Int64(entry) + 1)
      try set(entries[entry], at: entry, home)
    }
    #expect(try home.ledger.verify().isSound)
  }

  private func set(_ data: Data, at entry: Int, _ home: TestHome) throws {
    try home.store.database.write {
      try $0.execute(sql: "UPDATE ledger_entry SET data = ? WHERE idx = ?", arguments: [data, entry])
    }
  }

  @Test func everySwapOfTwoEntriesIsFound() throws {
    let home = try published(50)
    try home.tamper()
    for one in 0..<50 {
      for other in stride(from: one + 1, to: 50, by: isLongRun ? 1 : 13) {
        let swap = [
          "UPDATE ledger_entry SET idx = 900 WHERE idx = \(one)",
          "UPDATE ledger_entry SET idx = \(one) WHERE idx = \(other)",
          "UPDATE ledger_entry SET idx = \(other) WHERE idx = 900",
        ]
        for statement in swap { try home.tamper(statement) }
        let verification = try home.ledger.verify()
        let named = verification.faults.filter { $0.kind == .entryChanged }.compactMap(\.entries?.lowerBound)
        #expect(named == [Int64(one), Int64(other)])
        for statement in swap { try home.tamper(statement) }
      }
    }
    #expect(try home.ledger.verify().isSound)
  }

  @Test func aRemovedEntryIsFoundAndNamed() throws {
    for entry in [0, 1, 254, 255, 256, 298] {
      let home = try published(300)
      try home.tamper("DELETE FROM ledger_entry WHERE idx = \(entry)")
      let verification = try home.ledger.verify()
      #expect(
        verification.faults.contains { $0.kind == .entryMissing && $0.entries == Int64(entry)..<Int64(entry) + 1 },
        "\(entry)")
      // Nothing more is signed on top of it once the tiles cannot hide it.
      try FileManager.default.removeItem(at: home.file("ledger/tile"))
      try home.appendEntries(0..<1)
      #expect(throws: CaseworkError(.ledgerDamaged, "")) { try home.ledger.publish() }
    }
  }

  @Test func anEntryPutInBetweenIsFound() throws {
    let home = try published(20)
    try home.tamper(
      "UPDATE ledger_entry SET idx = idx + 1000 WHERE idx >= 7",
      "UPDATE ledger_entry SET idx = idx - 999 WHERE idx >= 1000",
      "INSERT INTO ledger_entry SELECT 7, subject, data FROM ledger_entry WHERE idx = 3")
    let verification = try home.ledger.verify()
    #expect(verification.faults.filter { $0.kind == .entryChanged }.first?.entries?.lowerBound == 7)
  }

  @Test func truncationToEverySizeIsFoundByAnyCheckpointKept() throws {
    let home = try published(40)
    let kept = try home.ledger.publish().checkpoint
    for size in stride(from: 39, through: 0, by: -1) {
      try home.tamper("DELETE FROM ledger_entry WHERE idx >= \(size)", "DELETE FROM ledger_checkpoint")
      // The checkpoint of the folder is the one that tells while it is there; it is taken away too.
      if size == 39 {
        #expect(try home.ledger.verify().faults.contains { $0.kind == .cutShort && $0.entries == 39..<40 })
        #expect(throws: CaseworkError(.ledgerDamaged, "")) { try home.ledger.publish() }
        try FileManager.default.removeItem(at: home.file("ledger/checkpoint"))
        try FileManager.default.removeItem(at: home.file("ledger/tile"))
      }
      // With nothing kept elsewhere nobody can tell, and this says so no more than the document does.
      #expect(try home.ledger.verify().isSound)
      let verification = try home.ledger.verify(against: [("mine", kept.note)])
      #expect(verification.faults.map(\.kind) == [.cutShort] && verification.faults[0].entries == Int64(size)..<40)
    }
  }

  @Test func aLedgerWrittenAnewWithTheSameKeyIsFoundByCheckpointsKeptElsewhere() throws {
    let home = try published(100)
    let place = home.file("auditor")
    try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
    try home.ledger.addPlace(FilePath(place.path))
    #expect(try home.ledger.publish().copies.count == 1)
    try home.appendEntries(100..<200)
    #expect(try home.ledger.publish().copies.count == 1)
    // Entry 150 is changed, and everything that was signed here is made again as if it had always been so.
    try home.tamper(
      "UPDATE ledger_entry SET data = CAST(replace(CAST(data AS TEXT), 'list 150', 'list 999') AS BLOB) WHERE idx = 150",
      "DELETE FROM ledger_checkpoint")
    try FileManager.default.removeItem(at: home.file("ledger/tile"))
    try FileManager.default.removeItem(at: home.file("ledger/checkpoint"))
    #expect(throws: CaseworkError(.ledgerDamaged, "")) { try home.ledger.publish() }
    let verification = try home.ledger.verify()
    let rewritten = verification.faults.filter { $0.kind == .rewritten }
    #expect(!rewritten.isEmpty && rewritten.allSatisfy { $0.entries == 100..<200 })
    // Longer than what was signed, and still no continuation of it.
    try home.appendEntries(200..<201)
    #expect(throws: CaseworkError(.ledgerDamaged, "")) { try home.ledger.publish() }
  }

  @Test func checkpointsThatAreForgedOrOfAnotherLedgerAreFound() throws {
    let home = try published(10)
    let other = try published(10)
    let note = try other.ledger.publish().checkpoint.note
    #expect(try home.ledger.verify(against: [("x", note)]).faults.map(\.kind) == [.checkpointInvalid])
    let own = try home.ledger.publish().checkpoint.note
    #expect(
      try home.ledger.verify(against: [("x", own.replacing("\n10\n", with: "\n9\n"))]).faults.map(\.kind) == [
        .checkpointInvalid
      ])
    try Data(own.replacing("\n10\n", with: "\n9\n").utf8).write(to: home.file("ledger/checkpoint"))
    #expect(try !home.ledger.verify().isSound)
    #expect(throws: CaseworkError(.ledgerDamaged, "")) { try home.ledger.publish() }
  }

  @Test func anyByteOfAnyTileOrBundleChangedIsFound() throws {
    let home = try published(300)
    let files = FileManager.default.enumerator(
      at: home.file("ledger/tile"), includingPropertiesForKeys: [.isRegularFileKey])!
      .compactMap { $0 as? URL }.filter { !$0.hasDirectoryPath }.filter {
        FileManager.default.contents(atPath: $0.path) != nil
      }
    #expect(files.count == 5)  // tile/0 and tile/entries full and partial, tile/1 partial.
    var generator = SeededGenerator(seed: 22)
    for file in files {
      let bytes = try Data(contentsOf: file)
      for _ in 0..<12 {
        var changed = bytes
        changed[Int.random(in: bytes.indices, using: &generator)] ^= 1
        try changed.write(to: file)
        #expect(try !home.ledger.verify().isSound, "\(file.path)")
      }
      try bytes.dropLast().write(to: file)
      #expect(try !home.ledger.verify().isSound, "\(file.path)")
      try FileManager.default.removeItem(at: file)
      #expect(try !home.ledger.verify().isSound, "\(file.path)")
      try bytes.write(to: file)
    }
    #expect(try home.ledger.verify().isSound)
  }

  @Test func aCaseThatWasChangedPastTheLedgerIsFound() throws {
    let home = try TestHome()
    let cases = try home.record(1...3)
    _ = try home.ledger.publish()
    try home.tamper("UPDATE case_file SET state = 'closed' WHERE id = \(cases[1].value)")
    let verification = try home.ledger.verify()
    #expect(
      verification.faults.map(\.kind) == [.recordDiffers] && verification.faults[0].description.contains("C-000002"))
    try home.tamper(
      "UPDATE case_file SET state = 'open'", "DELETE FROM match", "DELETE FROM finding",
      "DELETE FROM case_file WHERE id = 3")
    #expect(try home.ledger.verify().faults.map(\.kind) == [.recordDiffers])
  }

  @Test func anEntryThatLosesItsPlaceInAHistoryIsFoundBeforeItIsSigned() throws {
    let home = try TestHome()
    try home.record(1...2)
    try home.tamper("UPDATE ledger_entry SET subject = 'C-000009' WHERE subject = 'C-000002'")
    #expect(try home.ledger.verify().faults.contains { $0.kind == .entryChanged })
  }
}
