import Foundation
import Hashing
import Matching

/// One line of a list of cases.
public struct CaseSummary: Sendable, Equatable {
  public let number: CaseNumber
  public let state: CaseState
  /// The strongest verdict among the findings: `block` or `review`.
  public let verdict: Verdict
  public let openedAt: Date
  public let lastSeenAt: Date
  public let findings: Int
  /// Counts every change; whoever acts on a case says which version it was that was looked at.
  public let version: Int
  /// Who works on it.
  public let assignee: String?
  /// The decision that stands or is proposed, who proposed it and who decided.
  public let decision: CaseDecision?
  public let proposedBy: String?
  public let decidedBy: String?
}

/// A case with all that it rests on.
public struct CaseDetail: Sendable {
  public let summary: CaseSummary
  public let findings: [RecordedFinding]
  /// Other cases that have a place in common with this one, or that somebody has linked.
  public let linked: [CaseNumber]
  /// Other cases with a content that met the same list entry, at most 100.
  public let sameEntry: [CaseNumber]
}

/// A finding as it is in the record.
public struct RecordedFinding: Sendable {
  public let finding: Finding
  public let firstSeenAt: Date
  public let lastSeenAt: Date
  /// The run that saw it first, and the one that saw it last.
  public let firstRun: String
  public let lastRun: String
}

/// Which cases to list, and from where on.
public struct CaseFilter: Sendable {
  public var state: CaseState?
  public var verdict: Verdict?
  public var exhibit: String?
  public var assignee: String?
  /// Only cases seen at or after this time.
  public var since: Date?
  /// Only cases with a lower number: the last of the page before.
  public var before: CaseNumber?
  public var limit: Int

  public init(
    state: CaseState? = nil, verdict: Verdict? = nil, exhibit: String? = nil, assignee: String? = nil,
    since: Date? = nil, before: CaseNumber? = nil, limit: Int = 50
  ) {
    self.state = state
    self.assignee = assignee
    self.verdict = verdict
    self.exhibit = exhibit
    self.since = since
    self.before = before
    self.limit = limit
  }
}

/// What recording a batch of findings did.
public struct RecordSummary: Sendable, Equatable {
  public var casesOpened = 0
  public var casesJoined = 0
  public var findingsNew = 0
  public var findingsSeenAgain = 0

  public init() {}

  public static func += (left: inout Self, right: Self) {
    left.casesOpened += right.casesOpened
    left.casesJoined += right.casesJoined
    left.findingsNew += right.findingsNew
    left.findingsSeenAgain += right.findingsSeenAgain
  }
}
