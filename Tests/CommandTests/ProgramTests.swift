import Foundation
import Glibc
import TestSupport
import Testing

/// The program as its users run it.
struct ProgramTests {
  private let scratch = try! TemporaryDirectory()
  private static let testdata = Corpus.packageRoot.appending(path: "testdata").path

  private func muhafiz(_ arguments: String..., home: String? = nil, input: String? = nil) throws -> ProgramResult {
    try run(
      builtProgram("muhafiz"), arguments, environment: ["MUHAFIZ_HOME": home ?? scratch.path("home")],
      input: input.map { Data($0.utf8) }, in: scratch.url)
  }

  /// The objects of an NDJSON report.
  private func lines(_ text: String) throws -> [[String: Any]] {
    try text.split(separator: "\n").map { try JSONSerialization.jsonObject(with: Data($0.utf8)) as! [String: Any] }
  }

  private func importLists() throws {
    for (name, file) in [("national", "known.sha256"), ("national-pdq", "known.pdq")] {
      let result = try muhafiz("list", "import", "--name", name, "\(Self.testdata)/lists/\(file)")
      #expect(result.exitCode == 0 && result.text.contains("accepted              4"), "\(result.errorText)")
    }
  }

  private func makeExhibit() throws -> String {
    let exhibit = scratch.url.appending(path: "exhibit")
    try FileManager.default.createDirectory(at: exhibit, withIntermediateDirectories: true)
    for (file, name) in [
      ("pictures/dunes.jpg", "copy.jpg"), ("pictures/harbour.jpg", "notes.txt"), ("changed/ridge-mirrored.jpg", "mirror.jpg"),
      ("pictures/steppe.jpg", "other.jpg"),
    ] {
      try FileManager.default.copyItem(atPath: "\(Self.testdata)/\(file)", toPath: exhibit.appending(path: name).path)
    }
    return exhibit.path
  }

