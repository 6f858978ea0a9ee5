import Foundation
import GRDB

/// Counts and times over a period, for those who account to the public.
///
/// Cells that are smaller than a minimum are not shown: a count of one can point at a person.
public struct Statistics: Sendable {
  /// One table: what is counted, and the cells.
  public struct Table: Sendable, Equatable {
    public let title: String
    public let columns: [String]
    public let rows: [Row]
  }

  /// A line of a table.
  public struct Row: Sendable, Equatable {
    public let label: String
    public let cells: [Cell]
  }

  public enum Cell: Sendable, Equatable, CustomStringConvertible {
    case count(Int)
    /// More than none and fewer than the minimum.
    case fewerThan(Int)
    case hours(Double)
    /// Thousandths of a whole.
    case share(Double)
    /// There is nothing to take a figure from, or too little.
    case none

    public var description: String {
      switch self {
      case .count(let count): String(count)
      case .fewerThan(let minimum): "<\(minimum)"
      case .hours(let hours): String(format: "%.1f", hours)
      case .share(let share): String(format: "%.1f %%", share * 100)
      case .none: "-"
      }
    }
  }

  public let from: Date
  public let until: Date
  public let minimumCell: Int
  public let tables: [Table]
}

extension CaseStore {
  /// Takes statistics from the record.
  ///
  /// - Parameters:
  ///   - until: Not included.
  ///   - minimumCell: Counts from 1 to below this are shown as fewer; 1 shows all.
  public func statistics(from: Date, until: Date, minimumCell: Int = 5) throws -> Statistics {
    precondition(minimumCell >= 1)
    return try read { database in
      let period = Period(database: database, from: from.milliseconds, until: until.milliseconds, minimum: minimumCell)
      return Statistics(
        from: from, until: until, minimumCell: minimumCell,
        tables: try [
          period.totals(), period.times(), period.takedowns(by: "host", "host"),
          period.takedowns(by: "country", "coalesce(country, '?')"),
          period.takedowns(by: "month", "strftime('%Y-%m', ordered_at / 1000, 'unixepoch')"), period.cases(by: "month"),
          period.lists(), period.categories(),
        ])
    }
  }
}

/// The queries over one period.
private struct Period {
  let database: Database
  let from: Int64
  let until: Int64
  let minimum: Int

  func cell(_ count: Int) -> Statistics.Cell { count == 0 || count >= minimum ? .count(count) : .fewerThan(minimum) }

  /// A share of too small a whole would give its parts away.
  func share(_ part: Int, of whole: Int) -> Statistics.Cell {
    whole < max(1, minimum) || (part > 0 && part < minimum) ? .none : .share(Double(part) / Double(whole))
  }

  private func rows(_ sql: String) throws -> [Row] { try Row.fetchAll(database, sql: sql, arguments: [from, until]) }

  private func count(_ sql: String) throws -> Int {
    try Int.fetchOne(database, sql: sql, arguments: [from, until]) ?? 0
  }

  func totals() throws -> Statistics.Table {
    let opened = "FROM case_file WHERE opened_at >= ? AND opened_at < ?"
    let decided = "FROM case_file WHERE decided_at >= ? AND decided_at < ?"
    let figures: [(String, Int)] = try [
      ("reports received", count("SELECT count(*) FROM report WHERE first_received_at >= ? AND first_received_at < ?")),
      ("cases opened", count("SELECT count(*) \(opened)")),
      ("cases with an exact match", count("SELECT count(*) \(opened) AND verdict = 'block'")),
      ("cases with near or legacy matches only", count("SELECT count(*) \(opened) AND verdict = 'review'")),
      ("cases decided", count("SELECT count(*) \(decided)")),
      ("decisions overturned", count("SELECT coalesce(sum(overturned), 0) \(decided)")),
      ("takedowns ordered", count("SELECT count(*) FROM takedown WHERE ordered_at >= ? AND ordered_at < ?")),
      (
        "takedowns removed",
        count("SELECT count(*) FROM takedown WHERE ordered_at >= ? AND ordered_at < ? AND removed_at IS NOT NULL")
      ),
      (
        "takedowns that came back",
        count("SELECT count(*) FROM takedown WHERE ordered_at >= ? AND ordered_at < ? AND returns > 0")
      ),
    ]
    return Statistics.Table(
      title: "totals", columns: ["count"], rows: figures.map { Statistics.Row(label: $0.0, cells: [cell($0.1)]) })
  }

