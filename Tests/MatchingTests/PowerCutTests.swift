import Foundation
import Hashing
import SystemPackage
import TestSupport
import Testing

@testable import Matching

/// What readers find after the power failed in any operation of any change of the lists.
@Suite(.serialized) struct PowerCutTests {
  private struct Figures {
    var schedules = 0
    var outcomes: Set<UInt64> = []
    var (before, after) = (0, 0)
    var (namesLost, sectorsDropped, sectorsTurnedToGarbage) = (0, 0, 0)
    var (orphans, sweeps) = (0, 0)
    /// What must not be: a reported version that is lost, a mixture, a home that cannot be opened.
    var faults: [String] = []
  }

  /// A folder that holds one remainder after the other; files that are in both are not written again.
  private struct Medium {
    let folder = try! TemporaryDirectory(inMemory: true)
    private var present = PowerCut.Remains()
    var home: FilePath { FilePath(folder.path("home")) }
    var catalog: ListCatalog { ListCatalog(home: home) }

    mutating func hold(_ remains: PowerCut.Remains) throws {
      for (path, bytes) in present.files where remains.files[path].map({ !same($0, bytes) }) ?? true {
        unlink(folder.path(path))
      }
      for path in present.folders.subtracting(remains.folders).sorted().reversed() { rmdir(folder.path(path)) }
      for path in remains.folders.subtracting(present.folders).sorted() { mkdir(folder.path(path), 0o700) }
      for (path, bytes) in remains.files where present.files[path].map({ !same($0, bytes) }) ?? true {
        let file = open(folder.path(path), O_WRONLY | O_CREAT | O_EXCL, 0o600)
        defer { close(file) }
        guard file >= 0, bytes.withUnsafeBytes({ write(file, $0.baseAddress, $0.count) }) == bytes.count else {
          throw Errno(rawValue: errno)
        }
      }
      present = remains
    }

    /// Begins anew, after something else wrote here.
    mutating func clear() throws {
      for name in try FileManager.default.contentsOfDirectory(atPath: folder.url.path) {
        try FileManager.default.removeItem(atPath: folder.path(name))
      }
      present = .init()
    }

    private func same(_ left: [UInt8], _ right: [UInt8]) -> Bool {
      left.withUnsafeBytes { left in
        right.withUnsafeBytes { right in
          left.count == right.count && (left.baseAddress == right.baseAddress || memcmp(left.baseAddress!, right.baseAddress!, left.count) == 0)
        }
      }
    }
  }

  /// Lists come, are replaced, go back and out of force, and an importer dies between.
  private func years(omitting omission: CrashFileSystem.Omission? = nil) throws -> ListHistory {
    var history = ListHistory(omitting: omission)
    try history.add([0, 1], to: "national")
    try history.add([1, 2], to: "national")
    try history.add([3], to: "partner")
    try history.add([5], to: "national", killedAfter: 3)
    try history.add([0, 4], to: "national")
    try history.attempt { _ = try $0.activate(ListVersion(name: "national", version: "2026-01-01.1")) }
    try history.attempt { _ = try $0.deactivate("partner") }
    return history
  }

  /// The first importer is killed after some operations, the second comes to its end, the third is under way.
  private func afterAKill(_ operations: Int) throws -> ListHistory {
    var history = ListHistory()
    try history.add([0], to: "national", killedAfter: operations)
    try history.add([1], to: "national")
    try history.add([2], to: "national")
    return history
  }

  private func moments(_ history: ListHistory) -> [PowerCut] {
    var now = PowerCut()
    return history.disk.operations.map { operation in
      defer { now.perform(operation) }
      return now.during(operation)
    }
  }

  /// Lets the power fail again and again, each time in another operation, and looks at what is left.
  private func run(
    _ histories: [ListHistory], schedules: Int, using generator: inout SeededGenerator
  ) throws -> Figures {
    var figures = Figures()
    var medium = Medium()
    let moments = histories.map(moments)
    let points = histories.indices.flatMap { history in moments[history].indices.map { (history, $0) } }
    for schedule in 0..<schedules {
      let (number, operation) = points[schedule % points.count]
      let history = histories[number]
      let remains = moments[number][operation].remains(using: &generator)
      try medium.hold(remains)
      figures.schedules += 1
      figures.outcomes.insert(remains.outcome ^ UInt64(schedule % points.count) << 40)
      figures.namesLost += remains.namesLost
      figures.sectorsDropped += remains.sectorsDropped
      figures.sectorsTurnedToGarbage += remains.sectorsTurnedToGarbage
      let orphans = remains.files.keys.filter { $0.hasSuffix(DurableFile.orphanSuffix) }.count
      figures.orphans += orphans
      do {
        let active = try look(medium.catalog, history, operation)
        if active == history.mayBeInForce(at: operation)[0] { figures.before += 1 } else { figures.after += 1 }
        // A next import costs more than all the rest, so not after each.
        if schedule % 16 == 0 || orphans > 1 && schedule % 4 == 0 {
          try importAgain(medium, active)
          figures.sweeps += orphans
          try medium.clear()
        }
      } catch {
        figures.faults.append("schedule \(schedule), history \(number), operation \(operation): \(error)")
        try medium.clear()
      }
    }
    return figures
  }

