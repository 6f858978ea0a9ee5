import Decoding
import Foundation
import Glibc
import Hashing
import Matching
import SystemPackage
import TestSupport
import Testing

@testable import Scanning

/// Records and the files they stand in.
struct JournalTests {
  private let scratch = try! TemporaryDirectory(inMemory: true)
  private var generator = SeededGenerator(seed: 6)
  private static let run = "0f8fad5b-d9cb-469f-a165-70867728950e"

  static func plan(_ run: String = run) -> ScanPlan {
    ScanPlan(
      run: run, begun: Date(timeIntervalSince1970: 1_700_000_000), tool: "test", folder: "/", arguments: ["a"], roots: ["a"],
      options: ["perceptual=true"], lists: [])
  }

  private static let near: NearMatch = {
    var near = NearMatch(query: 3, queryQuality: 77, listedQuality: 99, entriesWithin: 4)
    near.discount = .quarantined
    return near
  }()

  /// An item in which no property has its default.
  private mutating func fullItem(_ path: FilePath) -> ScannedItem {
    var item = ScannedItem(at: .file(path), member: "inner/ö \u{1F4F7}", state: .error("broken"))
    item.sizeInBytes = 1 << 40
    item.mediaType = "image/jpeg"
    item.fingerprint = Fingerprint(
      sizeInBytes: 7, digests: [generator.digest(.md5), generator.digest(.sha1), generator.digest()],
      perceptualHash: generator.hash(quality: 61))
    item.perceptual = .unhashable("limit: frames")
    item.contents = .incomplete("encrypted")
    item.videoStop = .listedVideo
    item.modifiedAt = Date(timeIntervalSince1970: 1_700_000_000.25)
    item.queries = [[generator.hash()], (0..<8).map { _ in generator.hash() }]
    item.origin = MemberOrigin(
      volume: 3, inode: .max, allocation: .deleted, runs: [.init(offset: 1 << 40, length: 9), .init(offset: nil, length: 1)],
      isFragmentedFurther: true)
    item.storedDigests = [
      StoredDigest(generator.digest(.md5), isRight: true), StoredDigest(generator.digest(.sha1), isRight: false),
    ]
    item.frames = [
      FrameHash(number: 7, seconds: 0.04, hash: generator.hash()), FrameHash(seconds: 1e9, hash: generator.hash(quality: nil)),
    ]
    item.matches = [
      Match(
        list: ListVersion(name: "l", version: "2"), entry: "e", algorithm: .pdq, grade: .near, distanceInBits: 30,
        category: Category(scheme: "s", label: "A1"), contributor: "c", near: Self.near),
      Match(
        list: ListVersion(name: "v", version: "3"), entry: "film", algorithm: .vpdq, grade: .near, near: Self.near,
        video: VideoMatch(listedFrames: 10, listedFound: 9, queryFrames: 8, queryFound: 7)),
      Match(list: ListVersion(name: "m", version: "1"), entry: "#7", algorithm: .sha1, grade: .legacyExact),
    ]
    item.verdict = .review
    return item
  }

  private mutating func records(_ count: Int) -> [JournalRecord] {
    (0..<count).map { number in
      let path = FilePath(String(format: "a/%04d", number))
      var items = [fullItem(path), ScannedItem(at: .file(path), state: .hashed)]
      if number % 2 == 0 { items.reverse() }
      // What is in state error is looked at again, so here the first is another.
      items[0] = ScannedItem(at: .file(path), state: number % 3 == 0 ? .skipped("fifo") : .hashed)
      return JournalRecord(
        key: .init(root: 1, path: path), stamp: FileStamp(inode: .max, sizeInBytes: -1, modified: .min, changed: .max),
        items: items)
    }
  }

  /// Everything that an item says, as text.
  private func text(_ record: JournalRecord) -> String {
    "\(record.key) \(String(describing: record.stamp)) " + record.items.map { "\($0)" }.joined(separator: "\n")
  }

