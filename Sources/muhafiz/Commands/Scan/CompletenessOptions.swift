import ArgumentParser
import Foundation
import Hashing
import Scanning
import SystemPackage

/// What is done to show that nothing was missed, and nothing changed.
struct CompletenessOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Take the SHA-256 of this image file or device before the scan and after it.", valueName: "path"))
  var sourceDigest: String?

  /// Counts what is there on another way, and says where that is not what the scan met.
  func count(_ roots: [FilePath], expecting summary: ScanSummary) -> Int? {
    let count = TreeCount()
    count.count(roots, measures: false)
    guard let total = count.total?.items else { return nil }
    if total != summary.counts.entries {
      complain(
        "warning: counted again there are \(total.grouped) names in the folders, and the scan met "
          + "\(summary.counts.entries.grouped): something changed meanwhile")
    }
    return total
  }

  /// - Parameter before: What it was at first.
  func takeDigest(_ control: ScanControl, after before: Digest? = nil) throws -> Digest? {
    guard let sourceDigest else { return nil }
    do {
      let digest = try SourceDigest.take(of: FilePath(sourceDigest), control: control)
      if let before, before != digest { complain("error: \(sourceDigest) is not what it was before the scan") }
      return digest
    } catch Errno.canceled {
      complain("warning: the digest of \(sourceDigest) was not taken to its end")
      return nil
    } catch let error as Errno {
      if before == nil { throw UsageError("cannot take the digest of \(sourceDigest): \(error)") }
      complain("error: the digest of \(sourceDigest) cannot be taken again: \(error)")
      return nil
    }
  }
}