  private struct Fault: Error, CustomStringConvertible {
    let description: String
  }

  /// Reads all lists as a reader would after the power came back.
  private func look(_ catalog: ListCatalog, _ history: ListHistory, _ operation: Int) throws -> [ListCatalog.Active] {
    let active = try catalog.active()
    guard history.mayBeInForce(at: operation).contains(active) else {
      throw Fault(description: "in force is \(active.map(\.version)), which nobody put there")
    }
    for (version, digest, end) in history.acknowledged where end <= operation {
      guard try catalog.open(version).digest.hex == digest else { throw Fault(description: "\(version) is another list") }
    }
    guard !active.isEmpty else { return active }
    let blocklist = try catalog.loadBlocklist()
    for member in blocklist.members { try member.list.verify() }
    for (index, digest) in ListHistory.digests.enumerated() {
      let lists = try blocklist.matches(for: Fingerprint(sizeInBytes: 1, digests: [digest])).map(\.list)
      guard Set(lists) == history.answer(index, active) else { throw Fault(description: "digest \(index) is in \(lists)") }
    }
    return active
  }

  /// The next import must succeed, leave the other lists as they are, and remove what the one before left behind.
  private func importAgain(_ medium: Medium, _ active: [ListCatalog.Active]) throws {
    let version = try addList([ListHistory.digests[5]], to: "national", in: medium.catalog)
    let blocklist = try medium.catalog.loadBlocklist()
    let others = active.filter { $0.name != "national" }.map { ListVersion(name: $0.name, version: $0.version) }
    guard Set(blocklist.versions) == Set(others + [version]) else {
      throw Fault(description: "after the next import \(blocklist.versions) are in force")
    }
    for folder in [medium.catalog.folder, medium.catalog.folder.appending("national")] {
      for name in try DurableFile.names(in: folder) where name.hasPrefix(".") {
        throw Fault(description: "the next import left \(name)")
      }
    }
  }

  @Test func aPowerCutLeavesTheListsBeforeOrTheListsAfter() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    var generator = SeededGenerator(seed: seed)
    let started = ContinuousClock.now
    var histories = [try years()]
    var operations = 0
    repeat {
      histories.append(try afterAKill(operations))
      operations += 1
    } while !histories.last!.attempts[0].isAcknowledged
    let figures = try run(histories, schedules: isLong ? 200_000 : 20_000, using: &generator)
    print(
      "power cuts: \(figures.schedules) schedules (\(figures.outcomes.count) different), \(figures.before) left the lists before, "
        + "\(figures.after) those after; \(figures.namesLost) names lost, \(figures.sectorsDropped) sectors dropped, "
        + "\(figures.sectorsTurnedToGarbage) turned to garbage; \(figures.orphans) orphans, \(figures.sweeps) swept by a next "
        + "import; \(figures.faults.count) faults; seed \(seed), \(ContinuousClock.now - started)")
    #expect(figures.faults.isEmpty, "\(figures.faults.prefix(5)), seed \(seed)")
    // The power did fail, in every way.
    #expect(figures.before > 0 && figures.after > 0 && figures.namesLost > 0 && figures.orphans > 0 && figures.sweeps > 0)
    #expect(figures.sectorsDropped > 0 && figures.sectorsTurnedToGarbage > 0)
  }

  /// If the harness could not see a missing sync, its silence would mean nothing.
  @Test(arguments: [CrashFileSystem.Omission.sync, .syncFolder])
  func aProgramThatOmitsASyncIsCaught(_ omission: CrashFileSystem.Omission) throws {
    var generator = SeededGenerator(seed: 6)
    let figures = try run([try years(omitting: omission)], schedules: 500, using: &generator)
    print("power cuts: \(figures.faults.count) faults in \(figures.schedules) schedules without \(omission)")
    #expect(figures.faults.count > 50)
  }
}

/// Whether there is time for all of it: `./dev test --long`.
let isLong = ProcessInfo.processInfo.environment["MUHAFIZ_TEST_LONG"] == "1"
