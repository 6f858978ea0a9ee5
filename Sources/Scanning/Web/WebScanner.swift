import Decoding
import Dispatch
import Foundation
import Hashing
import Matching

/// Scans what was reported: pages and files on the web, and what the pages show.
///
/// Hosts are waited for by one thread, contents are scanned by others, and items are delivered in the order in which they
/// are done. Nothing of a content is kept.
public struct WebScanner: Sendable {
  private let blocklist: Blocklist
  private let options: ScanOptions
  private let policy: FetchPolicy
  private let decoders: DecoderPool?
  private let control: ScanControl
  private let sealing: SealedFolder?
  /// Bytes of all that one page shows.
  static let mostPageBytes = 1 << 30

  /// - Parameters:
  ///   - decoders: Started decoders; `nil` where nothing is decoded and no page is read.
  ///   - sealing: Where contents that match are sealed for somebody else to read; `nil` for nowhere.
  public init(
    blocklist: Blocklist, options: ScanOptions, policy: FetchPolicy, decoders: DecoderPool?,
    control: ScanControl = ScanControl(), sealing: SealedFolder? = nil
  ) {
    self.blocklist = blocklist
    self.options = options
    var policy = policy
    // Each body lies in memory once more, encrypted.
    if sealing != nil { policy.mostBufferedBytes /= 2 }
    self.policy = policy
    self.decoders = decoders
    self.control = control
    self.sealing = sealing
  }

  /// Visits what was meant as URLs; a refused one is an item too.
  ///
  /// - Parameters:
  ///   - deliver: Called for every item, never twice at once. Throwing ends the scan.
  ///   - finish: Called when a URL and all that its page refers to are delivered: it need not be visited again. Not for one
  ///     that was given up because the scan was stopped.
  /// - Throws: What keeps the scan as a whole from being true: a damaged list, no decoder to be had, or what the closures threw.
  public func scan(
    _ mentions: [URLMention], deliver: @escaping (ScannedItem) throws -> Void,
    finish: @escaping (WebURL) throws -> Void = { _ in }
  ) throws -> ScanSummary {
    let run = try WebRun(mentions, sealing: sealing)
    let delivery = WebDelivery(
      report: Report(digester: try Digester([.sha256])), blocklist: blocklist, control: control, deliver: deliver,
      finish: finish)
    for mention in mentions {
      guard case .failure(let refusal) = mention.url else { continue }
      let refused = FetchFailure(.refused, "\(refusal)")
      try delivery.put([ScannedItem(at: .url(mention.text), state: .error("\(refused)"))], ended: { nil })
    }
    let fetcher = try Fetcher(
      policy, more: { run.beginReported(isBusy: $0) }, claim: { try run.claim($0, by: $1) }, deliver: { run.arrive($0) })
    defer { fetcher.close() }
    DispatchQueue.concurrentPerform(iterations: options.workers) { _ in
      do {
        var scanner = try ItemScanner(blocklist: blocklist, options: options, decoders: decoders, control: control)
        while let (fetched, target) = try run.next(isStopped: { control.isStopped }, stop: { fetcher.stop() }) {
          let items = try scanner.visit(fetched, target, run, fetcher, mostBytes: policy.mostBodyBytes)
          try delivery.put(items ?? []) { run.end(fetched.request.number, isCut: items == nil) }
        }
      } catch {
        run.fail(error)
        fetcher.stop()
      }
    }
    try run.check()
    return try delivery.summary(isInterrupted: run.isInterrupted)
  }
}

/// Hands items on as they are done, one at a time.
private final class WebDelivery: @unchecked Sendable {
  // What the closures and the report touch is touched only with `lock` held.
  private let lock = NSLock()
  private let report: Report
  private let blocklist: Blocklist
  private let control: ScanControl
  private let deliver: (ScannedItem) throws -> Void
  private let finish: (WebURL) throws -> Void

  init(
    report: Report, blocklist: Blocklist, control: ScanControl, deliver: @escaping (ScannedItem) throws -> Void,
    finish: @escaping (WebURL) throws -> Void
  ) {
    self.report = report
    self.blocklist = blocklist
    self.control = control
    self.deliver = deliver
    self.finish = finish
  }

  /// - Parameter ended: Says which reported URL is done with these items; asked when they are delivered.
  func put(_ items: [ScannedItem], ended: () -> WebURL?) throws {
    try lock.withLock {
      for item in items {
        let item = report.weigh(item, blocklist)
        try report.add(item)
        control.finished(item)
        try deliver(item)
      }
      if let url = ended() { try finish(url) }
    }
  }

  func summary(isInterrupted: Bool) throws -> ScanSummary {
    try lock.withLock {
      ScanSummary(
        counts: report.counts, reportDigest: try report.finish(), isInterrupted: isInterrupted,
        floods: report.breaker.trips, resumption: nil)
    }
  }
}
