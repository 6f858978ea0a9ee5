import ArgumentParser
import Casework
import Decoding
import Dispatch
import Foundation
import Glibc
import Hashing
import Matching
import Scanning
import SystemPackage

struct ScanCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "scan", abstract: "Scans files, folders and pages on the web against the lists in force.",
    discussion: """
      Every item ends in one state: hashed, unhashable, skipped or error, and the summary counts all of them. Printed are \
      those that match or were not hashed in full; --all prints every one. Links are not followed and files are only read. \
      Archives are opened within limits, archives in archives too, and each member is an item of its own; so are the files \
      on disk images (raw, split or E01), deleted ones included, at vol1/…, vol2/… for their volumes.

      What was found is kept in a journal until the scan has come to its end: stopped, killed or without power, it goes on \
      where it was with --resume, and the report is the same in the end.

      EXAMPLES
        muhafiz scan /media/exhibit-7
        muhafiz scan /media/exhibit-7 --resume
        muhafiz scan /media/exhibit-7 --record --exhibit EX-7 --format ndjson -o exhibit-7.ndjson
        muhafiz scan /media/exhibit-7 --exhibit EX-7 --report exhibit-7-report
        muhafiz scan --no-perceptual --all --format csv folder > report.csv
        muhafiz scan https://host.example/page --format ndjson
        muhafiz scan --urls-from mail.txt --record
        muhafiz scan --reports --record               what 'muhafiz report add' has queued

      EXIT CODES
        0 complete, no match      1 complete, with a match
        3 incomplete, no match    4 incomplete, with a match    13 disk full, resumable
        130 interrupted, resumable; what was printed is true
      """)

  @OptionGroup var home: HomeOptions
  @Option(help: "text, ndjson or csv.") var format = ReportFormat.text
  @Option(
    name: [.customShort("o"), .customLong("output")],
    help: ArgumentHelp("Write the report to this file, which appears when the scan ends.", valueName: "file"))
  var output: String?
  @Option(
    help: ArgumentHelp(
      "A folder for a report: HTML, NDJSON, CSV, DFXML, hashdeep, Project VIC, and a signed manifest.", valueName: "folder"))
  var report: String?
  @Flag(help: "Headings of the HTML report in Urdu too.") var urdu = false
  @Flag(help: "Print every item, not only those that match or were not hashed in full.") var all = false
  @Flag(help: "Record findings: open cases, or join those that have the content or the place.") var record = false
  @Option(help: "Name of the seized medium; places are then recorded relative to the scanned path.") var exhibit: String?
  @Option(name: .customLong("as"), help: "Who scans. Default: the login name.") var examiner: String?
  @Flag(help: "Compare digests only: no picture is decoded.") var noPerceptual = false
  @Flag(help: "Take archives as they are: no member is looked at.") var noArchives = false
  @OptionGroup var diskImages: DiskImageOptions
  @OptionGroup var limits: LimitOptions
  @OptionGroup(title: "Web") var visiting: VisitOptions
  @OptionGroup(title: "Web: how it is visited") var fetching: FetchOptions
  @OptionGroup(title: "Web: what is kept") var sealing: SealOptions
  @Option(help: "Digests to take besides those that the lists need: md5, sha1, sha256, with commas between.") var digests: String?
  @Option(help: "Items in hand at once. Default: as many as processors.") var jobs: Int?
  @Option(help: "Progress on standard error: auto (on a terminal), always or never.") var progress = ProgressMode.auto
  @Flag(help: "Show progress on the whole screen.") var tui = false
  @OptionGroup var pace: PaceOptions
  @OptionGroup var journalling: JournalOptions
  @OptionGroup var completeness: CompletenessOptions
  @Argument(help: "Files or folders; or URLs.") var paths: [String] = []

  func run() throws {
    if visiting.isAsked(paths) { return try scanWeb() }
    if sealing.isAsked { throw UsageError("--seal-to is for URLs; an exhibit has its contents") }
    guard !paths.isEmpty else { throw UsageError("nothing to scan: name files, folders or URLs") }
    let journals = ScanJournals(home: home.path)
    guard let named = try journalling.named(paths, in: journals) else { return try run(journals, resuming: nil) }
    // The same command again, from the same folder.
    let home = FileStatus.absolute(home.path).string
    guard FileManager.default.changeCurrentDirectoryPath(named.folder) else {
      throw UsageError("cannot go back to \(named.folder), where the scan was begun")
    }
    var command = try Self.parse(named.arguments)
    command.home.home = home
    try command.run(ScanJournals(home: command.home.path), resuming: named)
  }

  private func run(_ journals: ScanJournals, resuming named: ScanPlan?) throws {
    let roots = try existing(paths)
    var options = try scanOptions()
    diskImages.apply(to: &options)
    var plan = try makePlan(options)
    var journal: ScanJournal?
    if let earlier = try named ?? (journalling.resume ? journalling.last(like: plan, in: journals) : nil) {
      journal = try journalling.resume(earlier, as: plan.tool, in: journals)
      plan = earlier
    }
    let blocklist = journal == nil ? try home.catalog.loadBlocklist() : try loadBlocklist(of: plan)
    // Of digests alone no canary needs a decoder, and no file but a disk image.
    let decoders =
      options.needsDecoders
      ? try limits.decoderPool(size: options.workers, startsNow: options.perceptual || options.archives) : nil
    let canaries = try soundCanaries(Canaries(blocklist: blocklist, options: options, decoders: decoders))
    // Before the first line of the report: whoever has read it may interrupt.
    let control = pace.makeControl()
    let signals = Interruption(onScreen: tui) { control.stop() }
    let writer = try ResultWriter(output, isSecondTry: journal != nil)
    if journal == nil {
      plan.lists = ListCatalog.description(of: blocklist)
      journal = try journalling.begin(plan, in: journals)
    }
    let sourceBefore = try completeness.takeDigest(control)
    let manifest = ScanManifest(
      plan: plan, blocklist: blocklist, canaries: "passed", examiner: examiner ?? loginName, exhibit: exhibit,
      hasAllItems: all, earlierSessions: journal?.earlierSessions ?? 0, sourceDigest: sourceBefore)
    // Whatever may refuse comes before the run is in the record.
    let folder = try makeReport(manifest, options)
    let recorder = record ? try beginRecord(manifest, of: paths, in: home.openCaseStore()) : nil
    let outlets = try ScanOutlets(
      recorder: recorder, reporter: beginReport(manifest, writer), folder: folder)
    let timer = pace.watch(control)

    let line = ProgressLine(
      progress, fullScreen: tui, heading: "muhafiz scan \(paths.joined(separator: " "))".forTerminal, roots: roots,
      control: control)
    let clock = ContinuousClock.now
    let scanner = ContentScanner(
      blocklist: blocklist, options: options, decoders: decoders, control: control, journal: journal)
    let summary: ScanSummary
    do {
      summary = try scanner.scan(roots) { try outlets.add($0) }
    } catch {
      control.stop()
      line.end()
      try recorder?.fail("\(error)")
      throw error
    }
    let seconds = (ContinuousClock.now - clock) / .seconds(1)
    line.end()
    timer?.cancel()
    let entriesCounted = summary.isInterrupted ? nil : completeness.count(roots, expecting: summary)
    let sourceAfter = summary.isInterrupted ? nil : try completeness.takeDigest(control, after: sourceBefore)
    control.stop()
    withExtendedLifetime(signals) {}

    if let resumption = summary.resumption { say(resumption) }
    try home.sayFloods(summary.floods, quarantining: record)

    let ending = ScanEnding(
      summary: summary, seconds: seconds, canaries: try lateCanaries(canaries), entriesCounted: entriesCounted,
      sourceBefore: sourceBefore, sourceAfter: sourceAfter)
    try outlets.finish(ending)
    if summary.isInterrupted {
      if journal != nil { complain("hint: to go on: muhafiz scan --resume \(plan.run)") }
    } else {
      // After failed canaries nothing that was found may be built upon.
      try journalling.end(journal, isComplete: ending.isComplete || !ending.isValid, in: journals)
    }
    throw ExitCode(ending.exit)
  }

  private func makePlan(_ options: ScanOptions) throws -> ScanPlan {
    let arguments = CommandLine.arguments.drop { $0 != Self.configuration.commandName }.dropFirst()
    return ScanPlan(
      run: UUID().uuidString.lowercased(), begun: Date(), tool: "muhafiz \(Muhafiz.toolVersion)",
      folder: FileManager.default.currentDirectoryPath, arguments: Array(arguments), roots: paths,
      options: try options.facts + limits.facts() + ["record=\(record)", "exhibit=\(exhibit ?? "")"], lists: [])
  }

  /// The lists that the scan began with, whatever is in force now.
  private func loadBlocklist(of plan: ScanPlan) throws -> Blocklist {
    let blocklist = try home.catalog.loadBlocklist(of: plan.lists)
    let active = try home.catalog.active()
    for list in plan.lists where !active.contains(where: { $0.name == list.name && $0.sha256 == list.sha256 }) {
      let now = active.first { $0.name == list.name }.map { "; in force is \($0.version)" } ?? "; it is no longer in force"
      complain("warning: list \(list.name) is asked in version \(list.version), with which the scan began\(now)")
    }
    return blocklist
  }

  private func say(_ resumption: Resumption) {
    complain("\(resumption.taken.grouped) items were done before")
    for path in resumption.changedPaths { complain("warning: \(path.forTerminal) has changed since and was scanned anew") }
    for path in resumption.gonePaths { complain("warning: \(path.forTerminal) is gone and is reported as it was found") }
    let unnamed = resumption.changed + resumption.gone - resumption.changedPaths.count - resumption.gonePaths.count
    if unnamed > 0 { complain("warning: \(unnamed.grouped) more have changed or are gone") }
  }
}
