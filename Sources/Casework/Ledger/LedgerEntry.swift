import Hashing
import Matching

/// What an entry is about, where it has a history of its own.
public enum LedgerSubject: Sendable, Hashable, CustomStringConvertible {
  case caseFile(CaseNumber)
  case takedown(TakedownNumber)
  case report(ReportNumber)

  public var description: String {
    switch self {
    case .caseFile(let number): number.description
    case .takedown(let number): number.description
    case .report(let number): number.description
    }
  }

  /// Reads `C-000012`, `T-000003` or `R-000007`.
  public init?(_ text: String) {
    switch text.first?.uppercased() {
    case "C": if let number = CaseNumber(text) { self = .caseFile(number) } else { return nil }
    case "T": if let number = TakedownNumber(text) { self = .takedown(number) } else { return nil }
    case "R": if let number = ReportNumber(text) { self = .report(number) } else { return nil }
    default: return nil
    }
  }
}

/// One thing that happened: what, when, by whom, about what.
///
/// The fields of each type are in `LedgerFormat.md`, "Entries".
struct LedgerEntry {
  /// Everything that is ever written down. A type, once released, keeps its name and the meaning of its fields.
  enum Kind: String, CaseIterable {
    case runBegun = "run.begun"
    case runResumed = "run.resumed"
    case runFinished = "run.finished"
    case findingRecorded = "finding.recorded"
    case listChanged = "list.changed"
    case login = "login"
    case exported = "exported"
    case caseOpened = "case.opened"
    case caseLinked = "case.linked"
    case caseClaimed = "case.claimed"
    case caseReleased = "case.released"
    case caseNoted = "case.noted"
    case caseMoved = "case.moved"
    case reportReceived = "report.received"
    case reportRepeated = "report.repeated"
    case reportVisited = "report.visited"
    case takedownIssued = "takedown.issued"
    case takedownNotified = "takedown.notified"
    case takedownAcknowledged = "takedown.acknowledged"
    case takedownReminded = "takedown.reminded"
    case takedownEscalated = "takedown.escalated"
    case takedownRechecked = "takedown.rechecked"
    case takedownClosed = "takedown.closed"
    case takedownReopened = "takedown.reopened"
    case takedownWithdrawn = "takedown.withdrawn"
    case blockOrdered = "block.ordered"
    case blockApproved = "block.approved"
    case refused = "refused"
  }

  let kind: Kind
  let by: String
  let subject: LedgerSubject?
  /// Where the subject stands after this.
  let state: String?
  let facts: JSONLine

  init(
    _ kind: Kind, by: String, about subject: LedgerSubject? = nil, state: String? = nil,
    _ fill: (inout JSONLine) -> Void = { _ in }
  ) {
    self.kind = kind
    self.by = by
    self.subject = subject
    self.state = state
    var facts = JSONLine()
    fill(&facts)
    self.facts = facts
  }

  /// The longest entry that the length before it in a bundle can say.
  static let maximumSize = 0xFFFF

  /// The entry's bytes.
  ///
  /// - Parameters:
  ///   - previous: The leaf hash of the entry before it about the same subject.
  ///   - clockBack: Milliseconds by which `time` lies before that of the entry before it in the ledger.
  func bytes(at time: Int64, previous: Digest?, clockBack: Int64?) -> [UInt8] {
    var text = JSONLine()
    text.add("v", 1)
    text.add("type", kind.rawValue)
    text.add("time", LedgerTime.text(time))
    text.add("subject", subject?.description)
    text.add("previous", previous?.hex)
    text.add("state", state)
    text.add("by", by)
    text.add("clock_back_ms", clockBack)
    text.add(membersOf: facts)
    return text.object
  }
}
