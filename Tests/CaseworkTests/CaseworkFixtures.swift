import Foundation
import Hashing
import Matching
import SystemPackage
import TestSupport

@testable import Casework

/// Whether the figures of long runs are asked for, and not only those of every change.
let isLong = ProcessInfo.processInfo.environment["MUHAFIZ_TEST_LONG"] == "1"

/// A home in a folder of a test's own, and a clock that the test sets.
final class TestHome {
  let scratch = try! TemporaryDirectory()
  let store: CaseStore
  let ledger: Ledger
  var now = Date(timeIntervalSince1970: 1_767_225_600)

  init() throws {
    store = try CaseStore(at: FilePath(scratch.path("casework.sqlite")))
    ledger = Ledger(store, folder: FilePath(scratch.path("ledger")))
  }

  /// Appends entries about nothing in particular, as a list that changes would.
  func appendEntries(_ range: Range<Int>) throws {
    try store.write { _, ledger in
      for number in range {
        try ledger.append(LedgerEntry(.listChanged, by: "u") { $0.add("list", "list \(number)") }, at: now)
      }
    }
  }

  /// Opens cases, one for each finding, in one run.
  @discardableResult
  func record(_ seeds: ClosedRange<UInt64>, run: String = "r1", verdict: Verdict = .block) throws -> [CaseNumber] {
    try beginRun(run)
    let before = try store.caseCount()
    _ = try store.record(seeds.map { finding($0, verdict: verdict) }, run: run, at: now)
    return try (before + 1...store.caseCount()).map { CaseNumber(Int64($0)) }
  }

  func beginRun(_ run: String) throws {
    let list = ListVersion(name: "national", version: "1")
    try store.beginRun(
      RunStart(id: run, startedAt: now, tool: "muhafiz test", examiner: "examiner", exhibit: nil, roots: ["/x"], lists: [list]))
  }

  func finding(_ seed: UInt64, at place: ContentLocation.Place? = nil, verdict: Verdict = .block) -> Finding {
    var generator = SeededGenerator(seed: seed)
    let list = ListVersion(name: "national", version: "1")
    let match = Match(
      list: list, entry: "e\(seed)", algorithm: verdict == .block ? .sha256 : .pdq, grade: verdict == .block ? .exact : .near,
      distanceInBits: verdict == .block ? 0 : 12)
    return Finding(
      location: ContentLocation(place: place ?? .url("https://host\(seed).example/\(seed).jpg")),
      fingerprint: Fingerprint(sizeInBytes: 7, digests: [generator.digest()], perceptualHash: generator.hash()),
      mediaType: "image/jpeg", matches: [match], verdict: verdict, listsUsed: [list])
  }

  /// What somebody with the database at hand can do, triggers or not.
  func tamper(_ statements: String...) throws {
    try store.database.write { database in
      try database.execute(sql: "DROP TRIGGER IF EXISTS ledger_entry_never_changes; DROP TRIGGER IF EXISTS ledger_entry_never_goes")
      for statement in statements { try database.execute(sql: statement) }
    }
  }

  func file(_ name: String) -> URL { scratch.url.appending(path: name) }
}
