import Foundation
import Glibc
import Hashing
import Matching
import SystemPackage
import TestSupport
import Testing

/// `muhafiz list import`, killed: readers find the list before or the list after, whatever the moment.
@Suite(.serialized) struct KilledImportTests {
  private let scratch = try! TemporaryDirectory(inMemory: true)

  /// What a list holds; the sizes lie about the ends of its blocks.
  private struct Shape: CustomStringConvertible {
    let count: Int
    let algorithms: [DigestAlgorithm]
    var description: String { "\(count) × \(algorithms)" }

    /// Made from the shape and a number, so that two lists of a shape have nothing in common.
    func digests(_ number: UInt64) -> [Digest] {
      var generator = SeededGenerator(seed: number << 32 | UInt64(count))
      return (0..<count).map { generator.digest(algorithms[$0 % algorithms.count]) }
    }
  }

  private static let shapes: [Shape] = {
    let sizes: [(algorithms: [DigestAlgorithm], counts: [Int])] = [
      ([.sha256], [1, 2, 127, 128, 129, 500, 9000]), ([.md5, .sha1, .sha256], [3, 300]), ([.sha1], [1, 204, 205, 206]),
      ([.md5], [255, 256, 257]), ([.md5, .sha256], [2, 600]), ([.md5, .sha1], [5000]),
    ]
    return sizes.flatMap { algorithms, counts in counts.map { Shape(count: $0, algorithms: algorithms) } }
  }()

  /// What is there when the import begins.
  private enum Before: CaseIterable {
    case nothing, aVersion, aVersionAndOrphans
  }

  /// A home, and the file of the list's next version.
  private struct Start {
    let home: URL
    let file: String
    let old: [Digest]
    let new: [Digest]
    var arguments: [String] { ["list", "import", "--name", "national", "--confirm", "--format", "plain", file] }

    init(_ shape: Shape, _ before: Before, in folder: URL) throws {
      home = folder.appending(path: "start")
      try? FileManager.default.removeItem(at: home)
      try FileManager.default.createDirectory(at: home, withIntermediateDirectories: true)
      (old, new) = (before == .nothing ? [] : shape.digests(1), shape.digests(2))
      if before != .nothing { try KilledImportTests.add(old, to: home) }
      for orphan in before == .aVersionAndOrphans ? [".ACTIVE.4711.partial", "national/.7.hashlist.4711.partial"] : [] {
        try Data("x".utf8).write(to: home.appending(path: "lists/\(orphan)"))
      }
      file = folder.appending(path: "list.txt").path
      try Data(new.map { "\($0.hex)\n" }.joined().utf8).write(to: URL(filePath: file))
    }
  }

  /// Whether all of the digests match, or none does; neither is an error. Of a large list some two hundred are asked for.
  private func areListed(_ digests: [Digest], _ blocklist: Blocklist) throws -> Bool {
    let asked = stride(from: 0, to: digests.count, by: max(1, digests.count / 200)).map { digests[$0] }
    let found = try asked.filter { try !blocklist.matches(for: .init(sizeInBytes: 1, digests: [$0])).isEmpty }.count
    guard found == 0 || found == asked.count else {
      throw KillAtCall.Failure(description: "\(found) of \(asked.count) digests are listed")
    }
    return found > 0
  }

  /// Reads what is in force; `true` for the list after, `false` for the one before.
  private func isAfter(_ start: Start, in home: URL) throws -> Bool {
    let catalog = ListCatalog(home: FilePath(home.path))
    let blocklist: Blocklist
    do throws(MatchingError) { blocklist = try catalog.loadBlocklist() } catch {
      guard error.code == .noListInForce && start.old.isEmpty else { throw error }
      return false
    }
    for member in blocklist.members { try member.list.verify() }
    let isNew = try areListed(start.new, blocklist)
    guard try start.old.isEmpty ? isNew : areListed(start.old, blocklist) != isNew else {
      throw KillAtCall.Failure(description: "neither list, or both")
    }
    return isNew
  }

