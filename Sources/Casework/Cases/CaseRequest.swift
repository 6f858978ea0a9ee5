/// Somebody wants to do something to a case.
public struct CaseRequest: Sendable {
  public var number: CaseNumber
  public var action: CaseAction
  public var by: String
  /// Why. It is in the record before anything follows from it.
  public var reason: String
  /// For ``CaseAction/propose`` and ``CaseAction/decide``.
  public var decision: CaseDecision?
  /// The version of the case that was looked at; whoever approves must say it.
  public var version: Int?

  public init(
    _ number: CaseNumber, _ action: CaseAction, by: String, reason: String, decision: CaseDecision? = nil,
    version: Int? = nil
  ) {
    self.number = number
    self.action = action
    self.by = by
    self.reason = reason
    self.decision = decision
    self.version = version
  }
}

extension CaseAction {
  /// As in "it cannot be …".
  var past: String {
    switch self {
    case .propose: "proposed on"
    case .withdraw: "withdrawn"
    case .approve: "approved"
    case .reject: "rejected"
    case .decide: "decided"
    case .act: "acted on"
    case .close: "closed"
    case .appeal: "appealed"
    case .uphold: "upheld"
    case .overturn: "overturned"
    case .reopen: "reopened"
    case .resume: "resumed"
    }
  }
}
