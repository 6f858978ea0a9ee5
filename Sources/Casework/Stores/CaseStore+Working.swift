import Foundation
import GRDB
import Matching

extension CaseStore {
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
  public func link(_ number: CaseNumber, with report: ReportNumber, why: String, by actor: String, at time: Date) throws {
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
}
