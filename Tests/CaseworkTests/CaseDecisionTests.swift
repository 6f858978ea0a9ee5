import Foundation
import GRDB
import Hashing
import Matching
import SystemPackage
import TestSupport
import Testing

@testable import Casework

struct CaseDecisionTests {
  private let home = try! TestHome()

  @discardableResult
  private func act(
    _ number: CaseNumber, _ action: CaseAction, by: String, reason: String = "because", decision: CaseDecision? = nil,
    version: Int? = nil, policy: CasePolicy = CasePolicy()
  ) throws -> CaseSummary {
    try home.store.act(
      CaseRequest(number, action, by: by, reason: reason, decision: decision, version: version), policy: policy,
      at: home.now)
  }

  private func version(_ number: CaseNumber) throws -> Int { try home.store.detail(of: number).summary.version }

  private func approve(_ number: CaseNumber, by: String) throws {
    try act(number, .approve, by: by, version: version(number))
  }

  /// The entries about a case, as objects.
  private func history(_ number: CaseNumber) throws -> [[String: Any]] {
    try home.store.entries(about: .caseFile(number)).map {
      try JSONSerialization.jsonObject(with: Data($0.data)) as! [String: Any]
    }
  }

  @Test func twoPeopleDecideAndTheReasonStandsInTheRecord() throws {
    let number = try home.record(1...1)[0]
    try act(number, .propose, by: "a", reason: "entry e1", decision: .takedown)
    try approve(number, by: "b")
    let summary = try home.store.detail(of: number).summary
    #expect(
      summary.state == .decided && summary.decision == .takedown && summary.proposedBy == "a"
        && summary.decidedBy == "b")
    let history = try history(number)
    #expect(history.map { $0["state"] as? String } == ["open", "proposed", "decided"])
    #expect(
      history[1]["reason"] as? String == "entry e1"
        && history[1]["evidence"] as? String == history[2]["evidence"] as? String)
    #expect((history[2]["evidence"] as? String)?.count == 64)
    _ = try home.ledger.publish()
    #expect(try home.ledger.verify().isSound)
    #expect(try home.ledger.proof(of: .caseFile(number)).entries.count == 3)
  }

  @Test func whatIsNotAllowedIsRefusedWithItsReasonAndRecorded() throws {
    let exact = try home.record(1...1)[0]
    let near = try home.record(2...2, run: "r2", verdict: .review)[0]
    let onePerson = CasePolicy(exactNeedsTwo: false)
    try act(near, .propose, by: "a", decision: .takedown)
    let before = try version(near)
    let attempts: [(String, () throws -> Void)] = [
      ("who proposes cannot approve", { try act(near, .approve, by: "a", version: before) }),
      ("which version", { try act(near, .approve, by: "b") }),
      ("is at version", { try act(near, .approve, by: "b", version: before - 1) }),
      ("cannot reject", { try act(near, .reject, by: "a") }),
      ("who proposed, can withdraw", { try act(near, .withdraw, by: "b") }),
      ("cannot be decided", { try act(near, .decide, by: "b", decision: .takedown, policy: onePerson) }),
      ("a reason is needed", { try act(exact, .propose, by: "a", reason: " \n", decision: .takedown) }),
      ("what is decided", { try act(exact, .propose, by: "a") }),
      ("two people decide", { try act(exact, .decide, by: "a", decision: .takedown) }),
      ("cannot be closed", { try act(exact, .close, by: "a") }),
      ("cannot be approved", { try act(exact, .approve, by: "b", version: 1) }),
      ("cannot be acted on", { try act(exact, .act, by: "a") }),
    ]
    let entries = try home.store.entryCount()
    for (reason, attempt) in attempts {
      let error = #expect(throws: CaseworkError.self) { try attempt() }
      #expect(
        error?.code == .refused && error?.description.contains(reason) == true, "\(reason): \(error?.description ?? "")"
      )
    }
    #expect(try home.store.entryCount() == entries + Int64(attempts.count))
    let refused = try history(near).filter { $0["type"] as? String == "refused" }
    #expect(refused.count == 6 && refused[0]["action"] as? String == "approve" && refused[0]["by"] as? String == "a")
    #expect(try version(near) == before)
    #expect(throws: CaseworkError(.noSuchCase, "")) { try act(CaseNumber(99), .close, by: "a") }
  }

  @Test func onePersonDecidesOnExactMatchesWhereThePolicySaysSoAndNeverOnNearOnes() throws {
    let policy = CasePolicy(exactNeedsTwo: false)
    let exact = try home.record(1...1)[0]
    #expect(try act(exact, .decide, by: "a", decision: .takedown, policy: policy).state == .decided)
    let near = try home.record(2...2, run: "r2", verdict: .review)[0]
    let error = #expect(throws: CaseworkError.self) {
      try act(near, .decide, by: "a", decision: .takedown, policy: policy)
    }
    #expect(error?.description.contains("no exact match") == true)
  }

  @Test func everyTransitionOfTheTableAndNoOtherIsPossible() throws {
    for state in CaseState.allCases {
      for action in CaseAction.allCases {
        let number = try home.record(
          UInt64(home.store.caseCount() + 1)...UInt64(home.store.caseCount() + 1), run: "\(state)\(action)")[0]
        try home.tamper(
          "UPDATE case_file SET state = '\(state.rawValue)', proposed_by = 'a', decision = 'takedown' WHERE id = \(number.value)"
        )
        let actor = action == .withdraw ? "a" : "b"
        let next = action.next(from: state)
        do {
          let summary = try act(
            number, action, by: actor, decision: .takedown, version: version(number),
            policy: CasePolicy(exactNeedsTwo: false))
          #expect(summary.state == next, "\(action) from \(state)")
        } catch let error as CaseworkError {
          #expect(next == nil && error.code == .refused, "\(action) from \(state): \(error)")
        }
      }
    }
  }

  @Test func anAppealIsJudgedBySomebodyElseAndMayOverturn() throws {
    let number = try home.record(1...1)[0]
    try act(number, .propose, by: "a", decision: .noMatch)
    try approve(number, by: "b")
    try act(number, .close, by: "b")
    try act(number, .appeal, by: "clerk", reason: "the host objects")
    for person in ["a", "b"] { #expect(throws: CaseworkError(.refused, "")) { try act(number, .overturn, by: person) } }
    #expect(try act(number, .overturn, by: "c").state == .open)
    #expect(try home.store.read { try Int.fetchOne($0, sql: "SELECT overturned FROM case_file") } == 1)
    #expect(try home.store.detail(of: number).summary.decision == nil)
    // A decision once more, and this time it stands; then new evidence opens it again.
    try act(number, .propose, by: "c", decision: .takedown)
    try approve(number, by: "a")
    try act(number, .appeal, by: "clerk")
    try act(number, .uphold, by: "d")
    try act(number, .close, by: "d")
    #expect(try act(number, .reopen, by: "d").state == .open)
  }

  @Test func evidenceThatComesAfterAProposalMakesItsApprovalStale() throws {
    let number = try home.record(1...1)[0]
    try act(number, .propose, by: "a", decision: .takedown)
    let seen = try version(number)
    try home.beginRun("r2")
    _ = try home.store.record([home.finding(1, at: .url("https://other.example/"))], run: "r2", at: home.now)
    #expect(throws: CaseworkError(.refused, "")) { try act(number, .approve, by: "b", version: seen) }
    // Seeing the same again is no news.
    let now = try version(number)
    _ = try home.store.record([home.finding(1)], run: "r2", at: home.now)
    #expect(try version(number) == now)
    try act(number, .approve, by: "b", version: now)
    // The same approval once more is refused.
    #expect(throws: CaseworkError(.refused, "")) { try act(number, .approve, by: "b", version: now) }
  }

  @Test func claimsNotesAndLinksAreKept() throws {
    let cases = try home.record(1...3)
    try home.store.assign(cases[0], to: "a", by: "a", at: home.now)
    #expect(throws: CaseworkError(.refused, "")) { try home.store.assign(cases[0], to: "b", by: "b", at: home.now) }
    #expect(throws: CaseworkError(.refused, "")) { try act(cases[0], .propose, by: "b", decision: .noMatch) }
    #expect(throws: CaseworkError(.refused, "")) { try home.store.assign(cases[1], to: nil, by: "b", at: home.now) }
    #expect(try home.store.cases(matching: CaseFilter(assignee: "a")).map(\.number) == [cases[0]])
    try home.store.assign(cases[0], to: nil, by: "a", at: home.now)
    try home.store.note("called the host\nno answer", on: cases[0], by: "a", at: home.now)
    #expect(throws: CaseworkError(.refused, "")) { try home.store.note(" ", on: cases[0], by: "a", at: home.now) }
    try home.store.link(cases[2], with: cases[0], why: "same forum", by: "a", at: home.now)
    #expect(throws: CaseworkError(.refused, "")) {
      try home.store.link(cases[0], with: cases[0], why: "", by: "a", at: home.now)
    }
    #expect(throws: CaseworkError(.noSuchCase, "")) {
      try home.store.link(cases[0], with: CaseNumber(77), why: "", by: "a", at: home.now)
    }
    #expect(try home.store.detail(of: cases[0]).linked == [cases[2]])
    let types = try history(cases[0]).map { $0["type"] as! String }
    #expect(
      types == [
        "case.opened", "case.claimed", "refused", "refused", "case.released", "case.noted", "refused", "refused",
      ])
    _ = try home.ledger.publish()
    #expect(try home.ledger.verify().isSound)
  }

  @Test func casesThatMeetTheSameEntryKnowOfEachOther() throws {
    try home.beginRun("r1")
    let one = home.finding(1)
    var other = home.finding(2)
    other = Finding(
      location: other.location, fingerprint: other.fingerprint, mediaType: nil, matches: one.matches, verdict: .block,
      listsUsed: one.listsUsed)
    _ = try home.store.record([one, other, home.finding(3)], run: "r1", at: home.now)
    #expect(try home.store.detail(of: CaseNumber(1)).sameEntry == [CaseNumber(2)])
    #expect(try home.store.detail(of: CaseNumber(3)).sameEntry.isEmpty)
  }

  /// Two approvals at once, one person in two sessions, an edit in between: one outcome, and never an approval of one's own.
  @Test func approvalsThatRaceHaveExactlyOneOutcome() throws {
    let rounds = isLongRun ? 1000 : 60
    let store = home.store
    let now = home.now
    for round in 0..<rounds {
      let number = try home.record(UInt64(round + 1)...UInt64(round + 1), run: "race \(round)")[0]
      try act(number, .propose, by: "a", decision: .takedown)
      let version = try version(number)
      let outcomes = Outcomes()
      DispatchQueue.concurrentPerform(iterations: 6) { session in
        do {
          switch session {
          case 0, 1: try store.act(CaseRequest(number, .approve, by: "a", reason: "mine", version: version), at: now)
          case 2, 3: try store.act(CaseRequest(number, .approve, by: "b", reason: "agreed", version: version), at: now)
          case 4: try store.act(CaseRequest(number, .reject, by: "c", reason: "no", version: version), at: now)
          default: try store.act(CaseRequest(number, .withdraw, by: "a", reason: "wrong", version: version), at: now)
          }
          outcomes.add(session)
        } catch let error as CaseworkError where error.code == .refused {} catch { Issue.record(error) }
      }
      #expect(outcomes.all.count == 1 && outcomes.all[0] >= 2, "round \(round): \(outcomes.all)")
      let summary = try store.detail(of: number).summary
      #expect(summary.state == (outcomes.all[0] < 4 ? .decided : .open) && summary.decidedBy != "a")
    }
  }
}

/// `@unchecked`: a lock guards the list.
private final class Outcomes: @unchecked Sendable {
  private let lock = NSLock()
  private(set) var all: [Int] = []

  func add(_ session: Int) { lock.withLock { all.append(session) } }
}
