import Decoding
import Dispatch
import Glibc
import Hashing
import Matching
import Synchronization
import SystemPackage

/// What a scan came to.
public struct ScanSummary: Sendable {
  public let counts: ScanCounts
  /// SHA-256 over the item lines of all items in order of path, each with its line feed: equal for two scans that found
  /// the same. See ``ItemLine``.
  public let reportDigest: Digest
  /// Whether the scan was stopped before its end: what was reported is true, and not all.
  public let isInterrupted: Bool
  /// Entries whose near matches were too many to be true, and from then on did not count.
  public let floods: [FloodBreaker.Trip]
}

/// Scans files and folders against a blocklist.
///
/// Items are worked on several at a time and delivered one by one in the order of their paths. The blocklist is the one
/// that the scan began with, to its end.
public struct ContentScanner: Sendable {
  private let blocklist: Blocklist
  private let options: ScanOptions
  private let decoders: DecoderPool?
  private let control: ScanControl

  /// - Parameter decoders: Started decoders; `nil` where neither pictures are to be decoded nor archives to be opened.
  public init(
    blocklist: Blocklist, options: ScanOptions, decoders: DecoderPool?, control: ScanControl = ScanControl()
  ) {
    self.blocklist = blocklist
    self.options = options
    self.decoders = decoders
    self.control = control
  }

  /// Scans everything below the paths.
  ///
  /// - Parameters:
  ///   - roots: Files or folders. One that does not exist is an item in state `error`.
  ///   - deliver: Called for every item, in order of path, never twice at once. Throwing ends the scan.
  /// - Throws: What keeps the scan as a whole from being true: a damaged list, no decoder to be had, or what `deliver` threw.
  public func scan(_ roots: [FilePath], deliver: @escaping (ScannedItem) throws -> Void) throws -> ScanSummary {
    let source = WalkSource(roots)
    let report = Report(digester: try Digester([.sha256]))
    let delivery = OrderedDelivery<[ScannedItem]>(mostWeight: Self.mostItemsWaiting, weight: \.count) { items in
      for item in items {
        let item = report.weigh(item, blocklist)
        try report.add(item)
        control.finished(item)
        try deliver(item)
      }
    }
    DispatchQueue.concurrentPerform(iterations: options.workers) { _ in
      do { try work(source, delivery) } catch { delivery.fail(error) }
    }
    try delivery.check()
    return ScanSummary(
      counts: report.counts, reportDigest: try report.finish(), isInterrupted: !source.isExhausted,
      floods: report.breaker.trips)
  }

  /// Members of archives that may wait for an earlier file to be done: some tens of megabytes.
  private static let mostItemsWaiting = 100_000

  private func work(_ source: WalkSource, _ delivery: OrderedDelivery<[ScannedItem]>) throws {
    var scanner = try ItemScanner(blocklist: blocklist, options: options, decoders: decoders, control: control)
    while !control.isStopped, let next = source.next() {
      try delivery.put(try scanner.scan(next.path, next.entry), number: next.number)
    }
  }
}

/// A walk that several workers draw from.
private final class WalkSource: Sendable {
  private struct State: ~Copyable {
    var walk: DirectoryWalk
    var number = 0
    var exhausted = false
  }

  private let state: Mutex<State>

  init(_ roots: [FilePath]) { state = Mutex(State(walk: DirectoryWalk(roots))) }

  func next() -> (number: Int, path: FilePath, entry: DirectoryWalk.Entry)? {
    state.withLock { state in
      guard let (path, entry) = state.walk.next() else {
        state.exhausted = true
        return nil
      }
      defer { state.number += 1 }
      return (state.number, path, entry)
    }
  }

  var isExhausted: Bool { state.withLock { $0.exhausted } }
}

/// Counts and digest of the items delivered so far. Used by one delivery at a time.
private final class Report {
  private(set) var counts = ScanCounts()
  private(set) var breaker = FloodBreaker()
  private var digester: Digester

  init(digester: consuming Digester) { self.digester = digester }

  /// Takes the weight from near matches of entries that meet too much. In order of path, so that two scans agree.
  func weigh(_ item: ScannedItem, _ blocklist: Blocklist) -> ScannedItem {
    var item = item
    item.matches = breaker.pass(item.matches, isPicture: item.perceptual == .hashed)
    guard item.verdict != nil, !item.matches.isEmpty else { return item }
    item.verdict = blocklist.policy.verdict(for: item.matches)
    if item.verdict == .clear && item.isIncomplete { item.verdict = nil }
    return item
  }

  func add(_ item: ScannedItem) throws {
    counts.add(item)
    try ItemLine.of(item).bytes.withUnsafeBytes { try digester.update($0) }
  }

  func finish() throws -> Digest { try digester.finish()[0] }
}
