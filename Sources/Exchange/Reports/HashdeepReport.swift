import Hashing
import Matching
import SystemPackage

/// hashdeep 1.0: the digests of every file, by which 'hashdeep -a' audits the evidence.
///
/// Members of archives and what lies at URLs are no files, and left out. A name with a line feed cannot be written so that
/// hashdeep reads it; how many there are is said.
///
/// Source: hashdeep's `FILEFORMAT`.
struct HashdeepReport: ItemReport {
  let fileName = "hashdeep.txt"
  let head: [UInt8]
  private let algorithms: [DigestAlgorithm]
  private let folder: FilePath
  private var unwritable = 0

  init(_ run: RunDescription) {
    algorithms = run.digests.sorted()
    folder = run.workingFolder
    let place = String(decoding: folder.bytes, as: UTF8.self).onOneLine
    let command = run.commandLine.joined(separator: " ").onOneLine
    let columns = (["size"] + algorithms.map(\.name) + ["filename"]).joined(separator: ",")
    head = Array("%%%% HASHDEEP-1.0\n%%%% \(columns)\n## Invoked from: \(place)\n## $ \(command)\n## \n".utf8)
  }

  mutating func text(of item: ScannedItem) -> [UInt8] {
    guard item.state == .hashed, item.member == nil, let path = item.place.path, let fingerprint = item.fingerprint else {
      return []
    }
    let digests = algorithms.compactMap { fingerprint.digest($0)?.hex }
    // As hashdeep has it: from the root of the file system.
    let name = path.isAbsolute ? path.bytes : folder.pushing(path).lexicallyNormalized().bytes
    guard digests.count == algorithms.count, !name.contains(UInt8(ascii: "\n")), !name.contains(UInt8(ascii: "\r")) else {
      unwritable += 1
      return []
    }
    let line = ([String(fingerprint.sizeInBytes)] + digests).joined(separator: ",")
    return Array("\(line),".utf8) + name + [UInt8(ascii: "\n")]
  }

  func tail(_ result: RunResult, _ summary: JSONLine) -> [UInt8] {
    unwritable == 0 ? [] : Array("## \(unwritable) files are not listed: their names have line feeds\n".utf8)
  }
}
