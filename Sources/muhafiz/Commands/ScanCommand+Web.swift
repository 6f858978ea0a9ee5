import ArgumentParser
import Casework
import Foundation
import Matching
import Scanning

extension ScanCommand {
  /// Visits URLs, and what their pages refer to.
  ///
  /// With `--record` or `--reports`, what is to be visited is in the queue of reports first: a scan that does not come to
  /// its end leaves there what it has not done.
  func scanWeb() throws {
    let policy = try fetching.policy()
    var mentions = try fetching.mentions(paths)
    var options = ScanOptions(
      digests: try reportedDigests(), perceptual: !noPerceptual, archives: !noArchives, workers: try workers(jobs))
    options.keepsQueries = record && exhibit != nil
    let blocklist = try home.catalog.loadBlocklist()
    let decoders = try limits.decoderPool(size: options.workers)
    let canaries = Canaries(blocklist: blocklist, options: options, decoders: decoders)
    let failures = try canaries.run()
    guard failures.isEmpty else {
      for failure in failures { complain("error: canary: \(failure)") }
      throw ExitCode(ExitStatus.internalError)
    }

    let store = record || fetching.reports ? try home.openCaseStore() : try home.openExistingCaseStore()
    let actor = examiner ?? loginName
    let urls = mentions.compactMap { try? $0.url.get() }
    let known = try store?.reported(among: urls) ?? []
    for mention in mentions {
      if case .failure(let refusal) = mention.url {
        complain("warning: '\(mention.text.prefix(80))' is refused: \(refusal)")
      }
    }
    complain(
      "\(urls.count.grouped) URLs: \((urls.count - known.count).grouped) new, \(known.count.grouped) known; "
        + "\((mentions.count - urls.count).grouped) refused")
    if record, let store { for url in urls { _ = try store.addReport(url, by: actor, at: Date()) } }
    if fetching.reports, let store {
      let given = Set(urls)
      let queued = try store.queuedReports().compactMap { report in
        URLMention.all(in: report.url).first { mention in (try? mention.url.get()).map { !given.contains($0) } ?? true }
      }
      complain("\(queued.count.grouped) reports wait for a scan")
      mentions += queued
    }

    let control = ScanControl()
    let signals = Interruption { control.stop() }
    let begun = Date()
    let run = UUID().uuidString.lowercased()
    let recorder =
      try record || fetching.reports ? store.map { try beginRecord(run, at: begun, blocklist, mentions, in: $0) } : nil
    let reporter = ScanReporter(format, all: all, writer: try ResultWriter(output))
    let plan = ScanPlan(
      run: run, begun: begun, tool: "muhafiz \(Muhafiz.toolVersion)", folder: FileManager.default.currentDirectoryPath,
      arguments: [], roots: mentions.map(\.text), options: options.facts + (try limits.facts()), lists: [])
    let manifest = ScanManifest(
      plan: plan, blocklist: blocklist, canaries: "passed", examiner: actor, exhibit: exhibit, hasAllItems: all,
      earlierSessions: 0, sourceDigest: nil)
    try reporter.begin(manifest)
    let folder = try makeReport(manifest, options)
    let clock = ContinuousClock.now
    let scanner = WebScanner(
      blocklist: blocklist, options: options, policy: policy, decoders: decoders, control: control)
    let summary: ScanSummary
    do {
      summary = try scanner.scan(
        mentions,
        deliver: { item in
          try recorder?.add(item)
          try reporter.add(item)
          try folder?.add(item)
        },
        finish: { url in
          guard let recorder, let store else { return }
          // What was found is in the record before the URL is done with.
          try recorder.flush()
          try store.reportVisited(url, run: run, by: actor, at: Date())
        })
    } catch {
      try recorder?.fail("\(error)")
      throw error
    }
    let seconds = (ContinuousClock.now - clock) / .seconds(1)
    withExtendedLifetime(signals) {}
    try sayFloods(summary.floods)
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
    try folder?.finish(ending)
    try reporter.end(ending)
    if summary.isInterrupted && recorder != nil { complain("hint: to go on: muhafiz scan --reports --record") }
    throw ExitCode(exit)
  }

  private func beginRecord(
    _ run: String, at time: Date, _ blocklist: Blocklist, _ mentions: [URLMention], in store: CaseStore
  ) throws -> FindingRecorder {
    try store.beginRun(
      RunStart(
        id: run, startedAt: time, tool: "muhafiz \(Muhafiz.toolVersion)", examiner: examiner ?? loginName,
        exhibit: exhibit,
        roots: ["\(mentions.count) URLs"], lists: blocklist.versions))
    return FindingRecorder(store, of: home, run: run, exhibit: exhibit, roots: [], lists: blocklist.versions)
  }
}
