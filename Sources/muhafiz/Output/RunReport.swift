import Casework
import Exchange
import Foundation
import Hashing
import Matching
import SystemPackage

/// Writes the folder that `--report` asks for, and signs it with the ledger's key.
final class RunReport {
  /// What a Project VIC case names contents by, whatever the lists in force need.
  static let digests: Set<DigestAlgorithm> = [.md5]

  private let folder: ReportFolder
  private let home: HomeOptions
  private let run: RunDescription
  private let urdu: Bool

  /// - Parameters:
  ///   - digests: Those that every hashed item of the run has.
  ///   - urdu: Whether the page's headings are in Urdu too.
  init(
    _ path: String, _ manifest: ScanManifest, digests: Set<DigestAlgorithm>, urdu: Bool, home: HomeOptions
  ) throws {
    run = RunDescription(
      id: manifest.plan.run, tool: "muhafiz", toolVersion: Muhafiz.toolVersion, begunAt: manifest.plan.begun,
      examiner: manifest.examiner, exhibit: manifest.exhibit, host: ProcessInfo.processInfo.hostName,
      commandLine: CommandLine.arguments,
      workingFolder: FilePath(FileManager.default.currentDirectoryPath), digests: digests,
      lists: manifest.blocklist.members.map {
        RunDescription.List(version: $0.list.version, entries: $0.list.entryCount, sha256: $0.list.digest)
      })
    folder = try ReportFolder(FilePath(path), of: run, begin: manifest.line)
    self.home = home
    self.urdu = urdu
  }

  func add(_ item: ScannedItem) throws { try folder.add(item) }

  /// Ends the files, signs them, and records that they left the house.
  func finish(_ ending: ScanEnding) throws {
    let store = try home.openCaseStore()
    let key = try home.ledger(of: store).key()
    let result = RunResult(
      endedAt: Date(), counts: ending.summary.counts, reportDigest: ending.summary.reportDigest,
      isInterrupted: ending.summary.isInterrupted, isValid: ending.isValid)
    let digest = try folder.finish(result, summary: ending.line, urdu: urdu) { try key.signedNote($0) }
    try store.signIn(run.examiner, account: loginName, at: Date())
    try store.append([.exported(what: "report of run \(run.id)", sha256: digest.hex)], by: run.examiner, at: Date())
    home.sign(home.ledger(of: store))
  }
}
