import GRDB
import Matching
import SystemPackage

/// The record cannot be read or written.
public struct CaseworkError: Error, Equatable, Sendable, CustomStringConvertible {
  public enum Code: Sendable {
    case cannotOpen, permission, diskFull, locked, newerVersion, corrupt, inputOutput
    case noSuchCase, noSuchTakedown, noSuchReport, unusableData
    /// A person asked for what the rules do not allow; the attempt is in the ledger.
    case refused
    case entryTooLong
    /// The ledger, a checkpoint or a proof is not what was signed.
    case ledgerDamaged
    case keyUnusable
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

  /// What a file of the ledger that could not be read or written means.
  init(_ error: MatchingError) {
    let code: Code =
      switch error.code {
      case .permission: .permission
      case .diskFull: .diskFull
      case .locked: .locked
      default: .inputOutput
      }
    self.init(code, error.description, hint: error.hint)
  }

  /// What SQLite's refusal means for the record at `path`.
  init(_ error: DatabaseError, _ path: FilePath) {
    let said = error.message ?? "\(error.resultCode)"
    // The index of the log of writes lies in a file of its own, whose growth fails in another way.
    if error.resultCode == .SQLITE_FULL || error.extendedResultCode == .SQLITE_IOERR_SHMSIZE {
      self.init(.diskFull, "the disk is full: cannot write \(path)", hint: "what was recorded before is unharmed")
      return
    }
    switch error.resultCode {
    case .SQLITE_READONLY, .SQLITE_PERM, .SQLITE_AUTH:
      self.init(.permission, "cannot write \(path): permission denied")
    case .SQLITE_CANTOPEN: self.init(.cannotOpen, "cannot open \(path): \(said)")
    case .SQLITE_BUSY, .SQLITE_LOCKED:
      self.init(.locked, "another program is writing \(path)", hint: "try again when it is done")
    case .SQLITE_NOTADB, .SQLITE_CORRUPT: self.init(.corrupt, "\(path) is damaged or no record of cases: \(said)")
    default: self.init(.inputOutput, "cannot use \(path): \(said)")
    }
  }
}
