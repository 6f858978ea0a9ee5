import ArgumentParser
import Casework
import Foundation
import Glibc
import Matching
import Scanning

struct ReportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report", abstract: "Takes in URLs that were reported; 'muhafiz scan --reports' visits those that wait.",
    subcommands: [ReportAdd.self, ReportList.self])
}

struct ReportAdd: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "add", abstract: "Records reported URLs; one that is known already is counted, not doubled.",
    discussion: """
      Each is durable when its line is printed. Any text will do: what is meant as a URL is found in it, also where it was \
      made safe to pass on (hxxp, [.]).

      EXAMPLES
        muhafiz report add https://host.example/page --source hotline --reference 2026-118
        muhafiz report add - < mail.txt

      EXIT CODES
        0 all recorded   2 at least one is refused, or there is no URL; the others are recorded
      """)

  @OptionGroup var home: HomeOptions
  @OptionGroup var actor: ActorOptions
  @Option(help: "text or ndjson.") var format = OutputFormat.text
  @Option(help: "Who sent it: a hotline, a cell. Not the name of a complainant.") var source: String?
  @Option(help: "The sender's own number for it.") var reference: String?
  @Argument(help: "URLs, or text with URLs in it; - reads text from standard input.") var texts: [String]

  func run() throws {
    let store = try home.openCaseStore()
    let actor = try actor.actor
    var (found, refused) = (false, false)
    try store.signIn(actor, account: loginName, at: Date())
    func add(_ text: String) throws {
      for mention in URLMention.all(in: text) {
        found = true
        switch mention.url {
        case .success(let url):
          let (number, isNew) = try store.addReport(url, source: source, reference: reference, by: actor, at: Date())
          show(number, url, isNew)
        case .failure(let refusal):
          refused = true
          complain("error: '\(mention.text.prefix(80))' is not recorded: \(refusal)")
        }
      }
    }
    for text in texts {
      found = false
      if text == "-" { while let line = readLine() { try add(line) } } else { try add(text) }
      if !found {
        refused = true
        complain("error: there is no URL \(text == "-" ? "on standard input" : "in '\(text.prefix(80))'")")
      }
    }
    if refused { throw ExitCode(ExitStatus.usage) }
  }

  private func show(_ number: ReportNumber, _ url: WebURL, _ isNew: Bool) {
    switch format {
    case .text: print("\(number) \(isNew ? "new" : "known") \(url.description.forTerminal)")
    case .ndjson:
      var line = JSONLine(type: "report")
      line.add("report", number.description)
      line.add("status", isNew ? "new" : "known")
      line.add("url", url.description)
      line.show()
    }
    fflush(nil)
  }
}

struct ReportList: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "list", abstract: "Lists reports, the newest first.")

  @OptionGroup var home: HomeOptions
  @Option(help: "text or ndjson.") var format = OutputFormat.text
  @Flag(help: "Only those that wait for a scan, the oldest first.") var queued = false
  @Option(help: "Only reports below this number: the last of the page before.") var before: String?
  @Option(help: "At most so many.") var limit = 50

  func run() throws {
    guard limit > 0 else { throw UsageError("--limit is 1 or more") }
    let before = try before.map { text in
      guard let number = ReportNumber(text) else {
        throw UsageError("'\(text)' is no report number", hint: "like R-000012, or 12")
      }
      return number
    }
    let store = try home.requireCaseStore()
    let reports = try queued ? Array(store.queuedReports().prefix(limit)) : store.reports(before: before, limit: limit)
    if format == .text { print("REPORT     TIMES  FIRST RECEIVED        CASE       URL") }
    for report in reports {
      switch format {
      case .text:
        print(
          report.number.description.padded(11) + String(report.count).leftPadded(5) + "  "
            + report.firstReceivedAt.formatted(.iso8601).padded(22) + (report.caseNumber?.description ?? "-").padded(11)
            + report.url.forTerminal)
      case .ndjson:
        var line = JSONLine(type: "report")
        line.add("report", report.number.description)
        line.add("url", report.url)
        line.add("count", report.count)
        line.add("first_received", report.firstReceivedAt.formatted(.iso8601))
        line.add("last_received", report.lastReceivedAt.formatted(.iso8601))
        line.add("source", report.source)
        line.add("reference", report.reference)
        line.add("case", report.caseNumber?.description)
        line.add("visited", report.visitedAt?.formatted(.iso8601))
        line.show()
      }
    }
  }
}
