import Dispatch
import Foundation

/// Hands values on in groups, in order, on a thread of its own: what comes while one group is made durable is the next.
///
/// Once anything has failed, all later calls fail with it.
final class GroupDelivery<Value: Sendable>: @unchecked Sendable {
  // All stored properties that change are touched only with `condition` locked.
  private let condition = NSCondition()
  private var waiting: [Value] = []
  private var weightWaiting = 0
  private var isFinished = false
  private var hasEnded = false
  private var failure: (any Error)?
  private let weight: (Value) -> Int
  /// `nil` once it is not called any more: what it holds on to is let go before the end is told.
  private var deliver: (([Value]) throws -> Void)?

  /// What may wait for a group, by weight, and how long a group may be waited for.
  private static var mostWeight: Int { 4096 }
  private static var patience: TimeInterval { 0.05 }

  /// - Parameters:
  ///   - weight: What a value counts among those that may wait.
  ///   - deliver: Called with one group at a time.
  init(weight: @escaping (Value) -> Int, deliver: @escaping ([Value]) throws -> Void) {
    self.weight = weight
    self.deliver = deliver
    DispatchQueue(label: "group delivery", qos: .userInitiated).async { self.run() }
  }

  /// Takes a value; returns when there is room for the next.
  func put(_ value: Value) throws {
    condition.lock()
    defer { condition.unlock() }
    while failure == nil && weightWaiting >= Self.mostWeight { condition.wait() }
    if let failure { throw failure }
    waiting.append(value)
    weightWaiting += weight(value)
    if waiting.count == 1 || weightWaiting >= Self.mostWeight { condition.broadcast() }
  }

  /// Returns when all that was put has been delivered.
  func finish() throws {
    condition.lock()
    defer { condition.unlock() }
    isFinished = true
    condition.broadcast()
    while !hasEnded { condition.wait() }
    if let failure { throw failure }
  }

  private func run() {
    do {
      while let (group, deliver) = nextGroup() { try deliver(group) }
    } catch {
      condition.lock()
      failure = error
      condition.unlock()
    }
    condition.lock()
    deliver = nil
    hasEnded = true
    condition.broadcast()
    condition.unlock()
  }

  /// Waits for values; `nil` at the end.
  private func nextGroup() -> (group: [Value], deliver: ([Value]) throws -> Void)? {
    condition.lock()
    defer { condition.unlock() }
    while waiting.isEmpty && !isFinished { condition.wait() }
    // Making one value durable costs as much as making a thousand.
    let deadline = Date(timeIntervalSinceNow: Self.patience)
    while !isFinished && weightWaiting < Self.mostWeight, condition.wait(until: deadline) {}
    guard !waiting.isEmpty, let deliver else { return nil }
    defer {
      (waiting, weightWaiting) = ([], 0)
      condition.broadcast()
    }
    return (waiting, deliver)
  }
}
