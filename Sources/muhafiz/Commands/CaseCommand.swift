import ArgumentParser
import Casework
import Foundation
import Hashing
import Matching
import Scanning
import SystemPackage

extension Verdict: ExpressibleByArgument {}

struct CaseCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "case", abstract: "Shows the cases that findings have opened, and decides on them.",
    subcommands: [
      CaseList.self, CaseShow.self, CaseDecide.self, CaseClaim.self, CaseNote.self, CaseLink.self,
      CaseToday.self,
    ])
}

struct CaseList: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "Lists cases, the newest first.",
    discussion: "EXAMPLES\n  muhafiz case list --state proposed\n  muhafiz case list --exhibit EX-7 --format ndjson")

  @OptionGroup var home: HomeOptions
  @Option(help: "text or ndjson.") var format = OutputFormat.text
  @Option(help: ArgumentHelp("Only cases in this state: \(CaseState.allCases.map(\.rawValue).joined(separator: ", "))."))
  var state: CaseState?
  @Option(help: "Only cases with this verdict: block or review.") var verdict: Verdict?
  @Option(help: "Only cases that this person has claimed.") var assignee: String?
  @Option(help: "Only cases with a finding on this exhibit.") var exhibit: String?
  @Option(help: "Only cases below this number: the last of the page before.") var before: String?
  @Option(help: "At most so many.") var limit = 50

  func run() throws {
    guard limit > 0 else { throw UsageError("--limit is 1 or more") }
    let before = try before.map(caseNumber)
    guard let store = try home.openExistingCaseStore() else {
      complain("nothing is recorded yet; 'muhafiz scan PATH --record' records findings")
      return
    }
    let cases = try store.cases(
      matching: CaseFilter(
        state: state, verdict: verdict, exhibit: exhibit, assignee: assignee, before: before, limit: limit))
    switch format {
    case .text:
      print("CASE       STATE    VERDICT  FINDINGS  OPENED                LAST SEEN             DECISION      CLAIMED BY")
      for item in cases {
        print(
          item.number.description.padded(11) + item.state.rawValue.padded(9) + item.verdict.rawValue.padded(9)
            + item.findings.grouped.leftPadded(8) + "  " + item.openedAt.formatted(.iso8601).padded(22)
            + item.lastSeenAt.formatted(.iso8601).padded(22) + (item.decision?.rawValue ?? "-").padded(14)
            + (item.assignee ?? "-").forTerminal)
      }
      let all = try store.caseCount()
      if cases.count == limit && all > limit {
        complain("\(all.grouped) cases in all; --before \(cases.last!.number) shows the next")
      }
      for run in try store.unfinishedRuns() {
        complain("warning: run \(run) has no end in the record: it is under way or was cut off")
      }
    case .ndjson:
      for item in cases { CaseLine.of(item).show() }
    }
  }
}

struct CaseShow: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "Shows a case with its findings: where, which hashes, which list entries.")

  @OptionGroup var home: HomeOptions
  @Option(help: "text or ndjson.") var format = OutputFormat.text
  @Argument(help: "Number of the case: C-000012, or 12.") var number: String

  func run() throws {
    let number = try caseNumber(number)
    guard let store = try home.openExistingCaseStore() else {
      throw UsageError("there is no case \(number)", hint: "nothing is recorded yet")
    }
    let detail = try store.detail(of: number)
    let history = try store.entries(about: .caseFile(number))
    switch format {
    case .text:
      printText(detail)
      History.show(history)
    case .ndjson:
      CaseLine.of(detail.summary).show()
      for finding in detail.findings { CaseLine.of(finding).show() }
      for entry in history { print(String(decoding: entry.data, as: UTF8.self)) }
    }
  }

  private func printText(_ detail: CaseDetail) {
    let summary = detail.summary
    print("case \(summary.number), \(summary.state.rawValue), verdict \(summary.verdict.rawValue), version \(summary.version)")
    print("opened \(summary.openedAt.formatted(.iso8601)), last seen \(summary.lastSeenAt.formatted(.iso8601))")
    if let assignee = summary.assignee { print("claimed by \(assignee.forTerminal)") }
    if let decision = summary.decision {
      let people = [summary.proposedBy.map { "proposed by \($0)" }, summary.decidedBy.map { "decided by \($0)" }]
      print("decision: \(decision.rawValue), \(people.compactMap { $0 }.joined(separator: ", ").forTerminal)")
    }
    if !detail.linked.isEmpty { print("linked with \(detail.linked.map(\.description).joined(separator: ", "))") }
    if !detail.sameEntry.isEmpty { print("same list entry as \(detail.sameEntry.map(\.description).joined(separator: ", "))") }
    for recorded in detail.findings {
      let finding = recorded.finding
      print("")
      print("  \(finding.location.forTerminal)")
      if let origin = finding.location.origin { print("    \(origin.words)") }
      print(
        "    \(finding.fingerprint.sizeInBytes.grouped) bytes, \(finding.mediaType ?? "unknown type"), verdict \(finding.verdict.rawValue)"
      )
      for digest in finding.fingerprint.digests { print("    \(digest)") }
      if let hash = finding.fingerprint.perceptualHash { print("    \(hash), quality \(hash.quality ?? 0)") }
      for match in finding.matches { print("    \(match.sentence)") }
      print("    first seen \(recorded.firstSeenAt.formatted(.iso8601)) in run \(recorded.firstRun)")
      if recorded.lastRun != recorded.firstRun {
        print("    last seen \(recorded.lastSeenAt.formatted(.iso8601)) in run \(recorded.lastRun)")
      }
    }
  }
}

