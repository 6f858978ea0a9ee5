import Foundation
import Matching
import SystemPackage
import TestSupport
import Testing

@testable import Casework

/// What is left of a ledger's files when the power fails in any operation of publishing them.
///
/// The entries are in SQLite, whose own tests cut its power; here it is the tiles and checkpoints that are made from them.
struct LedgerPowerCutTests {
  @Test func afterEveryPowerCutTheLastCheckpointHoldsAndTheNextCanBeMade() throws {
    let home = try TestHome()
    let key = try home.ledger.key()
    let folder = home.file("disk")
    try FileManager.default.createDirectory(at: folder.appending(path: "ledger"), withIntermediateDirectories: true)
    try copyKey(home, to: folder)
    let disk = CrashFileSystem(root: FilePath(folder.path).appending("ledger"))
    let ledger = Ledger(
      home.store, files: LedgerFiles(folder: FilePath(folder.path).appending("ledger"), fileSystem: disk))
    // Sizes at which tiles begin, grow, fill and leave partial ones behind.
    var published: [(operations: Int, size: Int64)] = [(0, 0)]
    var size = 0
    for next in [1, 2, 200, 256, 257, 300, 512, 600] {
      try home.appendEntries(size..<next)
      size = next
      published.append((disk.operations.count, try ledger.publish().checkpoint.size))
      published[published.count - 1].operations = disk.operations.count
    }

    var generator = SeededGenerator(seed: 41)
    var now = PowerCut()
    var cuts = 0
    var lost = 0
    for (number, operation) in disk.operations.enumerated() {
      let moment = now.during(operation)
      now.perform(operation)
      let promised = published.last { $0.operations <= number }!.size
      for _ in 0..<(isLongRun ? 100 : 1) {
        let remains = moment.remains(using: &generator)
        cuts += 1
        lost += remains.namesLost + remains.sectorsDropped + remains.sectorsTurnedToGarbage
        let left = try TemporaryDirectory(inMemory: true)
        for folder in [""] + remains.folders.sorted() {
          try FileManager.default.createDirectory(
            atPath: left.path("ledger/\(folder)"), withIntermediateDirectories: true)
        }
        for (path, bytes) in remains.files { try Data(bytes).write(to: left.url.appending(path: "ledger/\(path)")) }
        try copyKey(home, to: left.url)
        let after = Ledger(home.store, folder: FilePath(left.path("ledger")))
        let kept = try after.lastCheckpoint(key.publicKey)?.size ?? 0
        #expect(kept >= promised, "seed 41, operation \(number): a checkpoint over \(promised) entries was reported")
        let verification = try after.verify(workers: 1)
        #expect(
          verification.isSound && verification.signed == kept, "seed 41, operation \(number): \(verification.faults)")
        if cuts % 8 == 0 {
          #expect(try after.publish().checkpoint.size == 600)
          #expect(try after.verify(workers: 1).isSound)
        }
      }
    }
    #expect(lost > 0, "no cut lost anything")
    print(
      "\(cuts) power cuts in \(disk.operations.count) operations, \(lost) names and sectors lost, every reported checkpoint kept"
    )
  }

  private func copyKey(_ home: TestHome, to folder: URL) throws {
    for name in ["key", "key.pub"] {
      try Data(contentsOf: home.file("ledger/\(name)")).write(to: folder.appending(path: "ledger/\(name)"))
    }
  }
}
