import Foundation
import Glibc
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

/// What is read back of an entry to check the ledger: the members that it begins with.
///
///     {"v":1,"type":"case.moved","time":"…Z","subject":"C-000012","previous":"…","state":"approved","by":…
///
/// `subject`, `previous` and `state` may be missing; the order is always this.
struct LedgerEntryHead {
  let kind: String
  /// Milliseconds since 1970.
  let time: Int64
  let subject: String?
  let previous: Digest?
  let state: String?

  /// - Returns: `nil` for bytes that no entry begins with.
  init?(_ entry: UnsafeRawBufferPointer) {
    var rest = entry[...]
    func skip(_ text: StaticString) -> Bool {
      guard rest.count >= text.utf8CodeUnitCount,
        memcmp(rest.base.baseAddress! + rest.startIndex, text.utf8Start, text.utf8CodeUnitCount) == 0
      else { return false }
      rest = rest.dropFirst(text.utf8CodeUnitCount)
      return true
    }
    /// What is up to the next quotation mark: none of the head's members has one, or an escape, in it.
    func value() -> Slice<UnsafeRawBufferPointer>? {
      guard let end = rest.firstIndex(of: UInt8(ascii: "\"")) else { return nil }
      defer { rest = rest[(end + 1)...] }
      return rest[..<end]
    }
    guard skip("{\"v\":1,\"type\":\""), let kind = value(), skip(",\"time\":\""), let time = value(),
      let milliseconds = LedgerTime.milliseconds(time)
    else { return nil }
    self.kind = String(decoding: kind, as: UTF8.self)
    self.time = milliseconds
    var (subject, previous, state): (String?, Digest?, String?)
    if skip(",\"subject\":\"") {
      guard let text = value() else { return nil }
      subject = String(decoding: text, as: UTF8.self)
    }
    if skip(",\"previous\":\"") {
      guard let text = value(), let digest = Digest(.sha256, hex: String(decoding: text, as: UTF8.self)) else {
        return nil
      }
      previous = digest
    }
    if skip(",\"state\":\"") {
      guard let text = value() else { return nil }
      state = String(decoding: text, as: UTF8.self)
    }
    (self.subject, self.previous, self.state) = (subject, previous, state)
  }
}

/// Times as they stand in entries: `2026-01-02T03:04:05.678Z`, always UTC, always milliseconds.
enum LedgerTime {
  /// - Parameter milliseconds: Since 1970.
  static func text(_ milliseconds: Int64) -> String {
    let (days, rest) = milliseconds.flooredDivision(by: 86_400_000)
    let (year, month, day) = civil(days)
    var bytes: [UInt8] = []
    bytes.reserveCapacity(24)
    func add(_ value: Int64, _ width: Int) {
      let digits = Array(String(value).utf8)
      bytes += [UInt8](repeating: UInt8(ascii: "0"), count: max(0, width - digits.count)) + digits
    }
    add(year, 4)
    for (separator, value) in [
      ("-", month), ("-", day), ("T", rest / 3_600_000), (":", rest / 60_000 % 60), (":", rest / 1000 % 60),
    ] {
      bytes += separator.utf8
      add(value, 2)
    }
    bytes += ".".utf8
    add(rest % 1000, 3)
    bytes += "Z".utf8
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Reads what ``text(_:)`` writes, from year 0 on; `nil` for anything else.
  static func milliseconds(_ text: some Collection<UInt8>) -> Int64? {
    let bytes = Array(text)
    guard bytes.count == 24, zip([4, 7, 10, 13, 16, 19, 23], "--T::.Z".utf8).allSatisfy({ bytes[$0] == $1 }) else {
      return nil
    }
    func number(_ range: Range<Int>) -> Int64? {
      var value: Int64 = 0
      for byte in bytes[range] {
        guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
        value = value * 10 + Int64(byte - UInt8(ascii: "0"))
      }
      return value
    }
    guard let year = number(0..<4), let month = number(5..<7), let day = number(8..<10), let hour = number(11..<13),
      let minute = number(14..<16), let second = number(17..<19), let thousandths = number(20..<23),
      (1...12).contains(month)
    else { return nil }
    let shiftedYear = month <= 2 ? year - 1 : year
    let (era, yearOfEra) = shiftedYear.flooredDivision(by: 400)
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    let days = era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    // A date that does not exist, as the 30th of February, would be read as another.
    guard civil(days) == (year, month, day), hour < 24, minute < 60, second < 60 else { return nil }
    return ((days * 24 + hour) * 60 + minute) * 60_000 + second * 1000 + thousandths
  }

  /// The date of a day since 1970 in the Gregorian calendar, counted in eras of 400 years that begin in March.
  private static func civil(_ days: Int64) -> (year: Int64, month: Int64, day: Int64) {
    let (era, dayOfEra) = (days + 719_468).flooredDivision(by: 146_097)
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shifted = (5 * dayOfYear + 2) / 153
    let month = shifted < 10 ? shifted + 3 : shifted - 9
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shifted + 2) / 5 + 1)
  }
}

extension Int64 {
  fileprivate func flooredDivision(by divisor: Int64) -> (quotient: Int64, remainder: Int64) {
    let remainder = ((self % divisor) + divisor) % divisor
    return ((self - remainder) / divisor, remainder)
  }
}
