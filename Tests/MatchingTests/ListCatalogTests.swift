import Foundation
import Glibc
import Hashing
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import Matching

struct ListCatalogTests {
  private let scratch = try! TemporaryDirectory()
  private var catalog: ListCatalog { ListCatalog(home: FilePath(scratch.url.path)) }
  private static let day = Date(timeIntervalSince1970: 1_767_225_600)  // 2026-01-01

  @discardableResult
  private func add(_ digests: [Digest], name: String = "national", version: String? = nil) throws -> ListVersion {
    var update = ListUpdate(name: name, source: "s", created: Self.day)
    update.version = version
    return try catalog.update(update) { builder in
      for digest in digests { try builder.add(ListEntry(recordNumber: 1, digests: [digest])) }
    }.list.version
  }

  @Test func aNewVersionTakesTheOldOnesPlaceAndTheOldOneStays() throws {
    var generator = SeededGenerator(seed: 1)
    let (old, new) = (generator.digest(), generator.digest())
    #expect(try add([old]).version == "2026-01-01.1")
    let held = try catalog.loadBlocklist()
    #expect(try add([new]).version == "2026-01-01.2")
    func isListed(_ digest: Digest, _ blocklist: Blocklist) throws -> Bool {
      try !blocklist.matches(for: Fingerprint(sizeInBytes: 1, digests: [digest])).isEmpty
    }
    // Whoever holds the old blocklist goes on with it.
    #expect(try isListed(old, held) && !isListed(new, held))
    let now = try catalog.loadBlocklist()
    #expect(try !isListed(old, now) && isListed(new, now))
    _ = try catalog.activate(ListVersion(name: "national", version: "2026-01-01.1"))
    #expect(try isListed(old, catalog.loadBlocklist()))
    #expect(try catalog.versions(of: "national").count == 2)
    #expect(try catalog.deactivate("national") != nil)
    #expect(throws: MatchingError(.noListInForce, "")) { try catalog.loadBlocklist() }
  }

  @Test func anImportThatFailsChangesNothing() throws {
    var generator = SeededGenerator(seed: 2)
    try add([generator.digest()])
    let before = try catalog.active()
    struct Failure: Error {}
    #expect(throws: Failure.self) {
      _ = try catalog.update(ListUpdate(name: "national", source: "s", created: Self.day)) { _ in throw Failure() }
    }
    #expect(try catalog.active() == before)
    #expect(try catalog.versions(of: "national").count == 1)
  }

  @Test func refusesNamesVersionsAndLocksThatCannotBe() throws {
    for name in ["", ".", "..", "a/b", "-x", ".hidden", "a b", "نام", String(repeating: "a", count: 65)] {
      #expect(throws: MatchingError(.badName, ""), "\(name)") { try add([], name: name) }
    }
    try add([], version: "7")
    #expect(throws: MatchingError(.versionExists, "")) { try add([], version: "7") }
    let lock = Glibc.open(catalog.folder.appending("LOCK").string, O_RDWR)
    defer { close(lock) }
    #expect(flock(lock, LOCK_EX | LOCK_NB) == 0)
    #expect(throws: MatchingError(.locked, "")) { try add([]) }
  }

  /// Also within one second, and where the clock was set back: whatever the names, the order is that of the imports.
  @Test func versionsAreInTheOrderInWhichTheyWereMade() throws {
    let names = ["2026-11-25.1", "second", "b", "a"]
    for name in names { try add([], version: name) }
    #expect(try catalog.versions(of: "national").map(\.information.version) == names)
  }

  @Test func refusesAListThatIsNotTheOnePutInForce() throws {
    var generator = SeededGenerator(seed: 3)
    let version = try add([generator.digest()])
    try buildList([], at: catalog.path(of: version).string, name: version.name, version: version.version)
    #expect(throws: MatchingError(.listMisplaced, "")) { try catalog.loadBlocklist() }
    try buildList([], at: catalog.path(of: version).string, name: "another", version: version.version)
    #expect(throws: MatchingError(.listMisplaced, "")) { try catalog.loadBlocklist() }
    try FileManager.default.removeItem(atPath: catalog.path(of: version).string)
    #expect(throws: MatchingError(.listMissing, "")) { try catalog.loadBlocklist() }
    try Data("{".utf8).write(to: URL(filePath: catalog.folder.appending("ACTIVE").string))
    #expect(throws: MatchingError(.activeUnreadable, "")) { try catalog.loadBlocklist() }
  }

  /// Until it runs another program, a forked child holds all that was open, locks too.
  @Test func aCopyOfTheDescriptorDoesNotKeepTheLock() throws {
    let lock = catalog.folder.appending("LOCK").string
    let copies = Mutex<[CInt]>([])
    defer { copies.withLock { $0.forEach { close($0) } } }
    let disk = FaultFileSystem {
      for descriptor in CInt(3)..<256 {
        let link = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(descriptor)")
        if link == lock { copies.withLock { $0.append(dup(descriptor)) } }
      }
    }
    _ = try ListCatalog(home: FilePath(scratch.url.path), on: disk).update(
      ListUpdate(name: "national", source: "s", created: Self.day)
    ) { _ in }
    #expect(copies.withLock { !$0.isEmpty })
    try add([])
  }

  @Test func sweepsWhatDeadWritersLeft() throws {
    try add([])
    let orphan = catalog.folder.appending("national/.2026-01-01.9.hashlist.4711.partial")
    try Data("x".utf8).write(to: URL(filePath: orphan.string))
    try add([])
    #expect(!FileManager.default.fileExists(atPath: orphan.string))
  }

  @Test func aFullDiskLeavesTheVersionBeforeInForce() throws {
    let mount = scratch.path("small")
    try FileManager.default.createDirectory(atPath: mount, withIntermediateDirectories: true)
    guard geteuid() == 0, try run("/bin/mount", ["-t", "tmpfs", "-o", "size=200k", "none", mount]).exitCode == 0 else {
      print("skipped: a full disk needs root and the right to mount")
      return
    }
    defer { _ = try? run("/bin/umount", ["-l", mount]) }
    var generator = SeededGenerator(seed: 4)
    let known = generator.digest()
    let small = ListCatalog(home: FilePath(mount))
    _ = try small.update(ListUpdate(name: "l", source: "s", created: Self.day)) {
      try $0.add(ListEntry(recordNumber: 1, digests: [known]))
    }
    #expect(throws: MatchingError(.diskFull, "")) {
      try small.update(ListUpdate(name: "l", source: "s", created: Self.day)) { builder in
        for number in 1...10_000 { try builder.add(ListEntry(recordNumber: number, digests: [generator.digest()])) }
      }
    }
    #expect(try small.loadBlocklist().matches(for: Fingerprint(sizeInBytes: 1, digests: [known])).count == 1)
    #expect(try DurableFile.names(in: small.folder.appending("l")).count == 1)
  }
}
