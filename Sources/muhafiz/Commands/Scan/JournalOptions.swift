import ArgumentParser
import Foundation
import Matching
import Scanning
import SystemPackage

/// How a scan is kept resumable, and resumed.
struct JournalOptions: ParsableArguments {
  @Flag(
    help: ArgumentHelp(
      "Go on with the last scan of the same paths that did not come to its end.",
      discussion:
        "What was done is reported again and not read again. A run's identifier in place of the paths names another."
    ))
  var resume = false
  @Flag(help: "Keep no journal: the scan cannot be resumed.") var noJournal = false

  /// The scan that is named in place of paths, if one is.
  func named(_ paths: [String], in journals: ScanJournals) throws -> ScanPlan? {
    guard resume, paths.count == 1, paths[0].count >= 8, !FileManager.default.fileExists(atPath: paths[0]) else {
      return nil
    }
    return try journals.plans().first { $0.run.hasPrefix(paths[0].lowercased()) }
  }

  /// The last scan of the same paths that did not come to its end.
  ///
  /// - Throws: ``JournalError``: `nothingToResume`, `otherScan`.
  func last(like plan: ScanPlan, in journals: ScanJournals) throws -> ScanPlan {
    let candidates = try journals.plans().filter { $0.hasRoots(of: plan) }
    guard let latest = candidates.first else {
      throw JournalError(
        .nothingToResume, "there is no scan of these paths to go on with", hint: "scan them without --resume")
    }
    if let same = candidates.first(where: { $0.options == plan.options }) { return same }
    let (theirs, ours) = (Set(latest.options), Set(plan.options))
    let names = Set(theirs.symmetricDifference(ours).map { $0.prefix { $0 != "=" } }).sorted().joined(separator: ", ")
    throw JournalError(
      .otherScan, "the last scan of these paths, \(latest.run), was begun with other options: \(names)",
      hint: "go on as it was begun: muhafiz scan --resume \(latest.run)")
  }

  /// Goes on with a scan.
  func resume(_ plan: ScanPlan, as tool: String, in journals: ScanJournals) throws -> ScanJournal {
    guard plan.tool == tool else {
      throw JournalError(
        .otherScan, "the scan \(plan.run) was begun by \(plan.tool), and this is \(tool)",
        hint: "scan anew, without --resume")
    }
    return try journals.resume(plan.run)
  }

  /// Begins a journal; `nil` where none is wanted, or none can be written: that is said.
  func begin(_ plan: ScanPlan, in journals: ScanJournals) throws -> ScanJournal? {
    if noJournal { return nil }
    do {
      let plans = try journals.plans()
      if let cutOff = plans.first(where: { $0.hasRoots(of: plan) && $0.ended == nil }) {
        let time = cutOff.begun.formatted(.iso8601)
        complain("warning: a scan of these paths, begun \(time), did not come to its end; --resume would go on with it")
      }
    } catch let error as JournalError {
      // That another scan cannot be resumed is no reason to begin none.
      complain("warning: \(error)")
    }
    do { return try journals.begin(plan) } catch let error as MatchingError where error.code == .permission {
      complain("warning: this scan cannot be resumed: \(error)")
      return nil
    }
  }

  /// Ends a scan's journal, and removes those of earlier scans that nobody needs to go on with any more.
  ///
  /// - Parameter isComplete: Nothing is left that another look might find.
  func end(_ journal: ScanJournal?, isComplete: Bool, in journals: ScanJournals) throws {
    guard let journal else { return }
    try journal.end(isComplete: isComplete, at: Date())
    do { try journals.removeAll(like: journal.plan) } catch let error as JournalError { complain("warning: \(error)") }
  }
}
