import CCurl
import Foundation
import Glibc
import Hashing
import Matching
import Synchronization
import SystemPackage

/// Fetches from the web: one thread drives hundreds of transfers.
///
/// Each request ends in exactly one ``Fetched``. Bodies are kept in memory until they are scanned, and never more of them
/// than the policy allows: where scanning is slower than the network, the network waits.
final class Fetcher: Sendable {
  private struct Inbox {
    var requests: [FetchRequest] = []
    var isClosed = false
    var isStopped = false
  }

  private let policy: FetchPolicy
  private let inbox = Mutex(Inbox())
  private let budget: BodyBudget
  private let more: @Sendable ((String) -> Bool) -> FetchRequest?
  private let claim: @Sendable (WebURL, Int) throws -> Bool
  private let deliver: @Sendable (Fetched) -> Void
  /// libcurl's own lock makes waking it safe from any thread.
  private nonisolated(unsafe) let multi: UnsafeMutableRawPointer
  private let ended = DispatchSemaphore(value: 0)

  private static let library: Bool = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK

  /// - Parameters:
  ///   - more: Asked for a request of a host that is not busy, whenever one more could begin and none of those that wait
  ///     may; `nil` for none now. Gets what says whether a host is busy. A fetcher that is stopped does not ask.
  ///   - claim: Says of the target of a redirect whether the request of this number is to fetch it, and no other in the run.
  ///   - deliver: Called on the fetcher's thread, which it must not hold up.
  init(
    _ policy: FetchPolicy, more: @escaping @Sendable ((String) -> Bool) -> FetchRequest? = { _ in nil },
    claim: @escaping @Sendable (WebURL, Int) throws -> Bool = { _, _ in true },
    deliver: @escaping @Sendable (Fetched) -> Void
  ) throws {
    guard Self.library, let multi = curl_multi_init() else { throw Errno.noMemory }
    self.policy = policy
    self.multi = multi
    self.more = more
    self.claim = claim
    self.deliver = deliver
    budget = BodyBudget(most: policy.mostBufferedBytes, mostWaiting: policy.mostWaitingBytes)
    ccurl_multi_set_long(multi, CURLMOPT_MAXCONNECTS, policy.mostAtOnce)
    allowManyOpenFiles()
    let thread = Thread { [self] in
      drive()
      ended.signal()
    }
    thread.name = "fetcher"
    thread.start()
  }

  /// Fetches, some time.
  func fetch(_ requests: [FetchRequest]) {
    inbox.withLock { $0.requests += requests }
    curl_multi_wakeup(multi)
  }

  /// A delivered body is not needed any more.
  func release(_ body: [UInt8]) {
    budget.release(body.count)
    curl_multi_wakeup(multi)
  }

  /// Pieces of a video are kept until the last has come.
  ///
  /// - Returns: Whether there is memory for them.
  func hold(_ piece: [UInt8]) -> Bool { budget.hold(piece.count) }

  /// Held pieces are not needed any more.
  func letGo(_ bytes: Int) {
    budget.letGo(bytes)
    curl_multi_wakeup(multi)
  }

  /// Begins nothing more and gives up what is under way: it is delivered as `stopped`.
  func stop() {
    inbox.withLock { $0.isStopped = true }
    curl_multi_wakeup(multi)
  }

  /// Returns when everything that was asked for is delivered.
  func close() {
    inbox.withLock { $0.isClosed = true }
    curl_multi_wakeup(multi)
    ended.wait()
    curl_multi_cleanup(multi)
  }

  private func drive() {
    var driver = Driver(multi, policy, budget, more, claim, deliver)
    while true {
      let (new, isClosed, isStopped) = inbox.withLock { inbox in
        defer { inbox.requests = [] }
        return (inbox.requests, inbox.isClosed, inbox.isStopped)
      }
      driver.add(new)
      if isStopped { driver.stop() }
      driver.turn()
      if isClosed && driver.isIdle { return }
      curl_multi_poll(multi, nil, 0, 50, nil)
    }
  }
}

