import Synchronization

/// The memory that bodies take from their first byte until they are scanned.
final class BodyBudget: Sendable {
  private let most: Int
  private let mostWaiting: Int
  private let used = Atomic(0)
  private let delivered = Atomic(0)
  private let held = Atomic(0)

  init(most: Int, mostWaiting: Int = .max) {
    self.most = most
    self.mostWaiting = mostWaiting
  }

  /// - Returns: Whether there was room.
  func take(_ bytes: Int, evenIfFull: Bool) -> Bool {
    if used.add(bytes, ordering: .relaxed).newValue <= most || evenIfFull { return true }
    used.subtract(bytes, ordering: .relaxed)
    return false
  }

  func give(_ bytes: Int) { used.subtract(bytes, ordering: .relaxed) }

  /// What a body that waits counts for: something lies about it, about a tiny one as about another.
  private static func weight(_ bytes: Int) -> Int { max(bytes, 4096) }

  /// A body has come to its end, and somebody is to scan it.
  func deliver(_ bytes: Int) { delivered.add(Self.weight(bytes), ordering: .relaxed) }

  /// A delivered body is scanned.
  func release(_ bytes: Int) {
    delivered.subtract(Self.weight(bytes), ordering: .relaxed)
    give(bytes)
  }

  /// Pieces of a video lie here until the last has come, and what they leave is for other bodies: half of all at least.
  ///
  /// - Returns: Whether there was room.
  func hold(_ bytes: Int) -> Bool {
    if held.add(bytes, ordering: .relaxed).newValue > most / 2 {
      held.subtract(bytes, ordering: .relaxed)
      return false
    }
    used.add(bytes, ordering: .relaxed)
    return true
  }

  /// Held pieces are not needed any more.
  func letGo(_ bytes: Int) {
    held.subtract(bytes, ordering: .relaxed)
    give(bytes)
  }

  /// Whether all that is used is of bodies under way: nobody will make room unless one of them goes on.
  var isStuck: Bool { delivered.load(ordering: .relaxed) == 0 }

  /// Whether the network is so far ahead of scanning that nothing is gained by beginning more.
  var isAhead: Bool { delivered.load(ordering: .relaxed) > mostWaiting }

  /// Whether so little is used that those that wait may go on.
  var hasRoom: Bool {
    let held = held.load(ordering: .relaxed)
    let bodies = used.load(ordering: .relaxed) - held
    return bodies < (most - held) / 2 || bodies == 0
  }
}