  @Test func fromListToCase() throws {
    try importLists()
    let exhibit = try makeExhibit()
    let scan = try muhafiz("scan", exhibit, "--record", "--format", "ndjson", "--all", "--exhibit", "EX-1")
    #expect(scan.exitCode == 1)
    let report = try lines(scan.text)
    #expect(report.map { $0["type"] as! String } == ["begin", "item", "item", "item", "item", "summary"])
    #expect(report[0]["canaries"] as? String == "passed" && (report[0]["lists"] as! [Any]).count == 2)
    #expect(report[1...4].map { $0["verdict"] as! String } == ["block", "review", "block", "clear"])
    let summary = report[5]
    #expect(
      summary["found"] as! Int == 4 && summary["block"] as! Int == 2 && summary["review"] as! Int == 1
        && summary["exit"] as! Int == 1)
    // Scanning twice adds nothing but that it was seen again.
    let again = try muhafiz("scan", exhibit, "--record", "--format", "ndjson", "--all", "--exhibit", "EX-1")
    #expect(again.errorText.contains("0 new findings, 3 seen again, 0 cases opened"))
    #expect(try lines(again.text)[5]["report_sha256"] as! String == summary["report_sha256"] as! String)
    let cases = try lines(muhafiz("case", "list", "--format", "ndjson").text)
    #expect(cases.count == 3 && Set(cases.map { $0["case"] as! String }) == ["C-000001", "C-000002", "C-000003"])
    let shown = try muhafiz("case", "show", "c-1").text
    #expect(shown.contains("exhibit EX-1: copy.jpg") && shown.contains("list national version") && shown.contains("entry dunes"))
  }

  @Test func reportsAsTextAndCSVAndIntoAFile() throws {
    try importLists()
    let exhibit = try makeExhibit()
    try FileManager.default.copyItem(
      atPath: "\(Self.testdata)/broken/half-a-lagoon.jpg", toPath: "\(exhibit)/=half,\"a\u{1B}\".jpg")
    let text = try muhafiz("scan", exhibit)
    #expect(
      text.exitCode == 4 && text.text.contains("INCOMPLETE") && text.text.contains("PARTLY") && !text.text.contains("\u{1B}"))
    let csv = try muhafiz("scan", exhibit, "--format", "csv", "-o", "report.csv", "--all")
    #expect(csv.exitCode == 4 && csv.text.isEmpty)
    let rows = try String(contentsOf: scratch.url.appending(path: "report.csv"), encoding: .utf8).split(separator: "\n")
    // A heading, and a row for each match or item without one: the two copies match by digest and by picture.
    #expect(rows.count == 8 && rows[0].hasPrefix("path,"))
    let digestsOnly = try muhafiz("scan", exhibit, "--no-perceptual", "--format", "ndjson")
    #expect(digestsOnly.exitCode == 1 && !digestsOnly.text.contains("\"pdq\":"))
  }

  @Test func hashNeedsNoListAndAgreesWithSumTools() throws {
    let file = "\(Self.testdata)/pictures/dunes.jpg"
    let item = try lines(muhafiz("hash", file, "--format", "ndjson").text)[0]
    for (member, tool) in [("sha256", "sha256sum"), ("sha1", "sha1sum"), ("md5", "md5sum")] {
      #expect(try run("/usr/bin/\(tool)", [file]).text.hasPrefix(item[member] as! String))
    }
    #expect(item["verdict"] == nil && item["matches"] == nil && item["pdq_quality"] as! Int >= 50)
    let known = try String(contentsOfFile: "\(Self.testdata)/lists/known.pdq", encoding: .utf8)
    #expect(known.hasPrefix(item["pdq"] as! String))
  }

  @Test func matchReadsArgumentsAndLines() throws {
    try importLists()
    let sum = try String(contentsOfFile: "\(Self.testdata)/lists/known.sha256", encoding: .utf8).prefix(64)
    let pdq = try String(contentsOfFile: "\(Self.testdata)/lists/known.pdq", encoding: .utf8).prefix(64)
    #expect(try muhafiz("match", "sha256:\(sum)").exitCode == 1)
    #expect(try muhafiz("match", "md5:900150983cd24fb0d6963f7d28e17f72").exitCode == 0)
    let mixed = try muhafiz(
      "match", "--format", "ndjson",
      input: "# comment\npdq:\(pdq)\n\nsha256:\(sum.dropLast())\n\(sum.reversed().map(String.init).joined())\n")
    #expect(mixed.exitCode == 4)
    let items = try lines(mixed.text)
    #expect(items.map { $0["status"] as! String } == ["hashed", "error", "hashed"])
    #expect(items[0]["query"] as? String == "pdq:\(pdq)" && items[0]["verdict"] as? String == "review")
    #expect(items[1]["reason"] as? String == "sha256 has 63 hex digits, expected 64")
  }

  /// Each with one line that says what happened and where, and a code of its own.
  @Test func badInputHasItsMessageAndItsCode() throws {
    func expect(_ result: ProgramResult, _ code: Int32, _ words: String, _ line: Int = #line) {
      #expect(result.exitCode == code && result.errorText.contains(words), "line \(line): \(result.exitCode) \(result.errorText)")
      #expect(result.errorText.hasPrefix("muhafiz: error: ") || result.errorText.hasPrefix("muhafiz: warning: "), "line \(line)")
    }
    expect(try muhafiz("scan", "/nowhere/at all"), 2, "/nowhere/at all: No such file or directory")
    expect(try muhafiz("scan", scratch.url.path), 10, "no hash list is in force")
    expect(try muhafiz("scan", "https://example.org/"), 10, "no hash list is in force")
    expect(try muhafiz("scan", "https://example.org/", scratch.url.path), 2, "files and URLs are two scans")
    expect(try muhafiz("scan", "https://example.org/", "--proxy", "tor:9050"), 2, "is no proxy")
    expect(try muhafiz("scan"), 2, "nothing to scan")
    expect(try muhafiz("list", "import", "--name", "a/b", "\(Self.testdata)/lists/known.sha256"), 2, "cannot name a list")
    expect(try muhafiz("list", "import", "--name", "l", "/nowhere/list"), 2, "cannot read /nowhere/list")
    expect(try muhafiz("list", "import", "--name", "l", "-", input: "nonsense\n"), 2, "cannot tell the format")
    expect(try muhafiz("list", "import", "--name", "l", "--format", "plain", "-", input: "nonsense\n"), 2, "no usable hash")
    expect(
      try muhafiz("list", "import", "--name", "l", "--strict", "-", input: "\(String(repeating: "ab", count: 32))\nnonsense\n"),
      2, "line 2")
    expect(try muhafiz("list", "show"), 10, "no hash list is in force")
    expect(
      try muhafiz("list", "import", "--name", "l", "\(Self.testdata)/lists/known.sha256", home: "/proc/nowhere"), 12,
      "cannot make the folder /proc/nowhere")
    try importLists()
    expect(try muhafiz("case", "show", "twelve"), 2, "no case number")
    expect(try muhafiz("case", "show", "12"), 2, "there is no case C-000012")
    let folder = scratch.url.appending(path: "home/lists/national")
    let file = folder.appending(path: try FileManager.default.contentsOfDirectory(atPath: folder.path)[0])
    var bytes = try Data(contentsOf: file)
    bytes[100] ^= 1
    try bytes.write(to: file)
    expect(try muhafiz("scan", scratch.url.path), 10, "is damaged")
    try bytes.prefix(41).write(to: file)
    expect(try muhafiz("scan", scratch.url.path), 10, "is truncated: 41 bytes of a 4096-byte header")
  }

  @Test func helpTeachesAndVersionsAreSaid() throws {
    for arguments in [["--help"], ["scan", "--help"], ["list", "import", "--help"], ["match", "--help"]] {
      let result = try run(builtProgram("muhafiz"), arguments)
      #expect(result.exitCode == 0 && result.text.contains("EXAMPLES"))
    }
    #expect(try run(builtProgram("muhafiz"), ["--version"]).text.hasPrefix("muhafiz 0."))
  }

  @Test func unreadableFilesAndHomesAreNamed() throws {
    guard geteuid() == 0 else {
      print("skipped: needs root, to be somebody else")
      return
    }
    try importLists()
    let exhibit = try makeExhibit()
    chmod("\(exhibit)/copy.jpg", 0)
    #expect(try run("/bin/chmod", ["-R", "a+rX", scratch.path("home")]).exitCode == 0)
    chmod(scratch.url.path, 0o755)
    func asNobody(_ arguments: String...) throws -> ProgramResult {
      try run(
        "/usr/bin/setpriv", ["--reuid=65534", "--regid=65534", "--clear-groups", builtProgram("muhafiz")] + arguments,
        environment: ["MUHAFIZ_HOME": scratch.path("home"), "HOME": "/nowhere"])
    }
    let scan = try asNobody("scan", exhibit, "--format", "ndjson")
    #expect(scan.exitCode == 4, "\(scan.errorText)")
    #expect(
      try lines(scan.text).contains { $0["status"] as? String == "error" && $0["reason"] as? String == "permission denied" })
    let record = try asNobody("scan", exhibit, "--record")
    #expect(record.exitCode == 12 && record.errorText.contains("casework.sqlite"), "\(record.exitCode) \(record.errorText)")
    let list = try asNobody("list", "import", "--name", "l", "\(Self.testdata)/lists/known.sha256")
    #expect(list.exitCode == 12 && list.errorText.contains("ermission denied"))
  }

  @Test func aFullDiskIsSaidAndEndsWithItsCode() throws {
    let mount = scratch.path("small")
    try FileManager.default.createDirectory(atPath: mount, withIntermediateDirectories: true)
    guard geteuid() == 0, try run("/bin/mount", ["-t", "tmpfs", "-o", "size=64k", "none", mount]).exitCode == 0 else {
      print("skipped: a full disk needs root and the right to mount")
      return
    }
    defer { _ = try? run("/bin/umount", ["-l", mount]) }
    try importLists()
    let exhibit = try makeExhibit()
    for number in 0..<600 { try Data("\(number)".utf8).write(to: URL(filePath: "\(exhibit)/\(number)")) }
    let scan = try muhafiz("scan", exhibit, "--all", "--format", "ndjson", "-o", "\(mount)/report.ndjson")
    #expect(scan.exitCode == 13 && scan.errorText.contains("No space left"), "\(scan.exitCode) \(scan.errorText)")
    #expect(try FileManager.default.contentsOfDirectory(atPath: mount).isEmpty)
    let hashes = (0..<2000).map { _ in UUID().uuidString.replacing("-", with: "").lowercased() }.joined(separator: "\n")
    let list = try muhafiz("list", "import", "--name", "l", "-", home: "\(mount)/home", input: hashes)
    #expect(list.exitCode == 13, "\(list.exitCode) \(list.errorText)")
  }

  @Test func interruptionLeavesATruePartialSummary() throws {
    try importLists()
    let exhibit = try makeExhibit()
    for number in 0..<6 {
      let path = "\(exhibit)/large\(number)"
      try Data().write(to: URL(filePath: path))
      #expect(truncate(path, 1 << 30) == 0)
    }
    let process = Process()
    process.executableURL = URL(filePath: builtProgram("muhafiz"))
    process.arguments = ["scan", exhibit, "--jobs", "1", "--all", "--format", "ndjson"]
    process.environment = ["MUHAFIZ_HOME": scratch.path("home")]
    let output = Pipe()
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    try process.run()
    // The first line says that the scan is under way.
    let begin = output.fileHandleForReading.availableData
    process.interrupt()
    let rest = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    let report = try lines(String(decoding: begin + rest, as: UTF8.self))
    let summary = try #require(report.last)
    #expect(process.terminationStatus == 130)
    #expect(summary["type"] as? String == "summary" && summary["exit"] as? Int == 130 && summary["interrupted"] != nil)
    #expect(summary["found"] as? Int == report.count - 2 && report.count - 2 < 10)
  }
}
