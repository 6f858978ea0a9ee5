import ArgumentParser
import Casework
import Foundation
import Hashing
import Matching
import Scanning
import SystemPackage

/// All that is told of a scan's items: the record, the report, the folder to hand on.
struct ScanOutlets {
  let recorder: FindingRecorder?
  let reporter: ScanReporter
  let folder: RunReport?

  func add(_ item: ScannedItem) throws {
    try recorder?.add(item)
    try reporter.add(item)
    try folder?.add(item)
  }

  func finish(_ ending: ScanEnding) throws {
    try recorder?.finish(ending)
    try folder?.finish(ending)
    try reporter.end(ending)
  }
}

extension ScanCommand {
  /// What is done with each item, be it a file or fetched.
  func scanOptions() throws -> ScanOptions {
    // Besides what is asked for, what a report names contents by.
    let digests = try digestAlgorithms(digests).union(report == nil ? [] : RunReport.digests)
    var options = try limits.limiting(
      ScanOptions(
        digests: digests, perceptual: !noPerceptual, fullVideo: limits.fullVideo, archives: !noArchives,
        workers: workers(jobs), order: pace.order))
    options.keepsQueries = record && exhibit != nil
    return options
  }

  /// Canaries that have come through. Those that have not end the command.
  func soundCanaries(_ canaries: Canaries) throws -> Canaries {
    let failures = try canaries.run()
    guard failures.isEmpty else {
      for failure in failures { complain("error: canary: \(failure)") }
      complain("hint: this scan would prove nothing; 'muhafiz doctor' says what is wrong")
      throw ExitCode(ExitStatus.internalError)
    }
    return canaries
  }

  /// What the canaries say at the end. The path must still be whole: decoders may have died since, lists may have been
  /// damaged.
  func lateCanaries(_ canaries: Canaries) throws -> String {
    let failures = try canaries.run()
    for failure in failures { complain("error: canary: \(failure)") }
    return failures.isEmpty ? ScanEnding.passed : "failed"
  }

  /// - Parameter places: What the record says was scanned.
  func beginRecord(_ manifest: ScanManifest, of places: [String], in store: CaseStore) throws -> FindingRecorder {
    let plan = manifest.plan
    var start = RunStart(
      id: plan.run, startedAt: plan.begun, tool: plan.tool, examiner: manifest.examiner, exhibit: exhibit, roots: places,
      lists: manifest.blocklist.versions)
    try store.signIn(start.examiner, account: loginName, at: Date())
    start.manifestDigest = try manifest.digest().hex
    if manifest.earlierSessions > 0 { try store.resumeRun(start, at: Date()) } else { try store.beginRun(start) }
    return FindingRecorder(
      store, of: home, run: plan.run, exhibit: exhibit, roots: paths.map { FilePath($0) }, lists: manifest.blocklist.versions)
  }

  func beginReport(_ manifest: ScanManifest, _ writer: ResultWriter) throws -> ScanReporter {
    let reporter = ScanReporter(format, all: all, writer: writer)
    try reporter.begin(manifest)
    return reporter
  }

  /// The folder that is reported into; `nil` where none was asked for.
  func makeReport(_ manifest: ScanManifest, _ options: ScanOptions) throws -> RunReport? {
    try report.map {
      try RunReport(
        $0, manifest, digests: options.digests.union(manifest.blocklist.digestAlgorithms).union([.sha256]), urdu: urdu,
        home: home)
    }
  }
}

extension HomeOptions {
  /// Says which entries met too many pictures.
  ///
  /// - Parameter quarantining: Whether their near matches are kept from counting in the next scan too.
  func sayFloods(_ floods: [FloodBreaker.Trip], quarantining: Bool) throws {
    for flood in floods {
      complain(
        "warning: entry \(flood.entry) of list \(flood.list.name) looked like \(flood.matches.grouped) of \(flood.pictures.grouped) "
          + "pictures; from then on its near matches did not count")
      if quarantining {
        _ = try catalog.quarantine([flood.entry], of: flood.list.name)
        complain("hint: it is quarantined until: muhafiz list release \(flood.list.name) '\(flood.entry)'")
      } else {
        complain("hint: to keep it so: muhafiz list release --quarantine \(flood.list.name) '\(flood.entry)'")
      }
    }
  }
}
