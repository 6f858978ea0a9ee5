import Decoding
import Foundation
import Glibc
import Hashing
import Matching
import SystemPackage
import TestSupport
import Testing

@testable import Scanning

struct ScanTests {
  private let scratch = try! TemporaryDirectory()
  private var tree: URL { scratch.url.appending(path: "tree") }

  private func put(_ name: String, _ bytes: some Sequence<UInt8>) throws {
    let url = tree.appending(path: name)
    try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(bytes).write(to: url)
  }

  private func scan(
    _ roots: [String]? = nil, blocklist: Blocklist = Blocklist([]), perceptual: Bool = false, workers: Int = 2,
    control: ScanControl = ScanControl()
  ) throws -> (items: [ScannedItem], summary: ScanSummary) {
    let decoders = perceptual ? try DecoderPool(size: 4, decoder: FilePath(builtProgram("muhafiz-decoder"))) : nil
    let scanner = ContentScanner(
      blocklist: blocklist, options: ScanOptions(perceptual: perceptual, workers: workers), decoders: decoders, control: control)
    var items: [ScannedItem] = []
    let summary = try scanner.scan((roots ?? [tree.path]).map { FilePath($0) }) { items.append($0) }
    return (items, summary)
  }

  /// A copy is digested, since that is how it is known to be one, and not decoded again; half a picture is.
  @Test func copiesOfAPictureAreDecodedOnce() throws {
    let picture = try Data(contentsOf: Corpus.packageRoot.appending(path: "testdata/pictures/dunes.jpg"))
    for name in ["a", "b", "c"] { try put(name, picture) }
    for name in ["half", "half again"] { try put(name, picture.prefix(picture.count / 2)) }
    let decoders = try DecoderPool(size: 1, decoder: FilePath(builtProgram("muhafiz-decoder")))
    func lines(_ looks: LookCache?, copies: Int) throws -> [String] {
      var options = ScanOptions(workers: 1)
      options.keepsQueries = true
      var scanner = try ItemScanner(
        blocklist: Blocklist([]), options: options, decoders: decoders, control: ScanControl(), looks: looks)
      var walk = DirectoryWalk([FilePath(tree.path)])
      var lines: [String] = []
      while let entry = walk.next() {
        guard case .file(let file) = entry.kind else { continue }
        for item in try scanner.scan(file, at: entry.path, emit: { _ in }) {
          lines.append(String(decoding: ItemLine.of(item).bytes, as: UTF8.self) + "\(item.queries) \(item.frames)")
        }
      }
      #expect(looks.map(\.hits) ?? 0 == copies)
      return lines
    }
    let anew = try lines(nil, copies: 0)
    #expect(anew.count == 5 && anew[0].contains("pdq") && anew[3].contains("unhashable"))
    #expect(try lines(LookCache(), copies: 2) == anew)
    // With no room at all.
    #expect(try lines(LookCache(mostWeight: 0), copies: 0) == anew)
  }

  private func relative(_ item: ScannedItem) -> [UInt8] {
    Array(item.place.path!.bytes.dropFirst(tree.path.utf8.count + 1))
  }

  /// A tree with one of everything that a disk may hold.
  private func makeOddTree() throws -> [String: ItemState] {
    try put("a-b", "1".utf8)
    try put("a/x", "2".utf8)
    try put("empty", [])
    try put("new\nline", "3".utf8)
    try put((0..<200).map { "d\($0)" }.joined(separator: "/") + "/bottom", "4".utf8)
    let path = tree.path
    let raw: [UInt8] = Array("\(path)/".utf8) + [0xFF, 0xFE, 0]
    close(raw.withUnsafeBytes { Glibc.open($0.baseAddress!.assumingMemoryBound(to: CChar.self), O_CREAT | O_WRONLY, 0o600) })
    link("\(path)/a-b", "\(path)/zz-hard")
    for (name, target) in [("dangling", "nowhere"), ("loop", "loop"), ("root", "/"), ("up", ".."), ("file", "a-b")] {
      symlink(target, "\(path)/\(name)")
    }
    mkfifo("\(path)/fifo", 0o600)
    var states: [String: ItemState] = ["fifo": .skipped("fifo")]
    for name in ["dangling", "loop", "root", "up", "file"] { states[name] = .skipped("symbolic-link") }
    return states
  }

