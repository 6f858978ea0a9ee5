import Foundation
import Hashing
import Matching
import SystemPackage
import TestSupport
import Testing

@testable import Casework

struct TakedownTests {
  private let home = try! TestHome()

  private func recheck(_ takedown: Takedown, _ answer: RecheckAnswer) throws -> Takedown {
    try home.store.rechecked(takedown.number, answer, profile: TestHome.profile(), by: "rechecker", at: home.now)
  }

  private func states(_ number: TakedownNumber) throws -> [String] {
    try home.store.entries(about: .takedown(number)).map { entry in
      let object = try JSONSerialization.jsonObject(with: Data(entry.data)) as! [String: Any]
      return "\(object["type"]!) \(object["state"]!)"
    }
  }

  /// From a finding to a closed takedown and a closed case, then back once more, with the clock in the test's hands.
  @Test func aWholeLifeAndAReturnThatReopensIt() throws {
    let begun = home.now
    _ = try home.store.addReport(
      WebURL("https://host1.example/1.jpg"), source: "hotline", by: "clerk", at: home.now)
    home.wait(hours: 1)
    var takedown = try home.ordered()
    #expect(
      takedown.state == .ordered && takedown.receivedAt == begun && takedown.recipient.email == "abuse@hosting.example")
    #expect(try home.store.detail(of: takedown.caseNumber).summary.state == .actioned)
    home.wait(hours: 1)
    takedown = try home.store.notified(takedown.number, how: "mail 1", by: "officer", at: home.now)
    #expect(takedown.deadline == home.now.addingTimeInterval(48 * 3600))
    home.wait(hours: 30)
    #expect(
      try home.store.remind(profiles: [TestHome.profile()], by: "timer", at: home.now).map(\.number) == [
        takedown.number
      ])
    #expect(try home.store.remind(profiles: [TestHome.profile()], by: "timer", at: home.now).isEmpty)
    takedown = try home.store.acknowledged(takedown.number, reference: "ticket 4711", by: "officer", at: home.now)
    takedown = try recheck(takedown, .stillUp)
    home.wait(hours: 6)
    let gone = home.now
    takedown = try recheck(takedown, .gone)
    #expect(takedown.goneCount == 1 && takedown.state == .acknowledged)
    home.wait(hours: 1)
    takedown = try recheck(takedown, .gone)
    #expect(takedown.state == .closed && takedown.removedAt == gone)
    #expect(takedown.nextCheckAt == home.now.addingTimeInterval(168 * 3600))
    #expect(try home.store.detail(of: takedown.caseNumber).summary.state == .closed)

    home.wait(hours: 168)
    #expect(try home.store.dueForRecheck(at: home.now).map(\.number) == [takedown.number])
    takedown = try home.store.recheckDue(profiles: [TestHome.profile()], by: "rechecker", at: home.now) { _ in
      (.stillUp, "HTTP 200")
    }[0]
    #expect(
      takedown.state == .returned && takedown.returns == 1 && takedown.removedAt == nil && takedown.deadline == nil)
    #expect(try home.store.detail(of: takedown.caseNumber).summary.state == .actioned)
    takedown = try home.store.notified(takedown.number, how: "mail 2", by: "officer", at: home.now)
    #expect(
      takedown.deadline == home.now.addingTimeInterval(48 * 3600)
        && takedown.notifiedAt == begun.addingTimeInterval(2 * 3600))
    for _ in 0..<2 {
      home.wait(hours: 1)
      takedown = try recheck(takedown, .gone)
    }
    #expect(takedown.state == .closed)
    #expect(
      try states(takedown.number) == [
        "takedown.issued ordered", "takedown.notified notified", "takedown.reminded notified",
        "takedown.acknowledged acknowledged",
        "takedown.rechecked acknowledged", "takedown.rechecked acknowledged", "takedown.closed closed",
        "takedown.reopened returned", "takedown.notified notified", "takedown.rechecked notified",
        "takedown.closed closed",
      ])
    _ = try home.ledger.publish()
    let verification = try home.ledger.verify()
    #expect(verification.isSound, "\(verification.faults)")
    let proof = try home.ledger.proof(of: .takedown(takedown.number))
    #expect(proof.text.utf8.count < LedgerProof.usualSize)
    #expect(try home.ledger.proof(of: .takedown(takedown.number), whole: true).entries.count == 11)
  }

  @Test func onlyTwoAnswersOfGoneInARowCloseIt() throws {
    func closes(_ answers: [RecheckAnswer], hoursApart: Double = 1) throws -> Bool {
      let home = try TestHome()
      var takedown = try home.ordered()
      for answer in answers {
        home.wait(hours: hoursApart)
        takedown = try home.store.rechecked(takedown.number, answer, profile: TestHome.profile(), by: "r", at: home.now)
      }
      return takedown.state == .closed
    }
    #expect(try closes([.gone, .gone]))
    #expect(try !closes([.gone, .gone], hoursApart: 0.1) && closes([.gone, .gone], hoursApart: 0.25))
    for answer in RecheckAnswer.allCases where answer != .gone {
      #expect(try !closes([answer, answer, answer]) && !closes([.gone, answer, .gone]), "\(answer)")
      #expect(try closes([.gone, answer, .gone, .gone]))
    }
  }

  @Test func aFetchThatFailsIsUnreachableAndNeverGone() throws {
    let takedown = try home.ordered()
    home.wait(hours: 2)
    let after = try home.store.recheckDue(profiles: [TestHome.profile()], by: "r", at: home.now) { _ in
      throw Errno.noSpace
    }
    #expect(after.map(\.goneCount) == [0] && after[0].state == .ordered)
    #expect(try states(takedown.number).last == "takedown.rechecked ordered")
    // Checks thin out while it is up: an hour, six, a day, and every day.
    var hours: [Double] = []
    for _ in 0..<4 {
      hours.append(try recheck(takedown, .stillUp).nextCheckAt!.timeIntervalSince(home.now) / 3600)
    }
    #expect(hours == [24, 24, 24, 24])
  }

  @Test func whatIsNotAllowedIsRefusedWithItsReasonAndRecorded() throws {
    let number = try home.decidedCase()
    let undecided = try home.record(2...2, run: "r2")[0]
    let url = "https://host1.example/1.jpg"
    func order(
      _ change: (inout TakedownOrder) -> Void = { _ in }, _ profile: (inout RuleProfile) -> Void = { _ in },
      contacts: ContactTable? = nil
    ) throws {
      var order = TakedownOrder(number, url: url, by: "officer", reason: "decided")
      change(&order)
      _ = try home.store.order(
        order, profile: TestHome.profile(profile), contacts: contacts ?? TestHome.contacts(), at: home.now)
    }
    let attempts: [(String, () throws -> Void)] = [
      ("not decided", { try order { $0.caseNumber = undecided } }),
      ("a reason is needed", { try order { $0.reason = "" } }),
      ("not in force", { try order({ _ in }, { $0.effectiveUntil = "2025-12-31" }) }),
      ("not in force", { try order({ _ in }, { $0.effectiveFrom = "2026-01-02" }) }),
      ("may not sign", { try order({ _ in }, { $0.signers = ["director"] }) }),
      ("was found at that URL", { try order { $0.url = "https://host1.example/2.jpg" } }),
      ("names no host", { try order(contacts: ContactTable()) }),
    ]
    for (reason, attempt) in attempts {
      let before = try home.store.entryCount()
      let error = #expect(throws: CaseworkError.self) { try attempt() }
      #expect(
        error?.code == .refused && error?.description.contains(reason) == true, "\(reason): \(error?.description ?? "")"
      )
      #expect(try home.store.entryCount() == before + 1)
    }
    #expect(throws: CaseworkError(.unusableData, "")) { try order { $0.url = "ftp://host1.example/" } }
    try order()
    #expect(throws: CaseworkError(.refused, "")) { try order() }  // One is under way.
    let takedown = try home.store.takedowns()[0]
    #expect(throws: CaseworkError(.refused, "")) {
      try home.store.acknowledged(takedown.number, reference: "", by: "x", at: home.now)
    }
    #expect(throws: CaseworkError(.refused, "")) {
      try home.store.end(takedown.number, withdraw: true, reason: " ", by: "x", at: home.now)
    }
    _ = try home.store.end(takedown.number, withdraw: true, reason: "wrong host", by: "x", at: home.now)
    #expect(throws: CaseworkError(.refused, "")) { try recheck(takedown, .gone) }
    #expect(throws: CaseworkError(.noSuchTakedown, "")) { try home.store.takedown(TakedownNumber(9)) }
    #expect(try home.ledger.verify().isSound)
  }

  @Test func everyTransitionOfTheTableAndNoOtherIsPossible() throws {
    for state in TakedownState.allCases {
      for event in TakedownEvent.allCases where event != .reopen && event != .remind {
        let home = try TestHome()
        let takedown = try home.ordered()
        try home.tamper("UPDATE takedown SET state = '\(state.rawValue)', deadline_at = 0 WHERE id = 1")
        do {
          let number = takedown.number
          let after =
            switch event {
            case .notify: try home.store.notified(number, how: "x", by: "a", at: home.now)
            case .acknowledge: try home.store.acknowledged(number, reference: "x", by: "a", at: home.now)
            case .escalate:
              try home.store.escalate(
                number, profile: TestHome.profile(), contacts: TestHome.contacts(), by: "a", at: home.now)
            case .recheck:
              try home.store.rechecked(number, .changed, profile: TestHome.profile(), by: "a", at: home.now)
            default: try home.store.end(number, withdraw: event == .withdraw, reason: "x", by: "a", at: home.now)
            }
          #expect(after.state == event.next(from: state), "\(event) from \(state)")
        } catch let error as CaseworkError {
          #expect(event.next(from: state) == nil && error.code == .refused, "\(event) from \(state): \(error)")
        }
      }
    }
  }

  @Test func theLadderIsClimbedAfterTheDeadlineOnly() throws {
    var takedown = try home.ordered(isEmergency: true)
    #expect(takedown.hours == 12)
    takedown = try home.store.notified(takedown.number, how: "mail", by: "officer", at: home.now)
    func escalate() throws -> Takedown {
      try home.store.escalate(
        takedown.number, profile: TestHome.profile(), contacts: TestHome.contacts(), by: "officer", at: home.now)
    }
    home.wait(hours: 12)
    #expect(!takedown.isOverdue(at: home.now))
    #expect(throws: CaseworkError(.refused, "")) { try escalate() }
    home.wait(hours: 0.01)
    #expect(takedown.isOverdue(at: home.now))
    takedown = try escalate()
    #expect(takedown.rung == 1 && takedown.recipient.name == "Carrier" && takedown.state == .ordered)
    takedown = try home.store.notified(takedown.number, how: "mail", by: "officer", at: home.now)
    home.wait(hours: 13)
    // Nobody in the table is a registrar.
    let error = #expect(throws: CaseworkError.self) { try escalate() }
    #expect(error?.description.contains("registrar") == true)
  }

  @Test func remindersComeOnceEachAndNotOnesThatAnEmergencyHasNoTimeFor() throws {
    let takedown = try home.ordered(isEmergency: true)
    _ = try home.store.notified(takedown.number, how: "mail", by: "officer", at: home.now)
    func due() throws -> Int { try home.store.remind(profiles: [TestHome.profile()], by: "timer", at: home.now).count }
    #expect(try due() == 0)  // 24 hours before is more than the 12 there are.
    home.wait(hours: 6)
    #expect(try due() == 1 && due() == 0)
    home.wait(hours: 5)
    #expect(try due() == 1 && due() == 0)
    home.wait(hours: 9)
    #expect(try due() == 0)
  }

  @Test func contactsAreFoundByLongestNameAndSmallestNetwork() throws {
    let table = try TestHome.contacts()
    #expect(table.contact(role: "host", host: "a.b.example")?.name == "Example Hosting")
    #expect(table.contact(role: "host", host: "www.host7.example")?.name == "Nearer")
    #expect(table.contact(role: "host", host: "nothost7.other", address: "192.0.2.9")?.name == "By address")
    #expect(table.contact(role: "host", host: "192.0.2.200")?.name == "By smaller network")
    #expect(table.contact(role: "host", host: "2001:db8::7")?.name == "By address")
    #expect(
      table.contact(role: "host", host: "192.0.3.1") == nil
        && table.contact(role: "registrar", host: "a.example") == nil)
    #expect(table.contact(role: "host", host: "notexample") == nil)
    for bad in [
      "[]", #"{"v": 2, "contacts": []}"#, #"{"v":1,"contacts":[{"role":"host","name":"x","email":"a@b\nBcc: c@d"}]}"#,
      #"{"v":1,"contacts":[{"role":"host","name":"x","email":"a@b","networks":["10.0.0.0/33"]}]}"#,
    ] { #expect(throws: CaseworkError(.unusableData, ""), "\(bad)") { try ContactTable(json: Data(bad.utf8)) } }
  }

  @Test func profilesAreReadStrictlyAndThoseOfTheHomeComeFirst() throws {
    let folder = home.file("profiles")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    var own = try TestHome.profile { $0.hours = 36 }
    own.confirmed = true
    try JSONEncoder().encode(own).write(to: folder.appending(path: "own.json"))
    let all = try RuleProfile.all(in: FilePath(folder.path))
    #expect(all.map(\.id) == ["pk-peca-37", "pk-smpra", "voluntary-notice"] && all[0].hours == 36)
    // Nothing that comes with the program passes for law that somebody has checked.
    #expect(try RuleProfile.all(in: "/nowhere").allSatisfy { !$0.confirmed && $0.confirm != nil })
    for change: (inout RuleProfile) -> Void in [
      { $0.v = 2 }, { $0.hours = 0 }, { $0.emergencyHours = 49 }, { $0.effectiveFrom = "2026-02-30" },
      { $0.recheckHours = [] },
      { $0.escalation = [] }, { $0.orderDays = -1 }, { $0.reminderHours = [9999] },
    ] {
      let json = try JSONEncoder().encode(TestHome.profile(change))
      #expect(throws: CaseworkError(.unusableData, "")) { try RuleProfile(json: json, name: "x") }
    }
    let error = #expect(throws: CaseworkError.self) { try RuleProfile(json: Data(#"{"v": 1}"#.utf8), name: "x") }
    #expect(error?.description.contains("'id' is missing") == true)
  }
}
