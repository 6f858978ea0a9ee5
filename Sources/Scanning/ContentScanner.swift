import Decoding
import Dispatch
import Glibc
import Hashing
import Matching
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
  /// What became of what earlier sessions had found; `nil` for a scan that had none.
  public let resumption: Resumption?
}

/// Scans files and folders against a blocklist.
///
/// Items are worked on several at a time and delivered one by one in the order of their paths. The blocklist is the one
/// that the scan began with, to its end. With a journal, an item is in it, and on the medium, before it is delivered.
public struct ContentScanner: Sendable {
  private let blocklist: Blocklist
  private let options: ScanOptions
  private let decoders: DecoderPool?
  private let control: ScanControl
  private let journal: ScanJournal?

  /// - Parameters:
  ///   - decoders: Started decoders; `nil` where neither pictures are to be decoded nor archives to be opened.
  ///   - journal: What earlier sessions of the scan found is delivered with the rest, and what is found now is added.
  public init(
    blocklist: Blocklist, options: ScanOptions, decoders: DecoderPool?, control: ScanControl = ScanControl(),
    journal: ScanJournal? = nil
  ) {
    self.journal = journal
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
    allowManyOpenFiles()
    let source = WalkSource(
      roots, order: options.order, mostTurns: options.perceptual || options.archives ? 16 : 64,
      mostBytes: min(Int64(SmallFiles.mostSize), max(1, control.mostBytesAtOnce / Int64(options.workers))),
      lookahead: 2 * options.workers,
      history: try journal?.history())
    let report = Report(digester: try Digester([.sha256]))
    func deliverAll(_ group: [Walked]) throws {
      for item in group.lazy.flatMap(\.record.items) {
        let item = report.weigh(item, blocklist)
        try report.add(item)
        control.finished(item)
        try deliver(item)
      }
    }
    let groups = journal.map { journal in
      GroupDelivery<Walked>(weight: Walked.weight) { group in
        try journal.append(group.lazy.filter(\.isNew).map(\.record))
        try deliverAll(group)
      }
    }
    let delivery = OrderedDelivery<Walked>(mostWeight: Self.mostItemsWaiting, weight: Walked.weight) { walked in
      if let groups { try groups.put(walked) } else { try deliverAll([walked]) }
    }
    let links = LinkedContents()
    let looks = LookCache()
    DispatchQueue.concurrentPerform(iterations: options.workers) { _ in
      do { try work(source, links, looks, delivery) } catch { delivery.fail(error) }
    }
    try groups?.finish()
    try delivery.check()
    return ScanSummary(
      counts: report.counts, reportDigest: try report.finish(), isInterrupted: !source.isExhausted,
      floods: report.breaker.trips, resumption: journal.flatMap { $0.earlierSessions > 0 ? source.resumption : nil })
  }

  /// Members of archives that may wait for an earlier file to be done: some tens of megabytes.
  private static let mostItemsWaiting = 100_000

  /// What came of one path of the walk.
  private struct Walked: Sendable {
    let record: JournalRecord
    /// Whether the journal does not have it yet.
    let isNew: Bool

    /// What it counts among those that may wait.
    static func weight(_ walked: Walked) -> Int { walked.record.items.count }
  }

  private func work(
    _ source: WalkSource, _ links: LinkedContents, _ looks: LookCache, _ delivery: OrderedDelivery<Walked>
  ) throws {
    var scanner = try ItemScanner(
      blocklist: blocklist, options: options, decoders: decoders, control: control, looks: looks)
    var files = try SmallFiles(options.digests(for: blocklist))
    while !control.isStopped {
      let turns = try source.next()
      if turns.isEmpty { return }
      // They were read in the order of the disk; done in that of the paths, nothing waits for what comes behind it.
      for (turn, small) in zip(turns, try files.read(turns)).sorted(by: { $0.0.number < $1.0.number }) {
        let walked = try walked(turn.work, small, links, &scanner) { part in
          try delivery.put(part, number: turn.number, isPart: true, waitsForTurn: options.order == .path)
        }
        try delivery.put(walked, number: turn.number)
      }
    }
  }

  /// - Parameters:
  ///   - small: The file, where it was read.
  ///   - deliver: Gets what came of a path before the rest has.
  private func walked(
    _ work: WalkSource.Work, _ small: SmallFile?, _ links: LinkedContents, _ scanner: inout ItemScanner,
    deliver: @escaping (Walked) throws -> Void
  ) throws -> Walked {
    switch work {
    case .done(let record):
      if record.isLast { control.skipped(record.stamp?.sizeInBytes ?? 0) }
      return Walked(record: record, isNew: false)
    case .entry(let entry):
      let key = JournalRecord.Key(root: entry.root, path: entry.path)
      let items: [ScannedItem]
      switch entry.kind {
      case .skipped(let reason): items = [ScannedItem(at: .file(entry.path), state: .skipped(reason))]
      case .error(let reason): items = [ScannedItem(at: .file(entry.path), state: .error(reason))]
      case .file(let file):
        func emit(_ items: [ScannedItem]) throws {
          let part = JournalRecord(key: key, stamp: entry.stamp, items: items, isLast: false)
          try deliver(Walked(record: part, isNew: true))
        }
        items = try links.items(of: file, at: entry.path, control, emit: emit) { emit in
          try scanner.scan(file, small, at: entry.path, emit: emit)
        }
      }
      return Walked(record: JournalRecord(key: key, stamp: entry.stamp, items: items), isNew: true)
    }
  }
}

/// Counts and digest of the items delivered so far. Used by one delivery at a time.
final class Report {
  private(set) var counts = ScanCounts()
  private(set) var breaker = FloodBreaker()
  private var digester: Digester

  init(digester: consuming Digester) { self.digester = digester }

  /// Takes the weight from near matches of entries that meet too much. In order of path, so that two scans agree.
  func weigh(_ item: ScannedItem, _ blocklist: Blocklist) -> ScannedItem {
    var item = item
    item.matches = breaker.pass(item.matches, isPicture: item.perceptual == .hashed)
    guard item.verdict != nil, !item.matches.isEmpty else { return item }
    item.judge(by: blocklist.policy)
    return item
  }

  func add(_ item: ScannedItem) throws {
    counts.add(item)
    try ItemLine.of(item).bytes.withUnsafeBytes { try digester.update($0) }
  }

  func finish() throws -> Digest { try digester.finish()[0] }
}
