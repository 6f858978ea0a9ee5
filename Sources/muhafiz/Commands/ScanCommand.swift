import ArgumentParser
import Casework
import Decoding
import Dispatch
import Foundation
import Glibc
import Matching
import Scanning
import SystemPackage

struct ScanCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "scan", abstract: "Scans files and folders against the lists in force.",
    discussion: """
      Every item ends in one state: hashed, unhashable, skipped or error, and the summary counts all of them. Printed are \
      those that match or were not hashed in full; --all prints every one. Links are not followed and files are only read. \
      Archives are opened within limits, archives in archives too, and each member is an item of its own.

      EXAMPLES
        muhafiz scan /media/exhibit-7
        muhafiz scan /media/exhibit-7 --record --exhibit EX-7 --format ndjson -o exhibit-7.ndjson
        muhafiz scan --no-perceptual --all --format csv folder > report.csv

      EXIT CODES
        0 complete, no match      1 complete, with a match
        3 incomplete, no match    4 incomplete, with a match    130 interrupted; what was printed is true
      """)

  @OptionGroup var home: HomeOptions
  @Option(help: "text, ndjson or csv.") var format = ReportFormat.text
  @Option(
    name: [.customShort("o"), .customLong("output")],
    help: ArgumentHelp("Write the report to this file, which appears when the scan ends.", valueName: "file"))
  var output: String?
  @Flag(help: "Print every item, not only those that match or were not hashed in full.") var all = false
  @Flag(help: "Record findings: open cases, or join those that have the content or the place.") var record = false
  @Option(help: "Name of the seized medium; places are then recorded relative to the scanned path.") var exhibit: String?
  @Option(name: .customLong("as"), help: "Who scans. Default: the login name.") var examiner: String?
  @Flag(help: "Compare digests only: no picture is decoded.") var noPerceptual = false
  @Flag(help: "Take archives as they are: no member is looked at.") var noArchives = false
  @OptionGroup var limits: LimitOptions
  @Option(help: "Digests to take besides those that the lists need: md5, sha1, sha256, with commas between.") var digests: String?
  @Option(help: "Items in hand at once. Default: as many as processors.") var jobs: Int?
  @Option(help: "Progress on standard error: auto (on a terminal), always or never.") var progress = ProgressMode.auto
  @Argument(help: "Files or folders.") var paths: [String]

  func run() throws {
    let roots = try existing(paths)
    let options = ScanOptions(
      digests: try digestAlgorithms(digests), perceptual: !noPerceptual, archives: !noArchives,
      workers: try workers(jobs))
    let blocklist = try home.catalog.loadBlocklist()
    let decoders = options.needsDecoders ? try limits.decoderPool(size: options.workers) : nil
    let canaries = Canaries(blocklist: blocklist, options: options, decoders: decoders)
    let failures = try canaries.run()
    guard failures.isEmpty else {
      for failure in failures { complain("error: canary: \(failure)") }
      complain("hint: this scan would prove nothing; 'muhafiz doctor' says what is wrong")
      throw ExitCode(ExitStatus.internalError)
    }
    // Before the first line of the report: whoever has read it may interrupt.
    let control = ScanControl()
    let signals = Interruption { control.stop() }
    let begun = Date()
    let run = UUID().uuidString.lowercased()
    let recorder = record ? try beginRecord(run, at: begun, blocklist) : nil
    let reporter = ScanReporter(format, all: all, writer: try ResultWriter(output))
    try reporter.begin(ScanHeading(run: run, begunAt: begun, blocklist: blocklist, canaries: "passed"))

    let line = ProgressLine(progress, roots: roots, control: control)
    let clock = ContinuousClock.now
    let scanner = ContentScanner(blocklist: blocklist, options: options, decoders: decoders, control: control)
    let summary: ScanSummary
    do {
      summary = try scanner.scan(roots) { item in
        try recorder?.add(item)
        try reporter.add(item)
      }
    } catch {
      control.stop()
      line?.end()
      try recorder?.fail("\(error)")
      throw error
    }
    let seconds = (ContinuousClock.now - clock) / .seconds(1)
    control.stop()
    line?.end()
    withExtendedLifetime(signals) {}

    try sayFloods(summary.floods)

    // The path must still be whole at the end: decoders may have died since, lists may have been damaged.
    let lateFailures = try canaries.run()
    for failure in lateFailures { complain("error: canary: \(failure)") }
    let exit =
      lateFailures.isEmpty
      ? ExitStatus.of(
        hasMatch: summary.counts.hasMatch, isComplete: summary.counts.isComplete, isInterrupted: summary.isInterrupted)
      : ExitStatus.internalError
    let ending = ScanEnding(
      summary: summary, seconds: seconds, exit: exit, canaries: lateFailures.isEmpty ? "passed" : "failed")
    try recorder?.finish(ending)
    try reporter.end(ending)
    throw ExitCode(exit)
  }

  /// Says which entries met too many pictures, and where the scan is recorded keeps them from counting in the next.
  private func sayFloods(_ floods: [FloodBreaker.Trip]) throws {
    for flood in floods {
      complain(
        "warning: entry \(flood.entry) of list \(flood.list.name) looked like \(flood.matches.grouped) of \(flood.pictures.grouped) "
          + "pictures; from then on its near matches did not count")
      if record {
        _ = try home.catalog.quarantine([flood.entry], of: flood.list.name)
        complain("hint: it is quarantined until: muhafiz list release \(flood.list.name) '\(flood.entry)'")
      } else {
        complain("hint: to keep it so: muhafiz list release --quarantine \(flood.list.name) '\(flood.entry)'")
      }
    }
  }

  private func beginRecord(_ run: String, at time: Date, _ blocklist: Blocklist) throws -> FindingRecorder {
    let store = try home.openCaseStore()
    try store.beginRun(
      RunStart(
        id: run, startedAt: time, tool: "muhafiz \(Muhafiz.toolVersion)", examiner: examiner ?? loginName, exhibit: exhibit,
        roots: paths, lists: blocklist.versions))
    return FindingRecorder(store, run: run, exhibit: exhibit, roots: paths.map { FilePath($0) }, lists: blocklist.versions)
  }
}

/// Ends a scan in good order at the first ^C, and at once at the second.
private final class Interruption {
  private let sources: [any DispatchSourceSignal]

  init(_ stop: @escaping @Sendable () -> Void) {
    sources = [SIGINT, SIGTERM, SIGHUP].map { number in
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: .global(qos: .userInitiated))
      nonisolated(unsafe) var isSecond = false  // Events of one source come one after the other.
      source.setEventHandler {
        if isSecond { _exit(ExitStatus.interrupted) }
        isSecond = true
        complain("stopping after the items in hand; again to stop at once")
        stop()
      }
      source.activate()
      return source
    }
  }

  deinit { for source in sources { source.cancel() } }
}
