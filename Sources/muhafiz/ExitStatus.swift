import ArgumentParser
import Casework
import Decoding
import Exchange
import Foundation
import Glibc
import Hashing
import Matching
import Scanning
import SystemPackage

/// The exit codes, and the only place that decides them. What was found and whether all was read are two facts; the codes
/// of a scan say both.
enum ExitStatus {
  static let usage: Int32 = 2
  static let internalError: Int32 = 5
  static let listUnusable: Int32 = 10
  static let locked: Int32 = 11
  static let permission: Int32 = 12
  static let resources: Int32 = 13
  static let ledgerDamaged: Int32 = 14
  static let interrupted: Int32 = 130

  /// The code of a scan that came to its end, or was stopped.
  static func of(hasMatch: Bool, isComplete: Bool, isInterrupted: Bool = false) -> Int32 {
    if isInterrupted { return interrupted }
    return (isComplete ? 0 : 3) + (hasMatch ? 1 : 0)
  }

  /// Says on standard error what ended the program, and what to do.
  ///
  /// - Returns: The code to end with.
  static func report(_ error: any Error) -> Int32 {
    if let code = error as? ExitCode { return code.rawValue }
    let (status, message, hint) = explain(error)
    if let message {
      complain("error: \(message)")
      if let hint { complain("hint: \(hint)") }
    } else if status == 0 {
      print(Muhafiz.fullMessage(for: error))
    } else {
      standardError(Muhafiz.fullMessage(for: error).replacing("Error: ", with: "muhafiz: error: ", maxReplacements: 1) + "\n")
    }
    return status
  }

  /// `nil` for a message stands for the argument parser's own.
  private static func explain(_ error: any Error) -> (status: Int32, message: String?, hint: String?) {
    switch error {
    case let error as UsageError: (usage, error.description, error.hint)
    case let error as MatchingError: (status(error.code), error.description, error.hint)
    case let error as ExchangeError: (usage, error.description, error.hint)
    case let error as CaseworkError: (status(error.code), error.description, error.hint)
    case let error as ReportError: (usage, error.description, nil)
    case let error as JournalError: (status(error.code), error.description, error.hint)
    case let error as DecodingError:
      (
        internalError, error.reason,
        "'muhafiz doctor' says what this machine offers; --no-perceptual --no-archives works without the decoder"
      )
    case let error as HashingError: (internalError, error.description, nil)
    case let error as OutputError: (status(error.cause), error.description, nil)
    case let error as Errno: (status(error), "\(error)", nil)
    case let error as CocoaError where error.code == .fileWriteOutOfSpace:
      (resources, "the disk is full: \(error.localizedDescription)", nil)
    case let error as CocoaError where error.code == .fileWriteNoPermission:
      (permission, error.localizedDescription, nil)
    case let error as CocoaError: (internalError, error.localizedDescription, nil)
    default: (Muhafiz.exitCode(for: error) == .success ? 0 : usage, nil, nil)
    }
  }

  private static func status(_ code: MatchingError.Code) -> Int32 {
    switch code {
    case .listMissing, .notAHashList, .futureVersion, .foreignByteOrder, .listTruncated, .listCorrupt, .listMisplaced,
      .noListInForce, .activeUnreadable, .unsigned, .wrongSignature:
      listUnusable
    case .badName, .versionExists, .tooLarge: usage
    case .permission, .keyUnusable: permission
    case .diskFull: resources
    case .locked: locked
    case .inputOutput: internalError
    }
  }

  private static func status(_ code: CaseworkError.Code) -> Int32 {
    switch code {
    case .noSuchCase, .noSuchTakedown, .noSuchReport, .unusableData, .refused, .entryTooLong: usage
    case .permission, .cannotOpen, .keyUnusable: permission
    case .ledgerDamaged: ledgerDamaged
    case .diskFull: resources
    case .locked: locked
    case .newerVersion, .corrupt, .inputOutput: internalError
    }
  }

  private static func status(_ code: JournalError.Code) -> Int32 {
    switch code {
    case .nothingToResume, .otherScan: usage
    case .locked: locked
    case .damaged, .futureVersion, .unreadable: internalError
    }
  }

  private static func status(_ error: Errno) -> Int32 {
    switch error {
    case .noSpace, .diskQuotaExceeded: resources
    case .permissionDenied, .notPermitted, .readOnlyFileSystem: permission
    default: internalError
    }
  }
}

/// The command line asks for something that cannot be.
struct UsageError: Error, CustomStringConvertible {
  let description: String
  let hint: String?

  init(_ description: String, hint: String? = nil) {
    self.description = description
    self.hint = hint
  }
}

/// Results could not be written.
struct OutputError: Error, CustomStringConvertible {
  let cause: Errno
  let place: String
  var description: String { cause == .noSpace ? "the disk is full: cannot write \(place)" : "cannot write \(place): \(cause)" }
}
