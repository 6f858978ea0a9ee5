import Foundation
import Matching

/// A scan that begins: who looked for what, where, with which lists.
public struct RunStart: Sendable, Equatable {
  public var id: String
  public var startedAt: Date
  public var tool: String
  public var examiner: String
  public var exhibit: String?
  public var roots: [String]
  public var lists: [ListVersion]
  /// Hex digits of the SHA-256 of the report's first line, which says all this and more; `nil` where there is none.
  public var manifestDigest: String?

  public init(
    id: String, startedAt: Date, tool: String, examiner: String, exhibit: String?, roots: [String], lists: [ListVersion]
  ) {
    self.id = id
    self.startedAt = startedAt
    self.tool = tool
    self.examiner = examiner
    self.exhibit = exhibit
    self.roots = roots
    self.lists = lists
  }
}

/// How a run ended. One that has no end in the record was cut off.
public enum RunState: String, Sendable, CaseIterable {
  case running, complete, incomplete, interrupted, failed
}

/// A run that has ended.
public struct RunOutcome: Sendable, Equatable {
  public var finishedAt: Date
  public var state: RunState
  /// The `summary` line of the report, which has all the counts.
  public var summary: String

  public init(finishedAt: Date, state: RunState, summary: String) {
    self.finishedAt = finishedAt
    self.state = state
    self.summary = summary
  }
}