  @Test func everythingEndsInOneStateAndTheCountsReconcile() throws {
    let expected = try makeOddTree()
    let (items, summary) = try scan()
    for item in items {
      let name = String(validating: relative(item), as: UTF8.self)
      #expect(item.state == name.flatMap { expected[$0] } ?? .hashed, "\(item.place.path!)")
    }
    let counts = summary.counts
    #expect(counts.found == counts.hashed + counts.unhashable + counts.skipped + counts.errors)
    #expect(counts.found == items.count && counts.skipped == expected.count)
    let independent = try run("/usr/bin/find", [tree.path, "-not", "-type", "d", "-print0"]).output.count { $0 == 0 }
    #expect(counts.found == independent)
    #expect(!summary.isInterrupted && counts.isComplete && !counts.hasMatch)
  }

  @Test func itemsComeInTheOrderOfTheirWholePaths() throws {
    _ = try makeOddTree()
    for workers in [1, 4] {
      let paths = try scan(workers: workers).items.map { $0.place.path!.bytes }
      #expect(paths == paths.sorted { $0.lexicographicallyPrecedes($1) })
    }
  }

  @Test func twoScansOfOneTreeHaveOneReportDigest() throws {
    _ = try makeOddTree()
    let digest = try scan(workers: 1).summary.reportDigest
    #expect(try scan(workers: 4).summary.reportDigest == digest)
    try put("a/x", "other".utf8)
    #expect(try scan().summary.reportDigest != digest)
  }

  @Test func overlappingPathsAreScannedOnce() throws {
    try put("a/x", "1".utf8)
    try put("b", "2".utf8)
    let roots = [tree.path, "\(tree.path)/a", "\(tree.path)/a/x", tree.path + "/.", "\(tree.path)/b"]
    #expect(try scan(roots).items.count == 2)
    #expect(try scan(["\(tree.path)/b", "\(tree.path)/b"]).items.count == 1)
  }

  @Test func whatIsNotThereIsAnError() throws {
    let (items, summary) = try scan(["/nowhere/at all"])
    #expect(items.map(\.state) == [.error("no such file or directory")])
    #expect(summary.counts.errors == 1 && !summary.counts.isComplete)
  }

  @Test func unreadableFilesAndFoldersAreErrors() throws {
    guard geteuid() != 0 else {
      print("skipped: root may read everything")
      return
    }
    try put("secret", "1".utf8)
    try put("closed/x", "2".utf8)
    chmod("\(tree.path)/secret", 0)
    chmod("\(tree.path)/closed", 0)
    defer { chmod("\(tree.path)/closed", 0o700) }
    #expect(try scan().items.map(\.state) == [.error("permission denied"), .error("permission denied")])
  }

