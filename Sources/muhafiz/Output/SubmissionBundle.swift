import Hashing
import Matching

/// Hashes of somebody's own files, to be put on a list: nothing in it says whose files they are, what they are called, how
/// big they are or in which order they lay.
///
/// A CSV file that `muhafiz list import` reads. The files never leave the device; what does is these lines.
final class SubmissionBundle {
  private var lines: Set<String> = []
  /// Items of which no hash could be taken.
  private(set) var missing = 0

  var count: Int { lines.count }

  func add(_ item: ScannedItem) {
    guard let fingerprint = item.fingerprint, !fingerprint.digests.isEmpty else {
      missing += 1
      return
    }
    let digests = [DigestAlgorithm.sha256, .sha1, .md5].map { fingerprint.digest($0)?.hex ?? "" }
    let hash = fingerprint.perceptualHash
    lines.insert(
      (digests + [hash?.hex ?? "", hash.flatMap { $0.quality.map(String.init) } ?? ""]).joined(separator: ","))
  }

  /// The lines in the order of their digests, each once.
  func write(to writer: ResultWriter) throws {
    try writer.write(line: "sha256,sha1,md5,pdq,quality")
    for line in lines.sorted() { try writer.write(line: line) }
  }
}
