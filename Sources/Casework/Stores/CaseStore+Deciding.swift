import Foundation
import GRDB
import Hashing
import Matching

/// Somebody wants to do something to a case.
public struct CaseRequest: Sendable {
  public var number: CaseNumber
  public var action: CaseAction
  public var by: String
  /// Why. It is in the record before anything follows from it.
  public var reason: String
  /// For ``CaseAction/propose`` and ``CaseAction/decide``.
  public var decision: CaseDecision?
  /// The version of the case that was looked at; whoever approves must say it.
  public var version: Int?

  public init(
    _ number: CaseNumber, _ action: CaseAction, by: String, reason: String, decision: CaseDecision? = nil,
    version: Int? = nil
  ) {
    self.number = number
    self.action = action
    self.by = by
    self.reason = reason
    self.decision = decision
    self.version = version
  }
}

extension CaseStore {
  /// Does what is asked for, or records that it was refused.
  ///
  /// - Returns: The case as it now is.
  /// - Throws: ``CaseworkError``: `refused` with the reason, `noSuchCase`.
  @discardableResult
  public func act(_ request: CaseRequest, policy: CasePolicy = CasePolicy(), at time: Date) throws -> CaseSummary {
    let outcome = try write { database, ledger -> Result<CaseSummary, CaseworkError> in
      let before = try caseSummary(request.number, in: database)
      if let why = refusal(of: request, on: before, policy) {
        return .failure(
          try refuse(
            request.action.rawValue, about: .caseFile(before.number), state: before.state.rawValue, by: request.by, why,
            ledger, at: time))
      }
      return .success(try move(before, request, in: database, ledger, at: time))
    }
    return try outcome.get()
  }

  /// Why a request cannot be granted; `nil` when it can.
  private func refusal(of request: CaseRequest, on summary: CaseSummary, _ policy: CasePolicy) -> String? {
    let (number, state, action) = (summary.number, summary.state, request.action)
    if request.reason.allSatisfy(\.isWhitespace) { return "a reason is needed before anything is done" }
    guard action.next(from: state) != nil else { return "\(number) is \(state.rawValue): it cannot be \(action.past)" }
    if let version = request.version, version != summary.version {
      return "\(number) was changed since: it is at version \(summary.version), not \(version)"
    }
    switch action {
    case .propose, .decide:
      if request.decision == nil { return "it must be said what is decided" }
      if let assignee = summary.assignee, assignee != request.by { return "\(number) is claimed by \(assignee)" }
      if action == .decide, !policy.letsOneDecide(on: summary.verdict) {
        return summary.verdict == .block
          ? "two people decide: propose it, and let somebody else approve"
          : "no exact match: two people decide, always"
      }
    case .approve:
      if request.by == summary.proposedBy { return "who proposes cannot approve" }
      if request.version == nil { return "who approves must say which version of the case was looked at" }
    case .reject:
      if request.by == summary.proposedBy { return "who proposes cannot reject; the proposal can be withdrawn" }
    case .withdraw:
      if request.by != summary.proposedBy {
        return "only \(summary.proposedBy ?? "nobody"), who proposed, can withdraw it"
      }
    case .uphold, .overturn:
      if request.by == summary.decidedBy || request.by == summary.proposedBy {
        return "an objection is judged by somebody who had no part in the decision"
      }
    case .act, .resume:
      if summary.decision != .takedown { return "\(number) is not decided to be taken down" }
    case .close, .appeal, .reopen: break
    }
    return nil
  }

