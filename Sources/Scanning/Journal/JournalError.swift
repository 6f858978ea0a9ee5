import SystemPackage

/// A scan journal that cannot be used.
public struct JournalError: Error, Equatable, Sendable, CustomStringConvertible {
  public enum Code: Sendable {
    /// No scan that could be resumed.
    case nothingToResume
    /// There is one, and it was another scan: other options, another folder.
    case otherScan
    /// Bytes in it are not those that were written.
    case damaged
    case futureVersion
    /// A scan is writing it.
    case locked
    case unreadable
  }

  public let code: Code
  /// What happened and where, in one line.
  public let description: String
  /// What to do about it, if there is something.
  public let hint: String?

  public init(_ code: Code, _ description: String, hint: String? = nil) {
    self.code = code
    self.description = description
    self.hint = hint
  }

  static func damaged(_ path: FilePath, _ what: String) -> JournalError {
    JournalError(.damaged, "scan journal \(path) is damaged: \(what)", hint: "scan anew, without --resume")
  }

  static func unreadable(_ path: FilePath, _ error: Errno) -> JournalError {
    JournalError(.unreadable, "cannot read \(path): \(error)")
  }

  public static func == (left: Self, right: Self) -> Bool { left.code == right.code }
}