  @Test mutating func everyPropertyOfAnItemIsKept() throws {
    let path = FilePath(platformString: Array("a/".utf8CString.dropLast()) + [CChar(bitPattern: 0xFF), 0])
    let record = JournalRecord(key: .init(root: 2, path: path), stamp: nil, items: [fullItem(path)])
    // A property that is new is to be kept too: in JournalRecord+Bytes.swift, and in `fullItem` above.
    let names = Mirror(reflecting: record.items[0]).children.map { $0.label! }
    #expect(
      names == [
        "place", "member", "state", "sizeInBytes", "mediaType", "modifiedAt", "fingerprint", "perceptual", "contents",
        "origin", "storedDigests", "frames", "videoStop", "queries", "matches", "verdict",
        // Of what was fetched, and no scan of URLs keeps a journal: its reports wait in the record.
        "chain", "reference", "sealedName",
      ])
    var bytes = JournalBytes()
    record.write(to: &bytes)
    var reader = JournalBytesReader(bytes.bytes[...])
    let back = try JournalRecord(from: &reader)
    #expect(reader.isAtEnd && text(back) == text(record))
    for state in [ItemState.hashed, .skipped("s"), .unhashable("u"), .error("e")] {
      var bytes = JournalBytes()
      JournalRecord(key: record.key, stamp: nil, items: [ScannedItem(at: .file(path), state: state)]).write(to: &bytes)
      var reader = JournalBytesReader(bytes.bytes[...])
      #expect(try JournalRecord(from: &reader).items[0].state == state)
    }
  }

  @Test mutating func bytesThatNoWriterWroteAreRefused() throws {
    var bytes = JournalBytes()
    for record in records(2) { record.write(to: &bytes) }
    for length in 0..<bytes.bytes.count {
      var reader = JournalBytesReader(bytes.bytes[..<length])
      while !reader.isAtEnd { do { _ = try JournalRecord(from: &reader) } catch { break } }
    }
    for _ in 0..<(isLongRun ? 100_000 : 1000) {
      var broken = bytes.bytes
      broken[Int.random(in: broken.indices, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
      var reader = JournalBytesReader(broken[...])
      while !reader.isAtEnd { do { _ = try JournalRecord(from: &reader) } catch { break } }
    }
  }

  private func home(_ name: String) -> FilePath { FilePath(scratch.path(name)) }

  /// A journal of some sessions, each of some frames of records.
  private func write(_ sessions: [[[JournalRecord]]], to home: FilePath) throws {
    let journals = ScanJournals(home: home)
    for (number, frames) in sessions.enumerated() {
      let journal = try number == 0 ? journals.begin(Self.plan()) : journals.resume(Self.run)
      #expect(journal.earlierSessions == number)
      for frame in frames { try journal.append(frame) }
    }
  }

  private func read(_ home: FilePath) throws -> [JournalRecord] {
    var history = try ScanJournals(home: home).resume(Self.run).history()
    var all: [JournalRecord] = []
    while let found = try history.next(upTo: nil) {
      all.append(found.record)
      while let part = try history.nextPart() { all.append(part) }
    }
    return all
  }

  @Test mutating func sessionsAreMergedAndTheLatestCounts() throws {
    let all = records(9)
    var again = all[2]
    again = JournalRecord(key: again.key, stamp: nil, items: again.items)
    let anew = JournalRecord(
      key: all[5].key, stamp: FileStamp(inode: 1, sizeInBytes: 2, modified: 3, changed: 4), items: all[5].items)
    try write([[[all[0], all[2]], [all[5], all[6]]], [], [[all[1], again, anew], [all[8]]]], to: home("home"))
    let merged = try read(home("home"))
    // One that is worth another look does not hide what an earlier session knew.
    #expect(merged.map(text) == [all[0], all[1], all[2], anew, all[6], all[8]].map(text))
    var history = try ScanJournals(home: home("home")).resume(Self.run).history()
    #expect(try history.next(upTo: all[0].key)?.record.key == all[0].key)
    #expect(try history.next(upTo: JournalRecord.Key(root: 1, path: "a/0000x")) == nil)
    #expect(try history.next(upTo: all[7].key)?.record.key == all[1].key)
  }

  @Test func recordsOfOnePathComeTogetherFromTheLatestSession() throws {
    func part(_ name: String, _ member: String?, _ version: Int64, isLast: Bool = false, missing: String? = nil) -> JournalRecord
    {
      var item = ScannedItem(at: .file(FilePath(name)), member: member, state: .hashed)
      if let missing { item.missMembers(missing) }
      return JournalRecord(
        key: .init(root: 1, path: FilePath(name)),
        stamp: FileStamp(inode: 1, sizeInBytes: version, modified: 0, changed: 0), items: [item], isLast: isLast)
    }
    let (file, other) = (part("a", nil, 1, isLast: true), part("d", nil, 1, isLast: true))
    let old = [part("b", "1", 1), part("b", "2", 1)]  // Cut off there, in the first session.
    let new = [part("b", "1", 2), part("b", "2", 2), part("b", nil, 2, isLast: true)]
    let broken = [part("c", "1", 1, missing: "the archive cannot be read"), part("c", nil, 1, isLast: true)]
    try write([[[file], old], [new, broken], [[other]]], to: home("home"))
    #expect(try read(home("home")).map(text) == ([file] + new + broken + [other]).map(text))
    var history = try ScanJournals(home: home("home")).resume(Self.run).history()
    var finals: [Bool] = []
    while let found = try history.next(upTo: nil) { finals.append(found.isFinal) }  // Passing over what follows the first.
    #expect(finals == [true, true, false, true])
    try write([[[file], old]], to: home("cut-off"))
    history = try ScanJournals(home: home("cut-off")).resume(Self.run).history()
    #expect(try history.next(upTo: nil)?.isFinal == true && history.next(upTo: nil)?.isFinal == false)
    #expect(try history.nextPart()?.items[0].member == "2" && history.nextPart() == nil)
  }

  @Test mutating func aJournalCutOffAnywhereKeepsItsWholeFrames() throws {
    let all = records(6)
    try write([[Array(all[..<2]), [all[2]], Array(all[3...])]], to: home("home"))
    let path = scratch.path("home/scans/\(Self.run)/1.journal")
    let whole = try Data(contentsOf: URL(filePath: path))
    var counts: Set<Int> = []
    for length in stride(from: 0, through: whole.count, by: 23) {
      try whole.prefix(length).write(to: URL(filePath: path))
      let left = try read(home("home"))
      #expect(left.map(text) == all.prefix(left.count).map(text))
      counts.insert(left.count)
      unlink(scratch.path("home/scans/\(Self.run)/2.journal"))
    }
    #expect(counts.isSuperset(of: [0, 2, 3]))
  }

  @Test mutating func aFlippedBitIsRefusedOrCostsTheLastFrame() throws {
    let all = records(4).map { record in
      JournalRecord(key: record.key, stamp: record.stamp, items: [ScannedItem(at: .file(record.key.path), state: .hashed)])
    }
    let frames = [Array(all[..<2]), [all[2]], [all[3]]]
    try write([frames], to: home("home"))
    let path = scratch.path("home/scans/\(Self.run)/1.journal")
    let whole = try [UInt8](Data(contentsOf: URL(filePath: path)))
    let sizes = frames.map { records in
      var bytes = JournalBytes()
      for record in records { record.write(to: &bytes) }
      return JournalFrame.headerSize + bytes.bytes.count
    }
    #expect(sizes.reduce(0, +) == whole.count)
    let last = sizes[0] + sizes[1]
    var (refused, torn) = (0, 0)
    for index in whole.indices {
      var broken = whole
      broken[index] ^= 1 << UInt8(index % 8)
      try Data(broken).write(to: URL(filePath: path))
      do {
        let left = try read(home("home"))
        #expect(index >= last && left.map(text) == all[..<3].map(text), "byte \(index)")
        torn += 1
      } catch {
        #expect(error as? JournalError == JournalError(.damaged, "") && index < last, "byte \(index): \(error)")
        refused += 1
      }
      unlink(scratch.path("home/scans/\(Self.run)/2.journal"))
    }
    print("journal: of \(whole.count) flipped bits \(refused) were refused, \(torn) cost the last frame, 0 changed an answer")
    #expect(refused == last && torn == whole.count - last)
  }

  @Test mutating func filesOfAJournalCannotStandForEachOther() throws {
    try write([[records(2)], [records(1)]], to: home("home"))
    let folder = scratch.path("home/scans/\(Self.run)")
    // The second session's file in the place of the first.
    unlink("\(folder)/1.journal")
    rename("\(folder)/2.journal", "\(folder)/1.journal")
    #expect(try read(home("home")).isEmpty)
    unlink("\(folder)/1.journal")
    #expect(throws: JournalError(.damaged, "")) { try read(home("home")) }
  }

  @Test func plansAreFoundAndDamagedOnesRefused() throws {
    let journals = ScanJournals(home: home("home"))
    #expect(try journals.plans().isEmpty)
    #expect(throws: JournalError(.nothingToResume, "")) { try journals.resume(Self.run) }
    let other = "1f8fad5b-d9cb-469f-a165-70867728950e"
    do {
      let journal = try journals.begin(Self.plan())
      #expect(try journals.plans() == [Self.plan()])
      #expect(throws: JournalError(.locked, "")) { try journals.resume(Self.run) }
      // One under way is not removed.
      try journals.removeAll(like: Self.plan(other))
      #expect(try journals.plans().count == 1)
      withExtendedLifetime(journal) {}
    }
    let path = URL(filePath: scratch.path("home/scans/\(Self.run)/PLAN"))
    let whole = try Data(contentsOf: path)
    for index in whole.indices where !Character(UnicodeScalar(whole[index])).isWhitespace {
      var broken = whole
      broken[index] ^= 2
      try broken.write(to: path)
      do { #expect(try journals.plans() == [Self.plan()], "byte \(index)") } catch {
        #expect([JournalError(.damaged, ""), JournalError(.futureVersion, "")].contains(error as? JournalError), "\(error)")
      }
    }
    try whole.write(to: path)
    try journals.resume(Self.run).end(isComplete: false, at: Date())
    #expect(try journals.plans()[0].ended != nil)
    try journals.removeAll(like: Self.plan(other))
    #expect(try journals.plans().isEmpty && FileManager.default.contentsOfDirectory(atPath: scratch.path("home/scans")).isEmpty)
  }
}

/// Where members lie is what a decoder says, which a file may have taken over.
struct MemberRunTests {
  @Test(arguments: [[Int64.max, Int64.max], [Int64.max, 1], [-1, 11], [11], [4, 7]])
  func runsThatDoNotAddUpToTheMemberAreNoSource(lengths: [Int64]) {
    let origin = MemberOrigin(
      volume: 1, inode: nil, allocation: .allocated, runs: lengths.map { MemberOrigin.Run(offset: 0, length: $0) })
    let medium = ByteSource(sizeInBytes: 100) { _, _ in 0 }
    #expect(origin.source(of: 10, on: medium) == nil)
  }

  /// Only a file system in memory has files of such a size.
  @Test(.enabled(if: access("/dev/shm", W_OK) == 0)) func segmentsOfMoreBytesThanCanBeCountedAreRefused() throws {
    let folder = FilePath("/dev/shm/muhafiz-segments-\(getpid())")
    try FileManager.default.createDirectory(atPath: folder.string, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder.string) }
    for name in ["a.001", "a.002", "a.003"] {
      let file = try FileDescriptor.open(
        folder.appending(name), .writeOnly, options: [.create], permissions: [.ownerReadWrite])
      defer { try? file.close() }
      try #require(ftruncate(file.rawValue, name == "a.001" ? 512 : Int.max - 4095) == 0)
    }
    let first = try FileDescriptor.open(folder.appending("a.001"), .readOnly)
    defer { try? first.close() }
    #expect(throws: Errno.fileTooLarge) { try ImageSegments(at: .file(folder.appending("a.001")), first, .diskImage) }
  }
}
