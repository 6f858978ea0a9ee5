import Foundation
import Hashing
import Matching

/// Which URLs a scan of the web has begun, which bodies wait to be scanned, and when all is done.
///
/// A URL is fetched once in a run, whoever refers to it or redirects to it.
final class WebRun: @unchecked Sendable {
  let sealing: SealedFolder?
  // All stored properties that change are touched only with `condition` locked.
  private let condition = NSCondition()
  /// The target that fetches a URL, by number; of the URL its digest, as all of a run are kept to the end.
  private var claims: [Digest: Int] = [:]
  private var targets: [Int: WebTarget] = [:]
  /// What has arrived; nothing at the places of what was taken, so that its body goes when it is scanned.
  private var arrived: [Fetched?] = []
  /// Place of the first that waits.
  private var first = 0
  private var begun: Int
  /// What was given, which the caller keeps anyway: a number of one that is not begun is all that is stored of it here.
  private let reported: [URLMention]
  /// Reported URLs that are not begun yet: their numbers by host, the next one last, and the hosts in turn.
  private var unbegun: [String: [Int32]] = [:]
  private var hosts: [String] = []
  private var turn = 0
  /// What is left to do of a reported URL.
  private struct Root {
    let url: WebURL
    var open = 0
    /// Whether some of it was given up.
    var isCut = false
  }

  private var roots: [Int: Root] = [:]
  private var failure: (any Error)?
  private(set) var isInterrupted = false

  /// - Parameter mentions: What is reported. All are claimed before any is begun: one may redirect to another, which is an
  ///   item of its own.
  init(_ mentions: [URLMention], sealing: SealedFolder?) throws {
    self.sealing = sealing
    reported = mentions
    begun = mentions.count
    for (number, mention) in mentions.enumerated() {
      guard case .success(let url) = mention.url else { continue }
      let key = try Self.key(url)
      guard claims[key] == nil else { continue }
      claims[key] = number
      if unbegun[url.origin] == nil { hosts.append(url.origin) }
      unbegun[url.origin, default: []].append(Int32(number))
    }
    for host in hosts { unbegun[host]!.reverse() }
  }

  private static func key(_ url: WebURL) throws -> Digest {
    try Array(url.description.utf8).withUnsafeBytes { try Digest.sha256(of: $0) }
  }

  /// Begins the next reported URL of a host that is not busy; `nil` when there is none. Called where there is room for it,
  /// so that what waits is as small as it can be.
  ///
  /// - Parameter isBusy: Of a host as ``WebURL/origin`` names it.
  func beginReported(isBusy: (String) -> Bool) -> FetchRequest? {
    condition.withLock {
      for _ in hosts.indices {
        turn = (turn + 1) % hosts.count
        let host = hosts[turn]
        guard !isBusy(host), let number = unbegun[host]!.popLast() else { continue }
        if unbegun[host]!.isEmpty {
          unbegun[host] = nil
          hosts.remove(at: turn)
        }
        guard case .success(let url) = reported[Int(number)].url else { preconditionFailure("what is refused is not queued") }
        return begin(WebTarget(url: url, root: Int(number)), number: Int(number))
      }
      return nil
    }
  }

  /// What is reported and not begun is left as it is.
  private func dropUnbegun() { (unbegun, hosts) = ([:], []) }

  /// Begins a target, unless its URL is fetched already.
  ///
  /// - Parameters:
  ///   - isClaimed: Whether nobody else is to fetch it; not for pieces of videos, several of which may lie in one file.
  func begin(_ target: WebTarget, isClaimed: Bool = true) throws -> FetchRequest? {
    let key = try Self.key(target.url)
    return condition.withLock {
      if isClaimed {
        guard claims[key] == nil else { return nil }
        claims[key] = begun
      }
      defer { begun += 1 }
      return begin(target, number: begun)
    }
  }

  private func begin(_ target: WebTarget, number: Int) -> FetchRequest {
    targets[number] = target
    roots[target.root, default: Root(url: target.url)].open += 1
    return FetchRequest(
      url: target.url, referrer: target.reference?.page, number: number, budget: target.budget,
      byteRange: target.piece?.byteRange, sealing: target.piece == nil ? sealing : nil)
  }

  /// Whether a redirect is followed by the target that has met it.
  func claim(_ url: WebURL, by number: Int) throws -> Bool {
    let key = try Self.key(url)
    return condition.withLock {
      if targets[number]?.piece != nil { return true }
      if let owner = claims[key] { return owner == number }
      claims[key] = number
      return true
    }
  }

  func arrive(_ fetched: Fetched) {
    condition.withLock {
      arrived.append(fetched)
      condition.signal()
    }
  }

  /// What is to be scanned next; `nil` when there is nothing more to come.
  ///
  /// - Parameter isStopped: Asked five times a second; `stop` is called when it says so for the first time.
  func next(isStopped: () -> Bool, stop: () -> Void) throws -> (Fetched, WebTarget)? {
    condition.lock()
    defer { condition.unlock() }
    while true {
      if let failure { throw failure }
      if isStopped() && !isInterrupted {
        isInterrupted = true
        dropUnbegun()
        stop()
      }
      if first < arrived.count, let fetched = arrived[first] {
        arrived[first] = nil
        first += 1
        if first > 1024 {
          arrived.removeFirst(first)
          first = 0
        }
        return (fetched, targets[fetched.request.number]!)
      }
      if roots.isEmpty && hosts.isEmpty { return nil }
      _ = condition.wait(until: Date(timeIntervalSinceNow: 0.2))
    }
  }

  /// A target is done, and what it refers to is begun.
  ///
  /// - Parameter isCut: Whether it was given up, so that its reported URL is to be visited again.
  /// - Returns: The reported URL, where nothing of it is left to do.
  func end(_ number: Int, isCut: Bool) -> WebURL? {
    condition.withLock {
      let root = targets.removeValue(forKey: number)!.root
      roots[root]!.open -= 1
      if isCut { roots[root]!.isCut = true }
      guard let ended = roots[root], ended.open == 0 else { return nil }
      roots[root] = nil
      condition.broadcast()
      return ended.isCut ? nil : ended.url
    }
  }

  func fail(_ error: any Error) {
    condition.withLock {
      if failure == nil { failure = error }
      dropUnbegun()
      condition.broadcast()
    }
  }

  /// Throws what went wrong, if anything did.
  func check() throws {
    try condition.withLock { if let failure { throw failure } }
  }
}
