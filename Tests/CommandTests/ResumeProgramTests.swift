import Foundation
import Glibc
import TestSupport
import Testing

/// `muhafiz scan`, killed and resumed.
@Suite(.serialized) struct ResumeProgramTests {
  private let scratch = try! TemporaryDirectory(inMemory: true)
  private static let testdata = Corpus.packageRoot.appending(path: "testdata").path
  private static let plain = ["--no-perceptual", "--no-archives", "--all", "--format", "ndjson"]

  private func muhafiz(_ arguments: [String], home: String = "home", in folder: URL? = nil) throws -> ProgramResult {
    try run(
      builtProgram("muhafiz"), arguments, environment: ["MUHAFIZ_HOME": scratch.path(home)], in: folder ?? scratch.url)
  }

  private func importList(home: String = "home") throws {
    let list = "\(Self.testdata)/lists/known.sha256"
    #expect(try muhafiz(["list", "import", "--name", "national", list], home: home).exitCode == 0)
  }

  /// Files of up to `size` bytes, some of them with other names, in folders whose names sort between those of files.
  private func makeTree(_ count: Int, size: Int, seed: UInt64) throws -> Int {
    var generator = SeededGenerator(seed: seed)
    var bytes = 0
    for folder in 0..<40 {
      try FileManager.default.createDirectory(
        atPath: scratch.path("tree/\(folder)/sub-\(folder % 3)"), withIntermediateDirectories: true)
    }
    for number in 0..<count {
      let path = scratch.path("tree/\(number % 40)/\(number % 5 == 0 ? "sub-\(number % 40 % 3)/" : "sub.")\(number)")
      if number % 50 == 49 {
        link(scratch.path("tree/known"), path)
        continue
      }
      let content = Data(
        (0..<Int.random(in: 0...size, using: &generator)).map { UInt8(truncatingIfNeeded: $0 ^ number) })
      bytes += content.count
      try content.write(to: URL(filePath: path))
      if number == 0 {
        try FileManager.default.copyItem(
          atPath: "\(Self.testdata)/pictures/dunes.jpg", toPath: scratch.path("tree/known"))
      }
    }
    return bytes
  }

  private func itemLines(_ report: String) -> [Substring] {
    report.split(separator: "\n").filter { $0.contains("\"type\":\"item\"") }
  }

  private func summary(_ report: String) throws -> [String: Any] {
    try JSONSerialization.jsonObject(with: Data(report.split(separator: "\n").last!.utf8)) as! [String: Any]
  }

  /// Lets a scan run until it has reported so many bytes, then for some time, and kills it.
  private func killed(_ arguments: [String], after microseconds: UInt32, bytes: Int = 1) throws -> (
    wasKilled: Bool, report: String
  ) {
    let process = Process()
    process.executableURL = URL(filePath: builtProgram("muhafiz"))
    process.arguments = arguments
    process.environment = ProcessInfo.processInfo.environment.merging(["MUHAFIZ_HOME": scratch.path("home")]) { $1 }
    process.currentDirectoryURL = scratch.url
    let report = scratch.path("report")
    try Data().write(to: URL(filePath: report))
    process.standardOutput = try FileHandle(forWritingTo: URL(filePath: report))
    process.standardError = FileHandle.nullDevice
    try process.run()
    // The first line is written when the journal is there and the scan begins.
    while process.isRunning, try Data(contentsOf: URL(filePath: report)).count < bytes { usleep(500) }
    usleep(microseconds)
    kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
    let wasKilled = process.terminationReason == .uncaughtSignal && process.terminationStatus == SIGKILL
    return (wasKilled, try String(contentsOfFile: report, encoding: .utf8))
  }

