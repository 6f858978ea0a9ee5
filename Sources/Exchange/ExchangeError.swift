/// A partner's file that cannot be taken as a whole. A record that cannot be taken is a ``Rejection``.
public struct ExchangeError: Error, Equatable, Sendable, CustomStringConvertible {
  public enum Code: Sendable {
    case cannotRead, unknownFormat, unsupportedFormat, wrongEncoding, missingHeader, unknownColumn, rejectedRecord,
      malformed
    case unreadableQuery
    /// A report is to be written where there is one.
    case folderInUse
  }

  public let code: Code
  /// What happened and where, in one line.
  public let description: String
  public let hint: String?

  public init(_ code: Code, _ description: String, hint: String? = nil) {
    self.code = code
    self.description = description
    self.hint = hint
  }

  public static func == (left: Self, right: Self) -> Bool { left.code == right.code }
}