  @Test func aKillInAnyCallLeavesTheListBeforeOrTheListAfter() throws {
    let killer = try KillAtCall(in: scratch)
    let seed = UInt64.random(in: 0...UInt64.max)
    var generator = SeededGenerator(seed: seed)
    var (points, fired, before, after, orphans) = (0, 0, 0, 0, 0)
    var kinds: Set<String> = []
    // All of it takes minutes; a part, chosen by chance, goes through all the same kinds of calls.
    for shape in isLongRun ? Self.shapes : [Self.shapes[0], Self.shapes[5], Self.shapes[7]] {
      for state in Before.allCases {
        let start = try Start(shape, state, in: scratch.url)
        let home = scratch.url.appending(path: "home")
        func begin() throws {
          try? FileManager.default.removeItem(at: home)
          try FileManager.default.copyItem(at: start.home, to: home)
        }
        try begin()
        try? FileManager.default.removeItem(atPath: scratch.path("log"))
        let calls = try killer.calls(start.arguments, home: home.path, log: scratch.path("log"))
        var all: [(call: Int, moment: KillAtCall.Moment)] = []
        for call in calls.indices {
          for moment in KillAtCall.Moment.allCases where moment != .half || calls[call].hasSuffix("write") {
            all.append((call, moment))
          }
        }
        points += all.count
        all.shuffle(using: &generator)
        for (call, moment) in all.prefix(isLongRun ? all.count : 10) {
          let place = "\(shape), \(state), \(moment) call \(call), \(calls[call]), seed \(seed)"
          try begin()
          let result = try killer.run(start.arguments, home: home.path, killedIn: call, moment)
          #expect(result.exitCode == 128 + SIGKILL && result.text.isEmpty, "\(place): \(result.exitCode)")
          fired += result.exitCode == 128 + SIGKILL ? 1 : 0
          kinds.insert(calls[call])
          do { if try isAfter(start, in: home) { after += 1 } else { before += 1 } } catch {
            Issue.record(error, "\(place)")
          }
          // The next import succeeds, and nothing is left of the one that was killed.
          orphans += try Self.partials(in: home).count
          try Self.add(start.new, to: home)
          let isNew = try isAfter(start, in: home), left = try Self.partials(in: home)
          #expect(isNew && left.isEmpty, "\(place): \(left)")
        }
      }
    }
    print(
      "kills: \(fired) of \(points) points (\(kinds.sorted().joined(separator: ", "))); \(before) left the list before, \(after) "
        + "the list after; \(orphans) orphans, all swept by the next import; seed \(seed)")
    #expect(before > 0 && after > 0 && orphans > 0)
    if isLongRun { #expect(fired >= 2000) }
  }

  /// Kills at moments that nobody chose, one import after the other in one home.
  @Test func whatWasReportedIsNeverLost() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    var generator = SeededGenerator(seed: seed)
    let home = scratch.url.appending(path: "home")
    let catalog = ListCatalog(home: FilePath(home.path))
    var (kills, reported, orphans) = (0, 0, 0)
    // How long an import takes here and now: the first is not killed.
    var usual: UInt32?
    // Digests of the imports that may be in force: the last that was reported, and all that were begun since.
    var possible: [Digest] = []
    while kills < (isLongRun ? 1000 : 20) {
      let digest = generator.digest()
      let list = URL(filePath: scratch.path("list.txt"))
      // Enough of them that the import takes its time.
      let others = (0..<2000).map { _ in generator.digest() }
      try Data(([digest] + others).map { "\($0.hex)\n" }.joined().utf8).write(to: list)
      let output = Pipe()
      let process = Process()
      process.executableURL = URL(filePath: builtProgram("muhafiz"))
      process.arguments = ["list", "import", "--name", "national", "--confirm", "--home", home.path, list.path]
      process.standardOutput = output
      let started = DispatchTime.now().uptimeNanoseconds
      try process.run()
      if let usual {
        usleep(UInt32.random(in: usual / 4...usual * 5 / 4, using: &generator))
        kill(process.processIdentifier, SIGKILL)
      }
      process.waitUntilExit()
      usual = usual ?? UInt32((DispatchTime.now().uptimeNanoseconds - started) / 1000)
      let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
      kills += process.terminationReason == .uncaughtSignal && process.terminationStatus == SIGKILL ? 1 : 0
      if text.contains("is in force") {
        reported += 1
        possible = [digest]
      } else {
        possible.append(digest)
      }
      orphans += try Self.partials(in: home).count
      let found: [Digest]
      do {
        let blocklist = try catalog.loadBlocklist()
        for member in blocklist.members { try member.list.verify() }
        found = try possible.filter { try !blocklist.matches(for: .init(sizeInBytes: 1, digests: [$0])).isEmpty }
      } catch let error as MatchingError where error.code == .noListInForce && reported == 0 { continue }
      #expect(found.count == 1, "seed \(seed)")
    }
    print(
      "kills: \(kills) at random, \(reported) imports reported to be done, \(orphans) orphans met, 0 lost; seed \(seed)"
    )
    #expect(reported > 0)
  }