  /// - Precondition: The request was found in order.
  func move(
    _ before: CaseSummary, _ request: CaseRequest, in database: Database, _ ledger: LedgerAppender, at time: Date
  ) throws -> CaseSummary {
    let state = request.action.next(from: before.state)!
    var decision = before.decision
    var (proposedBy, decidedBy, overturned) = (before.proposedBy, before.decidedBy, 0)
    switch request.action {
    case .propose: (decision, proposedBy, decidedBy) = (request.decision, request.by, nil)
    case .decide: (decision, proposedBy, decidedBy) = (request.decision, request.by, request.by)
    case .approve: decidedBy = request.by
    case .withdraw, .reject, .reopen: (decision, proposedBy, decidedBy) = (nil, nil, nil)
    case .overturn: (decision, proposedBy, decidedBy, overturned) = (nil, nil, nil, 1)
    case .act, .close, .appeal, .uphold, .resume: break
    }
    let isDecision = request.action == .approve || request.action == .decide
    try database.execute(
      sql: """
        UPDATE case_file SET state = ?, version = version + 1, decision = ?, proposed_by = ?, decided_by = ?,
          decided_at = CASE WHEN ? THEN ? ELSE decided_at END, overturned = overturned + ?
        WHERE id = ?
        """,
      arguments: [
        state.rawValue, decision?.rawValue, proposedBy, decidedBy, isDecision, time.milliseconds, overturned,
        before.number.value,
      ])
    let evidence = isDecision || request.action == .propose ? try evidence(for: before.number, in: database) : nil
    let entry = LedgerEntry(.caseMoved, by: request.by, about: .caseFile(before.number), state: state.rawValue) {
      facts in
      facts.add("action", request.action.rawValue)
      facts.add("version", before.version + 1)
      facts.add("reason", request.reason)
      facts.add("decision", decision?.rawValue)
      facts.add("evidence", evidence?.hex)
    }
    try ledger.append(entry, at: time)
    return try caseSummary(before.number, in: database)
  }

  /// One digest over the entries of all findings that a decision rests on; `LedgerFormat.md`, "Entries".
  private func evidence(for number: CaseNumber, in database: Database) throws -> Digest {
    let hasher = try TreeHasher()
    var leaves: [UInt8] = []
    let rows = try Row.fetchCursor(
      database,
      sql: """
        SELECT ledger_entry.data FROM finding JOIN ledger_entry ON ledger_entry.idx = finding.entry
        WHERE finding.case_id = ? ORDER BY ledger_entry.idx
        """, arguments: [number.value])
    while let row = try rows.next() {
      try row.withUnsafeData(atIndex: 0) { data in
        leaves += (data ?? Data()).withUnsafeBytes { hasher.leaf($0) }.bytes
      }
    }
    return try leaves.withUnsafeBytes { try Digester.digests(of: $0, [.sha256])[0] }
  }

  /// Takes a case to work on, so that no two do.
  ///
  /// - Parameter assignee: Who is to have it; `nil` gives it back.
  /// - Throws: ``CaseworkError`` with `refused` where somebody else has it.
  public func assign(_ number: CaseNumber, to assignee: String?, by actor: String, at time: Date) throws {
    try change(number, by: actor, at: time, action: assignee == nil ? "release" : "claim") { summary, database in
      if let other = summary.assignee, other != actor { return .failure("\(number) is claimed by \(other)") }
      if assignee == nil && summary.assignee == nil { return .failure("nobody has claimed \(number)") }
      try database.execute(sql: "UPDATE case_file SET assignee = ? WHERE id = ?", arguments: [assignee, number.value])
      return .success((assignee == nil ? .caseReleased : .caseClaimed, { $0.add("to", assignee) }))
    }
  }

  /// Adds a note. It can be read, and never changed.
  public func note(_ text: String, on number: CaseNumber, by actor: String, at time: Date) throws {
    try change(number, by: actor, at: time, action: "note") { _, _ in
      text.allSatisfy(\.isWhitespace)
        ? .failure("a note says something") : .success((.caseNoted, { $0.add("note", text) }))
    }
  }

