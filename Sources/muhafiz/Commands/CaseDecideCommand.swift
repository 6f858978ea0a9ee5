import ArgumentParser
import Casework
import Foundation
import Scanning
import SystemPackage

extension CaseAction: ExpressibleByArgument {
  /// What can be asked for; the rest follows from what happens to a takedown.
  static let asked = CaseAction.allCases.filter { $0 != .act && $0 != .resume }
}
extension CaseDecision: ExpressibleByArgument {}
extension CaseState: ExpressibleByArgument {}

struct CaseDecide: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "decide", abstract: "Proposes, approves and revises what is decided about a case.",
    discussion: """
      Who proposes cannot approve. Without an exact match two people decide, always; with one, \
      {"exact_needs_two": false} in policy.json of the home lets one person 'decide'. The reason is recorded before \
      anything follows from it; an attempt that is refused is recorded as refused.

      EXAMPLES
        muhafiz case decide C-12 propose --decision takedown --reason 'entry 5521 of national, exact'
        muhafiz case decide C-12 approve --version 3 --reason 'agreed' --as reviewer
        muhafiz case decide C-12 appeal --reason 'the host says that it is another file'

      EXIT CODES
        0 done   2 refused, or no such case
      """)

  @OptionGroup var home: HomeOptions
  @OptionGroup var actor: ActorOptions
  @Option(help: "text or ndjson.") var format = OutputFormat.text
  @Option(help: ArgumentHelp("What is decided: \(CaseDecision.allCases.map(\.rawValue).joined(separator: ", "))."))
  var decision: CaseDecision?
  @Option(help: "Why.") var reason: String
  @Option(help: "The version of the case that was looked at; 'case show' prints it.") var version: Int?
  @Argument(help: "The case, like C-000012 or 12.") var number: String
  @Argument(help: ArgumentHelp("\(CaseAction.asked.map(\.rawValue).joined(separator: ", ")).")) var action: CaseAction

  func run() throws {
    guard CaseAction.asked.contains(action) else {
      throw UsageError("'\(action.rawValue)' follows from a takedown", hint: "muhafiz takedown issue C-12 …")
    }
    let number = try caseNumber(number)
    let policy = try home.policy()
    let summary = try home.deciding(actor) { store, actor in
      try store.act(
        CaseRequest(number, action, by: actor, reason: reason, decision: decision, version: version), policy: policy,
        at: Date())
    }
    switch format {
    case .text:
      print(
        "case \(summary.number) is \(summary.state.rawValue)\(summary.decision.map { ": \($0.rawValue)" } ?? ""), version \(summary.version)"
      )
    case .ndjson: CaseLine.of(summary).show()
    }
  }
}

struct CaseClaim: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "claim", abstract: "Takes cases to work on, so that no two people do.",
    discussion: "EXAMPLES\n  muhafiz case claim C-12 C-13\n  muhafiz case claim C-12 --release")

  @OptionGroup var home: HomeOptions
  @OptionGroup var actor: ActorOptions
  @Flag(help: "Give them back.") var release = false
  @Argument(help: "Cases, like C-000012 or 12.") var numbers: [String]

  func run() throws {
    let numbers = try numbers.map(caseNumber)
    try home.acting(actor) { store, actor in
      for number in numbers {
        try store.assign(number, to: release ? nil : actor, by: actor, at: Date())
        print("\(number) \(release ? "released" : "claimed by \(actor.forTerminal)")")
      }
    }
  }
}

struct CaseNote: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "note", abstract: "Adds a note to a case, which nobody can change.",
    discussion: "EXAMPLES\n  muhafiz case note C-12 'the host answered by telephone'")

  @OptionGroup var home: HomeOptions
  @OptionGroup var actor: ActorOptions
  @Argument(help: "The case, like C-000012 or 12.") var number: String
  @Argument(help: "The note; - reads it from standard input.") var text: String

  func run() throws {
    let number = try caseNumber(number)
    let note = text == "-" ? try muhafiz.text(ofFile: "-") : text
    try home.acting(actor) { try $0.note(note, on: number, by: $1, at: Date()) }
    print("noted on \(number)")
  }
}

struct CaseLink: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "link", abstract: "Says that two cases belong together, or that a report led to a case.",
    discussion: """
      A takedown can be ordered at the URL of a linked report.

      EXAMPLES
        muhafiz case link C-12 C-7 --why 'the same forum'
        muhafiz case link C-12 R-3 --why 'saved from there as exhibit EX-7'
      """)

  @OptionGroup var home: HomeOptions
  @OptionGroup var actor: ActorOptions
  @Option(help: "Why.") var why: String
  @Argument(help: "A case.") var number: String
  @Argument(help: "Another case, or a report like R-000003.") var other: String

  func run() throws {
    let number = try caseNumber(number)
    try home.acting(actor) { store, actor in
      switch LedgerSubject(other) {
      case .report(let report): try store.link(number, with: report, why: why, by: actor, at: Date())
      default: try store.link(number, with: caseNumber(other), why: why, by: actor, at: Date())
      }
    }
    print("\(number) and \(other) are linked")
  }
}

extension HomeOptions {
  /// How many people a decision needs: `policy.json` of the home, or two for all.
  func policy() throws -> CasePolicy {
    let file = path.appending("policy.json")
    do { _ = try FileStatus.exists(file) } catch { return CasePolicy() }
    do { return try JSONDecoder().decode(CasePolicy.self, from: Data(contentsOf: URL(filePath: file.string))) } catch {
      throw UsageError("cannot read \(file)", hint: #"it holds {"exact_needs_two": true} or false"#)
    }
  }
}