  /// Hours from one clock to the next: half of them, nine in ten, and 95 in a hundred took no longer.
  func times() throws -> Statistics.Table {
    let figures = [
      ("received to notified", "notified_at - received_at", "notified_at IS NOT NULL"),
      ("notified to removed", "removed_at - notified_at", "removed_at IS NOT NULL AND notified_at IS NOT NULL"),
      ("received to removed", "removed_at - received_at", "removed_at IS NOT NULL"),
    ]
    return Statistics.Table(
      title: "hours", columns: ["takedowns", "p50", "p90", "p95"],
      rows: try figures.map { label, difference, condition in
        let hours = try Double.fetchAll(
          database,
          sql: """
            SELECT (\(difference)) / 3600000.0 FROM takedown
            WHERE ordered_at >= ? AND ordered_at < ? AND \(condition) ORDER BY 1
            """, arguments: [from, until])
        let cells = [0.5, 0.9, 0.95].map { part -> Statistics.Cell in
          hours.count < minimum || hours.isEmpty
            ? .none : .hours(hours[Int((Double(hours.count) * part).rounded(.up)) - 1])
        }
        return Statistics.Row(label: label, cells: [cell(hours.count)] + cells)
      })
  }

  func takedowns(by name: String, _ expression: String) throws -> Statistics.Table {
    let rows = try rows(
      """
      SELECT \(expression) AS label, count(*) AS ordered, count(removed_at) AS removed FROM takedown
      WHERE ordered_at >= ? AND ordered_at < ? GROUP BY 1 ORDER BY \(name == "month" ? "1" : "2 DESC, 1") LIMIT 200
      """)
    return Statistics.Table(
      title: "takedowns by \(name)", columns: ["ordered", "removed"],
      rows: rows.map { Statistics.Row(label: $0["label"], cells: [cell($0["ordered"]), cell($0["removed"])]) })
  }

  func cases(by name: String) throws -> Statistics.Table {
    let rows = try rows(
      """
      SELECT strftime('%Y-%m', opened_at / 1000, 'unixepoch') AS label, count(*) AS opened,
        sum(verdict = 'block') AS exact, sum(verdict = 'review') AS near
      FROM case_file WHERE opened_at >= ? AND opened_at < ? GROUP BY 1 ORDER BY 1
      """)
    return Statistics.Table(
      title: "cases by \(name)", columns: ["opened", "exact", "near"],
      rows: rows.map {
        Statistics.Row(label: $0["label"], cells: [cell($0["opened"]), cell($0["exact"]), cell($0["near"])])
      })
  }

  /// What came of the cases that each list opened: precision is the share of those decided that did hold.
  func lists() throws -> Statistics.Table {
    let rows = try rows(
      """
      SELECT list AS label, count(*) AS cases, count(decision) AS decided, sum(decision = 'no-match') AS wrong
      FROM (SELECT DISTINCT match.list, case_file.id, CASE WHEN case_file.decided_by IS NOT NULL THEN case_file.decision END AS decision
            FROM case_file JOIN finding ON finding.case_id = case_file.id JOIN match ON match.finding_id = finding.id
            WHERE case_file.opened_at >= ? AND case_file.opened_at < ?)
      GROUP BY 1 ORDER BY 2 DESC, 1
      """)
    return Statistics.Table(
      title: "cases by list", columns: ["cases", "decided", "no match", "precision"],
      rows: rows.map { row in
        let (decided, wrong): (Int, Int) = (row["decided"], row["wrong"] ?? 0)
        return Statistics.Row(
          label: row["label"],
          cells: [cell(row["cases"]), cell(decided), cell(wrong), share(decided - wrong, of: decided)])
      })
  }

  func categories() throws -> Statistics.Table {
    let rows = try rows(
      """
      SELECT coalesce(category_scheme || ': ' || category, 'none') AS label, count(DISTINCT case_file.id) AS cases
      FROM case_file JOIN finding ON finding.case_id = case_file.id JOIN match ON match.finding_id = finding.id
      WHERE case_file.opened_at >= ? AND case_file.opened_at < ? GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 200
      """)
    return Statistics.Table(
      title: "cases by category, as the lists name it", columns: ["cases"],
      rows: rows.map { Statistics.Row(label: $0["label"], cells: [cell($0["cases"])]) })
  }
}
