import Foundation
import Matching

/// What the page of a run shows, counted while it runs: it does not grow with the items.
struct RunStatistics: Sendable {
  struct Count: Sendable {
    var items = 0
    var matched = 0
  }

  /// An item in a table of the page.
  struct Row: Sendable {
    let place: String
    let state: String
    let verdict: Verdict?
    let matches: [Match]
    let reason: String?
  }

  private(set) var types: [String: Count] = [:]
  /// By number of decimal digits of the size, 1…
  private(set) var sizes: [Int: Count] = [:]
  /// By year and month at which files were last changed: 12 × year + month − 1.
  private(set) var months: [Int: Count] = [:]
  private(set) var lists: [ListVersion: [MatchGrade: Int]] = [:]
  /// Items with a match, the first of them.
  private(set) var matched: [Row] = []
  private(set) var matchedCount = 0
  /// Items, or parts of them, that were not hashed, the first of them.
  private(set) var incomplete: [Row] = []
  private(set) var incompleteCount = 0
  /// Why items, or parts of them, were not hashed or left out.
  private(set) var reasons: [String: Int] = [:]

  static let mostRows = 1000
  private static let mostReasons = 200

  mutating func add(_ item: ScannedItem) {
    let isMatched = item.verdict == .block || item.verdict == .review
    let bytes = item.fingerprint?.sizeInBytes ?? 0
    func count(_ count: inout Count) {
      count.items += 1
      if isMatched { count.matched += 1 }
    }
    if item.state == .hashed {
      count(&types[item.mediaType ?? "other", default: Count()])
      count(&sizes[String(bytes).count, default: Count()])
      if let month = item.modifiedAt.flatMap(Self.month) { count(&months[month, default: Count()]) }
    }
    for match in item.matches { lists[match.list, default: [:]][match.grade, default: 0] += 1 }
    if !item.matches.isEmpty {
      matchedCount += 1
      if matched.count < Self.mostRows { matched.append(row(item)) }
    }
    guard let reason = item.reason else { return }
    let isKnown = reasons[reason] != nil || reasons.count < Self.mostReasons
    reasons[isKnown ? reason : "other reasons", default: 0] += 1
    if item.isIncomplete {
      incompleteCount += 1
      if incomplete.count < Self.mostRows { incomplete.append(row(item)) }
    }
  }

  private func row(_ item: ScannedItem) -> Row {
    Row(
      place: item.displayName, state: item.state.name, verdict: item.verdict,
      matches: Array(item.matches.prefix(Self.mostMatches)), reason: item.reason)
  }

  private static let mostMatches = 20

  /// `nil` for a time that no camera was there to see: a file system may be damaged, or lie.
  private static func month(_ date: Date) -> Int? {
    var calendar = Calendar(identifier: .gregorian)
    calendar.timeZone = .gmt
    let parts = calendar.dateComponents([.year, .month], from: date)
    guard let year = parts.year, let month = parts.month, (1980...2100).contains(year) else { return nil }
    return 12 * year + month - 1
  }
}
