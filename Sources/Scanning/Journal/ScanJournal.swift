import Foundation
import Glibc
import Matching
import SystemPackage

/// The journal of one scan: its plan, and a file of records for each session that worked on it.
///
///     scans/<run>/PLAN         what was asked for
///     scans/<run>/1.journal    what the first session found; 2.journal what the second added, and so on
///
/// A record is durable before its items are reported. Whoever holds the object holds the journal's lock. Layout:
/// `JournalFormat.md`.
public final class ScanJournal: @unchecked Sendable {  // `log` is used by the one delivery of a scan.
  public let plan: ScanPlan
  /// Sessions before this one.
  public let earlierSessions: Int
  private let folder: FilePath
  private let fileSystem: any DurableFileSystem
  private let context: [UInt8]
  private let lock: FolderLock
  private var log: DurableLog
  private var framesWritten: UInt64 = 0

  /// Begins a session.
  init(
    _ plan: ScanPlan, in folder: FilePath, earlierSessions: Int, lock: FolderLock, on fileSystem: any DurableFileSystem
  ) throws {
    guard let run = UUID(uuidString: plan.run) else { throw JournalError.damaged(folder, "its run is no UUID") }
    context = withUnsafeBytes(of: run.uuid, Array.init)
    self.plan = plan
    self.folder = folder
    self.earlierSessions = earlierSessions
    self.lock = lock
    self.fileSystem = fileSystem
    log = try DurableLog(creating: Self.path(of: earlierSessions + 1, in: folder), on: fileSystem)
  }

  static func path(of session: Int, in folder: FilePath) -> FilePath { folder.appending("\(session).journal") }

  /// What the sessions before this one found.
  func history() throws -> JournalHistory {
    try JournalHistory(
      (0..<earlierSessions).map { session in
        { [self] in
          try JournalFile(
            opening: Self.path(of: session + 1, in: folder), .init(run: context, file: UInt64(session + 1)))
        }
      })
  }

  /// Writes records down. After this returns they survive a power cut.
  func append(_ records: some Sequence<JournalRecord>) throws {
    var bytes = JournalBytes()
    for record in records { record.write(to: &bytes) }
    if bytes.bytes.isEmpty { return }
    let frame = try JournalFrame.bytes(
      bytes.bytes, number: framesWritten, .init(run: context, file: UInt64(earlierSessions + 1)))
    do { try frame.withUnsafeBytes { try log.append($0) } } catch let error as MatchingError
      where error.code == .diskFull
    {
      throw MatchingError(
        .diskFull, error.description,
        hint: "make room and go on where the scan stopped: muhafiz scan --resume \(plan.run)")
    }
    framesWritten += 1
  }

  /// Notes that the scan came to its end.
  ///
  /// - Parameter isComplete: Nothing is left that another look might find: the journal is removed.
  public func end(isComplete: Bool, at time: Date) throws {
    var plan = plan
    plan.ended = time
    if isComplete {
      try ScanJournals.remove(folder, on: fileSystem)
    } else {
      try ScanJournals.write(plan, in: folder, on: fileSystem)
    }
  }
}