  @Test func aThumbnailThatShowsSomethingElseIsAnItemOfItsOwn() throws {
    let (main, other) = (try picture("pictures/dunes.jpg"), try picture("changed/harbour-smaller.jpg"))
    // EXIF: a directory with one entry, then that of the thumbnail with two.
    func number(_ value: Int, _ bytes: Int = 4) -> [UInt8] { (0..<bytes).reversed().map { UInt8(value >> (8 * $0) & 255) } }
    let exif =
      Array("Exif\0\0MM\0*".utf8) + number(8) + number(1, 2) + number(0x0112_0003) + number(1) + number(1 << 16) + number(26)
      + number(2, 2) + number(0x0201_0004) + number(1) + number(56) + number(0x0202_0004) + number(1) + number(other.count)
      + number(0)
    let file = [0xff, 0xd8, 0xff, 0xe1] + number(exif.count + other.count + 2, 2) + exif + other + main.dropFirst(2)
    try put("a.jpg", file)
    try put("b.jpg", other)
    let (items, summary) = try scan(perceptual: true, workers: 1)
    #expect(items.map(\.member) == [nil, "exif-thumbnail", nil] && summary.counts.entries == 2 && summary.counts.isComplete)
    #expect(items.allSatisfy { $0.perceptual == .hashed })
    #expect(
      items[1].fingerprint == items[2].fingerprint && items[0].fingerprint?.perceptualHash != items[1].fingerprint?.perceptualHash
    )
  }

  @Test func membersOfArchivesAreItemsBehindTheirArchive() throws {
    try put("a.zip", picture("archives/deep.zip"))
    try put("b.zip", picture("archives/encrypted.zip"))
    try put("c.txt", "c".utf8)
    for workers in [1, 3] {
      let (items, summary) = try scan(perceptual: true, workers: workers)
      let places = items.map { ($0.place.path!.lastComponent?.string ?? "") + ($0.member.map { ":" + $0 } ?? "") }
      #expect(
        places == [
          "a.zip", "a.zip:5.zip", "a.zip:5.zip/4.zip", "a.zip:5.zip/4.zip/3.zip", "a.zip:5.zip/4.zip/3.zip/2.zip",
          "b.zip", "b.zip:note.txt", "b.zip:pictures/small.png", "c.txt",
        ])
      #expect(items[0].contents == .read && items[0].verdict == .clear)
      #expect(items[4].contents == .incomplete("limit: archives within archives, 4 deep") && items[4].verdict == nil)
      #expect(items[6].state == .unhashable("encrypted") && items[6].fingerprint == nil)
      let counts = summary.counts
      #expect(counts.found == 9 && counts.hashed == 7 && counts.unhashable == 2 && counts.withoutAllMembers == 1)
      #expect(!counts.isComplete)
    }
  }

  @Test(.enabled(if: Corpus.isPresent)) func framesOfAVideoAreFoundInItsEdits() throws {
    let rows = try Corpus.table("media/video_frames_pdq.csv").filter { $0["file"] == "videos/tour.mp4" }
    let entries = rows.enumerated().compactMap { number, row -> ListEntry? in
      guard Int(row["quality"]!)! >= 50, let hash = PerceptualHash(hex: row["pdq_hex"]!) else { return nil }
      return ListEntry(id: "frame \(row["frame_index"]!)", recordNumber: number + 1, perceptualHashes: [hash])
    }
    let list = try blocklist(entries).blocklist
    let videos = Corpus.root.appending(path: "media/videos").path
    let (items, summary) = try scan([videos], blocklist: list, perceptual: true)
    let found = Set(
      items.filter { $0.verdict == .review && $0.matches.allSatisfy { $0.grade == .near } }.map {
        $0.place.path!.lastComponent!.string
      })
    // Plain comparison misses the mirrored film and the one with a letterbox.
    #expect(
      found
        == Set(
          try Corpus.table("media/videos.csv").filter { $0["motif"] == "tour" }.map { $0["file"]!.replacing("videos/", with: "") }
        ))
    #expect(items.allSatisfy { $0.perceptual == .hashed && !$0.frames.isEmpty } && summary.counts.isComplete)
  }

  @Test(.enabled(if: Corpus.isPresent)) func theLastPageAndTheLastFrameAreFound() throws {
    let decoders = try DecoderPool(size: 1, decoder: FilePath(builtProgram("muhafiz-decoder")))
    func hash(_ name: String) throws -> PerceptualHash {
      let bytes = try Corpus.bytes("media/zoo/\(name)")
      return try decoders.withLease { lease in
        try bytes.withUnsafeBytes { try lease.append($0) }
        if name.hasSuffix("tiff") { return try lease.decode(.tiff, page: 2) { PDQ.hash($0.luma) }.get() }
        var last = PerceptualHash(words: .zero)
        _ = try lease.decodeFrames(.webp) {
          last = PDQ.hash($0.luma)
          return .more
        }
        return last
      }
    }
    for name in ["multipage.tiff", "animated.webp"] {
      try put(name, Corpus.bytes("media/zoo/\(name)"))
      let list = try blocklist([ListEntry(id: "last", recordNumber: 1, perceptualHashes: [hash(name)])]).blocklist
      let items = try scan(["\(tree.path)/\(name)"], blocklist: list, perceptual: true).items
      #expect(items.map(\.verdict) == [.review] && items[0].matches.map(\.distanceInBits) == [0], "\(name)")
    }
  }

  @Test func evidenceIsNotTouched() throws {
    _ = try makeOddTree()
    func times() throws -> String {
      try run("/usr/bin/find", [tree.path, "-printf", "%p %A@ %T@ %C@ %s %n\\n"]).text
    }
    _ = try times()
    let before = try times()
    _ = try scan()
    #expect(try times() == before)
  }

  @Test func aStoppedScanSaysSoAndCountsWhatItDid() throws {
    for number in 0..<500 { try put("f\(number)", "\(number)".utf8) }
    let control = ScanControl()
    var delivered = 0
    let scanner = ContentScanner(blocklist: Blocklist([]), options: ScanOptions(workers: 2), decoders: nil, control: control)
    let summary = try scanner.scan([FilePath(tree.path)]) { _ in
      delivered += 1
      if delivered == 20 { control.stop() }
    }
    #expect(summary.isInterrupted && summary.counts.found == delivered && delivered >= 20 && delivered < 500)
  }

  @Test func whatTheReceiverThrowsEndsTheScan() throws {
    for number in 0..<300 { try put("f\(number)", "\(number)".utf8) }
    struct Full: Error {}
    let scanner = ContentScanner(blocklist: Blocklist([]), options: ScanOptions(workers: 3), decoders: nil)
    #expect(throws: Full.self) { try scanner.scan([FilePath(tree.path)]) { _ in throw Full() } }
  }

  private func picture(_ name: String) throws -> [UInt8] {
    try [UInt8](Data(contentsOf: Corpus.packageRoot.appending(path: "testdata/\(name)")))
  }

  private func blocklist(_ entries: [ListEntry]) throws -> (blocklist: Blocklist, path: String) {
    let path = scratch.path("list.hashlist")
    try buildList(entries, at: path)
    return (Blocklist([.init(list: try HashList(opening: FilePath(path)))]), path)
  }

  @Test func findsCopiesAndLookalikes() throws {
    let dunes = try picture("pictures/dunes.jpg")
    let digests = try dunes.withUnsafeBytes { try Digester.digests(of: $0, [.sha256]) }
    let text = try String(contentsOf: Corpus.packageRoot.appending(path: "testdata/lists/known.pdq"), encoding: .utf8)
    let hash = try #require(PerceptualHash(hex: text.prefix(64)))
    let notes = try Array("notes".utf8).withUnsafeBytes { try Digester.digests(of: $0, [.md5]) }
    let (blocklist, _) = try blocklist([
      ListEntry(id: "dunes", recordNumber: 1, digests: digests, perceptualHashes: [hash]),
      ListEntry(id: "notes", recordNumber: 2, digests: notes),
    ])
    try put("copy.txt", dunes)
    try put("again.jpg", picture("changed/dunes-saved-again.jpg"))
    try put("half.jpg", picture("broken/half-a-lagoon.jpg"))
    try put("notes", "notes".utf8)
    try put("other.jpg", picture("pictures/steppe.jpg"))
    let (items, summary) = try scan(blocklist: blocklist, perceptual: true)
    let byName = Dictionary(uniqueKeysWithValues: items.map { (String(decoding: relative($0), as: UTF8.self), $0) })
    #expect(byName["copy.txt"]?.verdict == .block && byName["copy.txt"]?.mediaType == "image/jpeg")
    #expect(byName["again.jpg"]?.verdict == .review && byName["again.jpg"]?.matches.map(\.grade) == [.near])
    #expect(byName["notes"]?.verdict == .review && byName["notes"]?.matches.map(\.grade) == [.legacyExact])
    #expect(byName["other.jpg"]?.verdict == .clear)
    // Not hashed must never look like no match.
    #expect(byName["half.jpg"]?.state == .hashed && byName["half.jpg"]?.verdict == nil)
    #expect(byName["half.jpg"]?.isIncomplete == true && byName["half.jpg"]?.isRemarkable == true)
    #expect(summary.counts.withoutPerceptualHash == 1 && !summary.counts.isComplete && summary.counts.hasMatch)
  }

  @Test func aDamagedListEndsTheScan() throws {
    let path = scratch.path("damaged.hashlist")
    // What is listed is looked for behind the filter, in records that are damaged.
    let entries = try (0..<1000).map { number in
      let digests = try Array("\(number)".utf8).withUnsafeBytes { try Digester.digests(of: $0, [.sha256]) }
      return ListEntry(recordNumber: number + 1, digests: digests)
    }
    try buildList(entries, at: path)
    let file = try FileHandle(forUpdating: URL(filePath: path))
    // Records, fan-out, indexes and filter: whatever a lookup touches first.
    for block in 1...11 {
      try file.seek(toOffset: UInt64(block * 4096 + 100))
      try file.write(contentsOf: Data([0xAA, 0x55, 0xAA]))
    }
    try file.close()
    let damaged = Blocklist([.init(list: try HashList(opening: FilePath(path)))])
    for number in 0..<50 { try put("f\(number)", "\(number)".utf8) }
    #expect(throws: MatchingError(.listCorrupt, "")) { try scan(blocklist: damaged) }
  }

  @Test func canariesAreFoundWithAndWithoutPictures() throws {
    let decoders = try DecoderPool(size: 4, decoder: FilePath(builtProgram("muhafiz-decoder")))
    let all = Canaries(blocklist: Blocklist([]), options: ScanOptions(workers: 2), decoders: decoders)
    #expect(try all.run() == [])
    let digestsOnly = Canaries(
      blocklist: Blocklist([]), options: ScanOptions(perceptual: false, archives: false, workers: 1), decoders: nil)
    #expect(try digestsOnly.run() == [])
  }

  @Test func canariesThatCannotBeFoundAreSaid() throws {
    // Asked to hash pictures, without anything to decode them: the pictures' canaries stay silent.
    let failures = try Canaries(blocklist: Blocklist([]), options: ScanOptions(perceptual: true, workers: 1), decoders: nil).run()
    #expect(failures.contains { $0.contains("lookalike") })
  }
}

