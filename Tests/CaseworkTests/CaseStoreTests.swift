import Foundation
import Glibc
import Hashing
import Matching
import SystemPackage
import TestSupport
import Testing

@testable import Casework

struct CaseStoreTests {
  private let scratch = try! TemporaryDirectory()
  private var path: FilePath { FilePath(scratch.path("casework.sqlite")) }
  private static let time = Date(timeIntervalSince1970: 1_767_225_600.5)

  private func makeStore(run: String = "r1") throws -> CaseStore {
    let store = try CaseStore(at: path)
    try begin(run, store)
    return store
  }

  private func begin(_ run: String, _ store: CaseStore) throws {
    try store.beginRun(
      RunStart(
        id: run, startedAt: Self.time, tool: "t", examiner: "e", exhibit: nil, roots: ["/x"],
        lists: [ListVersion(name: "l", version: "1")]))
  }

  private func finding(
    _ seed: UInt64, at path: FilePath, exhibit: String? = nil, verdict: Verdict = .block, matches: [Match]? = nil
  ) -> Finding {
    var generator = SeededGenerator(seed: seed)
    let fingerprint = Fingerprint(
      sizeInBytes: 7, digests: [generator.digest(.md5), generator.digest()], perceptualHash: generator.hash(quality: 77)
    )
    let list = ListVersion(name: "l", version: "1")
    let match = Match(
      list: list, entry: "e", algorithm: .sha256, grade: .exact, category: Category(scheme: "S", label: "2"),
      contributor: "c")
    return Finding(
      location: ContentLocation(place: .file(path), exhibit: exhibit), fingerprint: fingerprint,
      mediaType: "image/jpeg",
      matches: matches ?? [match], verdict: verdict, listsUsed: [list])
  }

  @Test func recordTwiceKeepsOneCaseAndOneFinding() throws {
    let store = try makeStore()
    #expect(try store.record([finding(1, at: "/a")], run: "r1", at: Self.time) == summary(opened: 1, new: 1))
    try begin("r2", store)
    let later = Self.time.addingTimeInterval(60)
    #expect(try store.record([finding(1, at: "/a")], run: "r2", at: later) == summary(again: 1))
    let detail = try store.detail(of: CaseNumber(1))
    #expect(detail.findings.count == 1 && detail.summary.findings == 1)
    #expect(detail.findings[0].finding == finding(1, at: "/a"))
    #expect(detail.findings[0].firstRun == "r1" && detail.findings[0].lastRun == "r2")
    #expect(detail.findings[0].firstSeenAt == Self.time && detail.findings[0].lastSeenAt == later)
    #expect(try store.cases().map(\.lastSeenAt) == [later])
  }

  private func summary(opened: Int = 0, joined: Int = 0, new: Int = 0, again: Int = 0) -> RecordSummary {
    var summary = RecordSummary()
    (summary.casesOpened, summary.casesJoined, summary.findingsNew, summary.findingsSeenAgain) = (
      opened, joined, new, again
    )
    return summary
  }

  @Test func theSameContentOrPlaceJoinsItsCase() throws {
    let store = try makeStore()
    _ = try store.record([finding(1, at: "/a"), finding(2, at: "/b")], run: "r1", at: Self.time)
    #expect(try store.record([finding(1, at: "/elsewhere")], run: "r1", at: Self.time) == summary(joined: 1, new: 1))
    #expect(try store.record([finding(3, at: "/b")], run: "r1", at: Self.time) == summary(joined: 1, new: 1))
    #expect(try store.cases().map(\.findings) == [2, 2])
    #expect(try store.detail(of: CaseNumber(1)).linked.isEmpty)
    // Content of the first case at a place of the second: content decides, and the two know of each other.
    _ = try store.record([finding(1, at: "/b")], run: "r1", at: Self.time)
    #expect(try store.detail(of: CaseNumber(1)).findings.count == 3)
    #expect(try store.detail(of: CaseNumber(1)).linked == [CaseNumber(2)])
    #expect(try store.detail(of: CaseNumber(2)).linked == [CaseNumber(1)])
  }

