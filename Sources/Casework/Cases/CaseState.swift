import Matching

/// Where a case stands.
public enum CaseState: String, Sendable, CaseIterable {
  /// Findings are there and nobody has decided.
  case open
  /// Somebody proposes a decision, and somebody else must look.
  case proposed
  /// Decided; what follows from it has not begun.
  case decided
  /// A takedown was ordered.
  case actioned
  /// Somebody objects to the decision.
  case appealed
  case closed
}

/// What people do to a case.
public enum CaseAction: String, Sendable, CaseIterable {
  /// Proposes a decision.
  case propose
  /// Takes one's own proposal back.
  case withdraw
  /// Agrees with a proposal: the decision stands. Never by the one who proposed.
  case approve
  /// Disagrees with a proposal: the case is open again.
  case reject
  /// Decides alone, where the policy lets one person decide.
  case decide
  /// Begins what a decision asks for; done by issuing a takedown.
  case act
  case close
  /// Records that a host or a user objects.
  case appeal
  /// Finds the decision right after all.
  case uphold
  /// Finds the decision wrong: the case is open again, and counts as overturned.
  case overturn
  /// Opens a closed case again, to decide anew.
  case reopen
  /// Takes a closed case up where it was, because the content came back; done by a re-check.
  case resume

  /// From where it leads where. What is not here cannot be done.
  static let transitions: [(action: CaseAction, from: Set<CaseState>, to: CaseState)] = [
    (.propose, [.open], .proposed),
    (.withdraw, [.proposed], .open),
    (.approve, [.proposed], .decided),
    (.reject, [.proposed], .open),
    (.decide, [.open], .decided),
    (.act, [.decided, .actioned], .actioned),
    (.close, [.decided, .actioned], .closed),
    (.appeal, [.decided, .actioned, .closed], .appealed),
    (.uphold, [.appealed], .decided),
    (.overturn, [.appealed], .open),
    (.reopen, [.closed], .open),
    (.resume, [.closed], .actioned),
  ]

  /// Where a case in `state` goes by this; `nil` where it cannot be done.
  public func next(from state: CaseState) -> CaseState? {
    Self.transitions.first { $0.action == self && $0.from.contains(state) }?.to
  }
}

/// What a case is decided to be. It says what is done, never what the content is.
public enum CaseDecision: String, Sendable, CaseIterable {
  /// The host is ordered to remove it.
  case takedown
  /// The match does not hold.
  case noMatch = "no-match"
  /// Another authority decides.
  case refer
  /// Another case is about the same.
  case duplicate
  case outOfScope = "out-of-scope"
}

/// How many people a decision needs.
///
/// One rule holds whatever the policy says: a case without an exact match is decided by two.
public struct CasePolicy: Sendable, Equatable, Codable {
  /// Whether two people decide on exact matches too.
  public var exactNeedsTwo: Bool

  public init(exactNeedsTwo: Bool = true) { self.exactNeedsTwo = exactNeedsTwo }

  private enum CodingKeys: String, CodingKey { case exactNeedsTwo = "exact_needs_two" }

  /// Whether one person may decide on a case with this verdict: only `block` rests on an exact match.
  func letsOneDecide(on verdict: Verdict) -> Bool { verdict == .block && !exactNeedsTwo }
}