  /// What the kills above can reach is all there is: nothing changes a file in another way.
  @Test func noCallThatChangesAFileIsOverlooked() throws {
    guard FileManager.default.isExecutableFile(atPath: "/usr/bin/strace") else {
      print("skipped: needs strace")
      return
    }
    let killer = try KillAtCall(in: scratch)
    let start = try Start(Shape(count: 3, algorithms: [.sha256]), .nothing, in: scratch.url)
    let counted = try killer.calls(start.arguments, home: scratch.path("counted"), log: scratch.path("log"))
    let traced = try run(
      "/usr/bin/strace",
      ["-f", "-y", "-e", "trace=%file,%desc", "-o", scratch.path("trace"), builtProgram("muhafiz")] + start.arguments,
      environment: ["MUHAFIZ_HOME": scratch.path("traced")])
    #expect(traced.exitCode == 0, "\(traced.errorText)")
    let harmless: Set<String> = [
      "access", "faccessat", "faccessat2", "stat", "lstat", "fstat", "newfstatat", "statx", "statfs", "fstatfs", "read",
      "pread64",
      "readv", "lseek", "close", "mmap", "getdents64", "fcntl", "flock", "readlink", "readlinkat", "fadvise64", "ioctl",
    ]
    let names: [String: String] = [
      "openat": "open", "pwrite64": "pwrite", "mkdirat": "mkdir", "unlinkat": "unlink", "renameat": "rename",
    ]
    var changes: [String] = []
    for line in try String(contentsOfFile: scratch.path("trace"), encoding: .utf8).split(separator: "\n") {
      // 4711  openat(AT_FDCWD</>, "/path", O_RDWR|O_CREAT, 0600) = 3</path>
      guard line.contains(scratch.path("traced") + "/lists"), let end = line.firstIndex(of: "("),
        let space = line[..<end].lastIndex(of: " ")
      else { continue }
      let name = String(line[line.index(after: space)..<end])
      let onlyReads = name == "openat" && line.contains("O_RDONLY") && !line.contains("O_CREAT")
      if onlyReads || harmless.contains(name) { continue }
      changes.append(names[name] ?? name)
    }
    #expect(changes == counted)
    print("kills: strace sees the same \(changes.count) calls that change files as the harness does")
  }

  fileprivate static func add(_ digests: [Digest], to home: URL) throws {
    var update = ListUpdate(name: "national", source: "test", created: Date())
    update.isConfirmed = true
    _ = try ListCatalog(home: FilePath(home.path)).update(update) { builder in
      for (number, digest) in digests.enumerated() {
        try builder.add(ListEntry(recordNumber: number + 1, digests: [digest]))
      }
    }
  }

  private static func partials(in home: URL) throws -> [String] {
    guard let files = FileManager.default.enumerator(atPath: home.path) else { return [] }
    return files.compactMap { $0 as? String }.filter { $0.hasSuffix(".partial") }
  }
}
