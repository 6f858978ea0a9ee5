import Foundation
import Hashing
import Matching
import SystemPackage
import TestSupport

@testable import Casework

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
      RunStart(
        id: run, startedAt: now, tool: "muhafiz test", examiner: "examiner", exhibit: nil, roots: ["/x"], lists: [list])
    )
  }

  func finding(_ seed: UInt64, at place: ContentLocation.Place? = nil, verdict: Verdict = .block) -> Finding {
    var generator = SeededGenerator(seed: seed)
    let list = ListVersion(name: "national", version: "1")
    let match = Match(
      list: list, entry: "e\(seed)", algorithm: verdict == .block ? .sha256 : .pdq,
      grade: verdict == .block ? .exact : .near,
      distanceInBits: verdict == .block ? 0 : 12)
    return Finding(
      location: ContentLocation(place: place ?? .url("https://host\(seed).example/\(seed).jpg")),
      fingerprint: Fingerprint(sizeInBytes: 7, digests: [generator.digest()], perceptualHash: generator.hash()),
      mediaType: "image/jpeg", matches: [match], verdict: verdict, listsUsed: [list])
  }

  /// Opens a case on one finding, and has two people decide that it is taken down.
  func decidedCase(_ seed: UInt64 = 1) throws -> CaseNumber {
    let number = try record(seed...seed, run: "run \(seed)")[0]
    _ = try store.act(CaseRequest(number, .propose, by: "analyst", reason: "exact", decision: .takedown), at: now)
    _ = try store.act(CaseRequest(number, .approve, by: "reviewer", reason: "agreed", version: 2), at: now)
    return number
  }

  func ordered(_ seed: UInt64 = 1, isEmergency: Bool = false, profile: RuleProfile? = nil) throws -> Takedown {
    let number = try decidedCase(seed)
    let order = TakedownOrder(
      number, url: "https://host\(seed).example/\(seed).jpg", isEmergency: isEmergency, by: "officer", reason: "decided"
    )
    return try store.order(order, profile: profile ?? Self.profile(), contacts: Self.contacts(), at: now)
  }

  func wait(hours: Double) { now = now.addingTimeInterval(hours * 3600) }

  static func profile(_ change: (inout RuleProfile) -> Void = { _ in }) throws -> RuleProfile {
    var profile = try RuleProfile.all(in: "/nowhere").first { $0.id == "pk-peca-37" }!
    change(&profile)
    return profile
  }

  static func contacts() throws -> ContactTable {
    let json = """
      {"v": 1, "contacts": [
        {"role": "host", "name": "Example Hosting", "email": "abuse@hosting.example", "hosts": ["example"], "country": "PK", "language": "ur"},
        {"role": "host", "name": "Nearer", "email": "abuse@nearer.example", "hosts": ["host7.example"], "shared": false},
        {"role": "host", "name": "By address", "email": "abuse@net.example", "networks": ["192.0.2.0/24", "2001:db8::/32"]},
        {"role": "host", "name": "By smaller network", "email": "abuse@small.example", "networks": ["192.0.2.128/25"]},
        {"role": "upstream", "name": "Carrier", "email": "noc@carrier.example", "hosts": ["example"]}
      ]}
      """
    return try ContactTable(json: Data(json.utf8))
  }

  /// What somebody with the database at hand can do, triggers or not.
  func tamper(_ statements: String...) throws {
    try store.database.write { database in
      try database.execute(
        sql: "DROP TRIGGER IF EXISTS ledger_entry_never_changes; DROP TRIGGER IF EXISTS ledger_entry_never_goes")
      for statement in statements { try database.execute(sql: statement) }
    }
  }

  func file(_ name: String) -> URL { scratch.url.appending(path: name) }
}
