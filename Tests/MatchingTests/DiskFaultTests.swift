import Foundation
import Hashing
import SystemPackage
import TestSupport
import Testing

@testable import Matching

/// A failing disk, in every call of an import.
struct DiskFaultTests {
  /// A home of a list that has one version or none, and an orphan of a writer that died.
  private struct Home {
    let folder = try! TemporaryDirectory(inMemory: true)
    let disk = FaultFileSystem()
    let digests = ListHistory.digests
    let hasVersion: Bool
    var catalog: ListCatalog { ListCatalog(home: FilePath(folder.url.path).appending("home"), on: disk) }

    init(hasVersion: Bool) throws {
      self.hasVersion = hasVersion
      guard hasVersion else { return }
      try addList([digests[0]], to: "national", in: catalog)
      for orphan in ["national/.2026-01-01.9.hashlist.4711.partial", ".ACTIVE.4711.partial"] {
        try Data("x".utf8).write(to: URL(filePath: catalog.folder.string).appending(path: orphan))
      }
    }

    func addSecond() throws { try addList([digests[1]], to: "national", in: catalog) }

    /// Which of the two digests readers find, through the real file system.
    func found() throws -> [Int] {
      do {
        let blocklist = try catalog.loadBlocklist()
        for member in blocklist.members { try member.list.verify() }
        return try (0...1).filter { try !blocklist.matches(for: .init(sizeInBytes: 1, digests: [digests[$0]])).isEmpty }
      } catch let error as MatchingError where error.code == .noListInForce { return [] }
    }

    var orphans: [String] {
      get throws {
        try [catalog.folder, catalog.folder.appending("national")].flatMap { try DurableFile.names(in: $0) }
          .filter { $0.hasPrefix(".") }
      }
    }

    /// With the disk mended, the same import succeeds and leaves nothing lying about.
    func expectSuccessAgain(_ place: Comment) throws {
      disk.heal()
      try addSecond()
      #expect(try found() == [1] && orphans.isEmpty, place)
    }
  }

  private static let words: [FaultFileSystem.Kind: String] = [
    .create: "create", .read: "read back", .write: "write", .sync: "sync", .syncFolder: "sync the folder",
    .rename: "replace", .remove: "remove", .makeFolder: "make the folder", .names: "read the folder",
  ]

  /// What an import without faults calls.
  private func calls(hasVersion: Bool) throws -> [FaultFileSystem.Call] {
    let home = try Home(hasVersion: hasVersion)
    home.disk.heal()
    try home.addSecond()
    return home.disk.calls
  }

  @Test(arguments: [false, true])
  func aCallThatFailsIsNamedAndChangesNothing(hasVersion: Bool) throws {
    let errors: [(error: Errno, code: MatchingError.Code)] = [
      (.ioError, .inputOutput), (.noSpace, .diskFull), (.diskQuotaExceeded, .diskFull), (.fileTooLarge, .diskFull),
    ]
    let calls = try calls(hasVersion: hasVersion)
    #expect(Set(calls.map(\.kind)) == Set(Self.words.keys.filter { hasVersion ? $0 != .makeFolder : $0 != .remove }))
    var faults = 0
    for (number, call) in calls.enumerated() {
      // A quota and the largest size of a file concern writes.
      for (error, code) in call.kind == .write ? errors : Array(errors.prefix(2)) {
        let place: Comment = "\(error) in call \(number), \(call.kind)"
        let home = try Home(hasVersion: hasVersion)
        home.disk.inject(.fails(error), into: number..<number + 1)
        let failure = #expect(throws: MatchingError.self, place) { try home.addSecond() }
        #expect(home.disk.fired == 1, place)
        let what = "cannot \(Self.words[call.kind]!) \(home.disk.calls[number].path): "
        #expect(failure?.code == code && failure?.description.hasPrefix(what) == true, place)
        #expect(try home.found() == (hasVersion ? [0] : []), place)
        let files = try DurableFile.names(in: home.catalog.folder.appending("national")).filter { !$0.hasPrefix(".") }
        #expect(files.count == (hasVersion ? 1 : 0), place)
        try home.expectSuccessAgain(place)
        faults += 1
      }
    }
    print("disk faults: \(faults) faults in \(calls.count) calls of \(hasVersion ? "an update" : "a first import")")
  }

  /// Then what was in force before may not be put back; but there is no mixture, and the message says so.
  @Test func aDiskThatFailsForGoodLeavesOneListOrTheOther() throws {
    let calls = try calls(hasVersion: true)
    var after = 0
    for number in calls.indices {
      let place: Comment = "all calls from \(number) on, \(calls[number].kind)"
      let home = try Home(hasVersion: true)
      home.disk.inject(.fails(.ioError), into: number..<Int.max)
      let failure = #expect(throws: MatchingError(.inputOutput, ""), place) { try home.addSecond() }
      #expect(home.disk.fired > 0, place)
      let found = try home.found()
      #expect(found == [0] || found == [1] && failure!.description.contains("could not be put back"), place)
      after += found == [1] ? 1 : 0
      try home.expectSuccessAgain(place)
    }
    print("disk faults: a disk that fails for good, from each of \(calls.count) calls on; \(after) left the list after")
    #expect(after > 0)
  }

  @Test func interruptionsAndShortWritesDoNoHarm() throws {
    let calls = try calls(hasVersion: true)
    var fired = 0
    for (number, call) in calls.enumerated() where call.kind != .sync && call.kind != .syncFolder {
      for fault in [FaultFileSystem.Fault.fails(.interrupted), .takesOneByte] {
        let home = try Home(hasVersion: true)
        home.disk.inject(fault, into: number..<number + (fault == .takesOneByte ? 3 : 1))
        try home.addSecond()
        fired += home.disk.fired
        #expect(try home.found() == [1], "\(fault) in call \(number), \(call.kind)")
      }
    }
    print("disk faults: \(fired) interruptions and short reads and writes in \(calls.count) calls")
    #expect(fired > calls.count)
  }

  /// The kernel may have dropped what it could not write; the second call would report success.
  @Test func aSyncThatFailedIsNeverAskedForAgain() throws {
    let calls = try calls(hasVersion: true)
    for (number, call) in calls.enumerated() where call.kind == .sync || call.kind == .syncFolder {
      for error in [Errno.ioError, .interrupted] {
        let home = try Home(hasVersion: true)
        home.disk.inject(.fails(error), into: number..<number + 1)
        #expect(throws: MatchingError(.inputOutput, "")) { try home.addSecond() }
        #expect(home.disk.fired == 1)
        if call.kind == .sync {
          #expect(!home.disk.calls[(number + 1)...].contains { $0.kind == .sync && $0.path == call.path })
        }
        #expect(try home.found() == [0])
      }
    }
  }
}
