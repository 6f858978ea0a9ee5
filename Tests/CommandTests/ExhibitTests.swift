import Foundation
import Glibc
import TestSupport
import Testing

/// A report held against the evidence, and evidence held against itself.
struct ExhibitTests {
  private let scratch = try! TemporaryDirectory()
  private static let testdata = Corpus.packageRoot.appending(path: "testdata").path

  private func muhafiz(_ arguments: String...) throws -> ProgramResult {
    try run(
      builtProgram("muhafiz"), arguments, environment: ["MUHAFIZ_HOME": scratch.path("home")], in: scratch.url)
  }

  private func makeExhibit() throws {
    #expect(try muhafiz("list", "import", "--name", "national", "\(Self.testdata)/lists/known.sha256").exitCode == 0)
    try FileManager.default.createDirectory(atPath: scratch.path("tree/sub"), withIntermediateDirectories: true)
    for number in 0..<30 {
      try Data("content \(number)".utf8).write(
        to: URL(filePath: scratch.path("tree/\(number % 2 == 0 ? "sub/" : "sub-")\(number)")))
    }
    for file in ["pictures/dunes.jpg", "archives/plain.zip"] {
      let name = file.split(separator: "/").last!
      try FileManager.default.copyItem(atPath: "\(Self.testdata)/\(file)", toPath: scratch.path("tree/\(name)"))
    }
    symlink("nowhere", scratch.path("tree/link"))
  }

  private func line(_ text: String, _ index: Int) throws -> [String: Any] {
    let lines = text.split(separator: "\n")
    return try JSONSerialization.jsonObject(with: Data(lines[index < 0 ? lines.count + index : index].utf8))
      as! [String: Any]
  }

  @Test func aReportIsHeldAgainstTheEvidence() throws {
    try makeExhibit()
    let scan = ["scan", "tree", "--format", "ndjson", "--all", "-o", "report"]
    #expect(try muhafiz(scan[0], scan[1], scan[2], scan[3], scan[4], scan[5], scan[6]).exitCode == 1)
    let same = try muhafiz("exhibit", "verify", "report", "--evidence", "tree")
    #expect(
      same.exitCode == 0 && same.text.contains("32 files digested again, 0 differences"),
      "\(same.text)\(same.errorText)")
    // A copy elsewhere is the evidence too.
    try FileManager.default.copyItem(atPath: scratch.path("tree"), toPath: scratch.path("a copy"))
    #expect(try muhafiz("exhibit", "verify", "report", "--evidence", "a copy/.").exitCode == 0)
    let copy = scratch.path("a copy")
    unlink("\(copy)/sub-1")
    unlink("\(copy)/sub/28")
    try Data("content X".utf8).write(to: URL(filePath: "\(copy)/sub-3"))
    try Data("longer".utf8).write(to: URL(filePath: "\(copy)/sub/4"))
    try Data("new".utf8).write(to: URL(filePath: "\(copy)/sub/4a"))
    unlink("\(copy)/link")
    mkfifo("\(copy)/link", 0o600)
    let other = try muhafiz("exhibit", "verify", "report", "--evidence", copy)
    #expect(other.exitCode == 1)
    let lines = other.text.split(separator: "\n").dropLast()
    #expect(
      lines == [
        "CHANGED  tree/link: it is a fifo", "MISSING  tree/sub-1", "CHANGED  tree/sub-3: its SHA-256 is another",
        "MISSING  tree/sub/28", "CHANGED  tree/sub/4: it has 6 bytes, and had 9", "NEW      tree/sub/4a",
      ], "\(other.text)")
    let json = try muhafiz("exhibit", "verify", "report", "--evidence", copy, "--format", "ndjson")
    #expect(
      try line(json.text, 0)["difference"] as? String == "changed" && line(json.text, -1)["differences"] as? Int == 6)
  }

  @Test func aReportThatWasChangedIsSeen() throws {
    try makeExhibit()
    #expect(try muhafiz("scan", "tree", "--format", "ndjson", "--all", "-o", "report").exitCode == 1)
    let whole = try String(contentsOfFile: scratch.path("report"), encoding: .utf8)
    let lines = whole.split(separator: "\n")
    func verify(_ text: String) throws -> ProgramResult {
      try Data(text.utf8).write(to: URL(filePath: scratch.path("changed")))
      return try muhafiz("exhibit", "verify", "changed")
    }
    #expect(try verify(whole).exitCode == 0)
    for index in stride(from: 1, to: lines.count - 1, by: 7) {
      var without = lines
      without.remove(at: index)
      #expect(try verify(without.joined(separator: "\n") + "\n").exitCode == 1, "line \(index)")
      var changed = lines
      changed[index] = Substring(lines[index].replacing("a", with: "b", maxReplacements: 1))
      #expect(try verify(changed.joined(separator: "\n") + "\n").exitCode != 0, "line \(index)")
    }
    let cutOff = try verify(lines.dropLast().joined(separator: "\n") + "\n")
    #expect(cutOff.exitCode == 2 && cutOff.errorText.contains("has no end"))
    #expect(try verify("nonsense\n").exitCode == 2)
    #expect(try muhafiz("exhibit", "verify", "/nowhere").exitCode == 2)
    // Without --all there are few items, and those are held against the evidence.
    #expect(try muhafiz("scan", "tree", "--format", "ndjson", "-o", "few").exitCode == 1)
    let few = try muhafiz("exhibit", "verify", "few", "--evidence", "tree")
    #expect(few.exitCode == 0 && few.text.contains("without --all"))
  }

  @Test func theManifestSaysWhoAndWhatAndIsInTheLedger() throws {
    try makeExhibit()
    try Data("an image".utf8).write(to: URL(filePath: scratch.path("image")))
    let scan = try muhafiz(
      "scan", "tree", "--format", "ndjson", "--record", "--exhibit", "EX-7", "--as", "examiner", "--source-digest",
      "image")
    #expect(scan.exitCode == 1, "\(scan.errorText)")
    let (begin, summary) = (try line(scan.text, 0), try line(scan.text, -1))
    #expect(begin["exhibit"] as? String == "EX-7" && begin["examiner"] as? String == "examiner")
    #expect(begin["host"] as? String != nil && begin["roots"] as? [String] == ["tree"] && begin["devices"] is [Any])
    #expect((begin["options"] as! [String]).contains("perceptual=true"))
    let digest = try run("/usr/bin/sha256sum", [scratch.path("image")]).text.prefix(64)
    #expect(
      begin["source_sha256_before"] as? String == String(digest)
        && summary["source_sha256_after"] as? String == String(digest))
    #expect(summary["entries"] as? Int == 33 && summary["entries_counted"] as? Int == 33)
    #expect(try muhafiz("ledger", "verify").exitCode == 0)
    let bytes = Data(scan.text.split(separator: "\n")[0].utf8)
    try bytes.write(to: URL(filePath: scratch.path("first line")))
    let manifest = try run("/usr/bin/sha256sum", [scratch.path("first line")]).text.prefix(64)
    let record = try Data(contentsOf: URL(filePath: scratch.path("home/casework.sqlite")))
    let log = FileManager.default.contents(atPath: scratch.path("home/casework.sqlite-wal")) ?? Data()
    for text in [String(manifest), summary["report_sha256"] as! String] {
      #expect(record.range(of: Data(text.utf8)) != nil || log.range(of: Data(text.utf8)) != nil, "\(text)")
    }
  }
}
