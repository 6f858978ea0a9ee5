import Foundation
import Hashing
import Matching
import SystemPackage

/// What is known of a run when it begins.
public struct RunDescription: Sendable {
  /// A list in force, as the run found it.
  public struct List: Sendable {
    public var version: ListVersion
    public var entries: Int
    public var sha256: Digest

    public init(version: ListVersion, entries: Int, sha256: Digest) {
      self.version = version
      self.entries = entries
      self.sha256 = sha256
    }
  }

  /// A UUID.
  public var id: String
  public var tool: String
  public var toolVersion: String
  public var begunAt: Date
  public var examiner: String
  public var exhibit: String?
  /// The machine.
  public var host: String
  public var commandLine: [String]
  /// What relative paths start from.
  public var workingFolder: FilePath
  /// The digests that every hashed item has.
  public var digests: Set<DigestAlgorithm>
  public var lists: [List]

  public init(
    id: String, tool: String, toolVersion: String, begunAt: Date, examiner: String, exhibit: String?, host: String,
    commandLine: [String], workingFolder: FilePath, digests: Set<DigestAlgorithm>, lists: [List]
  ) {
    self.id = id
    self.tool = tool
    self.toolVersion = toolVersion
    self.begunAt = begunAt
    self.examiner = examiner
    self.exhibit = exhibit
    self.host = host
    self.commandLine = commandLine
    self.workingFolder = workingFolder
    self.digests = digests
    self.lists = lists
  }
}

/// What is known of a run when it has ended.
public struct RunResult: Sendable {
  public var endedAt: Date
  public var counts: ScanCounts
  /// SHA-256 over all item lines, by which two runs are compared.
  public var reportDigest: Digest
  public var isInterrupted: Bool
  /// Whether the canaries were found, before and after.
  public var isValid: Bool

  public init(endedAt: Date, counts: ScanCounts, reportDigest: Digest, isInterrupted: Bool, isValid: Bool) {
    self.endedAt = endedAt
    self.counts = counts
    self.reportDigest = reportDigest
    self.isInterrupted = isInterrupted
    self.isValid = isValid
  }

  /// How it ended, in a word: what is missing comes before what was found.
  var outcome: String {
    if !isValid { return "INVALID" }
    if isInterrupted { return "INTERRUPTED" }
    return counts.isComplete ? "complete" : "INCOMPLETE"
  }
}

extension ScannedItem {
  /// The place as text, with bytes that are no UTF-8 as U+FFFD, and behind a slash the member's path.
  var displayName: String {
    let place =
      switch place {
      case .url(let url): url
      case .file(let path): String(decoding: path.bytes, as: UTF8.self)
      }
    return place + (member.map { "/\($0)" } ?? "")
  }
}

extension Date {
  /// `2026-01-02T03:04:05Z`.
  var utc: String { formatted(.iso8601) }
}
