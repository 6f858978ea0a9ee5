import Foundation
import TestSupport
import Testing

/// The folder that a scan reports into, as those who get it read it.
struct ReportFolderTests {
  private let scratch = try! TemporaryDirectory()
  private static let testdata = Corpus.packageRoot.appending(path: "testdata").path
  private var exhibit: String { scratch.path("exhibit") }
  private var report: String { scratch.path("report") }

  private func muhafiz(_ arguments: String...) throws -> ProgramResult {
    try run(
      builtProgram("muhafiz"), arguments, environment: ["MUHAFIZ_HOME": scratch.path("home")], in: scratch.url)
  }

  /// Names and contents that are a trial to every format, and one file for each outcome.
  private func scan() throws {
    try FileManager.default.createDirectory(atPath: exhibit + "/DCIM", withIntermediateDirectories: true)
    for (file, name) in [
      ("pictures/dunes.jpg", "DCIM/copy, \"quoted\"\u{301},=1.jpg"), ("pictures/steppe.jpg", "=HYPERLINK(1).jpg"),
      ("changed/ridge-mirrored.jpg", "<script>alert(1)<script>.jpg"), ("broken/half-a-lagoon.jpg", "\u{202E}gpj.half"),
      ("archives/plain.zip", "archive & more.zip"), ("archives/encrypted.zip", "\u{1B}[31m.zip"),
    ] {
      try FileManager.default.copyItem(atPath: "\(Self.testdata)/\(file)", toPath: "\(exhibit)/\(name)")
    }
    try Data().write(to: URL(filePath: exhibit + "/empty"))
    _ = try muhafiz("list", "import", "--name", "national", "\(Self.testdata)/lists/known.sha256")
    _ = try muhafiz("list", "import", "--name", "national-pdq", "\(Self.testdata)/lists/known.pdq")
    // What a run that was killed has left here.
    try FileManager.default.createDirectory(atPath: report, withIntermediateDirectories: true)
    for name in [".items.csv.1.partial", ".MANIFEST.1.partial"] { try Data().write(to: URL(filePath: "\(report)/\(name)")) }
    let result = try muhafiz("scan", exhibit, "--exhibit", "EX-1", "--report", report, "--urdu", "--all")
    #expect(result.exitCode == 4, "\(result.errorText)")
  }

  private func check(_ folder: String) throws -> ProgramResult {
    try muhafiz("export", "check", folder, "--key", scratch.path("home/ledger/key.pub"))
  }

  @Test func aReportIsReadByOtherProgramsAndHoldsTogether() throws {
    try scan()
    let reader = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "report_reader.py").path
    let read = try run("/usr/bin/env", ["python3", reader, report])
    #expect(read.exitCode == 0, "\(read.errorText)")
    let counts = try #require(try JSONSerialization.jsonObject(with: read.output) as? [String: Int])
    #expect(counts["matches"]! >= 2 && counts["media"]! >= 4 && counts["files"]! > 7, "\(counts)")
    let page = try String(contentsOfFile: report + "/report.html", encoding: .utf8)
    #expect(!page.contains("<script") && !page.contains("src=") && !page.contains("href=") && !page.contains("url("))
    #expect(page.contains("lang=\"ur\"") && !page.contains("\u{202E}") && !page.contains("\u{1B}"))
    // It can be imported as a list, and does not take the place of another report.
    for name in ["hashdeep.txt", "dfxml.xml", "vics.json"] {
      let imported = try muhafiz("list", "import", "--name", "from-report", "\(report)/\(name)")
      #expect(imported.exitCode == 0, "\(name): \(imported.errorText)")
    }
    let again = try muhafiz("scan", exhibit, "--report", report)
    #expect(again.exitCode == 2 && again.errorText.contains("holds the report of a run"), "\(again.errorText)")
  }

  @Test func everyChangeOfASignedReportIsNamed() throws {
    try scan()
    #expect(try check(report).exitCode == 0)
    let names = try FileManager.default.contentsOfDirectory(atPath: report)
    #expect(names.count == 7)
    for name in names {
      let file = URL(filePath: "\(report)/\(name)")
      let bytes = try Data(contentsOf: file)
      for (place, change) in [(bytes.count / 2, UInt8(1)), (0, 0x20), (bytes.count - 2, 4)] {
        var changed = bytes
        changed[place] ^= change
        try changed.write(to: file)
        let result = try check(report)
        #expect(result.exitCode == 14, "\(name), byte \(place)")
        #expect(name == "MANIFEST" || result.text.hasPrefix("\(name) is not what was signed"), "\(result.text)")
      }
      try FileManager.default.removeItem(at: file)
      #expect(try check(report).exitCode != 0, "\(name) is gone")
      try bytes.write(to: file)
    }
    try Data("x".utf8).write(to: URL(filePath: report + "/more.csv"))
    #expect(try check(report).text == "more.csv is no part of the report\n")
    try FileManager.default.removeItem(atPath: report + "/more.csv")
    #expect(try check(report).exitCode == 0)
  }

  @Test func hashdeepAuditsTheEvidenceWithTheReport() throws {
    guard try run("/usr/bin/env", ["hashdeep", "-V"]).exitCode == 0 else {
      print("skipped: an audit needs hashdeep")
      return
    }
    try scan()
    func audit() throws -> ProgramResult {
      try run("/usr/bin/env", ["hashdeep", "-r", "-a", "-v", "-k", "\(report)/hashdeep.txt", exhibit])
    }
    let sound = try audit()
    #expect(sound.exitCode == 0 && sound.text.contains("Audit passed"), "\(sound.text) \(sound.errorText)")
    try Data("changed".utf8).write(to: URL(filePath: exhibit + "/empty"))
    let changed = try audit()
    #expect(changed.text.contains("Audit failed"), "\(changed.text)")
  }

  @Test func aBrowserShowsAndPrintsThePageAndAsksForNothing() throws {
    guard try run("/usr/bin/env", ["chromium", "--version"]).exitCode == 0 else {
      print("skipped: the page in a browser needs chromium")
      return
    }
    try scan()
    // A page that does ask shows that an answer of 'nothing' means something.
    let asking = scratch.url.appending(path: "asking.html")
    try Data("<img src=\"http://127.0.0.1:9/x.png\">".utf8).write(to: asking)
    #expect(try requests(of: asking.path) == ["http://127.0.0.1:9/x.png"])
    #expect(try requests(of: report + "/report.html").isEmpty)
    let pdf = try Data(contentsOf: scratch.url.appending(path: "page.pdf"))
    #expect(pdf.starts(with: Data("%PDF".utf8)) && pdf.count > 10_000)
  }

  /// Opens a page, prints it, and answers what the page asked for elsewhere.
  private func requests(of page: String) throws -> Set<String> {
    let log = scratch.path("net.json")
    let shown = try run(
      "/usr/bin/env",
      [
        "timeout", "120", "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
        "--disable-component-update", "--disable-sync", "--no-first-run", "--disable-dev-shm-usage",
        "--user-data-dir=\(scratch.path("browser"))", "--log-net-log=\(log)", "--enable-logging=stderr", "--v=0",
        "--print-to-pdf=\(scratch.path("page.pdf"))", "file://\(page)",
      ])
    #expect(shown.exitCode == 0, "\(shown.errorText)")
    #expect(!shown.errorText.contains("CONSOLE"), "\(shown.errorText)")
    // Requests of the browser itself are for no site.
    let network = try String(contentsOfFile: log, encoding: .utf8)
    return Set(network.matches(of: /site=file:[^"]*","url":"([^"]*)"/).map { String($0.1) }.filter { !$0.hasPrefix("file:") })
  }
}
