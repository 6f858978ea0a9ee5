import Matching
import Synchronization
import SystemPackage

/// What others may see of a scan under way, and how they stop it.
public final class ScanControl: Sendable {
  private let stopRequested = Atomic(false)
  private let itemsDone = Atomic(0)
  private let bytesDone = Atomic<Int64>(0)
  private let findings = Atomic(0)
  private let current = Mutex<FilePath?>(nil)

  public init() {}

  /// Asks the scan to end: items begun are finished and reported, no more are begun.
  public func stop() { stopRequested.store(true, ordering: .relaxed) }

  public var isStopped: Bool { stopRequested.load(ordering: .relaxed) }

  /// A moment's view of the scan, for a line of progress.
  public struct Progress: Sendable {
    public let items: Int
    public let bytes: Int64
    public let findings: Int
    public let path: FilePath?
  }

  public var progress: Progress {
    Progress(
      items: itemsDone.load(ordering: .relaxed), bytes: bytesDone.load(ordering: .relaxed),
      findings: findings.load(ordering: .relaxed), path: current.withLock { $0 })
  }

  func began(_ path: FilePath) { current.withLock { $0 = path } }

  func read(_ bytes: Int) { bytesDone.add(Int64(bytes), ordering: .relaxed) }

  func finished(_ item: ScannedItem) {
    // Members are not among the files that the estimate counts.
    if item.member == nil { itemsDone.add(1, ordering: .relaxed) }
    if item.verdict == .block || item.verdict == .review { findings.add(1, ordering: .relaxed) }
  }
}
