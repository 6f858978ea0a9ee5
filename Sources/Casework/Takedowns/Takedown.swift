import Foundation
import Hashing
import Matching

/// Where a takedown stands. That it is overdue is a matter of the clock and no state.
public enum TakedownState: String, Sendable, CaseIterable {
  /// Ordered; the recipient does not know yet.
  case ordered
  case notified
  /// The recipient has answered.
  case acknowledged
  /// Two re-checks in a row found it gone, or a person has closed it.
  case closed
  /// It was gone, and is there again.
  case returned
  case withdrawn
}

/// What happens to a takedown.
public enum TakedownEvent: String, Sendable, CaseIterable {
  case notify, acknowledge, remind, escalate, recheck, close, reopen, withdraw

  /// From where it leads where; `nil` where it stays. What is not here cannot happen.
  static let transitions: [(event: TakedownEvent, from: Set<TakedownState>, to: TakedownState?)] = [
    (.notify, [.ordered, .returned], .notified),
    (.acknowledge, [.notified], .acknowledged),
    (.remind, [.notified, .acknowledged], nil),
    (.escalate, [.notified, .acknowledged, .returned], .ordered),
    (.recheck, [.ordered, .notified, .acknowledged, .returned, .closed], nil),
    (.close, [.ordered, .notified, .acknowledged, .returned], .closed),
    (.reopen, [.closed], .returned),
    (.withdraw, [.ordered, .notified, .acknowledged, .returned], .withdrawn),
  ]

  /// Where a takedown in `state` goes by this; `nil` where it cannot happen.
  public func next(from state: TakedownState) -> TakedownState? {
    Self.transitions.first { $0.event == self && $0.from.contains(state) }.map { $0.to ?? state }
  }

  var entryKind: LedgerEntry.Kind {
    switch self {
    case .notify: .takedownNotified
    case .acknowledge: .takedownAcknowledged
    case .remind: .takedownReminded
    case .escalate: .takedownEscalated
    case .recheck: .takedownRechecked
    case .close: .takedownClosed
    case .reopen: .takedownReopened
    case .withdraw: .takedownWithdrawn
    }
  }
}

/// A notice or an order to whoever hosts a content, with its clocks.
public struct Takedown: Sendable, Equatable {
  public let number: TakedownNumber
  public let caseNumber: CaseNumber
  public let url: String
  public let host: String
  /// SHA-256 of what was found there.
  public let sha256: Digest?
  /// The match it rests on, in words that claim no more than is known.
  public let match: String
  /// Of its ``RuleProfile``, as it was when it was ordered.
  public let profile: String
  public let authority: String
  public let legalGround: String
  public let hours: Int
  public let isEmergency: Bool
  public let orderedBy: String
  /// Who is written to, and on which rung of the ladder.
  public let recipient: ContactTable.Contact
  public let rung: Int
  public let state: TakedownState
  /// Three clocks: when it was first reported or seen, when the host was told, when it was gone.
  public let receivedAt: Date
  public let notifiedAt: Date?
  public let removedAt: Date?
  public let orderedAt: Date
  public let verifiedAt: Date
  public let deadline: Date?
  public let nextCheckAt: Date?
  /// Re-checks in a row that found it gone: 0, 1 or 2.
  public let goneCount: Int
  /// How often it came back.
  public let returns: Int
  public let reminders: Int

  /// Whether the host has let the deadline pass.
  public func isOverdue(at time: Date) -> Bool {
    guard let deadline, state != .closed, state != .withdrawn else { return false }
    return time > deadline
  }
}

/// What a re-check found.
public enum RecheckAnswer: String, Sendable, CaseIterable {
  /// Not there: 404, 410, or no such name.
  case gone
  /// Something else is there.
  case changed
  case stillUp = "still-up"
  /// The address leads to another.
  case moved
  /// Nobody answers. That is not gone.
  case unreachable
  /// A block on this side hides it: that says nothing of the host.
  case blockedHere = "blocked-here"
}

/// What a re-check changes: a state machine of its own, without clock and store.
struct Recheck: Equatable {
  let goneCount: Int
  let event: TakedownEvent
  /// Until the next re-check; `nil` for none.
  let hoursToNext: Int?

  /// How far apart two answers must be to count as two.
  static let minutesApart = 15

  /// - Parameters:
  ///   - goneCount: Before this answer.
  ///   - minutes: Since the last `gone` that counted; `nil` for none.
  ///   - checks: Re-checks since the state last changed.
  init(
    _ answer: RecheckAnswer, state: TakedownState, goneCount: Int, minutes: Double?, checks: Int, profile: RuleProfile
  ) {
    func open(_ checks: Int) -> Int { profile.recheckHours[min(checks, profile.recheckHours.count - 1)] }
    func closed(_ checks: Int) -> Int? {
      checks < profile.recheckClosedHours.count ? profile.recheckClosedHours[checks] : nil
    }
    switch (answer, state) {
    case (.stillUp, .closed):
      self.init(goneCount: 0, event: .reopen, hoursToNext: open(0))
    case (_, .closed):
      // Closed stays closed unless the content itself is seen again.
      self.init(goneCount: goneCount, event: .recheck, hoursToNext: closed(checks + 1))
    case (.gone, _) where goneCount == 0:
      self.init(goneCount: 1, event: .recheck, hoursToNext: open(0))
    case (.gone, _) where minutes ?? .infinity < Double(Self.minutesApart):
      self.init(goneCount: goneCount, event: .recheck, hoursToNext: open(0))
    case (.gone, _):
      self.init(goneCount: 2, event: .close, hoursToNext: closed(0))
    default:
      self.init(goneCount: 0, event: .recheck, hoursToNext: open(checks + 1))
    }
  }

  init(goneCount: Int, event: TakedownEvent, hoursToNext: Int?) {
    self.goneCount = goneCount
    self.event = event
    self.hoursToNext = hoursToNext
  }
}
