import Synchronization
import SystemPackage

/// How much there is to scan, counted by a second walk that runs ahead of the scan and opens nothing.
public final class TreeEstimate: Sendable {
  private let files = Atomic(0)
  private let bytes = Atomic<Int64>(0)
  private let finished = Atomic(false)

  public init() {}

  /// Walks the paths; returns at the end, or soon after the scan was stopped.
  public func count(_ roots: [FilePath], control: ScanControl) {
    var walk = DirectoryWalk(roots, opensFiles: false)
    while !control.isStopped, let (_, entry) = walk.next() {
      files.add(1, ordering: .relaxed)
      if case .unopened(let size) = entry { bytes.add(size, ordering: .relaxed) }
    }
    if !control.isStopped { finished.store(true, ordering: .releasing) }
  }

  /// All items and their bytes; `nil` until they are counted.
  public var total: (items: Int, bytes: Int64)? {
    finished.load(ordering: .acquiring) ? (files.load(ordering: .relaxed), bytes.load(ordering: .relaxed)) : nil
  }
}