func caseNumber(_ text: String) throws -> CaseNumber {
  guard let number = CaseNumber(text) else { throw UsageError("'\(text)' is no case number", hint: "like C-000012, or 12") }
  return number
}

extension Match {
  /// What the match is, in words that claim no more than is known.
  var sentence: String {
    var text =
      switch grade {
      case .exact: "exact match by \(algorithm.rawValue)"
      case .legacyExact: "legacy-exact match by \(algorithm.rawValue)"
      case .near: "near match by \(algorithm.rawValue), \(distanceInBits) of 256 bits apart,"
      }
    text += " with list \(list.name) version \(list.version), entry \(entry)"
    if let category { text += ", category \(category.label) (\(category.scheme))" }
    if let contributor { text += ", contributed by \(contributor)" }
    if let video { text += ", \(video.words)" }
    if let near { text += near.explanation }
    return text.forTerminal
  }
}

extension ContentLocation {
  var forTerminal: String {
    let place =
      switch place {
      case .file(let path): path.forTerminal
      case .url(let url): url.forTerminal
      }
    return (exhibit.map { "exhibit \($0.forTerminal): " } ?? "") + place + (member.map { " › \($0.forTerminal)" } ?? "")
  }
}

extension MemberOrigin {
  /// Where on the medium a file lies: `volume 2, inode 14, deleted, bytes 61440–65535, 3 further runs`.
  fileprivate var words: String {
    let most = 4
    var parts = ["volume \(volume)"]
    if let inode { parts.append("inode \(inode)") }
    parts.append(allocation.rawValue)
    parts += runs.prefix(most).map { run in
      run.offset.map { "bytes \($0)–\($0 + max(run.length, 1) - 1)" } ?? "a hole of \(run.length) bytes"
    }
    if runs.count > most || isFragmentedFurther {
      parts.append("\(isFragmentedFurther ? "more than " : "")\(max(runs.count - most, 0)) further runs")
    }
    return parts.joined(separator: ", ")
  }
}

/// Cases and recorded findings as NDJSON.
enum CaseLine {
  static func of(_ summary: CaseSummary) -> JSONLine {
    var line = JSONLine(type: "case")
    line.add("case", summary.number.description)
    line.add("state", summary.state.rawValue)
    line.add("verdict", summary.verdict.rawValue)
    line.add("findings", summary.findings)
    line.add("opened", summary.openedAt.formatted(.iso8601))
    line.add("last_seen", summary.lastSeenAt.formatted(.iso8601))
    line.add("version", summary.version)
    line.add("assignee", summary.assignee)
    line.add("decision", summary.decision?.rawValue)
    line.add("proposed_by", summary.proposedBy)
    line.add("decided_by", summary.decidedBy)
    return line
  }

  static func of(_ recorded: RecordedFinding) -> JSONLine {
    var line = ItemLine.of(recorded.finding)
    line.add("first_seen", recorded.firstSeenAt.formatted(.iso8601))
    line.add("last_seen", recorded.lastSeenAt.formatted(.iso8601))
    line.add("first_run", recorded.firstRun)
    line.add("last_run", recorded.lastRun)
    return line
  }
}
