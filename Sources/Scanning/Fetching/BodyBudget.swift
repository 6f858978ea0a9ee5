import Synchronization

/// The memory that bodies take from their first byte until they are scanned.
final class BodyBudget: Sendable {
  private let most: Int
  private let used = Atomic(0)
  private let delivered = Atomic(0)

  init(most: Int) { self.most = most }

  /// - Returns: Whether there was room.
  func take(_ bytes: Int, evenIfFull: Bool) -> Bool {
    if used.add(bytes, ordering: .relaxed).newValue <= most || evenIfFull { return true }
    used.subtract(bytes, ordering: .relaxed)
    return false
  }

  func give(_ bytes: Int) { used.subtract(bytes, ordering: .relaxed) }

  /// A body has come to its end, and somebody is to scan it.
  func deliver(_ bytes: Int) { delivered.add(bytes, ordering: .relaxed) }

  /// A delivered body is scanned.
  func release(_ bytes: Int) {
    delivered.subtract(bytes, ordering: .relaxed)
    give(bytes)
  }

  /// Whether all that is used is of bodies under way: nobody will make room unless one of them goes on.
  var isStuck: Bool { delivered.load(ordering: .relaxed) == 0 }

  /// Whether so little is used that those that wait may go on.
  var hasRoom: Bool { used.load(ordering: .relaxed) < most / 2 || used.load(ordering: .relaxed) == 0 }
}
