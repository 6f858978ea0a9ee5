import Foundation
import GRDB
import Glibc
import SystemPackage
import TestSupport
import Testing

@testable import Casework

/// The program is killed, or its disk fails, at every place: what it said to be recorded is there, and the ledger is sound.
struct LedgerCrashTests {
  private let scratch = try! TemporaryDirectory()
  private var home: String { scratch.path("home") }

  private func muhafiz(_ arguments: String..., input: String? = nil, under prefix: [String] = []) throws
    -> ProgramResult
  {
    let command = prefix + [builtProgram("muhafiz")] + arguments
    return try run(
      "/usr/bin/env", command, environment: ["MUHAFIZ_HOME": home, "SWIFT_BACKTRACE": "enable=no"],
      input: input.map { Data($0.utf8) })
  }

  private func openStore() throws -> CaseStore { try CaseStore(at: FilePath(home).appending("casework.sqlite")) }

  /// Checks that all that was acknowledged is there, that the ledger is sound, and that it can be signed and goes on.
  private func check(_ acknowledged: [String], _ what: Comment) throws {
    guard FileManager.default.fileExists(atPath: home + "/casework.sqlite") else {
      #expect(acknowledged.isEmpty, what)
      return
    }
    let store = try openStore()
    let reports = Set(try store.reports(limit: 1_000_000).map { "\($0.number) new \($0.url)" })
    let lost = acknowledged.filter { !reports.contains($0) }
    #expect(lost.isEmpty, "lost: \(lost.prefix(3))")
    let ledger = Ledger(store, folder: FilePath(home).appending("ledger"))
    let verification = try ledger.verify()
    #expect(verification.isSound, "\(what.rawValue): \(verification.faults)")
    // One entry for each report and person, and none more: either without its entry, or the other way round, is half a
    // transaction.
    let people = try store.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM person") ?? 0 }
    #expect(try store.entryCount() == Int64(reports.count + people))
    #expect(try ledger.publish().checkpoint.size == store.entryCount(), what)
  }

  /// Whole lines that the program has printed: one that was cut off is no acknowledgement.
  private func acknowledgements(_ output: Data) -> [String] {
    let text = String(decoding: output, as: UTF8.self)
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    return lines.dropLast().map(String.init)
  }

  @Test func nothingAcknowledgedIsLostWhenTheProgramIsKilled() throws {
    var generator = SeededGenerator(seed: 31)
    let kills = isLongRun ? 1000 : 60
    var acknowledged: [String] = []
    for kill in 0..<kills {
      let urls = (0..<20_000).map { "https://host.example/\(kill)/\($0)" }.joined(separator: "\n")
      acknowledged += try killed(after: Double.random(in: 0...0.1, using: &generator), input: urls)
      if kill % 10 == 9 { try check(acknowledged, "seed 31, kill \(kill)") }
    }
    #expect(acknowledged.count > kills)
    print("killed \(kills) times; \(acknowledged.count) reports acknowledged, none lost")
  }

