import Foundation
import Glibc
import Matching
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import Scanning

/// Scans that are cut off and go on, within the process.
struct ResumeTests {
  private let scratch = try! TemporaryDirectory(inMemory: true)
  private var tree: String { scratch.path("tree") }
  private static let run = "0f8fad5b-d9cb-469f-a165-70867728950e"

  private func put(_ name: String, _ text: String) throws {
    let url = URL(filePath: "\(tree)/\(name)")
    try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(text.utf8).write(to: url)
  }

  private func makeTree(_ count: Int) throws {
    for number in 0..<count { try put("\(number % 7)/\(number % 3 == 0 ? "deep/" : "")\(number)", "content \(number)") }
    try put("0-file", "sorts between the folder 0 and what is in it")
    link("\(tree)/0-file", "\(tree)/6/again")
    symlink("nowhere", "\(tree)/3/link")
  }

  private struct Outcome {
    var lines: [String]
    var summary: ScanSummary?
    var error: (any Error)?
  }

  /// - Parameter stop: After so many items.
  private func scan(
    _ journal: ScanJournal?, order: ScanOrder = .path, workers: Int = 2, stop: Int = .max, bytesPerSecond: Int64? = nil,
    each: @escaping () -> Void = {}
  ) throws -> Outcome {
    let control = ScanControl(bytesPerSecond: bytesPerSecond)
    let options = ScanOptions(perceptual: false, archives: false, workers: workers, order: order)
    let scanner = ContentScanner(
      blocklist: Blocklist([]), options: options, decoders: nil, control: control, journal: journal)
    var lines: [String] = []
    do {
      let summary = try scanner.scan([FilePath(tree)]) { item in
        lines.append(String(decoding: ItemLine.of(item).bytes, as: UTF8.self))
        each()
        if lines.count == stop { control.stop() }
      }
      return Outcome(lines: lines, summary: summary)
    } catch { return Outcome(lines: lines, error: error) }
  }

