import Foundation
import GRDB
import Hashing
import Matching

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
