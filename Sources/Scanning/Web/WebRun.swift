import Foundation
import Matching

/// Which URLs a scan of the web has begun, which bodies wait to be scanned, and when all is done.
///
/// A URL is fetched once in a run, whoever refers to it or redirects to it.
final class WebRun: @unchecked Sendable {
  let sealing: SealedFolder?
  // All stored properties that change are touched only with `condition` locked.
  private let condition = NSCondition()
  /// The target that fetches a URL, by number.
  private var claims: [WebURL: Int] = [:]
  private var targets: [Int: WebTarget] = [:]
  /// What has arrived; nothing at the places of what was taken, so that its body goes when it is scanned.
  private var arrived: [Fetched?] = []
  /// Place of the first that waits.
  private var first = 0
  private var begun = 0
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

  init(sealing: SealedFolder?) { self.sealing = sealing }

  /// Begins a target, unless its URL is fetched already.
  ///
  /// - Parameters:
  ///   - isClaimed: Whether nobody else is to fetch it; not for pieces of videos, several of which may lie in one file.
  ///   - make: Gets the number that a reported URL has as its own root.
  func begin(_ url: WebURL, isClaimed: Bool = true, _ make: (Int) -> WebTarget) -> FetchRequest? {
    condition.withLock {
      if isClaimed && claims[url] != nil { return nil }
      let target = make(begun)
      if isClaimed { claims[url] = begun }
      targets[begun] = target
      roots[target.root, default: Root(url: url)].open += 1
      defer { begun += 1 }
      return FetchRequest(
        url: url, referrer: target.reference?.page, number: begun, budget: target.budget,
        byteRange: target.piece?.byteRange)
    }
  }

  /// Whether a redirect is followed by the target that has met it.
  func claim(_ url: WebURL, by number: Int) -> Bool {
    condition.withLock {
      if targets[number]?.piece != nil { return true }
      if let owner = claims[url] { return owner == number }
      claims[url] = number
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
      if roots.isEmpty { return nil }
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
      condition.broadcast()
    }
  }

  /// Throws what went wrong, if anything did.
  func check() throws {
    try condition.withLock { if let failure { throw failure } }
  }
}
