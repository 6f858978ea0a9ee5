import Foundation
import GRDB

extension CaseStore {
  /// Takedowns whose next re-check is due, the longest due first.
  public func dueForRecheck(at time: Date, limit: Int = 100) throws -> [Takedown] {
    try read { database in
      try Row.fetchAll(
        database, sql: "SELECT * FROM takedown WHERE next_check_at <= ? ORDER BY next_check_at LIMIT ?",
        arguments: [time.milliseconds, limit]
      ).map(takedown)
    }
  }

  /// Records what a re-check found, and what follows: closure after two in a row, or that the content is back.
  ///
  /// - Parameter detail: What was seen: a status code, the address it moved to.
  public func rechecked(
    _ number: TakedownNumber, _ answer: RecheckAnswer, detail: String? = nil, profile: RuleProfile, by actor: String,
    at time: Date
  ) throws -> Takedown {
    let outcome = try write { database, ledger -> Result<Takedown, CaseworkError> in
      let takedown = try takedown(number, in: database)
      guard TakedownEvent.recheck.next(from: takedown.state) != nil else {
        return .failure(try refuse(.recheck, takedown, by: actor, "it is \(takedown.state.rawValue)", ledger, at: time))
      }
      let row = try Row.fetchOne(
        database, sql: "SELECT gone_at, checks FROM takedown WHERE id = ?", arguments: [number.value])!
      let goneAt: Int64? = row["gone_at"]
      let checks: Int = row["checks"]
      let step = Recheck(
        answer, state: takedown.state, goneCount: takedown.goneCount,
        minutes: goneAt.map { Double(time.milliseconds - $0) / 60_000 }, checks: checks, profile: profile)
      let state = step.event.next(from: takedown.state)!
      var columns: [String: (any DatabaseValueConvertible)?] = [
        "gone_count": step.goneCount, "checks": step.event == .recheck ? checks + 1 : 0,
        "last_check_at": time.milliseconds,
        "next_check_at": step.hoursToNext.map { time.addingTimeInterval(Double($0) * 3600).milliseconds },
      ]
      if answer == .gone && step.goneCount == 1 && takedown.goneCount == 0 { columns["gone_at"] = time.milliseconds }
      if step.goneCount == 0 { columns["gone_at"] = DatabaseValue.null }
      switch step.event {
      case .close:
        // It was gone when it was first found gone; the second answer only makes it sure.
        columns["removed_at"] = goneAt ?? time.milliseconds
        columns["closed_at"] = time.milliseconds
      case .reopen:
        columns["removed_at"] = DatabaseValue.null
        columns["closed_at"] = DatabaseValue.null
        columns["deadline_at"] = DatabaseValue.null
        columns["returns"] = takedown.returns + 1
      default: break
      }
      let after = try update(takedown, step.event, to: state, columns, by: actor, in: database, ledger, at: time) {
        facts in
        facts.add("answer", answer.rawValue)
        facts.add("detail", detail)
        facts.add("gone_in_a_row", step.goneCount)
      }
      try follow(after, by: actor, in: database, ledger, at: time)
      return .success(after)
    }
    return try outcome.get()
  }

  /// Re-checks all that is due.
  ///
  /// - Parameters:
  ///   - now: Asked after each: when its answer was seen.
  ///   - fetch: Looks at a takedown's URL. What it throws is recorded as `unreachable`, which is not
  ///     `gone`.
  public func recheckDue(
    profiles: [RuleProfile], by actor: String, at now: @autoclosure () -> Date, limit: Int = 100,
    fetch: (Takedown) throws -> (answer: RecheckAnswer, detail: String?)
  ) throws -> [Takedown] {
    try dueForRecheck(at: now(), limit: limit).compactMap { takedown in
      guard let profile = profiles.first(where: { $0.id == takedown.profile }) else {
        throw CaseworkError(
          .unusableData, "there is no rule profile '\(takedown.profile)', which \(takedown.number) is under")
      }
      let found: (answer: RecheckAnswer, detail: String?)
      do { found = try fetch(takedown) } catch { found = (.unreachable, "\(error)") }
      return try rechecked(takedown.number, found.answer, detail: found.detail, profile: profile, by: actor, at: now())
    }
  }
}
