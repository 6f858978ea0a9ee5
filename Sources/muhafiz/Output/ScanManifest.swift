import Foundation
import Hashing
import Matching
import Scanning
import SystemPackage

/// What a report says of a scan before its items: who looked for what, where, with what.
struct ScanManifest {
  let plan: ScanPlan
  let blocklist: Blocklist
  let examiner: String
  let exhibit: String?
  /// How often the scan was cut off and went on.
  let earlierSessions: Int
  /// The `begin` line of NDJSON version 1; made once, so that the ledger knows the very line that is printed.
  let line: JSONLine

  /// - Parameters:
  ///   - hasAllItems: Whether the report has every item.
  ///   - sourceDigest: Of the image or device that is scanned, where that was asked for.
  init(
    plan: ScanPlan, blocklist: Blocklist, canaries: String, examiner: String, exhibit: String?, hasAllItems: Bool,
    earlierSessions: Int, sourceDigest: Digest?
  ) {
    self.plan = plan
    self.blocklist = blocklist
    self.examiner = examiner
    self.exhibit = exhibit
    self.earlierSessions = earlierSessions
    var line = ScanHeading(
      run: plan.run, begunAt: plan.begun, tool: plan.tool, blocklist: blocklist, canaries: canaries,
      earlierSessions: earlierSessions
    ).line
    line.add("all", hasAllItems ? "true" : "false")
    line.add("host", ProcessInfo.processInfo.hostName)
    line.add("examiner", examiner)
    line.add("exhibit", exhibit)
    line.add("folder", plan.folder)
    line.add("roots", plan.roots)
    line.add("options", plan.options)
    line.add("devices", plan.roots.compactMap { SourceDevice(of: FilePath($0)) }) { device, object in
      object.add(.file(device.path))
      object.add("name", device.name)
      object.add("model", device.model)
      object.add("serial", device.serial)
      object.add("size", device.sizeInBytes)
    }
    line.add("source_sha256_before", sourceDigest?.hex)
    self.line = line
  }

  /// What the ledger knows the line by.
  func digest() throws -> Digest { try line.object.withUnsafeBytes { try Digest.sha256(of: $0) } }
}
