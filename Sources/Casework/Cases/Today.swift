import Foundation
import GRDB

/// What is to be done today.
public struct Today: Sendable, Equatable {
  /// Cases that nobody has decided, and proposals that wait for a second person.
  public let open: Int
  public let proposed: Int
  public let appealed: Int
  /// Decided to be taken down, and nothing ordered yet.
  public let toOrder: Int
  /// Takedowns whose recipient was not told yet, the content that came back among them.
  public let toNotify: Int
  public let returned: Int
  public let overdue: Int
  /// Takedowns with less than two hours left.
  public let dueSoon: Int
  public let recheckDue: Int
  /// The proposals and the open takedowns that come first, at most 20 of each.
  public let proposals: [CaseSummary]
  public let takedowns: [Takedown]
}

extension CaseStore {
  /// The queue of today.
  public func today(at time: Date) throws -> Today {
    let counts = try read { database -> [Int] in
      func count(_ sql: String, _ arguments: StatementArguments = []) throws -> Int {
        try Int.fetchOne(database, sql: "SELECT count(*) FROM \(sql)", arguments: arguments) ?? 0
      }
      let soon = time.addingTimeInterval(2 * 3600)
      let open = "state NOT IN ('closed', 'withdrawn')"
      return try [
        count("case_file WHERE state = 'open'"), count("case_file WHERE state = 'proposed'"),
        count("case_file WHERE state = 'appealed'"),
        count("case_file WHERE state = 'decided' AND decision = 'takedown'"),
        count("takedown WHERE state IN ('ordered', 'returned')"), count("takedown WHERE state = 'returned'"),
        count("takedown WHERE \(open) AND deadline_at < ?", [time.milliseconds]),
        count(
          "takedown WHERE \(open) AND deadline_at >= ? AND deadline_at < ?", [time.milliseconds, soon.milliseconds]),
        count("takedown WHERE next_check_at <= ?", [time.milliseconds]),
      ]
    }
    return Today(
      open: counts[0], proposed: counts[1], appealed: counts[2], toOrder: counts[3], toNotify: counts[4],
      returned: counts[5],
      overdue: counts[6], dueSoon: counts[7], recheckDue: counts[8],
      proposals: try cases(matching: CaseFilter(state: .proposed, limit: 20)),
      takedowns: try takedowns(isOpen: true, limit: 20))
  }
}
