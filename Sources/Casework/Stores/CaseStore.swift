import Foundation
import GRDB
import Glibc
import Hashing
import Matching
import SystemPackage

/// The record of runs, findings and cases of one home, in SQLite.
///
/// Each call is one transaction: it is in the record whole when it returns, also after a power cut, or not at all. The
/// ledger's entries are part of it: nothing happens without an entry, and no entry tells of what did not happen.
public final class CaseStore: Sendable {
  public let path: FilePath
  let database: DatabasePool
  private let commits: GroupCommit

  /// Opens the record, and makes it where there is none.
  ///
  /// - Parameter path: The folder must exist. A new file can be read by its owner only.
  /// - Throws: ``CaseworkError``: `cannotOpen`, `permission`, `corrupt`, `newerVersion`, `diskFull`, `locked`.
  public init(at path: FilePath) throws {
    self.path = path
    // Before SQLite makes it with whatever the mask of the process allows.
    let descriptor = path.withPlatformString { Glibc.open($0, O_RDWR | O_CREAT | O_CLOEXEC, 0o600) }
    guard descriptor >= 0 else {
      let error = Errno(rawValue: errno)
      let code: CaseworkError.Code =
        switch error {
        case .permissionDenied, .readOnlyFileSystem: .permission
        case .noSpace: .diskFull
        default: .cannotOpen
        }
      throw CaseworkError(code, "cannot open \(path): \(error)")
    }
    Glibc.close(descriptor)
    var configuration = Configuration()
    configuration.foreignKeysEnabled = true
    configuration.busyMode = .timeout(10)
    configuration.maximumReaderCount = 2
    do {
      database = try DatabasePool(path: path.string, configuration: configuration)
      let newer = try database.read { try Schema.migrator.hasBeenSuperseded($0) }
      guard !newer else {
        throw CaseworkError(.newerVersion, "\(path) was written by a newer muhafiz", hint: "use that one")
      }
      // What is recorded is on the disk when the call returns. Only here: opening a pool sets it to NORMAL, which syncs
      // nothing at the end of a transaction.
      try database.writeWithoutTransaction { try $0.execute(sql: "PRAGMA synchronous = FULL") }
      try Schema.migrator.migrate(database)
      commits = GroupCommit(database)
    } catch let error as DatabaseError { throw CaseworkError(error, path) }
  }

  /// Ends the use of the record.
  public func close() throws { try translating { try database.close() } }

  func translating<Result>(_ body: () throws -> Result) throws -> Result {
    do { return try body() } catch let error as DatabaseError { throw CaseworkError(error, path) }
  }

  /// Runs `body` in a transaction that also takes the entries of the ledger that say what it did.
  func write<Result>(_ body: (Database, LedgerAppender) throws -> Result) throws -> Result {
    try translating { try commits.write { try body($0, LedgerAppender($0)) } }
  }

  func read<Result>(_ body: (Database) throws -> Result) throws -> Result {
    try translating { try database.read(body) }
  }
}

extension Date {
  /// As times stand in the record.
  var milliseconds: Int64 { Int64((timeIntervalSince1970 * 1000).rounded()) }

  init(milliseconds: Int64) { self.init(timeIntervalSince1970: Double(milliseconds) / 1000) }
}

/// Lists of list versions as they stand in the record.
enum ListVersions {
  static func text(_ versions: [ListVersion]) throws -> String {
    String(decoding: try JSONEncoder().encode(versions.map { [$0.name, $0.version] }), as: UTF8.self)
  }

  static func of(_ text: String) throws -> [ListVersion] {
    try JSONDecoder().decode([[String]].self, from: Data(text.utf8)).compactMap { pair in
      pair.count == 2 ? ListVersion(name: pair[0], version: pair[1]) : nil
    }
  }
}
