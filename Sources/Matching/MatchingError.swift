import SystemPackage

/// A hash list, or the set of lists in force, that cannot be used or written.
///
/// "Not listed" is never an error: it is an empty array.
public struct MatchingError: Error, Equatable, Sendable, CustomStringConvertible {
  public enum Code: Sendable {
    case listMissing, notAHashList, futureVersion, foreignByteOrder, listTruncated, listCorrupt, listMisplaced
    case noListInForce, badName, versionExists, activeUnreadable, tooLarge
    case keyUnusable, unsigned, wrongSignature
    case permission, diskFull, locked, inputOutput
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

  /// A system call that failed on `path`.
  public init(_ error: Errno, _ doing: String, _ path: FilePath) {
    let code: Code =
      switch error {
      case .permissionDenied, .notPermitted, .readOnlyFileSystem: .permission
      case .noSpace, .diskQuotaExceeded, .fileTooLarge: .diskFull
      case .noSuchFileOrDirectory: .listMissing
      default: .inputOutput
      }
    self.init(code, "cannot \(doing) \(path): \(error)")
  }

  /// A list file with something in it that no writer writes.
  static func damaged(_ path: FilePath, _ what: String) -> MatchingError {
    MatchingError(
      .listCorrupt, "list file \(path) is damaged: \(what)", hint: "import the list again, or run 'muhafiz list verify'")
  }

  public static func == (left: Self, right: Self) -> Bool { left.code == right.code }
}