  @Test func scansKilledAtRandomReportWhatOneInOneGoDoes() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    var generator = SeededGenerator(seed: seed)
    let (files, kills) = isLongRun ? (20_000, 200) : (2000, 20)
    let bytes = try makeTree(files, size: 1500, seed: seed)
    try importList()
    let scan = ["scan", "tree"] + Self.plain
    let whole = try muhafiz(scan)
    #expect(whole.exitCode == 1, "\(whole.errorText)")
    let expected = itemLines(whole.text)
    #expect(expected.count == files + 1)
    var (fired, scans, most) = (0, 0, 0)
    while fired < kills {
      scans += 1
      // A scan takes about as long as some kills, whatever the machine.
      let paced = scan + ["--io-limit", "\(bytes * 2)", "--order", scans % 2 == 0 ? "path" : "inode"]
      var (session, reported) = (0, 0)
      // The kill may come when all is reported and the journal gone: then there is nothing to resume.
      var hasReportedAll = false
      while true {
        let arguments = session == 0 ? paced : paced + ["--resume"]
        let wait = UInt32.random(in: 0...500_000, using: &generator)
        let (wasKilled, report) = try killed(arguments, after: wait)
        // The last line may be torn.
        let lines = itemLines(String(report[..<(report.lastIndex(of: "\n") ?? report.startIndex)]))
        #expect(expected.starts(with: lines), "seed \(seed)")
        guard wasKilled else {
          #expect(lines == expected || lines.isEmpty && hasReportedAll, "seed \(seed)")
          break
        }
        hasReportedAll = lines == expected
        fired += 1
        session += 1
        reported = max(reported, lines.count)
        most = max(most, session)
        if fired >= kills { break }
      }
      let last = try muhafiz(["scan", "tree"] + Self.plain + ["--resume"])
      guard session > 0, last.exitCode == 1 else {
        #expect(last.exitCode == 2 && last.errorText.contains("no scan of these paths"), "\(last.errorText)")
        continue
      }
      // Byte for byte, and nothing that was reported had to be found again.
      #expect(itemLines(last.text) == expected, "seed \(seed)")
      let (one, other) = (try summary(last.text), try summary(whole.text))
      #expect(one["report_sha256"] as? String == other["report_sha256"] as? String)
      #expect(one["found"] as? Int == files + 1 && one["done_before"] as! Int >= reported)
      #expect(one["changed_since"] as? Int == 0 && one["gone_since"] as? Int == 0)
    }
    #expect(fired >= kills && most > 1)
    #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.path("home/scans")).isEmpty)
    print(
      "journal: \(fired) kills of \(scans) scans of \(files) files, up to \(most) of one scan; all reports equal; seed \(seed)"
    )
  }

  /// The files of a disk image are journalled and reported while it is read; of one that was cut off, anew.
  @Test(.enabled(if: TestDisks.has("mkfs.ext4"))) func anImageKilledWhileItIsReadLosesNothing() throws {
    let files = 4000
    var generator = SeededGenerator(seed: 4)
    for name in ["on-disk", "tree"] {
      try FileManager.default.createDirectory(atPath: scratch.path(name), withIntermediateDirectories: true)
    }
    for number in 0..<files {
      let content = Data((0..<Int.random(in: 0...900, using: &generator)).map { UInt8(truncatingIfNeeded: $0 ^ number) })
      try content.write(to: URL(filePath: scratch.path("on-disk/\(number)")))
    }
    for name in ["a", "z"] { try Data(name.utf8).write(to: URL(filePath: scratch.path("tree/\(name)"))) }
    let made = try run(
      "/bin/sh",
      [
        "-ec",
        "PATH=$PATH:/usr/sbin:/sbin; truncate -s 40M tree/disk; mkfs.ext4 -q -I 256 -N 8192 -d on-disk tree/disk; ln tree/disk tree/e",
      ],
      in: scratch.url)
    #expect(made.exitCode == 0, "\(made.errorText)")
    try importList()
    let scan = ["scan", "tree"] + Self.plain
    let whole = try muhafiz(scan)
    let expected = itemLines(whole.text)
    #expect(whole.exitCode == 0 && Set(expected).count == expected.count && expected.count > 2 * files, "\(whole.errorText)")
    let seed = UInt64.random(in: 0...UInt64.max)
    generator = SeededGenerator(seed: seed)
    // In the order of inodes, where what is held back until its turn must come out the same.
    #expect(try itemLines(muhafiz(scan + ["--order", "inode"]).text) == expected)
    var (fired, cutOff) = (0, 0)
    while cutOff < (isLongRun ? 50 : 4) {
      var session = 0
      while true {
        let (wasKilled, report) = try killed(
          scan + ["--io-limit", "40M"] + (session == 0 ? [] : ["--resume"]),
          after: 0, bytes: Int.random(in: 1...whole.text.utf8.count, using: &generator))
        let lines = itemLines(String(report[..<(report.lastIndex(of: "\n") ?? report.startIndex)]))
        #expect(expected.starts(with: lines), "seed \(seed)")
        if (2..<expected.count - 2).contains(lines.count) { cutOff += 1 }
        guard wasKilled else {
          #expect(lines == expected, "seed \(seed)")
          break
        }
        fired += 1
        session += 1
        if session == 4 {
          let last = try muhafiz(scan + ["--resume"])
          #expect(itemLines(last.text) == expected, "seed \(seed)")
          #expect(try summary(last.text)["report_sha256"] as? String == summary(whole.text)["report_sha256"] as? String)
          break
        }
      }
    }
    print(
      "journal: \(fired) kills of scans of an image of \(files) files, \(cutOff) amid its members; all reports equal; seed \(seed)"
    )
    // An image that was cut off, and is gone: what was found stays reported, and that it is not all.
    let (wasKilled, report) = try killed(scan + ["--io-limit", "40M"], after: 0, bytes: 400_000)
    #expect(wasKilled && itemLines(report).count > 600)
    for name in ["disk", "e"] { unlink(scratch.path("tree/\(name)")) }
    let gone = try muhafiz(scan + ["--resume"])
    #expect(gone.exitCode == 3 && gone.text.contains("is gone, and was not read to its end"), "\(gone.errorText)")
    #expect(itemLines(gone.text).count > 500)
  }

  @Test func aScanIsStoppedByTimeOrBySignalAndGoesOn() throws {
    _ = try makeTree(300, size: 1000, seed: 1)
    try importList()
    let scan = ["scan", "tree"] + Self.plain
    let whole = try muhafiz(scan)
    let timed = try muhafiz(scan + ["--max-duration", "0.2", "--io-limit", "100k", "--jobs", "1"])
    #expect(timed.exitCode == 130 && timed.errorText.contains("--max-duration"), "\(timed.errorText)")
    let run = try #require(timed.errorText.split(separator: "--resume ").last?.prefix(36))
    #expect(itemLines(whole.text).starts(with: itemLines(timed.text)) && itemLines(timed.text).count < 301)
    // By its name, from anywhere.
    let last = try muhafiz(["scan", "--resume", String(run.prefix(8))], in: URL(filePath: "/"))
    #expect(last.exitCode == 130, "as it was begun, with its time: \(last.errorText)")
    let end = try muhafiz(scan + ["--resume", "--jobs", "2", "-o", "report.ndjson"])
    #expect(end.exitCode == 1 && end.text.isEmpty, "\(end.errorText)")
    let report = try String(contentsOfFile: scratch.path("report.ndjson"), encoding: .utf8)
    #expect(itemLines(report) == itemLines(whole.text))
    #expect(report.contains("\"run\":\"\(run)\"") && report.contains("\"resumed\":2"))
    #expect(try muhafiz(scan + ["--resume"]).exitCode == 2)
  }

  @Test func anotherScanIsNotTakenForTheOneThatStopped() throws {
    _ = try makeTree(100, size: 1000, seed: 2)
    try importList()
    let stopped = try muhafiz(
      ["scan", "tree"] + Self.plain + ["--max-duration", "0.1", "--io-limit", "20k", "--record"])
    #expect(stopped.exitCode == 130)
    let other = try muhafiz(["scan", "tree", "--resume", "--digests", "md5", "--no-archives", "--record"])
    #expect(other.exitCode == 2 && other.errorText.contains("other options: digests, perceptual"), "\(other.errorText)")
    #expect(try muhafiz(["scan", "tree/1", "--resume"]).exitCode == 2)
    let warned = try muhafiz(["scan", "tree", "--no-perceptual", "--max-duration", "0.01", "--io-limit", "10k"])
    #expect(warned.errorText.contains("--resume would go on with it"), "\(warned.errorText)")
    // The lists may have moved on; the scan ends with those it began with, while they are kept.
    let sum = String(repeating: "ab", count: 32)
    let list = scratch.path("more")
    try Data("\(sum)\n".utf8).write(to: URL(filePath: list))
    #expect(try muhafiz(["list", "import", "--name", "national", "--confirm", list]).exitCode == 0)
    let end = try muhafiz(["scan", "tree", "--resume", "--record"] + Self.plain)
    #expect(end.exitCode == 1 && end.errorText.contains("with which the scan began"), "\(end.errorText)")
    #expect(try muhafiz(["ledger", "verify"]).exitCode == 0)
    #expect(try muhafiz(["case", "list"]).text.contains("C-000001"))
  }

  @Test func aFullDiskEndsAScanThatThenGoesOn() throws {
    let disk = scratch.path("disk")
    try FileManager.default.createDirectory(atPath: disk, withIntermediateDirectories: true)
    guard geteuid() == 0, try run("/bin/mount", ["-t", "tmpfs", "-o", "size=1m", "none", disk]).exitCode == 0 else {
      print("skipped: a full disk needs root and the right to mount")
      return
    }
    defer { _ = try? run("/bin/umount", ["-l", disk]) }
    _ = try makeTree(2000, size: 10, seed: 3)
    try importList(home: "disk/home")
    // Room for some of what the journal will say.
    let used = try #require(Int(try run("/usr/bin/du", ["-sk", disk]).text.prefix { $0.isNumber }))
    #expect(try run("/bin/mount", ["-o", "remount,size=\(used + 128)k", disk]).exitCode == 0)
    let scan = ["scan", "tree"] + Self.plain
    let full = try muhafiz(scan + ["--io-limit", "40k"], home: "disk/home")
    #expect(full.exitCode == 13 && full.errorText.contains("scan --resume"), "\(full.exitCode) \(full.errorText)")
    #expect(try run("/bin/mount", ["-o", "remount,size=4m", disk]).exitCode == 0)
    let end = try muhafiz(scan + ["--resume"], home: "disk/home")
    #expect(end.exitCode == 1 && itemLines(end.text).starts(with: itemLines(full.text)), "\(end.errorText)")
    #expect(try itemLines(end.text) == itemLines(muhafiz(scan, home: "disk/home").text))
    #expect(try summary(end.text)["done_before"] as! Int > 0)
  }
}
