import Foundation
import GRDB
import Hashing
import Matching

extension CaseStore {
  /// Takedowns, the newest first.
  ///
  /// - Parameters:
  ///   - caseNumber: Only those of a case.
  ///   - isOpen: Only those that are neither closed nor withdrawn, the one with the nearest deadline first.
  public func takedowns(of caseNumber: CaseNumber? = nil, isOpen: Bool = false, limit: Int = 50) throws -> [Takedown] {
    try read { database in
      let open = isOpen ? "state NOT IN ('closed', 'withdrawn')" : "1"
      return try Row.fetchAll(
        database,
        sql: """
          SELECT * FROM takedown WHERE \(open) AND (?1 IS NULL OR case_id = ?1)
          ORDER BY \(isOpen ? "deadline_at IS NULL, deadline_at, id" : "id DESC") LIMIT ?2
          """, arguments: [caseNumber?.value, limit]
      ).map(takedown)
    }
  }

  /// - Throws: ``CaseworkError`` with `noSuchTakedown`.
  public func takedown(_ number: TakedownNumber) throws -> Takedown { try read { try takedown(number, in: $0) } }

  /// Records that the recipient was told; the clock of the deadline runs from here.
  ///
  /// - Parameter how: How it went: a message id, a number of a letter.
  public func notified(_ number: TakedownNumber, how: String, by actor: String, at time: Date) throws -> Takedown {
    try advance(number, .notify, by: actor, at: time) { takedown, columns, facts in
      let deadline = time.addingTimeInterval(Double(takedown.hours) * 3600)
      columns["notified_at"] = (takedown.notifiedAt ?? time).milliseconds
      columns["deadline_at"] = deadline.milliseconds
      columns["reminders"] = 0
      facts.add("how", how)
      facts.add("deadline", LedgerTime.text(deadline.milliseconds))
      facts.add("recipient", takedown.recipient.email)
    }
  }

  /// Records that the recipient has answered.
  public func acknowledged(_ number: TakedownNumber, reference: String, by actor: String, at time: Date) throws
    -> Takedown
  {
    try advance(number, .acknowledge, by: actor, at: time) { _, columns, facts in
      columns["acknowledged_at"] = time.milliseconds
      facts.add("reference", reference)
    }
  }

  /// Turns to the next rung of the ladder: whoever is above the recipient.
  ///
  /// - Throws: ``CaseworkError`` with `refused` before the deadline, and where nobody is left.
  public func escalate(
    _ number: TakedownNumber, profile: RuleProfile, contacts: ContactTable, address: String? = nil, by actor: String,
    at time: Date
  ) throws -> Takedown {
    try advance(
      number, .escalate, by: actor, at: time,
      refusal: { takedown in
        guard takedown.isOverdue(at: time) || takedown.state == .returned else { return "its deadline has not passed" }
        guard takedown.rung + 1 < profile.escalation.count else { return "nobody is left to turn to" }
        let role = profile.escalation[takedown.rung + 1]
        if role == "block-order" { return "the next rung is an order to block: muhafiz takedown block \(number)" }
        return contacts.contact(role: role, host: takedown.host, address: address) == nil
          ? "the contact table names no \(role) for \(takedown.host)" : nil
      }
    ) { takedown, columns, facts in
      let role = profile.escalation[takedown.rung + 1]
      let contact = contacts.contact(role: role, host: takedown.host, address: address)!
      columns["rung"] = takedown.rung + 1
      columns["recipient"] = try Self.encoded(contact)
      facts.add("role", role)
      facts.add("recipient", "\(contact.name) <\(contact.email)>")
    }
  }

  /// Closes a takedown, or takes the order back, by a person's word.
  public func end(
    _ number: TakedownNumber, withdraw: Bool, reason: String, by actor: String, at time: Date
  ) throws -> Takedown {
    try advance(
      number, withdraw ? .withdraw : .close, by: actor, at: time,
      refusal: { _ in reason.allSatisfy(\.isWhitespace) ? "a reason is needed before anything is done" : nil }
    ) { takedown, columns, facts in
      if !withdraw { columns["removed_at"] = (takedown.removedAt ?? time).milliseconds }
      columns["closed_at"] = time.milliseconds
      columns["next_check_at"] = DatabaseValue.null
      facts.add("reason", reason)
    }
  }

  /// Records the reminders that are due: one for each of the profile's hours before a deadline.
  public func remind(profiles: [RuleProfile], by actor: String, at time: Date) throws -> [Takedown] {
    var reminded: [Takedown] = []
    for takedown in try takedowns(isOpen: true, limit: .max) {
      guard let deadline = takedown.deadline, TakedownEvent.remind.next(from: takedown.state) != nil,
        let profile = profiles.first(where: { $0.id == takedown.profile })
      else { continue }
      let left = deadline.timeIntervalSince(time) / 3600
      // An emergency may have fewer hours in all than a reminder would come before; that one is passed over.
      let passed = profile.reminderHours.filter { $0 < takedown.hours && left <= Double($0) }.count
      guard passed > takedown.reminders else { continue }
      reminded.append(
        try advance(takedown.number, .remind, by: actor, at: time) { _, columns, facts in
          columns["reminders"] = passed
          facts.add("hours_left", Int(left.rounded(.down)))
        })
    }
    return reminded
  }

