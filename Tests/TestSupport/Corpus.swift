import Foundation

/// The shared corpus of benign media and vectors, where it lies beside the checkout.
///
/// It is not part of the repository; a test that needs it says that it skips when it is not there.
public enum Corpus {
  /// The package's own folder.
  public static let packageRoot = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  /// `../shared/corpus`, beside the package.
  public static let root = packageRoot.deletingLastPathComponent().appending(path: "shared/corpus")

  /// Whether the corpus is there. Prints a line when it is not, so that a skipped test is seen.
  public static let isPresent: Bool = {
    let present = FileManager.default.fileExists(atPath: root.appending(path: "SHA256SUMS").path)
    if !present { print("skipped: tests on the shared corpus, which is not at \(root.path)") }
    return present
  }()

  /// The rows of a corpus table, each by column name. Knows quoted fields.
  public static func table(_ path: String) throws -> [[String: String]] {
    let text = try String(contentsOf: root.appending(path: path), encoding: .utf8)
    var rows = text.split(whereSeparator: \.isNewline).map { fields(of: $0) }
    let header = rows.removeFirst()
    return rows.map { row in Dictionary(zip(header, row)) { first, _ in first } }
  }

  private static func fields(of line: Substring) -> [String] {
    var fields = [""]
    var quoted = false
    for character in line {
      switch character {
      case "\"": quoted.toggle()
      case "," where !quoted: fields.append("")
      default: fields[fields.count - 1].append(character)
      }
    }
    return fields
  }

  /// The bytes of a corpus file, unpacked where its name ends in `.gz`.
  public static func bytes(_ path: String) throws -> [UInt8] {
    let url = root.appending(path: path)
    guard path.hasSuffix(".gz") else { return try [UInt8](Data(contentsOf: url)) }
    return try Array(run("/bin/gzip", ["-dc", url.path]).output)
  }
}

/// What a program printed and how it ended.
public struct ProgramResult {
  public let output: Data
  public let errors: Data
  public let exitCode: Int32
  public var text: String { String(decoding: output, as: UTF8.self) }
  public var errorText: String { String(decoding: errors, as: UTF8.self) }
}

/// Runs a program to its end, with the environment of the test and the additions given.
public func run(
  _ program: String, _ arguments: [String], environment: [String: String] = [:], input: Data? = nil, in folder: URL? = nil
) throws -> ProgramResult {
  let process = Process()
  process.executableURL = URL(filePath: program)
  process.arguments = arguments
  process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
  if let folder { process.currentDirectoryURL = folder }
  // Files, not pipes: nothing has to be drained while the program runs.
  let scratch = try TemporaryDirectory()
  func file(_ name: String, _ content: Data = Data()) throws -> URL {
    let url = scratch.url.appending(path: name)
    try content.write(to: url)
    return url
  }
  let output = try file("output")
  let errors = try file("errors")
  process.standardOutput = try FileHandle(forWritingTo: output)
  process.standardError = try FileHandle(forWritingTo: errors)
  process.standardInput = try FileHandle(forReadingFrom: file("input", input ?? Data()))
  try process.run()
  process.waitUntilExit()
  return try ProgramResult(
    output: Data(contentsOf: output), errors: Data(contentsOf: errors),
    exitCode: process.terminationReason == .uncaughtSignal ? 128 + process.terminationStatus : process.terminationStatus)
}

/// A folder of a test's own, removed with the last reference to it.
public final class TemporaryDirectory: Sendable {
  public let url: URL

  /// - Parameter inMemory: Where the machine has a file system in memory, there: for tests that sync often and are about
  ///   the order in which they do.
  public init(inMemory: Bool = false) throws {
    let memory = URL(filePath: "/dev/shm", directoryHint: .isDirectory)
    let place =
      inMemory && FileManager.default.isWritableFile(atPath: memory.path) ? memory : FileManager.default.temporaryDirectory
    url = place.appending(path: "muhafiz-test-\(UUID().uuidString.prefix(13))")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  deinit {
    do { try FileManager.default.removeItem(at: url) } catch { print("left behind: \(url.path): \(error)") }
  }

  /// The path of something in the folder.
  public func path(_ name: String) -> String { url.appending(path: name).path }
}

/// A small generator of random numbers with a printed seed, so that a failure can be repeated.
public struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  public init(seed: UInt64) { state = seed }

  /// SplitMix64.
  public mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}

/// Whether there is time for everything: `./dev test --long`.
public let isLongRun = ProcessInfo.processInfo.environment["MUHAFIZ_TEST_LONG"] == "1"