  @Test func aScanThatGoesOnReportsWhatOneInOneGoDoes() throws {
    try makeTree(600)
    let whole = try scan(nil)
    for (order, stop) in [(ScanOrder.path, 1), (.path, 77), (.inode, 150), (.path, 200)] {
      let journals = ScanJournals(home: FilePath(scratch.path("home-\(order)-\(stop)")))
      var part = try scan(journals.begin(JournalTests.plan()), order: order, stop: stop, bytesPerSecond: 30_000)
      // In order of inode all may have been read before the first is reported.
      #expect((part.summary!.isInterrupted || order == .inode) && whole.lines.starts(with: part.lines))
      var sessions = 1
      while part.summary!.isInterrupted {
        let before = part.lines.count
        part = try scan(journals.resume(Self.run), order: order, stop: before + 60, bytesPerSecond: 30_000)
        #expect(
          whole.lines.starts(with: part.lines) && part.summary!.resumption!.taken >= min(before, part.lines.count))
        sessions += 1
      }
      #expect(part.lines == whole.lines && part.summary!.reportDigest == whole.summary!.reportDigest)
      #expect(part.summary!.counts == whole.summary!.counts && (sessions > 1 || order == .inode))
    }
  }

  @Test func whatHasChangedIsScannedAnew() throws {
    try makeTree(40)
    let journals = ScanJournals(home: FilePath(scratch.path("home")))
    _ = try scan(journals.begin(JournalTests.plan()))
    try put("1/1", "another content")
    try put("2/2a", "new")
    unlink("\(tree)/4/4")
    let second = try scan(journals.resume(Self.run), stop: 30)
    #expect(second.summary!.resumption!.changedPaths.map(\.lastComponent?.string) == ["1"])
    // A file of the same length whose time was set back: the time of its last change tells.
    var status = stat()
    #expect(stat("\(tree)/5/5", &status) == 0)
    try put("5/5", "content 9")
    var times = [status.st_atim, status.st_mtim]
    #expect(utimensat(AT_FDCWD, "\(tree)/5/5", &times, 0) == 0)
    let last = try scan(journals.resume(Self.run))
    let resumption = last.summary!.resumption!
    #expect(resumption.changedPaths.map(\.lastComponent?.string) == ["5"] && resumption.changed == 1)
    #expect(resumption.gonePaths.map(\.lastComponent?.string) == ["4"] && resumption.gone == 1)
    // But for what is gone, it is what a scan of today finds.
    let today = try scan(nil)
    #expect(last.lines.count == today.lines.count + 1)
    #expect(last.lines.filter { !$0.contains("/4/4\"") } == today.lines)
  }

  /// As after a medium that was pulled out and put back: where folders could not be listed, what is in them is found.
  @Test func whatCouldNotBeReadIsTriedAgain() throws {
    for name in ["a", "b/1", "b/2", "c"] { try put(name, name) }
    let journals = ScanJournals(home: FilePath(scratch.path("home")))
    do {
      let journal = try journals.begin(JournalTests.plan())
      for name in ["a", "b"] {
        let path = FilePath("\(tree)/\(name)")
        let item = ScannedItem(at: .file(path), state: .error("input/output error"))
        try journal.append([JournalRecord(key: .init(root: 1, path: path), stamp: nil, items: [item])])
      }
    }
    let second = try scan(journals.resume(Self.run))
    #expect(try second.lines == scan(nil).lines && second.summary!.resumption == Resumption())
  }

  /// What met a limit would meet it again; anything else that is missing may be there by now.
  @Test func whatIsMissingIsLookedForAgain() throws {
    for name in ["a", "b", "c"] { try put(name, name) }
    let journals = ScanJournals(home: FilePath(scratch.path("home")))
    do {
      let journal = try journals.begin(JournalTests.plan())
      var walk = DirectoryWalk([FilePath(tree)])
      let reasons = ["limit: 60 s", "the archive cannot be read: input/output error", nil]
      for reason in reasons {
        let entry = walk.next()!
        var item = ScannedItem(at: .file(entry.path), state: .hashed)
        if let reason { item.missMembers(reason) }
        try journal.append([JournalRecord(key: .init(root: 1, path: entry.path), stamp: entry.stamp, items: [item])])
      }
    }
    let second = try scan(journals.resume(Self.run))
    #expect(second.summary!.resumption!.taken == 2 && second.summary!.resumption!.changed == 0)
    #expect(second.lines.map { $0.contains("incomplete") } == [true, false, false])
  }

  /// Cuts the power at every operation: whatever was reported is found again, and nothing else than was found.
  @Test func whatWasReportedSurvivesAPowerCut() throws {
    try makeTree(60)
    let home = scratch.path("home")
    mkdir(home, 0o700)
    let disk = CrashFileSystem(root: FilePath(home))
    let journals = ScanJournals(home: FilePath(home), on: disk)
    /// Operations that had been done when each item was reported.
    let reported = Mutex<[Int]>([])
    let note: @Sendable () -> Void = { reported.withLock { $0.append(disk.operations.count) } }
    // Slowly, so that there are many groups.
    var all = try scan(journals.begin(JournalTests.plan()), stop: 25, bytesPerSecond: 2000, each: note)
    let first = reported.withLock { $0 }
    reported.withLock { $0 = [] }
    let between = disk.operations.count
    all = try scan(journals.resume(Self.run), bytesPerSecond: 2000, each: note)
    let second = reported.withLock { $0 }
    let seed = UInt64.random(in: 0...UInt64.max)
    var generator = SeededGenerator(seed: seed)
    var now = PowerCut()
    var (schedules, lost, kept) = (0, 0, 0)
    for (number, operation) in disk.operations.enumerated() {
      let moment = now.during(operation)
      for _ in 0..<(isLongRun ? 500 : 5) {
        let remains = moment.remains(using: &generator)
        schedules += 1
        lost += remains.sectorsDropped + remains.sectorsTurnedToGarbage + remains.namesLost
        let medium = try TemporaryDirectory(inMemory: true)
        for folder in remains.folders.sorted() { mkdir(medium.path(folder), 0o700) }
        for (path, bytes) in remains.files { try Data(bytes).write(to: URL(filePath: medium.path(path))) }
        let due = max(first.filter { $0 <= number }.count, number < between ? 0 : second.filter { $0 <= number }.count)
        let left = ScanJournals(home: FilePath(medium.url.path))
        do {
          if try left.plans().isEmpty {
            #expect(due == 0, "operation \(number), seed \(seed): the journal is lost")
            continue
          }
          var history = try left.resume(Self.run).history()
          var lines: [String] = []
          while let found = try history.next(upTo: nil) {
            lines += found.record.items.map { String(decoding: ItemLine.of($0).bytes, as: UTF8.self) }
          }
          #expect(lines.count >= due && all.lines.starts(with: lines), "operation \(number), seed \(seed)")
          kept += lines.count
        } catch { Issue.record(error, "operation \(number), seed \(seed)") }
      }
      now.perform(operation)
    }
    print(
      "journal: \(schedules) power cuts in \(disk.operations.count) operations, \(lost) sectors and names lost, 0 reported items "
        + "lost; seed \(seed)")
    #expect(lost > 0 && kept > 0 && Set(first).count > 3)
  }

  @Test func aFullDiskEndsTheScanAndTheNextGoesOn() throws {
    try makeTree(60)
    let whole = try scan(nil)
    var ended = 0
    for call in 0..<100 {
      let disk = FaultFileSystem()
      let home = FilePath(scratch.path("home-\(call)"))
      let journals = ScanJournals(home: home, on: disk)
      disk.inject(.fails(.noSpace), into: call..<Int.max)
      let outcome: Outcome
      do { outcome = try scan(journals.begin(JournalTests.plan()), bytesPerSecond: 4000) } catch {
        #expect((error as? MatchingError)?.code == .diskFull, "\(error)")
        continue
      }
      guard let error = outcome.error else { break }
      #expect(disk.fired > 0 && (error as? MatchingError)?.code == .diskFull && whole.lines.starts(with: outcome.lines))
      ended += 1
      let rest = try scan(ScanJournals(home: home).resume(Self.run))
      #expect(rest.lines == whole.lines && rest.summary!.resumption!.taken >= outcome.lines.count)
    }
    #expect(ended > 3)
  }
}