  /// Closes a case with its last takedown, and takes it up again with the first that is back.
  func follow(
    _ takedown: Takedown, by actor: String, in database: Database, _ ledger: LedgerAppender, at time: Date
  ) throws {
    let summary = try caseSummary(takedown.caseNumber, in: database)
    let action: CaseAction
    switch (takedown.state, summary.state) {
    case (.closed, .actioned):
      let open = try Int.fetchOne(
        database, sql: "SELECT count(*) FROM takedown WHERE case_id = ? AND state NOT IN ('closed', 'withdrawn')",
        arguments: [summary.number.value])!
      if open > 0 { return }
      action = .close
    case (.returned, .closed) where summary.decision == .takedown: action = .resume
    default: return
    }
    let reason =
      action == .close ? "\(takedown.number) was the last takedown, and is closed" : "\(takedown.number) is back"
    _ = try move(
      summary, CaseRequest(summary.number, action, by: actor, reason: reason), in: database, ledger, at: time)
  }

  private func advance(
    _ number: TakedownNumber, _ event: TakedownEvent, by actor: String, at time: Date,
    refusal: (Takedown) -> String? = { _ in nil },
    _ fill: (Takedown, inout [String: (any DatabaseValueConvertible)?], inout JSONLine) throws -> Void
  ) throws -> Takedown {
    let outcome = try write { database, ledger -> Result<Takedown, CaseworkError> in
      let takedown = try takedown(number, in: database)
      guard let state = event.next(from: takedown.state) else {
        return .failure(try refuse(event, takedown, by: actor, "it is \(takedown.state.rawValue)", ledger, at: time))
      }
      if let why = refusal(takedown) { return .failure(try refuse(event, takedown, by: actor, why, ledger, at: time)) }
      var columns: [String: (any DatabaseValueConvertible)?] = [:]
      var facts = JSONLine()
      try fill(takedown, &columns, &facts)
      let after = try update(takedown, event, to: state, columns, by: actor, in: database, ledger, at: time) {
        $0 = facts
      }
      try follow(after, by: actor, in: database, ledger, at: time)
      return .success(after)
    }
    return try outcome.get()
  }

  func refuse(
    _ event: TakedownEvent, _ takedown: Takedown, by actor: String, _ why: String, _ ledger: LedgerAppender,
    at time: Date
  ) throws -> CaseworkError {
    try refuse(
      event.rawValue, about: .takedown(takedown.number), state: takedown.state.rawValue, by: actor,
      "\(takedown.number): \(why)",
      ledger, at: time)
  }

  func update(
    _ takedown: Takedown, _ event: TakedownEvent, to state: TakedownState,
    _ columns: [String: (any DatabaseValueConvertible)?], by actor: String, in database: Database,
    _ ledger: LedgerAppender,
    at time: Date, _ fill: (inout JSONLine) -> Void
  ) throws -> Takedown {
    let names = columns.keys.sorted()
    let assignments = (["state = ?"] + names.map { "\($0) = ?" }).joined(separator: ", ")
    let values: [(any DatabaseValueConvertible)?] =
      [state.rawValue] + names.map { columns[$0]! } + [takedown.number.value]
    try database.execute(sql: "UPDATE takedown SET \(assignments) WHERE id = ?", arguments: StatementArguments(values))
    let entry = LedgerEntry(event.entryKind, by: actor, about: .takedown(takedown.number), state: state.rawValue, fill)
    try ledger.append(entry, at: time)
    return try self.takedown(takedown.number, in: database)
  }

  func takedown(_ number: TakedownNumber, in database: Database) throws -> Takedown {
    guard let row = try Row.fetchOne(database, sql: "SELECT * FROM takedown WHERE id = ?", arguments: [number.value])
    else {
      throw CaseworkError(
        .noSuchTakedown, "there is no takedown \(number)", hint: "'muhafiz takedown list' shows those there are")
    }
    return try takedown(row)
  }

  func takedown(_ row: Row) throws -> Takedown {
    func date(_ column: String) -> Date? { (row[column] as Int64?).map { Date(milliseconds: $0) } }
    let sha256: Data? = row["sha256"]
    let recipient = try JSONDecoder().decode(ContactTable.Contact.self, from: Data((row["recipient"] as String).utf8))
    return Takedown(
      number: TakedownNumber(row["id"]), caseNumber: CaseNumber(row["case_id"]), url: row["url"], host: row["host"],
      sha256: sha256.flatMap { Digest(.sha256, bytes: $0) }, match: row["match"], profile: row["profile"],
      authority: row["authority"], legalGround: row["legal_ground"], hours: row["hours"],
      isEmergency: row["is_emergency"],
      orderedBy: row["ordered_by"], recipient: recipient, rung: row["rung"], state: try value(row["state"]),
      receivedAt: Date(milliseconds: row["received_at"]), notifiedAt: date("notified_at"),
      removedAt: date("removed_at"),
      orderedAt: Date(milliseconds: row["ordered_at"]), verifiedAt: Date(milliseconds: row["verified_at"]),
      deadline: date("deadline_at"), nextCheckAt: date("next_check_at"), goneCount: row["gone_count"],
      returns: row["returns"], reminders: row["reminders"])
  }
}
