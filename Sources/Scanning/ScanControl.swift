import Foundation
import Matching
import Synchronization
import SystemPackage

/// What others may see of a scan under way, how they stop it, and how fast it may read.
public final class ScanControl: Sendable {
  private let stopRequested = Atomic(false)
  private let itemsDone = Atomic(0)
  private let bytesDone = Atomic<Int64>(0)
  private let bytesSkipped = Atomic<Int64>(0)
  private let findings = Atomic(0)
  private let current = Mutex<FilePath?>(nil)
  private let pacing: Pacing?

  /// - Parameter bytesPerSecond: How fast files may be read, all workers together; `nil` for as fast as it goes.
  public init(bytesPerSecond: Int64? = nil) { pacing = bytesPerSecond.map(Pacing.init) }

  /// Asks the scan to end: what workers have in hand is finished and reported.
  public func stop() { stopRequested.store(true, ordering: .relaxed) }

  public var isStopped: Bool { stopRequested.load(ordering: .relaxed) }

  /// A moment's view of the scan, for a line of progress.
  public struct Progress: Sendable {
    public let items: Int
    public let bytes: Int64
    /// Those of them that were read, and not known from before.
    public let bytesRead: Int64
    public let findings: Int
    public let path: FilePath?
  }

  public var progress: Progress {
    let (read, skipped) = (bytesDone.load(ordering: .relaxed), bytesSkipped.load(ordering: .relaxed))
    return Progress(
      items: itemsDone.load(ordering: .relaxed), bytes: read + skipped, bytesRead: read,
      findings: findings.load(ordering: .relaxed), path: current.withLock { $0 })
  }

  func began(_ path: FilePath) { current.withLock { $0 = path } }

  /// Bytes of a file were digested.
  func read(_ bytes: Int) {
    bytesDone.add(Int64(bytes), ordering: .relaxed)
    pace(bytes)
  }

  /// What may be read before it is waited for: a tenth of a second's.
  var mostBytesAtOnce: Int64 { pacing.map { $0.bytesPerSecond / 10 } ?? .max }

  /// Waits as long as reading so many bytes may take, unless the scan is to end.
  func pace(_ bytes: Int) {
    guard let pacing else { return }
    let due = pacing.due(after: bytes)
    while !isStopped, case let left = due - .now, left > .zero {
      Thread.sleep(forTimeInterval: min(left / .seconds(1), 0.1))
    }
  }

  func finished(_ item: ScannedItem) {
    // Members are not among the files that the estimate counts.
    if item.member == nil { itemsDone.add(1, ordering: .relaxed) }
    if item.verdict == .block || item.verdict == .review { findings.add(1, ordering: .relaxed) }
  }

  /// Bytes that need not be read: an earlier session did, or it was done under another name.
  func skipped(_ bytes: Int64) { bytesSkipped.add(bytes, ordering: .relaxed) }
}

/// When so many bytes may have been read.
private final class Pacing: Sendable {
  let bytesPerSecond: Int64
  private let due = Mutex(ContinuousClock.now)

  init(bytesPerSecond: Int64) { self.bytesPerSecond = bytesPerSecond }

  /// - Returns: The moment up to which the reader is to wait.
  func due(after bytes: Int) -> ContinuousClock.Instant {
    due.withLock { due in
      // What was not read while nobody read is not made up for later.
      due = max(due, .now) + .nanoseconds(Int64(Double(bytes) / Double(bytesPerSecond) * 1e9))
      return due
    }
  }
}