  /// Says that two cases belong together.
  public func link(_ number: CaseNumber, with other: CaseNumber, why: String, by actor: String, at time: Date) throws {
    try change(number, by: actor, at: time, action: "link") { _, database in
      if number == other { return .failure("a case is not linked with itself") }
      _ = try caseSummary(other, in: database)
      try database.execute(
        sql: "INSERT OR IGNORE INTO case_link (one, other) VALUES (?, ?)",
        arguments: [min(number, other).value, max(number, other).value])
      return .success(
        (
          .caseLinked,
          { facts in
            facts.add("other", other.description)
            facts.add("why", why)
          }
        ))
    }
  }

  /// Says that what a case is about was found where a report points to: a takedown can then be ordered there.
  public func link(_ number: CaseNumber, with report: ReportNumber, why: String, by actor: String, at time: Date) throws
  {
    try change(number, by: actor, at: time, action: "link") { _, database in
      if why.allSatisfy(\.isWhitespace) { return .failure("a reason is needed before anything is done") }
      try database.execute(sql: "UPDATE report SET case_id = ? WHERE id = ?", arguments: [number.value, report.value])
      guard database.changesCount == 1 else {
        throw CaseworkError(
          .noSuchReport, "there is no report \(report)", hint: "'muhafiz report list' shows those there are")
      }
      return .success(
        (
          .caseLinked,
          { facts in
            facts.add("other", report.description)
            facts.add("why", why)
          }
        ))
    }
  }

  /// A change that keeps the state, or a refusal with its reason.
  private enum Change {
    case success((LedgerEntry.Kind, (inout JSONLine) -> Void))
    case failure(String)
  }

  private func change(
    _ number: CaseNumber, by actor: String, at time: Date, action: String,
    _ body: (CaseSummary, Database) throws -> Change
  ) throws {
    let refused = try write { database, ledger -> CaseworkError? in
      let summary = try caseSummary(number, in: database)
      let state = summary.state.rawValue
      switch try body(summary, database) {
      case .failure(let why):
        return try refuse(action, about: .caseFile(number), state: state, by: actor, why, ledger, at: time)
      case .success((let kind, let fill)):
        try database.execute(sql: "UPDATE case_file SET version = version + 1 WHERE id = ?", arguments: [number.value])
        let entry = LedgerEntry(kind, by: actor, about: .caseFile(number), state: state) { facts in
          facts.add("version", summary.version + 1)
          fill(&facts)
        }
        try ledger.append(entry, at: time)
        return nil
      }
    }
    if let refused { throw refused }
  }

  /// Records an attempt that the rules do not allow.
  ///
  /// - Returns: The error to throw once the record of it is durable.
  func refuse(
    _ action: String, about subject: LedgerSubject, state: String, by actor: String, _ why: String,
    _ ledger: LedgerAppender, at time: Date
  ) throws -> CaseworkError {
    let entry = LedgerEntry(.refused, by: actor, about: subject, state: state) { facts in
      facts.add("action", action)
      facts.add("reason", why)
    }
    try ledger.append(entry, at: time)
    return CaseworkError(.refused, "refused: \(why)", hint: "the attempt is in the record")
  }

  func caseSummary(_ number: CaseNumber, in database: Database) throws -> CaseSummary {
    guard let row = try Row.fetchOne(database, sql: "SELECT * FROM case_file WHERE id = ?", arguments: [number.value])
    else {
      throw CaseworkError(.noSuchCase, "there is no case \(number)", hint: "'muhafiz case list' shows those there are")
    }
    return try summary(row)
  }
}

extension CaseAction {
  /// As in "it cannot be …".
  fileprivate var past: String {
    switch self {
    case .propose: "proposed on"
    case .withdraw: "withdrawn"
    case .approve: "approved"
    case .reject: "rejected"
    case .decide: "decided"
    case .act: "acted on"
    case .close: "closed"
    case .appeal: "appealed"
    case .uphold: "upheld"
    case .overturn: "overturned"
    case .reopen: "reopened"
    case .resume: "resumed"
    }
  }
}
