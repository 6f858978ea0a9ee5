import Foundation
import Glibc
import Hashing
import Matching
import SystemPackage

/// The scan journals of one home. A scan that comes to its end with nothing left to look at leaves none.
public struct ScanJournals: Sendable {
  private let folder: FilePath
  private let fileSystem: any DurableFileSystem

  public init(home: FilePath) { self.init(home: home, on: HostFileSystem()) }

  package init(home: FilePath, on fileSystem: any DurableFileSystem) {
    folder = home.appending("scans")
    self.fileSystem = fileSystem
  }

  private struct PlanVersion: Decodable {
    var v: Int
  }

  private struct PlanFile: Codable {
    var v = 1
    var plan: ScanPlan
    /// Of the plan, as JSON without spaces, its members in order of name.
    var sha256: String

    init(_ plan: ScanPlan) throws {
      self.plan = plan
      sha256 = try Self.digest(of: plan)
    }

    static func digest(of plan: ScanPlan) throws -> String {
      let encoder = JSONEncoder()
      encoder.outputFormatting = .sortedKeys
      return try encoder.encode(plan).withUnsafeBytes { try Digest.sha256(of: $0) }.hex
    }
  }

  /// Begins the journal of a scan.
  ///
  /// - Throws: ``MatchingError`` with `permission` where the home cannot be written, `diskFull`, `inputOutput`.
  public func begin(_ plan: ScanPlan) throws -> ScanJournal {
    let place = folder.appending(plan.run)
    try DurableFile.makeFolder(place, on: fileSystem)
    let lock = try Self.lock(place)
    try Self.write(plan, in: place, on: fileSystem)
    return try ScanJournal(plan, in: place, earlierSessions: 0, lock: lock, on: fileSystem)
  }

  /// Goes on with a scan in a new session.
  ///
  /// - Throws: ``JournalError``: `nothingToResume`, `locked`, `damaged`, `futureVersion`.
  public func resume(_ run: String) throws -> ScanJournal {
    let place = folder.appending(run)
    guard try runs().contains(run) else {
      throw JournalError(.nothingToResume, "there is no scan \(run) to go on with")
    }
    let lock = try Self.lock(place)
    let plan = try plan(of: run)
    try DurableFile.sweepOrphans(in: place, on: fileSystem)
    var numbers: [Int] = []
    for name in try DurableFile.names(in: place, on: fileSystem) where name.hasSuffix(".journal") {
      guard let number = Int(name.dropLast(".journal".count)), number > 0 else {
        throw JournalError.damaged(place, "\(name) does not belong there")
      }
      numbers.append(number)
    }
    guard numbers.sorted() == Array(1..<numbers.count + 1) else {
      throw JournalError.damaged(place, "a session's file is missing")
    }
    return try ScanJournal(plan, in: place, earlierSessions: numbers.count, lock: lock, on: fileSystem)
  }

  /// The scans that can be resumed, the latest first.
  public func plans() throws -> [ScanPlan] {
    try runs().compactMap { run in
      // Cut off before anything was scanned.
      do { return try plan(of: run) } catch let error as MatchingError where error.code == .listMissing { return nil }
    }.sorted { $0.begun > $1.begun }
  }

  /// Removes the journals of scans of the same paths and options but one, and what is left of scans that never began.
  public func removeAll(like plan: ScanPlan) throws {
    let others = try plans()
    for run in try runs() where run != plan.run {
      let other = others.first { $0.run == run }
      if let other, !(other.hasRoots(of: plan) && other.options == plan.options) { continue }
      let place = folder.appending(run)
      guard let lock = try FolderLock(place) else { continue }
      try Self.remove(place, on: fileSystem)
      withExtendedLifetime(lock) {}
    }
  }

  /// Keeps a second scan from writing the same journal.
  private static func lock(_ folder: FilePath) throws -> FolderLock {
    guard let lock = try FolderLock(folder) else {
      throw JournalError(.locked, "the scan of \(folder) is under way", hint: "wait for its end, or stop it")
    }
    return lock
  }

  private func runs() throws -> [String] {
    try DurableFile.names(in: folder, on: fileSystem).filter { UUID(uuidString: $0) != nil }
  }

  private func plan(of run: String) throws -> ScanPlan {
    let path = folder.appending(run).appending("PLAN")
    let data: Data
    do { data = try Data(contentsOf: URL(filePath: path.string)) } catch let error as CocoaError {
      throw error.code == .fileReadNoSuchFile
        ? MatchingError(.listMissing, "there is no \(path)")
        : MatchingError(.inputOutput, "cannot read \(path): \(error)")
    }
    let plan: ScanPlan
    do {
      let version = try JSONDecoder().decode(PlanVersion.self, from: data).v
      guard version == 1 else {
        throw JournalError(.futureVersion, "\(path) has version \(version), this program reads 1")
      }
      let file = try JSONDecoder().decode(PlanFile.self, from: data)
      plan = file.plan
      guard try file.sha256 == PlanFile.digest(of: plan) else { throw JournalError.damaged(path, "it was changed") }
    } catch is Swift.DecodingError { throw JournalError.damaged(path, "it cannot be read") }
    guard plan.run == run else { throw JournalError.damaged(path, "it is of another scan") }
    return plan
  }

  static func write(_ plan: ScanPlan, in folder: FilePath, on fileSystem: any DurableFileSystem) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    let bytes = Array(try encoder.encode(PlanFile(plan))) + [UInt8(ascii: "\n")]
    try DurableFile.replace(folder.appending("PLAN"), with: bytes, on: fileSystem)
  }

  /// Removes a journal: its plan first, without which it is none.
  static func remove(_ folder: FilePath, on fileSystem: any DurableFileSystem) throws {
    let names = try DurableFile.names(in: folder, on: fileSystem)
    for name in names.filter({ $0 == "PLAN" }) + names.filter({ $0 != "PLAN" }) {
      let path = folder.appending(name)
      do { try fileSystem.remove(path) } catch { throw MatchingError(error, "remove", path) }
    }
    guard folder.withPlatformString(rmdir) == 0 else { throw MatchingError(Errno(rawValue: errno), "remove", folder) }
  }
}