/// The transfers, on the fetcher's thread.
private struct Driver {
  private let multi: UnsafeMutableRawPointer
  private let policy: FetchPolicy
  private let budget: BodyBudget
  private let more: ((String) -> Bool) -> FetchRequest?
  private var isStopped = false
  private let claim: (WebURL, Int) throws -> Bool
  private let deliver: (Fetched) -> Void
  private var queues: HostQueues
  private var active: [Int: Transfer] = [:]
  private var begun = 0
  private var looked = ContinuousClock.now

  init(
    _ multi: UnsafeMutableRawPointer, _ policy: FetchPolicy, _ budget: BodyBudget,
    _ more: @escaping ((String) -> Bool) -> FetchRequest?,
    _ claim: @escaping (WebURL, Int) throws -> Bool, _ deliver: @escaping (Fetched) -> Void
  ) {
    self.multi = multi
    self.policy = policy
    self.budget = budget
    self.more = more
    self.claim = claim
    self.deliver = deliver
    queues = HostQueues(mostPerHost: policy.mostPerHost, spacing: policy.spacing)
  }

  var isIdle: Bool { active.isEmpty && queues.count == 0 }

  mutating func add(_ requests: [FetchRequest], at now: ContinuousClock.Instant = .now) {
    for request in requests {
      if let why = refusal(of: request.url) {
        var hop = FetchHop(request.url, at: Date())
        hop.failure = why
        deliver(Fetched(request: request, chain: [hop], body: .failure(why)))
      } else {
        queues.add(HostQueues.Waiting(request: request, attempt: 0, due: now))
      }
    }
  }

  mutating func stop() {
    isStopped = true
    let stopped = FetchFailure(.stopped, "the scan was stopped before")
    for transfer in Array(active.values) { end(transfer, stopped) }
    for request in queues.removeAll() { deliver(Fetched(request: request, chain: [], body: .failure(stopped))) }
  }

  /// Does what can be done without waiting.
  mutating func turn() {
    begin()
    var running: CInt = 0
    curl_multi_perform(multi, &running)
    var left: CInt = 0
    while let message = curl_multi_info_read(multi, &left)?.pointee {
      guard message.msg == CURLMSG_DONE, let context = ccurl_private(message.easy_handle) else { continue }
      finish(Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue(), message.data.result)
    }
    look()
    begin()
  }

  /// Gives up what has had its time, and lets go on what has waited for room; often enough for both.
  private mutating func look() {
    let now = ContinuousClock.now
    guard now - looked > .milliseconds(10) else { return }
    looked = now
    let oldest = active.keys.min()
    let (hasRoom, isStuck) = (budget.hasRoom, budget.isStuck)
    for transfer in Array(active.values) {
      transfer.isOldest = transfer.number == oldest && isStuck
      if transfer.elapsed > policy.deadline {
        let seconds = policy.deadline / .seconds(1)
        end(transfer, FetchFailure(.timedOut, "limit: \(seconds.formatted()) seconds"))
      } else if transfer.isPaused && (hasRoom || transfer.isOldest) {
        transfer.resume()
      }
    }
  }

  private func refusal(of url: WebURL) -> FetchFailure? {
    policy.addresses.refusal(of: url, isOnion: policy.proxy?.kind == .socks5h).map { FetchFailure(.refused, $0) }
  }

  /// The next request that may begin now: of those that wait, or of those that nobody has asked for yet.
  private mutating func next(at now: ContinuousClock.Instant) -> HostQueues.Waiting? {
    while true {
      if let next = queues.next(at: now) { return next }
      guard !isStopped, let request = more({ queues.isBusy($0, at: now) }) else { return nil }
      add([request], at: now)
    }
  }

