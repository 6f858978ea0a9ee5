import Foundation
import Hashing

/// What was seen in pictures and videos of a scan, for copies of them: each content is decoded once.
///
/// Memory is bounded: a copy of what was forgotten meanwhile is decoded anew, to the same end. What could not be seen is
/// not kept, since another try may succeed.
final class LookCache: @unchecked Sendable {
  // All below is touched only with `lock` held.
  private let lock = NSLock()
  private var looks: [Digest: ItemScanner.Look] = [:]
  /// Oldest first.
  private var order: [Digest] = []
  private var weight = 0
  private var used = 0

  /// Hashes and matches that are kept: some tens of megabytes.
  private let mostWeight: Int

  init(mostWeight: Int = 200_000) { self.mostWeight = mostWeight }

  /// How often something was known.
  var hits: Int { lock.withLock { used } }

  func look(at digest: Digest) -> ItemScanner.Look? {
    lock.withLock {
      let look = looks[digest]
      if look != nil { used += 1 }
      return look
    }
  }

  func keep(_ look: ItemScanner.Look, of digest: Digest) {
    if look.failure != nil || look.weight > mostWeight / 10 { return }
    lock.withLock {
      guard looks.updateValue(look, forKey: digest) == nil else { return }
      order.append(digest)
      weight += look.weight
      if weight <= mostWeight { return }
      // The older half goes, so that not every further look moves all others.
      var gone = 0
      while weight > mostWeight / 2 {
        weight -= looks.removeValue(forKey: order[gone])?.weight ?? 0
        gone += 1
      }
      order.removeFirst(gone)
    }
  }
}

extension ItemScanner.Look {
  fileprivate var weight: Int { 4 + frames.count * 2 + queries.reduce(0) { $0 + $1.count } + matches.count * 4 }
}
