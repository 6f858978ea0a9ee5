import Foundation
import GRDB
import Matching

/// A URL that somebody submitted, however often.
public struct Report: Sendable, Equatable {
  public let number: ReportNumber
  /// In canonical form; see ``WebURL``.
  public let url: String
  public let firstReceivedAt: Date
  public let lastReceivedAt: Date
  /// How often it came.
  public let count: Int
  /// Who sent it first: a hotline, a cell, a person's reference. What identifies a complainant is not kept here.
  public let source: String?
  /// The sender's own number for it.
  public let reference: String?
  /// The case that somebody has linked it with, else one that has a finding at the URL.
  public let caseNumber: CaseNumber?
  /// When a scan was last done with it; `nil` where it waits for one since it was last received.
  public let visitedAt: Date?
}

extension CaseStore {
  /// Records that a URL was reported.
  ///
  /// - Returns: The report, and whether it is the first of its URL. It is durable when this returns.
  public func addReport(
    _ url: WebURL, source: String? = nil, reference: String? = nil, by actor: String, at time: Date
  ) throws -> (number: ReportNumber, isNew: Bool) {
    try write { database, ledger in
      let known = try Int64.fetchOne(database, sql: "SELECT id FROM report WHERE url = ?", arguments: [url.description])
      let number: ReportNumber
      if let known {
        number = ReportNumber(known)
        try database.execute(
          sql: """
            UPDATE report SET count = count + 1, last_received_at = max(last_received_at, ?), visited_at = NULL
            WHERE id = ?
            """,
          arguments: [time.milliseconds, known])
      } else {
        try database.execute(
          sql: """
            INSERT INTO report (url, host, first_received_at, last_received_at, count, source, reference)
            VALUES (?, ?, ?, ?, 1, ?, ?)
            """,
          arguments: [url.description, url.host.name, time.milliseconds, time.milliseconds, source, reference])
        number = ReportNumber(database.lastInsertedRowID)
      }
      let entry = LedgerEntry(known == nil ? .reportReceived : .reportRepeated, by: actor, about: .report(number)) {
        facts in
        facts.add("url", url.description)
        facts.add("source", source)
        facts.add("reference", reference)
      }
      try ledger.append(entry, at: time)
      return (number, known == nil)
    }
  }

  /// Reports, the newest first.
  ///
  /// - Parameter before: Only those with a lower number: the last of the page before.
  public func reports(before: ReportNumber? = nil, limit: Int = 50) throws -> [Report] {
    try reports("report.id < ? ORDER BY id DESC LIMIT ?", [before?.value ?? .max, limit])
  }

  /// Reports that wait for a scan, the oldest first.
  public func queuedReports() throws -> [Report] { try reports("visited_at IS NULL ORDER BY id", []) }

  /// Which of the URLs were reported before.
  public func reported(among urls: [WebURL]) throws -> Set<WebURL> {
    try read { database in
      let statement = try database.cachedStatement(sql: "SELECT 1 FROM report WHERE url = ?")
      return try Set(urls.filter { try Bool.fetchOne(statement, arguments: [$0.description]) != nil })
    }
  }

  /// Records that a scan is done with a reported URL and all that its page refers to. For a URL that nobody has reported,
  /// nothing is recorded.
  public func reportVisited(_ url: WebURL, run: String, by actor: String, at time: Date) throws {
    try write { database, ledger in
      guard let id = try Int64.fetchOne(database, sql: "SELECT id FROM report WHERE url = ?", arguments: [url.description])
      else { return }
      try database.execute(sql: "UPDATE report SET visited_at = ? WHERE id = ?", arguments: [time.milliseconds, id])
      let entry = LedgerEntry(.reportVisited, by: actor, about: .report(ReportNumber(id))) { $0.add("run", run) }
      try ledger.append(entry, at: time)
    }
  }

  private func reports(_ condition: String, _ arguments: StatementArguments) throws -> [Report] {
    try read { database in
      try Row.fetchAll(
        database,
        sql: """
          SELECT report.*, coalesce(report.case_id, (
            SELECT finding.case_id FROM location JOIN finding ON finding.location_id = location.id
            WHERE location.place = CAST(report.url AS BLOB) AND location.exhibit = '' AND location.kind = 'url'
            ORDER BY finding.id DESC LIMIT 1)) AS case_number
          FROM report WHERE \(condition)
          """, arguments: arguments
      ).map { row in
        Report(
          number: ReportNumber(row["id"]), url: row["url"],
          firstReceivedAt: Date(milliseconds: row["first_received_at"]),
          lastReceivedAt: Date(milliseconds: row["last_received_at"]), count: row["count"], source: row["source"],
          reference: row["reference"], caseNumber: (row["case_number"] as Int64?).map { CaseNumber($0) },
          visitedAt: (row["visited_at"] as Int64?).map { Date(milliseconds: $0) })
      }
    }
  }
}
