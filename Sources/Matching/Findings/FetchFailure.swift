/// Why a URL has no content for us.
public struct FetchFailure: Error, Sendable, Hashable, CustomStringConvertible {
  public enum Code: String, Sendable {
    /// Our own policy does not visit it.
    case refused
    /// The name leads nowhere, or the resolver does not answer.
    case unresolvable
    /// Nobody listens, or the connection broke.
    case unreachable
    /// The host's certificate is not good, or no secured connection came about.
    case insecure
    /// It took longer than a limit allows.
    case timedOut = "timed-out"
    /// It is larger than a limit allows.
    case tooLarge = "too-large"
    /// More redirects than a limit allows, a circle of them, or one that leads nowhere.
    case badRedirect = "bad-redirect"
    /// It redirects to what is fetched on its own.
    case elsewhere
    /// The host broke the protocol.
    case brokenAnswer = "broken-answer"
    /// The host answered, and not with the content: the last status of the chain says more.
    case status
    /// The scan was stopped before.
    case stopped
  }

  public let code: Code
  public let reason: String

  public init(_ code: Code, _ reason: String) {
    self.code = code
    self.reason = reason
  }

  public var description: String { "\(code.rawValue): \(reason)" }

  public static func == (left: Self, right: Self) -> Bool { left.code == right.code }

  public func hash(into hasher: inout Hasher) { hasher.combine(code) }
}
