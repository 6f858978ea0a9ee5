import Foundation
import GRDB
import Synchronization

/// Puts the writes of several threads into one transaction, so that one sync of the disk makes all of them durable.
///
/// The first that comes writes for all who wait; those who come meanwhile wait for the next turn. Each has a savepoint of
/// its own: what one throws undoes its writes only. Nobody is told before the transaction is on the disk.
final class GroupCommit: Sendable {
  private let queue = Mutex(Queue())
  private let database: DatabasePool

  private struct Queue {
    var waiting: [Turn] = []
    var hasLeader = false
  }

  /// A write that somebody waits for.
  ///
  /// `@unchecked`: the leader writes before it signals; the waiting thread reads after.
  private final class Turn: @unchecked Sendable {
    /// `nil` once it ran: it borrows from the waiting thread, which goes on when it is signalled.
    var body: ((Database) throws -> Void)?
    let isOver = DispatchSemaphore(value: 0)
    var failure: (any Error)?
    var leads = false

    init(_ body: @escaping (Database) throws -> Void) { self.body = body }
  }

  init(_ database: DatabasePool) { self.database = database }

  /// Runs `body` in a transaction, and returns when that is on the disk.
  func write<Result>(_ body: (Database) throws -> Result) throws -> Result {
    var result: Result?
    try withoutActuallyEscaping(body) { body in
      let turn = Turn { result = try body($0) }
      let leads = queue.withLock { queue in
        queue.waiting.append(turn)
        defer { queue.hasLeader = true }
        return !queue.hasLeader
      }
      if !leads { turn.isOver.wait() }
      if leads || turn.leads { lead() }
      if let failure = turn.failure { throw failure }
    }
    return result!
  }

  /// Writes for all who wait, the leader among them, and hands on to one who came meanwhile.
  private func lead() {
    let turns = queue.withLock { queue in
      defer { queue.waiting = [] }
      return queue.waiting
    }
    do {
      try database.writeWithoutTransaction { database in
        try database.inTransaction(.immediate) {
          for turn in turns {
            do {
              try database.inSavepoint {
                try turn.body?(database)
                return .commit
              }
            } catch {
              turn.failure = error
              // A full disk ends the whole transaction, and with it what the others wrote.
              guard database.isInsideTransaction else { throw error }
            }
          }
          return .commit
        }
      }
    } catch {
      for turn in turns where turn.failure == nil { turn.failure = error }
    }
    let next = queue.withLock { queue in
      if queue.waiting.isEmpty { queue.hasLeader = false }
      return queue.waiting.first
    }
    // The leader's own turn needs no signal, and one more than is waited for does no harm.
    for turn in turns {
      turn.body = nil
      turn.isOver.signal()
    }
    next?.leads = true
    next?.isOver.signal()
  }
}