  private mutating func begin() {
    let now = ContinuousClock.now
    while active.count < policy.mostAtOnce, budget.hasRoom, !budget.isAhead, let next = next(at: now) {
      begun += 1
      do {
        if let refusal = next.request.budget?.refusal { throw refusal }
        let transfer = try Transfer(next.request, number: begun, attempt: next.attempt, policy: policy, budget: budget)
        active[begun] = transfer
        curl_multi_add_handle(multi, transfer.easy)
      } catch {
        queues.end(next.request)
        deliver(
          Fetched(
            request: next.request, chain: [],
            body: .failure(error as? FetchFailure ?? FetchFailure(.unreachable, "\(error)"))))
      }
    }
  }

  /// A hop is done: the chain goes on or ends.
  private mutating func finish(_ transfer: Transfer, _ code: CURLcode) {
    if let failure = transfer.failure(code) { return end(transfer, failure) }
    let status = transfer.status ?? 0
    if (200..<300).contains(status) { return end(transfer, nil) }
    guard [301, 302, 303, 307, 308].contains(status), let location = transfer.location else {
      return end(transfer, FetchFailure(.status, "HTTP status \(status)"))
    }
    let next: WebURL
    do throws(URLRefusal) { next = try transfer.url.resolve(bytes: location) } catch {
      return end(transfer, FetchFailure(.badRedirect, "the redirect leads to no URL that is visited: \(error)"))
    }
    if transfer.chain.contains(where: { $0.url == next }) {
      return end(transfer, FetchFailure(.badRedirect, "the redirects go in a circle"))
    }
    guard transfer.chain.count <= policy.mostRedirects else {
      return end(transfer, FetchFailure(.badRedirect, "limit: \(policy.mostRedirects) redirects"))
    }
    if let refusal = refusal(of: next) {
      return end(transfer, FetchFailure(.refused, "it redirects to \(next.origin), and \(refusal.reason)"))
    }
    do {
      guard try claim(next, transfer.request.number) else {
        return end(transfer, FetchFailure(.elsewhere, "it redirects to \(next), which is an item of its own"))
      }
      transfer.end(nil)
      try transfer.digestBody()
      transfer.dropBody()
      curl_multi_remove_handle(multi, transfer.easy)
      try transfer.go(to: next)
      curl_multi_add_handle(multi, transfer.easy)
    } catch {
      end(transfer, FetchFailure(.brokenAnswer, "\(error)"))
    }
  }

  private mutating func end(_ transfer: Transfer, _ failure: FetchFailure?) {
    curl_multi_remove_handle(multi, transfer.easy)
    active[transfer.number] = nil
    queues.end(transfer.request)
    if let failure, let pause = pause(before: transfer, failure) {
      transfer.dropBody()
      queues.add(HostQueues.Waiting(request: transfer.request, attempt: transfer.attempt + 1, due: .now + pause))
      return
    }
    var failure = failure
    if failure?.code == .status {
      do { try transfer.digestBody() } catch {
        failure = FetchFailure(.brokenAnswer, "what the host said instead has no digest: \(error)")
      }
    }
    transfer.end(failure)
    let chain = transfer.chain
    guard let failure else {
      budget.deliver(transfer.body.count)
      let (body, sealed) = transfer.takeBody()
      return deliver(Fetched(request: transfer.request, chain: chain, body: .success(body), sealed: sealed))
    }
    transfer.dropBody()
    deliver(Fetched(request: transfer.request, chain: chain, body: .failure(failure)))
  }

  /// How long to wait before the request is tried again; `nil` where that would not help.
  private func pause(before transfer: Transfer, _ failure: FetchFailure) -> Duration? {
    guard transfer.attempt < policy.retries else { return nil }
    let usual = policy.backOff * (1 << transfer.attempt)
    switch (failure.code, transfer.status) {
    case (.status, 429), (.status, 503):
      let wait = max(usual, transfer.retryAfter ?? .zero)
      return wait <= policy.longestBackOff ? wait : nil
    case (.status, 502), (.status, 504), (.timedOut, _), (.unreachable, _): return usual
    default: return nil
    }
  }
}
