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
    try refuseOptionsOfFiles()
    let policy = try fetching.policy()
    let sealed = try sealing.folder()
    var mentions = try visiting.mentions(paths)
    let options = try scanOptions()
    let blocklist = try home.catalog.loadBlocklist()
    let decoders = try limits.decoderPool(size: options.workers)
    let canaries = try soundCanaries(Canaries(blocklist: blocklist, options: options, decoders: decoders))

    let store = record || visiting.reports ? try home.openCaseStore() : try home.openExistingCaseStore()
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
    if record, let store {
      try store.signIn(actor, account: loginName, at: Date())
      for url in urls { _ = try store.addReport(url, by: actor, at: Date()) }
    }
    if visiting.reports, let store {
      let given = Set(urls)
      let queued = try store.queuedReports().map { URLMention(exactly: $0.url) }.filter { mention in
        if case .success(let url) = mention.url { !given.contains(url) } else { true }
      }
      complain("\(queued.count.grouped) reports wait for a scan")
      mentions += queued
    }

    let control = pace.makeControl()
    let signals = Interruption { control.stop() }
    let begun = Date()
    let run = UUID().uuidString.lowercased()
    let plan = ScanPlan(
      run: run, begun: begun, tool: "muhafiz \(Muhafiz.toolVersion)", folder: FileManager.default.currentDirectoryPath,
      arguments: [], roots: mentions.map(\.text), options: options.facts + (try limits.facts()), lists: [])
    let manifest = ScanManifest(
      plan: plan, blocklist: blocklist, canaries: "passed", examiner: actor, exhibit: exhibit, hasAllItems: all,
      earlierSessions: 0, sourceDigest: nil)
    let writer = try ResultWriter(output, isLive: true)
    // Whatever may refuse comes before the run is in the record.
    let folder = try makeReport(manifest, options)
    let recorder =
      try record || visiting.reports
      ? store.map { try beginRecord(manifest, of: ["\(mentions.count) URLs"], in: $0) } : nil
    let outlets = try ScanOutlets(
      recorder: recorder, reporter: beginReport(manifest, writer), folder: folder)
    let timer = pace.watch(control)
    let clock = ContinuousClock.now
    let scanner = WebScanner(
      blocklist: blocklist, options: options, policy: policy, decoders: decoders, control: control, sealing: sealed)
    let summary: ScanSummary
    do {
      summary = try scanner.scan(
        mentions,
        deliver: { try outlets.add($0) },
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
    timer?.cancel()
    withExtendedLifetime(signals) {}
    try home.sayFloods(summary.floods, quarantining: record)
    let ending = ScanEnding(summary: summary, seconds: seconds, canaries: try lateCanaries(canaries))
    try outlets.finish(ending)
    if summary.isInterrupted && recorder != nil { complain("hint: to go on: muhafiz scan --reports --record") }
    throw ExitCode(ending.exit)
  }

  /// An option that would do nothing is not taken as if it did.
  private func refuseOptionsOfFiles() throws {
    if journalling.resume {
      throw UsageError(
        "--resume is for files; URLs wait in the queue", hint: "to go on: muhafiz scan --reports --record")
    }
    if completeness.sourceDigest != nil {
      throw UsageError("--source-digest is for files; each URL has its own evidence")
    }
    if tui { throw UsageError("--tui is for files; results of URLs appear as they are done") }
  }
}
