import Foundation
import Glibc
import TestSupport
import Testing

/// Damaged media of every kind through the whole program: it never ends early, hangs or loses count.
@Suite struct MutatedMediaTests {
  private let scratch = try! TemporaryDirectory()

  /// Whole files to damage: the repository's own, and the corpus's smaller ones where that is.
  private func originals() throws -> [(name: String, bytes: [UInt8])] {
    let own = ["pictures", "changed", "archives"].map { Corpus.packageRoot.appending(path: "testdata/\($0)") }
    let shared = Corpus.isPresent ? ["media/zoo", "media/videos"].map { Corpus.root.appending(path: $0) } : []
    return try (own + shared).flatMap { folder in
      try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
    }.sorted { $0.path < $1.path }.compactMap { url in
      let bytes = try [UInt8](Data(contentsOf: url))
      return bytes.count < 300_000 ? (url.lastPathComponent, bytes) : nil
    }
  }

  private func damage(_ file: [UInt8], _ random: inout SeededGenerator) -> [UInt8] {
    var file = file
    let at = Int.random(in: 0..<file.count, using: &random)
    switch Int.random(in: 0..<5, using: &random) {
    case 0: file.removeSubrange(max(1, at)...)
    case 1:
      for _ in 0..<Int.random(in: 1...30, using: &random) {
        file[Int.random(in: 0..<file.count, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      }
    case 2:
      for offset in 0..<min(64, file.count) where Int.random(in: 0..<6, using: &random) == 0 {
        file[offset] = UInt8.random(in: 0...255, using: &random)
      }
    case 3:
      let end = min(file.count, at + Int.random(in: 1...400, using: &random))
      for offset in at..<end { file[offset] = 0 }
    default:
      file.insert(
        contentsOf: (0..<Int.random(in: 1...900, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random)
        }, at: at)
    }
    return file
  }

  @Test func everyDamagedFileIsAccountedFor() throws {
    let count = isLongRun ? 10_000 : 500
    let seed = UInt64.random(in: 0...UInt64.max)
    var random = SeededGenerator(seed: seed)
    let originals = try originals()
    let tree = scratch.url.appending(path: "tree")
    try FileManager.default.createDirectory(at: tree, withIntermediateDirectories: true)
    for number in 0..<count {
      let (name, bytes) = originals[number % originals.count]
      try Data(damage(bytes, &random)).write(to: tree.appending(path: "\(number)-\(name)"))
    }
    let home = ["MUHAFIZ_HOME": scratch.path("home")]
    let list = Corpus.packageRoot.appending(path: "testdata/lists/known.pdq").path
    #expect(
      try run(builtProgram("muhafiz"), ["list", "import", "--name", "pdq", list], environment: home).exitCode == 0)
    let start = ContinuousClock.now
    let scan = try run(builtProgram("muhafiz"), ["scan", tree.path, "--all", "--format", "ndjson"], environment: home)
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    #expect([0, 1, 3, 4].contains(scan.exitCode), "seed \(seed): exit \(scan.exitCode) \(scan.errorText)")
    var files: Set<String> = []
    var (members, reasons, summary) = (0, [String](), [String: Any]())
    for line in scan.text.split(separator: "\n") {
      let object = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
      if object["type"] as? String == "summary" { summary = object }
      guard object["type"] as? String == "item" else { continue }
      if object["member"] == nil { files.insert(object["path"] as! String) } else { members += 1 }
      if let reason = object["reason"] as? String {
        reasons.append(reason)
        #expect(object["verdict"] as? String != "clear", "seed \(seed): \(line)")
      }
    }
    #expect(files.count == count && summary["found"] as? Int == count + members, "seed \(seed)")
    let counts = ["hashed", "unhashable", "skipped", "errors"].compactMap { summary[$0] as? Int }
    #expect(counts.reduce(0, +) == count + members && summary["canaries"] as? String == "passed", "seed \(seed)")
    let (crashed, hung) = (reasons.count { $0.contains("crashed") }, reasons.count { $0.contains("hung") })
    #expect(!reasons.contains { $0.contains("forbids") }, "seed \(seed): a decoder needs more than its sandbox allows")
    // Of this test's descendants; the largest of them.
    var usage = rusage()
    getrusage(RUSAGE_CHILDREN.rawValue, &usage)
    #expect(usage.ru_maxrss < 2 << 20, "seed \(seed): \(usage.ru_maxrss) KiB")
    print(
      "damaged media: \(count) files and \(members) members in \(Int(seconds)) s, \(reasons.count) not in full, "
        + "\(crashed) crashes, \(hung) hangs, largest process \(usage.ru_maxrss >> 10) MiB, seed \(seed)")
  }
}
