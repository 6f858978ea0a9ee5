import Foundation
import GRDB
import Hashing
import Matching
import SystemPackage
import TestSupport
import Testing

@testable import Casework

/// From an imported list and a scanned exhibit to a closed takedown, through the program and with a clock that is set.
struct WholeLifeTests {
  private let scratch = try! TemporaryDirectory()
  private static let testdata = Corpus.packageRoot.appending(path: "testdata").path

  @discardableResult
  private func muhafiz(_ arguments: String..., exit expected: Int32 = 0) throws -> String {
    let result = try run(
      builtProgram("muhafiz"), arguments, environment: ["MUHAFIZ_HOME": scratch.path("home")], in: scratch.url)
    #expect(result.exitCode == expected, "\(arguments.joined(separator: " ")): \(result.errorText)")
    return result.text + result.errorText
  }

  @Test func fromListToProof() throws {
    try muhafiz("list", "import", "--name", "national", "\(Self.testdata)/lists/known.sha256")
    try muhafiz("report", "add", "hxxps://host1[.]example/page", "--source", "hotline", "--as", "clerk")
    try muhafiz(
      "scan", "\(Self.testdata)/pictures/dunes.jpg", "--record", "--exhibit", "EX-7", "--as", "examiner", exit: 1)
    try muhafiz("case", "link", "C-1", "R-1", "--why", "saved from there", "--as", "analyst")
    try muhafiz("case", "claim", "1", "--as", "analyst")
    #expect(
      try muhafiz(
        "case", "decide", "1", "propose", "--decision", "takedown", "--reason", "exact", "--as", "other", exit: 2
      ).contains("claimed by analyst"))
    try muhafiz("case", "decide", "1", "propose", "--decision", "takedown", "--reason", "exact", "--as", "analyst")
    #expect(
      try muhafiz("case", "decide", "1", "approve", "--version", "4", "--reason", "mine", "--as", "analyst", exit: 2)
        .contains("who proposes cannot approve"))
    #expect(
      try muhafiz("case", "decide", "1", "approve", "--version", "3", "--reason", "old", "--as", "reviewer", exit: 2)
        .contains("was changed since"))
    try muhafiz("case", "decide", "1", "approve", "--version", "4", "--reason", "agreed", "--as", "reviewer")
    let contacts =
      #"{"v":1,"contacts":[{"role":"host","name":"Host","email":"abuse@host1.example","hosts":["host1.example"]}]}"#
    try Data(contacts.utf8).write(to: scratch.url.appending(path: "home/contacts.json"))
    #expect(
      try muhafiz("takedown", "issue", "C-1", "--profile", "nonsense", "--reason", "x", exit: 2).contains(
        "there is no rule profile"))
    #expect(
      try muhafiz("takedown", "issue", "C-1", "--profile", "pk-peca-37", "--reason", "decided", "--as", "officer")
        .contains("not confirmed"))
    #expect(try muhafiz("takedown", "notice", "T-1", "--language", "ur").contains("https://host1.example/page"))
    // Nobody said who sends it.
    try muhafiz("takedown", "notice", "T-1", "--xarf", "--classification", "baseline", exit: 2)
    try muhafiz("takedown", "update", "T-1", "notified", "--text", "mail 1", "--as", "officer")

    // Time passes, which only a test can make it do.
    let home = FilePath(scratch.path("home"))
    let store = try CaseStore(at: home.appending("casework.sqlite"))
    var now = Date()
    func recheck(_ answer: RecheckAnswer, after hours: Double) throws -> Takedown {
      now = now.addingTimeInterval(hours * 3600)
      return try store.rechecked(TakedownNumber(1), answer, profile: TestHome.profile(), by: "rechecker", at: now)
    }
    #expect(try recheck(.gone, after: 1).state == .notified && recheck(.gone, after: 1).state == .closed)
    #expect(try store.detail(of: CaseNumber(1)).summary.state == .closed)
    #expect(try recheck(.stillUp, after: 168).state == .returned)
    #expect(try store.detail(of: CaseNumber(1)).summary.state == .actioned)
    #expect(try recheck(.gone, after: 1).state == .returned && recheck(.gone, after: 1).state == .closed)
    try store.close()

    // Every list that comes into force leaves an entry, the first as well, and so does what leaves the house.
    try muhafiz("list", "import", "--name", "second", "\(Self.testdata)/lists/known.sha256")
    #expect(try muhafiz("takedown", "show", "1").contains("returned 1 times"))
    let checkpoint = try muhafiz("ledger", "checkpoint")
    try Data(checkpoint.utf8).write(to: scratch.url.appending(path: "kept"))
    #expect(try muhafiz("ledger", "verify", "--from", "kept").contains("sound"))
    for subject in ["C-1", "T-1"] {
      try muhafiz("ledger", "prove", subject, "-o", "proof", "--whole")
      #expect(try muhafiz("ledger", "check", "proof", "--key", "home/ledger/key.pub").contains("the proof holds"))
    }
    try muhafiz("export", "statistics", "--minimum-cell", "1")
    let entries = try CaseStore(at: home.appending("casework.sqlite"))
    let changes = try entries.read {
      try Int.fetchOne(
        $0, sql: "SELECT count(*) FROM ledger_entry WHERE CAST(data AS TEXT) ->> '$.type' IN ('list.changed', 'exported')")
    }
    #expect(changes == 3)
    try entries.close()
    // One letter of one entry is changed; then the key is gone.
    let changed = try String(contentsOf: scratch.url.appending(path: "proof"), encoding: .utf8).replacing(
      "index ", with: "index 1")
    try Data(changed.utf8).write(to: scratch.url.appending(path: "changed"))
    try muhafiz("ledger", "check", "changed", "--key", "home/ledger/key.pub", exit: 14)
    try muhafiz("ledger", "check", "proof", "--key", "kept", exit: 12)
    let edited = try CaseStore(at: home.appending("casework.sqlite"))
    try edited.database.write {
      try $0.execute(
        sql:
          "DROP TRIGGER ledger_entry_never_changes; UPDATE ledger_entry SET data = CAST(replace(CAST(data AS TEXT), 'agreed', 'agreeD') AS BLOB)"
      )
    }
    try edited.close()
    #expect(try muhafiz("ledger", "verify", exit: 14).contains("is not the one that was recorded"))
    try Data("nothing".utf8).write(to: scratch.url.appending(path: "home/ledger/key"))
    #expect(try muhafiz("ledger", "checkpoint", exit: 12).contains("no signing key"))
  }
}
