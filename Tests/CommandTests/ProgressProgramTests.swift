import Foundation
import Glibc
import TestSupport
import Testing

/// How far a scan says it is, on a terminal and when it is asked.
@Suite(.serialized) struct ProgressProgramTests {
  private let scratch = try! TemporaryDirectory(inMemory: true)

  /// A tree that takes seconds to read at `pace`.
  private func makeTree() throws {
    let list = Corpus.packageRoot.appending(path: "testdata/lists/known.sha256").path
    let imported = try run(
      builtProgram("muhafiz"), ["list", "import", "--name", "national", list],
      environment: ["MUHAFIZ_HOME": scratch.path("home")])
    #expect(imported.exitCode == 0, "\(imported.errorText)")
    try FileManager.default.createDirectory(atPath: scratch.path("tree"), withIntermediateDirectories: true)
    for number in 0..<20 {
      // A name that would turn the terminal red, and one that turns what is read.
      let name = number == 0 ? "\u{1B}[31m\u{202E}0" : "\(number)"
      try Data(repeating: UInt8(number), count: 50_000).write(to: URL(filePath: scratch.path("tree/\(name)")))
    }
  }

  private static let pace = ["--no-perceptual", "--io-limit", "400000"]

  @Test func theFullScreenIsLeftAsItWas() throws {
    guard FileManager.default.isExecutableFile(atPath: "/usr/bin/script") else {
      print("skipped: a terminal needs script")
      return
    }
    try makeTree()
    let command = ([builtProgram("muhafiz"), "scan", "tree", "--tui"] + Self.pace).joined(separator: " ")
    let result = try run(
      "/usr/bin/script", ["-qec", command, "/dev/null"], environment: ["MUHAFIZ_HOME": scratch.path("home"), "TERM": "xterm"],
      in: scratch.url)
    #expect(result.exitCode == 0, "\(result.text)")
    let text = result.text
    let begin = try #require(text.range(of: "\u{1B}[?1049h"))
    let end = try #require(text.range(of: "\u{1B}[?25h\u{1B}[?1049l"))
    let screens = text[begin.upperBound..<end.lowerBound].components(separatedBy: "\u{1B}[H").dropFirst()
    #expect(screens.count >= 3, "\(screens.count) screens")
    #expect(screens.allSatisfy { $0.contains("files") && $0.contains("findings") && $0.contains("^C") })
    #expect(screens.contains { $0.contains("of 20 files") && $0.contains("█") && $0.contains("left") }, "\(screens.last ?? "")")
    // Names do not reach the terminal as what they would have it do, and the verdict comes after the screen.
    #expect(!text.contains("\u{1B}[31m") && !text.contains("\u{202E}"))
    #expect(text[end.upperBound...].contains("20"), "\(text[end.upperBound...])")
  }

  @Test func aScanThatIsAskedSaysHowFarItIs() throws {
    try makeTree()
    let process = Process()
    process.executableURL = URL(filePath: builtProgram("muhafiz"))
    process.arguments = ["scan", "tree", "--progress", "never"] + Self.pace
    process.environment = ProcessInfo.processInfo.environment.merging(["MUHAFIZ_HOME": scratch.path("home")]) { $1 }
    process.currentDirectoryURL = scratch.url
    let (output, errors) = (scratch.url.appending(path: "output"), scratch.url.appending(path: "errors"))
    for file in [output, errors] { try Data().write(to: file) }
    process.standardOutput = try FileHandle(forWritingTo: output)
    process.standardError = try FileHandle(forWritingTo: errors)
    try process.run()
    func said() throws -> [Substring] {
      try String(contentsOf: errors, encoding: .utf8).split(separator: "\n").filter { $0.contains(" files  ") }
    }
    // USR1 ends a program that does not await it yet: what the scan does first is not watched from here.
    while process.isRunning, try !awaitsUser1(process.processIdentifier) { usleep(1000) }
    while process.isRunning, try said().count < 2 {
      kill(process.processIdentifier, SIGUSR1)
      usleep(300_000)
    }
    process.waitUntilExit()
    #expect(process.terminationReason == .exit && process.terminationStatus == 0)
    let lines = try said()
    #expect(lines.count >= 2 && lines.allSatisfy { $0.contains("/s") && $0.contains("findings") }, "\(lines)")
  }

  /// Whether a process has said what USR1 is to do, which ends it else.
  private func awaitsUser1(_ process: pid_t) throws -> Bool {
    let status = try String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)
    return status.split(separator: "\n").contains { line in
      guard line.hasPrefix("SigIgn:") || line.hasPrefix("SigCgt:") else { return false }
      let mask = UInt64(line.dropFirst(7).trimmingCharacters(in: .whitespaces), radix: 16) ?? 0
      return mask & 1 << (UInt64(SIGUSR1) - 1) != 0
    }
  }
}
