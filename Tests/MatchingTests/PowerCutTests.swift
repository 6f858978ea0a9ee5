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
    /// Whether the lists before were left, by what was lost in which operation. What is the same is not read again.
    var outcomes: [UInt64: Bool] = [:]
    var before: Int { outcomes.values.filter(\.self).count }
    var after: Int { outcomes.count - before }
    var (namesLost, sectorsDropped, sectorsTurnedToGarbage) = (0, 0, 0)
    var (orphans, sweeps) = (0, 0)
    /// What must not be: a reported version that is lost, a mixture, a home that cannot be opened.
    var faults: [String] = []
  }

  /// A folder that holds one remainder after the other; files that are in both are not written again.
  private struct Medium {
    let folder: TemporaryDirectory
    let catalog: ListCatalog
    private var present = PowerCut.Remains()

    init() throws {
      folder = try TemporaryDirectory(inMemory: true)
      catalog = ListCatalog(home: FilePath(folder.path("home")))
    }

    mutating func hold(_ remains: PowerCut.Remains) throws {
      for (path, bytes) in present.files where remains.files[path].map({ !isSame($0, bytes) }) ?? true {
        unlink(folder.path(path))
      }
      for path in present.folders.subtracting(remains.folders).sorted().reversed() { rmdir(folder.path(path)) }
      for path in remains.folders.subtracting(present.folders).sorted() { mkdir(folder.path(path), 0o700) }
      for (path, bytes) in remains.files where present.files[path].map({ !isSame($0, bytes) }) ?? true {
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
    var medium = try Medium()
    let moments = histories.map(moments)
    let points = histories.indices.flatMap { history in moments[history].indices.map { (history, $0) } }
    for schedule in 0..<schedules {
      let (number, operation) = points[schedule % points.count]
      let history = histories[number]
      let remains = moments[number][operation].remains(using: &generator)
      figures.schedules += 1
      figures.namesLost += remains.namesLost
      figures.sectorsDropped += remains.sectorsDropped
      figures.sectorsTurnedToGarbage += remains.sectorsTurnedToGarbage
      let outcome = remains.outcome &+ UInt64(schedule % points.count) &* 0x9E37_79B9_7F4A_7C15
      if figures.outcomes[outcome] != nil { continue }
      let orphans = remains.files.keys.filter { $0.hasSuffix(DurableFile.orphanSuffix) }.count
      figures.orphans += orphans
      do {
        try medium.hold(remains)
        let active = try look(medium.catalog, remains, history, operation)
        figures.outcomes[outcome] = active == history.mayBeInForce(at: operation)[0]
        // A next import costs more than all the rest, so not after each.
        if figures.outcomes.count % 32 == 0 || orphans > 0 && figures.outcomes.count % 16 == 0 {
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
  private func look(
    _ catalog: ListCatalog, _ remains: PowerCut.Remains, _ history: ListHistory, _ operation: Int
  ) throws -> [ListCatalog.Active] {
    let blocklist: Blocklist
    do throws(MatchingError) { blocklist = try catalog.loadBlocklist() } catch {
      guard error.code == .noListInForce else { throw error }
      blocklist = Blocklist([])
    }
    let active = blocklist.members.map { member in
      ListCatalog.Active(
        name: member.list.version.name, version: member.list.version.version, sha256: member.list.digest.hex,
        action: member.action, distance: member.distanceInBits)
    }
    guard history.mayBeInForce(at: operation).contains(active) else {
      throw Fault(description: "in force is \(active.map(\.version)), which nobody put there")
    }
    for (path, bytes, since) in history.acknowledged where since <= operation {
      guard let left = remains.files[path], isSame(left, bytes) else { throw Fault(description: "\(path) is lost") }
    }
    for member in blocklist.members { try member.list.verify() }
    for (index, digest) in ListHistory.digests.enumerated() {
      let lists = try blocklist.matches(for: Fingerprint(sizeInBytes: 1, digests: [digest])).map(\.list)
      guard Set(lists) == history.answer(index, active) else {
        throw Fault(description: "digest \(index) is in \(lists)")
      }
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
    let figures = try run(histories, schedules: isLongRun ? 200_000 : 20_000, using: &generator)
    print(
      "power cuts: \(figures.schedules) schedules; of \(figures.outcomes.count) that differ, \(figures.before) left the lists before, "
        + "\(figures.after) those after; \(figures.namesLost) names lost, \(figures.sectorsDropped) sectors dropped, "
        + "\(figures.sectorsTurnedToGarbage) turned to garbage; \(figures.orphans) orphans, \(figures.sweeps) swept by a next "
        + "import; \(figures.faults.count) faults; seed \(seed), \(ContinuousClock.now - started)")
    #expect(figures.faults.isEmpty, "\(figures.faults.prefix(5)), seed \(seed)")
    // The power did fail, in every way.
    #expect(
      figures.before > 0 && figures.after > 0 && figures.namesLost > 0 && figures.orphans > 0 && figures.sweeps > 0)
    #expect(figures.sectorsDropped > 0 && figures.sectorsTurnedToGarbage > 0)
  }

  /// If the harness could not see a missing sync, its silence would mean nothing.
  @Test(arguments: [CrashFileSystem.Omission.sync, .syncFolder])
  func aProgramThatOmitsASyncIsCaught(_ omission: CrashFileSystem.Omission) throws {
    var generator = SeededGenerator(seed: 6)
    let figures = try run([try years(omitting: omission)], schedules: 200, using: &generator)
    print("power cuts: \(figures.faults.count) faults in \(figures.schedules) schedules without \(omission)")
    #expect(figures.faults.count > 20)
  }
}

/// Whether two arrays hold the same; what `==` would take long for in a build for debugging.
private func isSame(_ left: [UInt8], _ right: [UInt8]) -> Bool {
  left.count == right.count
    && left.withUnsafeBytes { left in
      right.withUnsafeBytes { memcmp(left.baseAddress!, $0.baseAddress!, $0.count) == 0 }
    }
}
