import Foundation
import TestSupport

/// Runs `muhafiz`, and kills it in one of the calls by which it changes lists. The record has tests of its own.
struct KillAtCall {
  /// Where in a call the process ends.
  enum Moment: String, CaseIterable {
    case before, half, after
  }

  private let library: String

  /// Compiles what is loaded into the program.
  init(in folder: TemporaryDirectory) throws {
    library = folder.path("kill_at_call.so")
    let source = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "kill_at_call.c").path
    let result = try TestSupport.run(
      "/usr/bin/env", ["clang", "-O1", "-Wall", "-shared", "-fPIC", "-o", library, source, "-ldl"])
    guard result.exitCode == 0 else { throw Failure(description: "cannot compile kill_at_call.c: \(result.errorText)") }
  }

  struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  /// The calls of a run that is not killed, by name and in order.
  func calls(_ arguments: [String], home: String, log: String) throws -> [String] {
    let result = try TestSupport.run(
      builtProgram("muhafiz"), arguments,
      environment: [
        "LD_PRELOAD": library, "MUHAFIZ_HOME": home, "MUHAFIZ_KILL_BELOW": home + "/lists", "MUHAFIZ_KILL_AT": "0",
        "MUHAFIZ_KILL_LOG": log,
      ])
    guard result.exitCode == 0 else { throw Failure(description: result.errorText) }
    return try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n").map(String.init)
  }

  /// Runs it to its death in a call, counted from 0.
  func run(_ arguments: [String], home: String, killedIn call: Int, _ moment: Moment) throws -> ProgramResult {
    try TestSupport.run(
      builtProgram("muhafiz"), arguments,
      environment: [
        "LD_PRELOAD": library, "MUHAFIZ_HOME": home, "MUHAFIZ_KILL_BELOW": home + "/lists", "MUHAFIZ_KILL_AT": "\(call + 1)",
        "MUHAFIZ_KILL_WHEN": moment.rawValue,
      ])
  }
}
