import ArgumentParser
import Casework
import Foundation
import Matching
import SystemPackage

struct RematchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rematch",
    abstract: "Asks today's lists for what past scans have seen, without the evidence.",
    discussion: """
      A scan with --record --exhibit keeps the hashes of all its items. This compares them with the lists as they now are, \
      and prints what is new: each match with the version of its list that made the difference. --record opens or joins \
      cases, as a scan does. Contents that lack a digest or \
      a perceptual hash that is asked for are counted; what could not be read then is in the report of that scan.

      EXAMPLES
        muhafiz rematch
        muhafiz rematch --exhibit EX-7 --record --format ndjson

      EXIT CODES
        0 nothing new      1 new matches     3 nothing new, but some could not be compared in full
        4 new matches, and some could not be compared in full
      """)

  @OptionGroup var home: HomeOptions
  @OptionGroup var actor: ActorOptions
  @Option(help: "text or ndjson.") var format = OutputFormat.text
  @Option(help: "Only what was seen on this exhibit.") var exhibit: String?
  @Flag(help: "Record what is new: open cases, or join those that have the content or the place.") var record = false
  @Option(
    name: [.customShort("o"), .customLong("output")],
    help: ArgumentHelp("Write the result to this file.", valueName: "file"))
  var output: String?

  func run() throws {
    let store = try home.requireCaseStore()
    let blocklist = try home.catalog.loadBlocklist()
    let writer = try ResultWriter(output)
    let run = UUID().uuidString.lowercased()
    let heading = ScanHeading(
      run: run, begunAt: Date(), tool: "muhafiz \(Muhafiz.toolVersion) rematch", blocklist: blocklist, canaries: "not run",
      earlierSessions: 0)
    if format == .ndjson { try writer.write(heading.line.bytes) }
    let catalog = home.catalog
    var rematch = Rematch(store, blocklist) { try catalog.versions(of: $0) }
    guard record else {
      let summary = try rematch.run(on: exhibit) { try show($0, writer) }
      try home.sayFloods(rematch.floods, quarantining: false)
      return try end(summary, writer)
    }
    let summary = try home.acting(actor) { store, actor in
      try store.beginRun(
        RunStart(
          id: run, startedAt: heading.begunAt, tool: heading.tool, examiner: actor,
          exhibit: exhibit, roots: [], lists: blocklist.versions))
      let recorder = FindingRecorder(store, of: home, run: run, exhibit: exhibit, roots: [], lists: blocklist.versions)
      do {
        let summary = try rematch.run(on: exhibit) { news in
          try recorder.add(news.finding)
          try show(news, writer)
        }
        try recorder.finish(summary.isComplete ? .complete : .incomplete, line(summary), again: "with more matches")
        return summary
      } catch {
        try recorder.fail("\(error)")
        throw error
      }
    }
    try home.sayFloods(rematch.floods, quarantining: false)
    try end(summary, writer)
  }

  private func show(_ news: Rematch.News, _ writer: ResultWriter) throws {
    guard format == .text else {
      var line = ItemLine.of(news.finding)
      line.add("run_then", news.runThen)
      line.add("new", news.new) { new, object in
        object.add("list", new.match.list.name)
        object.add("entry", new.match.entry)
        object.add("used_then", new.usedThen?.version)
        if let wasListed = new.wasListedThen { object.add("listed_then", wasListed) }
        object.add("since", new.since.version)
      }
      return try writer.write(line.bytes)
    }
    let exhibit = news.finding.location.exhibit.map { "\($0.forTerminal): " } ?? ""
    try writer.write(line: news.finding.verdict.rawValue.uppercased().padded(9) + exhibit + news.finding.location.forTerminal)
    for new in news.new {
      try writer.write(line: "         \(new.match.sentence)")
      try writer.write(line: "         \(new.explanation.forTerminal)")
    }
  }

  private func line(_ summary: Rematch.Summary) -> JSONLine {
    var line = JSONLine(type: "summary")
    line.add("contents", summary.contents)
    line.add("matched", summary.matched)
    line.add("new", summary.news)
    line.add("block", summary.block)
    line.add("review", summary.review)
    line.add("without_digest", summary.withoutDigest)
    line.add("without_perceptual_hash", summary.withoutPerceptualHash)
    line.add("exit", Int(exitCode(summary)))
    return line
  }

  private func exitCode(_ summary: Rematch.Summary) -> Int32 {
    ExitStatus.of(hasMatch: summary.news > 0, isComplete: summary.isComplete)
  }

  private func end(_ summary: Rematch.Summary, _ writer: ResultWriter) throws {
    switch format {
    case .ndjson: try writer.write(line(summary).bytes)
    case .text:
      try writer.write(line: "")
      try writer.write(
        line: "\(summary.contents.grouped) contents compared, \(summary.matched.grouped) match, "
          + "new at \(summary.news.grouped) places: \(summary.block.grouped) block, \(summary.review.grouped) review")
      if summary.withoutDigest > 0 {
        try writer.write(
          line: "INCOMPLETE: \(summary.withoutDigest.grouped) contents lack a digest that a list is asked by")
      }
      if summary.withoutPerceptualHash > 0 {
        try writer.write(
          line: "INCOMPLETE: of \(summary.withoutPerceptualHash.grouped) pictures or videos no perceptual hash was kept")
      }
    }
    try writer.finish()
    throw ExitCode(exitCode(summary))
  }
}
