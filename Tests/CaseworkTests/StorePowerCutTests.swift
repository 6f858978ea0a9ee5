import Foundation
import GRDB
import SystemPackage
import TestSupport
import Testing

@testable import Casework

/// What is left of the record itself when the power fails in any call that SQLite makes.
///
/// The program runs once, and what it does to its files is written down from within; then every moment of that is
/// replayed, with what was not synced kept, dropped or turned to garbage sector by sector.
struct StorePowerCutTests {
  private struct Call {
    let kind: UInt8
    let path: String
    let offset: Int
    let bytes: [UInt8]
  }

  private let scratch = try! TemporaryDirectory()

  /// Adds reports one by one in several runs of the program, and answers what it did in each of its calls.
  private func calls(reports: Int, runs: Int) throws -> [Call] {
    let library = scratch.path("record_calls.so")
    let source = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "record_calls.c").path
    let compiled = try run(
      "/usr/bin/env", ["clang", "-O1", "-Wall", "-shared", "-fPIC", "-o", library, source, "-ldl", "-lpthread"])
    try #require(compiled.exitCode == 0, "\(compiled.errorText)")
    let home = scratch.path("home")
    var calls: [Call] = []
    try FileManager.default.createDirectory(atPath: home, withIntermediateDirectories: true)
    for number in 0..<runs {
      let log = scratch.path("calls \(number)")
      let urls = (0..<reports).map { "https://host.example/\(number)/\($0)" }.joined(separator: "\n")
      let result = try run(
        builtProgram("muhafiz"), ["report", "add", "-", "--home", home],
        environment: ["LD_PRELOAD": library, "MUHAFIZ_RECORD_BELOW": home, "MUHAFIZ_RECORD_LOG": log],
        input: Data(urls.utf8))
      try #require(result.exitCode == 0, "\(result.errorText)")
      calls += try Self.calls(in: log, printed: reports)
    }
    return calls
  }

  /// - Parameter printed: Lines that the program printed; at its end it hands over what else there may be.
  private static func calls(in log: String, printed: Int) throws -> [Call] {
    var rest = try Array(Data(contentsOf: URL(filePath: log)))[...]
    func take(_ count: Int) -> ArraySlice<UInt8> {
      defer { rest = rest.dropFirst(count) }
      return rest.prefix(count)
    }
    func number(_ bytes: ArraySlice<UInt8>) -> Int { bytes.reversed().reduce(0) { $0 << 8 | Int($1) } }
    var calls: [Call] = []
    var lines = 0
    while !rest.isEmpty {
      let kind = take(1).first!
      let (pathLength, offset, count) = (number(take(4)), number(take(8)), number(take(4)))
      if kind == UInt8(ascii: "p") { lines += 1 }
      if kind == UInt8(ascii: "p") && lines > printed { continue }
      calls.append(
        Call(kind: kind, path: String(decoding: take(pathLength), as: UTF8.self), offset: offset, bytes: Array(take(count))))
    }
    return calls
  }

  /// What the calls do to files, each with what the program had acknowledged before it was done.
  private func operations(_ calls: [Call]) -> [(CrashFileSystem.Operation, acknowledged: Int)] {
    var files: [String: Int] = [:]
    var made = 0
    var acknowledged = 0
    var operations: [(CrashFileSystem.Operation, acknowledged: Int)] = []
    for call in calls {
      // The index of the log of writes lies in shared memory, is never synced, and is made again.
      if call.path.hasSuffix("-shm") { continue }
      switch UnicodeScalar(call.kind) {
      case "p": acknowledged += 1  // The program hands over each line by itself.
      case "c":
        made += 1
        files[call.path] = made
        operations.append((.create(call.path, file: made), acknowledged))
      case "w":
        operations.append((.write(file: files[call.path]!, offset: call.offset, bytes: call.bytes), acknowledged))
      case "t": operations.append((.setLength(file: files[call.path]!, call.offset), acknowledged))
      case "s": operations.append((.sync(file: files[call.path]!), acknowledged))
      case "d": operations.append((.syncFolder(call.path), acknowledged))
      default: operations.append((.remove(call.path), acknowledged))
      }
    }
    return operations
  }

  @Test func afterAnyPowerCutTheRecordOpensWithAllThatWasAcknowledged() throws {
    let reports = 25
    let operations = operations(try calls(reports: reports, runs: 3))
    let last = try #require(operations.last)
    #expect(last.acknowledged == 3 * reports, "what was printed is not in the log")
    #expect(operations.contains { if case .sync = $0.0 { true } else { false } })

    var generator = SeededGenerator(seed: 51)
    var now = PowerCut()
    var (cuts, lost) = (0, 0)
    for (number, (operation, acknowledged)) in operations.enumerated() {
      let moment = now.during(operation)
      now.perform(operation)
      // Every moment in a run that has time for everything, else every eighth.
      guard isLongRun || number % 8 == 0 else { continue }
      for _ in 0..<(isLongRun ? 20 : 1) {
        let remains = moment.remains(using: &generator)
        cuts += 1
        lost += remains.namesLost + remains.sectorsDropped + remains.sectorsTurnedToGarbage
        let left = try TemporaryDirectory(inMemory: true)
        for folder in remains.folders.sorted() {
          try FileManager.default.createDirectory(atPath: left.path(folder), withIntermediateDirectories: true)
        }
        for (path, bytes) in remains.files { try Data(bytes).write(to: left.url.appending(path: path)) }
        try check(left, acknowledged, "seed 51, operation \(number)")
      }
    }
    #expect(lost > 0, "no cut lost anything")
    print("\(cuts) power cuts in \(operations.count) operations of SQLite, \(lost) names and sectors lost, no report lost")
  }

  private func check(_ left: TemporaryDirectory, _ acknowledged: Int, _ what: String) throws {
    let store: CaseStore
    do { store = try CaseStore(at: FilePath(left.path("casework.sqlite"))) } catch {
      Issue.record("\(what): the record does not open: \(error)")
      return
    }
    let count = try store.reports(limit: 10_000).count
    #expect(count >= acknowledged, "\(what): \(acknowledged) reports were acknowledged, \(count) are there")
    let people = try store.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM person") ?? 0 }
    #expect(try store.entryCount() == Int64(count + people), "\(what): half a transaction")
    let verification = try Ledger(store, folder: FilePath(left.path("ledger"))).verify(workers: 1)
    #expect(verification.isSound, "\(what): \(verification.faults)")
  }
}