struct DeliveryTests {
  @Test func valuesComeInOrderWhateverTheWorkersDo() throws {
    nonisolated(unsafe) var received: [Int] = []
    let delivery = OrderedDelivery<Int>(window: 8) { received.append($0) }
    let next = Counter()
    DispatchQueue.concurrentPerform(iterations: 4) { _ in
      while let number = next.take(below: 2000) {
        if number % 97 == 0 { usleep(300) }
        do { try delivery.put(number, number: number) } catch { Issue.record(error) }
      }
    }
    #expect(received == Array(0..<2000))
  }

  @Test func aFailureWakesEveryWorker() throws {
    struct Failure: Error {}
    let delivery = OrderedDelivery<Int>(window: 2) { _ in }
    DispatchQueue.global().asyncAfter(deadline: .now() + 0.1) { delivery.fail(Failure()) }
    // Number 0 never comes: without the failure this would wait for ever.
    #expect(throws: Failure.self) { try delivery.put(5, number: 5) }
    #expect(throws: Failure.self) { try delivery.check() }
  }

  private final class Counter: @unchecked Sendable {
    private let lock = NSLock()  // Guards `next`.
    private var next = 0

    func take(below end: Int) -> Int? {
      lock.lock()
      defer { lock.unlock() }
      if next == end { return nil }
      defer { next += 1 }
      return next
    }
  }
}

