import Casework
import Foundation
import Matching
import Scanning
import SystemPackage

/// Hands findings, and the hashes of an exhibit's items, to the record in batches, and says at the end what became of them.
final class FindingRecorder {
  private let home: HomeOptions
  private let store: CaseStore
  private let run: String
  private let exhibit: String?
  /// The scanned paths as given and as they are found from anywhere.
  private let roots: [(given: FilePath, absolute: FilePath)]
  private let lists: [ListVersion]
  private var waiting: [Finding] = []
  private var kept: [KeptItem] = []
  private var recorded = RecordSummary()

  /// Few enough that a crash costs little, many enough that a sync for each batch does not matter.
  private static let batchSize = 64
  private static let keptBatchSize = 1024

  init(_ store: CaseStore, of home: HomeOptions, run: String, exhibit: String?, roots: [FilePath], lists: [ListVersion]) {
    self.home = home
    self.store = store
    self.run = run
    self.exhibit = exhibit
    self.roots = roots.map { ($0, FileStatus.absolute($0)) }
    self.lists = lists
  }

  func add(_ item: ScannedItem) throws {
    guard let fingerprint = item.fingerprint else { return }
    let location = ContentLocation(
      place: recorded(item.place), member: item.member, exhibit: exhibit, origin: item.origin)
    if let verdict = item.verdict, verdict == .block || verdict == .review {
      var finding = Finding(
        location: location, fingerprint: fingerprint, mediaType: item.mediaType, matches: item.matches,
        verdict: verdict, listsUsed: lists)
      finding.chain = item.chain
      finding.reference = item.reference
      finding.sealedName = item.sealedName
      waiting.append(finding)
    }
    if exhibit != nil {
      kept.append(
        KeptItem(location: location, fingerprint: fingerprint, mediaType: item.mediaType, queries: item.queries))
    }
    if waiting.count >= Self.batchSize || kept.count >= Self.keptBatchSize { try flush() }
  }

  /// Takes a finding that was made without the evidence.
  func add(_ finding: Finding) throws {
    waiting.append(finding)
    if waiting.count >= Self.batchSize { try flush() }
  }

  /// Where the item is, whatever folder the scan was started in: from the exhibit's root, or from that of the file system.
  private func recorded(_ place: ContentLocation.Place) -> ContentLocation.Place {
    if case .file(let path) = place { .file(recorded(path)) } else { place }
  }

  private func recorded(_ path: FilePath) -> FilePath {
    guard let root = roots.filter({ path.starts(with: $0.given) }).max(by: { $0.given.length < $1.given.length }) else {
      return FileStatus.absolute(path)
    }
    var rest = path
    _ = rest.removePrefix(root.given)
    if exhibit != nil { return rest.isEmpty ? (path.lastComponent.map { FilePath(root: nil, components: $0) } ?? path) : rest }
    return rest.isEmpty ? root.absolute : root.absolute.appending(rest.components)
  }

  /// Writes what waits.
  func flush() throws {
    if !waiting.isEmpty { recorded += try store.record(waiting, run: run, at: Date()) }
    if !kept.isEmpty { try store.keep(kept, run: run) }
    (waiting, kept) = ([], [])
  }

  func finish(_ ending: ScanEnding) throws {
    let state: RunState =
      if !ending.isValid { .failed } else if ending.summary.isInterrupted { .interrupted } else {
        ending.isComplete ? .complete : .incomplete
      }
    try finish(state, ending.line)
  }

  /// - Parameter again: What findings are that the record had already.
  func finish(_ state: RunState, _ summary: JSONLine, again: String = "seen again") throws {
    try flush()
    try end(state, String(decoding: summary.object, as: UTF8.self))
    complain(
      "recorded: \(recorded.findingsNew.grouped) new findings, \(recorded.findingsSeenAgain.grouped) \(again), "
        + "\(recorded.casesOpened.grouped) cases opened, \(recorded.casesJoined.grouped) joined")
    home.sign(home.ledger(of: store))
  }

  /// What was found before the failure stays in the record; the run says that it failed.
  func fail(_ why: String) throws {
    try flush()
    try end(.failed, why)
    home.sign(home.ledger(of: store))
  }

  private func end(_ state: RunState, _ summary: String) throws {
    try store.finishRun(run, RunOutcome(finishedAt: Date(), state: state, summary: summary))
  }
}
