import Foundation

/// Hands results on in the order of their numbers, whichever worker has them first.
///
/// A worker that is far ahead of the slowest waits, so what is kept stays bounded. Once anything has failed, all later
/// calls fail with it.
final class OrderedDelivery<Value: Sendable>: @unchecked Sendable {
  // All stored properties are touched only with `condition` locked.
  private let condition = NSCondition()
  private var waiting: [Int: Waiting] = [:]
  private var weightWaiting = 0
  private var next = 0
  private var failure: (any Error)?
  private struct Waiting {
    var values: [Value] = []
    /// Whether no more of the number will come.
    var isWhole = false
  }

  private let deliver: (Value) throws -> Void
  private let window: Int
  private let mostWeight: Int
  private let weight: (Value) -> Int

  /// - Parameters:
  ///   - window: Values that may wait, and `mostWeight` for what they may weigh together by `weight`.
  ///   - deliver: Called with one value at a time, in order.
  init(
    window: Int = 4096, mostWeight: Int = .max, weight: @escaping (Value) -> Int = { _ in 1 },
    deliver: @escaping (Value) throws -> Void
  ) {
    self.window = window
    self.mostWeight = mostWeight
    self.weight = weight
    self.deliver = deliver
  }

  /// Takes a value; returns when there is room for the next.
  ///
  /// - Parameters:
  ///   - isPart: Whether more of this number follow.
  ///   - waitsForTurn: Whether a part waits until all before it is delivered. Whoever has something before it in hand
  ///     itself must not.
  func put(_ value: Value, number: Int, isPart: Bool = false, waitsForTurn: Bool = false) throws {
    condition.lock()
    defer { condition.unlock() }
    waiting[number, default: Waiting()].values.append(value)
    if !isPart { waiting[number]?.isWhole = true }
    weightWaiting += weight(value)
    while failure == nil, let ready = waiting.removeValue(forKey: next) {
      if ready.isWhole { next += 1 }
      for value in ready.values where failure == nil {
        weightWaiting -= weight(value)
        do { try deliver(value) } catch { failure = error }
      }
      if !ready.isWhole { break }
    }
    condition.broadcast()
    if isPart {
      while failure == nil && waitsForTurn && number > next { condition.wait() }
    } else {
      while failure == nil && (number >= next + window || (number >= next && weightWaiting > mostWeight)) {
        condition.wait()
      }
    }
    if let failure { throw failure }
  }

  /// Lets all workers know that the run is over.
  func fail(_ error: any Error) {
    condition.lock()
    if failure == nil { failure = error }
    condition.broadcast()
    condition.unlock()
  }

  /// Throws what went wrong, if anything did.
  func check() throws {
    condition.lock()
    defer { condition.unlock() }
    if let failure { throw failure }
  }
}