struct JSONLineTests {
  @Test func whatIsWrittenIsReadBackTheSame() throws {
    let odd = "q\" b\\ n\n t\t \u{1B}[31m \u{202E}gpj \u{2028} é \u{1F4F7} \u{7F} \u{0}"
    var line = JSONLine(type: "item")
    line.add("text", odd)
    line.add("none", nil as String?)
    line.add("list", [1, 2]) { $1.add("n", $0) }
    line.add("seconds", thousandths: 12.0456)
    let bytes = line.bytes
    #expect(bytes.last == UInt8(ascii: "\n") && !bytes.dropLast().contains { $0 < 0x20 })
    #expect(!String(decoding: bytes, as: UTF8.self).unicodeScalars.contains { $0.isBidiControl })
    let object = try JSONSerialization.jsonObject(with: Data(bytes)) as! [String: Any]
    #expect(object["text"] as? String == odd)
    #expect(object["v"] as? Int == 1 && object["none"] == nil && object["seconds"] as? Double == 12.046)
    #expect((object["list"] as? [[String: Int]])?.map { $0["n"] } == [1, 2])
  }

  @Test func namesThatAreNotUTF8AreInBase64() throws {
    let path = FilePath(platformString: [0x61, CChar(bitPattern: 0xFF), 0])
    let line = ItemLine.of(ScannedItem(at: .file(path), state: .skipped("fifo")))
    let object = try JSONSerialization.jsonObject(with: Data(line.bytes)) as! [String: Any]
    #expect(object["path_base64"] as? String == "Yf8=" && object["path"] == nil && object["reason"] as? String == "fifo")
  }
}