  @Test func placesKeepTheirBytesAndTheirExhibit() throws {
    let store = try makeStore()
    let odd = FilePath(platformString: [0x2F, CChar(bitPattern: 0xFF), CChar(bitPattern: 0xFE), 0x0A, 0])
    _ = try store.record([finding(1, at: odd)], run: "r1", at: Self.time)
    _ = try store.record(
      [finding(2, at: "x.jpg", exhibit: "EX-1"), finding(3, at: "x.jpg", exhibit: "EX-2")], run: "r1", at: Self.time)
    #expect(try store.detail(of: CaseNumber(1)).findings[0].finding.location.place == .file(odd))
    #expect(try store.cases().count == 3)
    #expect(try store.cases(matching: CaseFilter(exhibit: "EX-2")).map(\.number) == [CaseNumber(3)])
  }

  @Test func placesOnADiskImageKeepWhereTheyLie() throws {
    let store = try makeStore()
    func finding(_ seed: UInt64, runs: Int, inode: UInt64?) -> Finding {
      let origin = MemberOrigin(
        volume: 2, inode: inode, allocation: .deleted,
        runs: (0..<runs).map { .init(offset: $0 == 1 ? nil : .max - 1000 + Int64($0), length: .max) },
        isFragmentedFurther: runs > 100)
      let plain = self.finding(seed, at: "/image")
      return Finding(
        location: ContentLocation(place: .file("/image"), member: "vol2/\(seed)", origin: origin),
        fingerprint: plain.fingerprint, mediaType: plain.mediaType, matches: plain.matches, verdict: .block,
        listsUsed: plain.listsUsed)
    }
    // As many runs as a decoder tells of: they all stay in the record, and the entry in the ledger has room.
    let findings = [finding(1, runs: 0, inode: nil), finding(2, runs: 512, inode: .max), finding(3, runs: 2, inode: 5)]
    _ = try store.record(findings, run: "r1", at: Self.time)
    #expect(
      try store.cases().flatMap { try store.detail(of: $0.number).findings.map(\.finding) }.sorted {
        $0.location.member! < $1.location.member!
      } == findings)
    // The image was read anew and the file lies elsewhere: what is shown is what was found last.
    let moved = finding(3, runs: 1, inode: 6)
    _ = try store.record([moved], run: "r1", at: Self.time)
    #expect(try store.cases().contains { try store.detail(of: $0.number).findings.map(\.finding).contains(moved) })
  }

  @Test func aNewerListAddsItsMatchesAndMayRaiseTheVerdict() throws {
    let store = try makeStore()
    let near = Match(
      list: ListVersion(name: "l", version: "1"), entry: "n", algorithm: .pdq, grade: .near, distanceInBits: 12)
    _ = try store.record([finding(1, at: "/a", verdict: .review, matches: [near])], run: "r1", at: Self.time)
    #expect(try store.cases().map(\.verdict) == [.review])
    _ = try store.record([finding(1, at: "/a")], run: "r1", at: Self.time)
    let detail = try store.detail(of: CaseNumber(1))
    #expect(detail.summary.verdict == .block)
    #expect(Set(detail.findings[0].finding.matches.map(\.entry)) == ["n", "e"])
    _ = try store.record([finding(1, at: "/a", verdict: .review, matches: [near])], run: "r1", at: Self.time)
    #expect(try store.cases().map(\.verdict) == [.block])
  }

  @Test func clearAndKnownContentOpensNoCase() throws {
    let store = try makeStore()
    let findings = [finding(1, at: "/a", verdict: .clear), finding(2, at: "/b", verdict: .known)]
    #expect(try store.record(findings, run: "r1", at: Self.time) == summary())
  }

  @Test func aBatchIsRecordedWholeOrNotAtAll() throws {
    let store = try makeStore()
    #expect(throws: CaseworkError.self) {
      try store.record([finding(1, at: "/a"), finding(2, at: "/b")], run: "no such run", at: Self.time)
    }
    #expect(try store.caseCount() == 0)
  }

  @Test func twoStoresOnOneFileLoseNothing() throws {
    let store = try makeStore()
    let path = path
    DispatchQueue.concurrentPerform(iterations: 4) { worker in
      do {
        let own = try CaseStore(at: path)
        for index in 0..<25 {
          let seed = UInt64(worker * 100 + index)
          _ = try own.record([finding(seed + 1, at: FilePath("/\(seed)"))], run: "r1", at: Self.time)
        }
      } catch { Issue.record(error) }
    }
    #expect(try store.caseCount() == 100)
  }

  @Test func reopensWithAllAndNamesRunsWithoutEnd() throws {
    do {
      let store = try makeStore()
      _ = try store.record([finding(1, at: "/a")], run: "r1", at: Self.time)
      try begin("r2", store)
      try store.finishRun("r2", RunOutcome(finishedAt: Self.time, state: .complete, summary: "{}"))
      try store.close()
    }
    let store = try CaseStore(at: path)
    #expect(try store.caseCount() == 1)
    #expect(try store.unfinishedRuns() == ["r1"])
    var status = stat()
    #expect(stat(path.string, &status) == 0 && status.st_mode & 0o777 == 0o600)
  }

  @Test func refusesFilesThatAreNoRecordOrANewerOne() throws {
    try Data("no database, however long this line may be".utf8).write(to: URL(filePath: path.string))
    #expect(throws: CaseworkError(.corrupt, "")) { try CaseStore(at: path) }
    try Data().write(to: URL(filePath: path.string))
    let store = try CaseStore(at: path)
    try store.database.write { try $0.execute(sql: "INSERT INTO grdb_migrations VALUES ('999 from the future')") }
    try store.close()
    #expect(throws: CaseworkError(.newerVersion, "")) { try CaseStore(at: path) }
    #expect(throws: CaseworkError(.cannotOpen, "")) { try CaseStore(at: "/nowhere/at/all.sqlite") }
  }

  @Test func listsInPagesAndByFilter() throws {
    let store = try makeStore()
    let findings = (0..<30).map {
      finding(UInt64($0) + 1, at: FilePath("/\($0)"), verdict: $0 % 3 == 0 ? .block : .review)
    }
    _ = try store.record(findings, run: "r1", at: Self.time)
    #expect(try store.cases(matching: CaseFilter(limit: 7)).map(\.number.value) == Array((24...30).reversed()))
    #expect(try store.cases(matching: CaseFilter(before: CaseNumber(3))).map(\.number.value) == [2, 1])
    #expect(try store.cases(matching: CaseFilter(verdict: .block)).count == 10)
    #expect(try store.cases(matching: CaseFilter(since: Self.time.addingTimeInterval(1))).isEmpty)
    #expect(throws: CaseworkError(.noSuchCase, "")) { try store.detail(of: CaseNumber(31)) }
  }

  @Test func readsCaseNumbersAsPeopleWriteThem() {
    #expect(CaseNumber("C-000012")?.value == 12 && CaseNumber("c-12")?.value == 12 && CaseNumber("12")?.value == 12)
    for text in ["", "C-", "0", "-1", "C-1x", "١٢", "99999999999999999999"] {
      #expect(CaseNumber(text) == nil, "\(text)")
    }
    #expect("\(CaseNumber(12))" == "C-000012" && "\(CaseNumber(1_234_567))" == "C-1234567")
  }

  @Test func aFullDiskIsNamedAndHarmsNothing() throws {
    let mount = scratch.path("small")
    try FileManager.default.createDirectory(atPath: mount, withIntermediateDirectories: true)
    guard geteuid() == 0, try run("/bin/mount", ["-t", "tmpfs", "-o", "size=600k", "none", mount]).exitCode == 0 else {
      print("skipped: a full disk needs root and the right to mount")
      return
    }
    defer { _ = try? run("/bin/umount", ["-l", mount]) }
    let store = try CaseStore(at: FilePath(mount).appending("c.sqlite"))
    try begin("r1", store)
    _ = try store.record([finding(1, at: "/a")], run: "r1", at: Self.time)
    #expect(throws: CaseworkError(.diskFull, "")) {
      for batch in 0..<1000 {
        let findings = (0..<50).map { finding(UInt64(batch * 50 + $0 + 10), at: FilePath("/\(batch)/\($0)")) }
        _ = try store.record(findings, run: "r1", at: Self.time)
      }
    }
    #expect(try store.detail(of: CaseNumber(1)).findings.count == 1)
  }
}