  /// Adds reports, and kills the program some time after it has acknowledged the first.
  private func killed(after delay: TimeInterval, input: String) throws -> [String] {
    let (lines, output) = (scratch.url.appending(path: "input"), scratch.url.appending(path: "output"))
    try Data(input.utf8).write(to: lines)
    try Data().write(to: output)
    let process = Process()
    process.executableURL = URL(filePath: builtProgram("muhafiz"))
    process.arguments = ["report", "add", "-", "--home", home]
    process.standardInput = try FileHandle(forReadingFrom: lines)
    process.standardOutput = try FileHandle(forWritingTo: output)
    try process.run()
    let limit = Date(timeIntervalSinceNow: 30)
    while try Data(contentsOf: output).isEmpty && Date() < limit { usleep(500) }
    usleep(UInt32(delay * 1e6))
    kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
    #expect(
      process.terminationReason == .uncaughtSignal && process.terminationStatus == SIGKILL, "the kill did not come")
    return acknowledgements(try Data(contentsOf: output))
  }

  private static let calls = "pwrite64,write,fsync,fdatasync,rename,ftruncate,unlink,mkdir"

  /// Runs the program with a fault at its N-th system call that changes a file, for every N until none is left.
  private func atEveryCall(_ fault: String, _ body: (_ strace: [String], _ number: Int) throws -> ProgramResult) throws
    -> Int
  {
    guard try run("/usr/bin/env", ["strace", "-V"]).exitCode == 0 else {
      print("skipped: faults at system calls need strace")
      return 0
    }
    var fired = 0
    // Every call of a run under MUHAFIZ_TEST_LONG, else every fifth.
    for number in stride(from: 1, to: 4000, by: isLongRun ? 1 : 5) {
      let log = scratch.path("strace.log")
      let strace = [
        "strace", "-f", "-o", log, "-e", "trace=\(Self.calls)", "-e", "inject=\(Self.calls):\(fault):when=\(number)",
      ]
      _ = try body(strace, number)
      let text = try String(contentsOfFile: log, encoding: .utf8)
      guard text.contains(fault.hasPrefix("signal") ? "+++ killed by SIGKILL" : "(INJECTED)") else { return fired }
      fired += 1
    }
    return fired
  }

  @Test func everyKilledAppendIsThereWholeOrNotAtAll() throws {
    var acknowledged: [String] = []
    let fired = try atEveryCall("signal=KILL") { strace, number in
      let result = try muhafiz("report", "add", "https://host.example/\(number)", under: strace)
      acknowledged += acknowledgements(result.output)
      if result.exitCode == 0 { return result }
      #expect(result.exitCode == 137)
      try check(acknowledged, "killed at call \(number)")
      return result
    }
    print("killed at \(fired) system calls of an append")
  }

  @Test func everyKilledCheckpointIsMadeAgain() throws {
    let fired = try atEveryCall("signal=KILL") { strace, number in
      // So many that tiles are filled, and written over while they grow.
      let urls = (0..<130).map { "https://host.example/\(number)/\($0)" }.joined(separator: "\n")
      let added = try muhafiz("report", "add", "-", input: urls)
      let result = try muhafiz("ledger", "checkpoint", under: strace)
      #expect(result.exitCode == 137 || result.exitCode == 0)
      try check(acknowledgements(added.output), "killed at call \(number)")
      return result
    }
    print("killed at \(fired) system calls of a checkpoint")
  }

  @Test(arguments: ["error=EIO", "error=ENOSPC", "error=EINTR"]) func everyFailedCallIsAnErrorAndHarmsNothing(
    fault: String
  ) throws {
    var acknowledged: [String] = []
    let fired = try atEveryCall(fault) { strace, number in
      let added = try muhafiz("report", "add", "https://host.example/\(number)", under: strace)
      #expect(
        [0, 2, 5, 11, 12, 13].contains(added.exitCode),
        "\(fault) at call \(number): \(added.exitCode) \(added.errorText)")
      acknowledged += acknowledgements(added.output)
      try check(acknowledged, "\(fault) at call \(number)")
      return added
    }
    print("\(fault) at \(fired) system calls of an append")
  }

  @Test(arguments: ["error=EIO", "error=ENOSPC"]) func everyFailedCheckpointSaysSoAndIsMadeAgain(fault: String) throws {
    let fired = try atEveryCall(fault) { strace, number in
      _ = try muhafiz("report", "add", "https://host.example/\(number)")
      let result = try muhafiz("ledger", "checkpoint", under: strace)
      #expect(
        [0, 5, 11, 12, 13].contains(result.exitCode),
        "\(fault) at call \(number): \(result.exitCode) \(result.errorText)")
      // Silent only where the call that failed was the message itself.
      let log = try String(contentsOfFile: scratch.path("strace.log"), encoding: .utf8)
      let isMute = log.split(separator: "\n").contains {
        ($0.contains("write(2,") || $0.contains("<... write resumed>")) && $0.contains("(INJECTED)")
      }
      if result.exitCode != 0 { #expect(isMute || result.errorText.contains("error: "), "\(fault) at call \(number)") }
      try check([], "\(fault) at call \(number)")
      return result
    }
    print("\(fault) at \(fired) system calls of a checkpoint")
  }

  @Test func aFullDiskStopsTheLedgerAndKeepsWhatWasSigned() throws {
    let mount = scratch.path("home")
    try FileManager.default.createDirectory(atPath: mount, withIntermediateDirectories: true)
    guard geteuid() == 0, try run("/bin/mount", ["-t", "tmpfs", "-o", "size=1m", "none", mount]).exitCode == 0 else {
      print("skipped: a full disk needs root and the right to mount")
      return
    }
    defer { _ = try? run("/bin/umount", ["-l", mount]) }
    _ = try muhafiz("report", "add", "https://host.example/first")
    let signed = try muhafiz("ledger", "checkpoint")
    #expect(signed.exitCode == 0)
    let urls = (0..<20_000).map { "https://host.example/\($0)/" + String(repeating: "x", count: 200) }.joined(
      separator: "\n")
    let full = try muhafiz("report", "add", "-", input: urls)
    #expect(full.exitCode == 13 && full.errorText.contains("disk is full"), "\(full.exitCode) \(full.errorText)")
    let checkpoint = try muhafiz("ledger", "checkpoint")
    #expect([0, 13].contains(checkpoint.exitCode), "\(checkpoint.errorText)")
    let store = try openStore()
    let reports = Set(try store.reports(limit: 1_000_000).map { "\($0.number) new \($0.url)" })
    #expect(acknowledgements(full.output).allSatisfy { reports.contains($0) })
    let verification = try Ledger(store, folder: FilePath(home).appending("ledger")).verify(against: [
      ("kept", signed.text)
    ])
    #expect(verification.isSound, "\(verification.faults)")
  }
}
