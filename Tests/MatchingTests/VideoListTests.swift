import Foundation
import Hashing
import SystemPackage
import TestSupport
import Testing

@testable import Matching

/// Videos on hash lists: how they are kept, changed and found.
struct VideoListTests {
  private let scratch = try! TemporaryDirectory()
  private var catalog: ListCatalog { ListCatalog(home: FilePath(scratch.url.path)) }

  /// A video of frames that have nothing to do with each other, a frame a second.
  private func video(_ name: String, _ frames: some Sequence<Int>, quality: UInt8 = 100) throws -> VideoHash {
    VideoHash(
      frames: try frames.enumerated().map { second, scene in
        FrameHash(number: UInt32(second * 25), seconds: Double(second), hash: try picture("\(name) \(scene)", quality: quality))
      })
  }

  private func entry(_ id: String, _ video: VideoHash, _ contributor: String? = nil) -> ListEntry {
    ListEntry(id: id, recordNumber: 1, video: video, contributor: contributor)
  }

  private func search(_ list: HashList, _ video: VideoHash) throws -> [Match] {
    var search = Blocklist([Blocklist.Member(list: list)]).makeVideoSearch()
    for frame in video.frames { try search.add([[frame.hash]]) }
    return try search.matches()
  }

  @Test func aWholeVideoAClipAndASingleFrameAreToldApart() throws {
    let (list, counts) = try makeList(
      [entry("ten", try video("a", 0..<10)), entry("other", try video("b", 0..<10))], in: scratch)
    #expect(counts.accepted == 2 && list.count(of: .vpdq) == 2 && list.hashCount == 2)
    try list.verify()
    for (shown, kind, listed, queried) in [
      (Array(0..<10), VideoMatch.Kind.whole, 100, 100), (Array(0..<8), .whole, 80, 100),
      (Array(0..<7), .clip, 70, 100), (Array(0..<2), .clip, 20, 100), ([4], .frame, 10, 100),
      (Array(0..<8) + Array(100..<200), .whole, 80, 7), (Array(0..<7) + Array(100..<101), .clip, 70, 87),
      (Array(0..<7) + Array(100..<102), .frame, 70, 77), (Array((0..<10).reversed()), .whole, 100, 100),
      (Array(repeating: 3, count: 50), .clip, 10, 100),
    ] {
      let matches = try search(list, video("a", shown))
      let match = try #require(matches.first)
      #expect(matches.count == 1 && match.entry == "ten" && match.algorithm == .vpdq && match.grade == .near)
      let found = try #require(match.video)
      #expect(found.kind == kind && found.listedPercent == listed && found.queryPercent == queried, "\(shown)")
    }
    #expect(try search(list, video("c", 0..<10)).isEmpty)
  }

  @Test func aListedVideoAloneNeverBlocks() throws {
    let shown = try video("a", 0..<10)
    let (list, _) = try makeList([entry("ten", shown)], in: scratch)
    for (action, verdict) in [(ListAction.block, Verdict.review), (.review, .review), (.known, .clear)] {
      let blocklist = Blocklist([Blocklist.Member(list: list, action: action)])
      var search = blocklist.makeVideoSearch()
      for frame in shown.frames { try search.add([[frame.hash]]) }
      #expect(blocklist.policy.verdict(for: try search.matches()) == verdict)
    }
  }

  @Test func flatFramesAreKeptAndNeverCompared() throws {
    var frames = try video("a", 0..<4).frames
    frames.append(FrameHash(seconds: 4, hash: try picture("flat", quality: 49)))
    frames.append(FrameHash(seconds: 5, hash: PerceptualHash(words: .zero, quality: 100)))
    let shown = VideoHash(frames: frames)
    let (list, _) = try makeList([entry("v", shown)], in: scratch)
    try list.verify()
    #expect(try list.video(at: 0) == shown)
    #expect(try search(list, VideoHash(frames: Array(frames.prefix(4)))).first?.video?.listedPercent == 100)
    #expect(try search(list, VideoHash(frames: Array(frames.suffix(2)))).isEmpty)
    // As a query without a quality, a flat frame still meets nothing.
    #expect(try search(list, VideoHash(frames: [FrameHash(seconds: 0, hash: try picture("flat"))])).isEmpty)
  }

  @Test func aPictureIsFoundInAVideo() throws {
    let (list, _) = try makeList([entry("v", try video("a", 0..<4))], in: scratch)
    let blocklist = Blocklist([Blocklist.Member(list: list)])
    #expect(blocklist.hasPerceptualHashes)
    let near = try picture("a 2", quality: 100).flipping(0..<31)
    let asked = Fingerprint(sizeInBytes: 0, digests: [], perceptualHash: near)
    let match = try #require(try blocklist.matches(for: asked).first)
    #expect(match.algorithm == .vpdq && match.distanceInBits == 31 && match.video?.kind == .frame)
    let far = Fingerprint(sizeInBytes: 0, digests: [], perceptualHash: try picture("a 2", quality: 100).flipping(0..<32))
    #expect(try blocklist.matches(for: far).isEmpty)
  }

  @Test func whatLooksLikeANegativeListIsNotCounted() throws {
    let (list, _) = try makeList([entry("v", try video("a", 0..<10))], in: scratch)
    let logo = ListEntry(id: "logo", recordNumber: 1, perceptualHashes: [try picture("a 0", quality: 100)])
    let (negative, _) = try makeList([logo], in: scratch, name: "negative")
    let blocklist = Blocklist([.init(list: list), .init(list: negative, action: .negative)])
    for (shown, kind) in [([0], nil), ([0, 20, 21, 22], nil), (Array(0..<10), VideoMatch.Kind.whole), ([0, 1, 20], .frame)] {
      var search = blocklist.makeVideoSearch()
      for frame in try video("a", shown).frames { try search.add([[frame.hash]]) }
      #expect(try search.matches().first?.video?.kind == kind, "\(shown)")
    }
  }

  @Test func addingRemovingAndComparingTreatAVideoAsOneHash() throws {
    func update(_ mode: ListUpdate.Mode) -> ListUpdate {
      var update = ListUpdate(name: "national", source: "s", created: newYear)
      update.mode = mode
      update.isConfirmed = true
      return update
    }
    let videos = try (0..<5).map { n in try video("v\(n)", 0..<n + 1) + video("shared", 0..<2) }
    _ = try catalog.update(update(.replace)) { for n in 0..<3 { try $0.add(entry("v\(n)", videos[n], "one")) } }
    let added = try catalog.update(update(.add)) {
      for n in 2..<5 { try $0.add(entry("again\(n)", videos[n], "two")) }
    }
    #expect(added.counts.accepted == 5 && added.counts.duplicates == 1)
    #expect(added.difference?.counts[.vpdq] == .init(added: 2, removed: 0, kept: 3))
    try added.list.verify()
    #expect(try search(added.list, videos[2]).filter { $0.video?.listedPercent == 100 }.map(\.entry) == ["v2", "again2"])
    #expect(
      try Set(search(added.list, try video("shared", 0..<1)).map(\.entry)) == ["v0", "v1", "v2", "again2", "again3", "again4"])
    let removed = try catalog.update(update(.remove)) {
      try $0.remove(entry("", videos[1]))
      try $0.remove(ListEntry(id: "again3", recordNumber: 1, contributor: "two"))
    }
    #expect(removed.difference?.counts[.vpdq] == .init(added: 0, removed: 2, kept: 3))
    try removed.list.verify()
    for (n, isListed) in [true, false, true, false, true].enumerated() {
      #expect(try search(removed.list, videos[n]).contains { $0.video?.queryPercent == 100 } == isListed, "\(n)")
    }
    let empty = try catalog.update(update(.remove)) { for video in videos { try $0.remove(entry("", video)) } }
    try empty.list.verify()
    #expect(empty.list.count(of: .vpdq) == 0 && empty.list.hashCount == 0)
    #expect(try search(empty.list, videos[0]).isEmpty)
  }

  @Test func aListIsTheSameHoweverLittleMemoryItWasBuiltIn() throws {
    var generator = SeededGenerator(seed: 61)
    let videos = (0..<400).map { n in
      VideoHash(frames: (0..<1 + n % 97).map { FrameHash(seconds: Double($0), hash: generator.hash()) })
    }
    var files: [[UInt8]] = []
    for memory in [HashListBuilder.usualMemory, 1 << 16] {
      var builder = HashListBuilder(memoryInBytes: memory, spillingTo: FilePath(scratch.url.path))
      for (n, video) in videos.enumerated() { try builder.add(entry("v\(n)", video)) }
      let path = scratch.path("memory-\(memory).hashlist")
      _ = try builder.write(
        to: FilePath(path), information: HashListInformation(name: "v", version: "1", source: "", created: newYear))
      files.append(try [UInt8](Data(contentsOf: URL(filePath: path))))
      let list = try HashList(opening: FilePath(path))
      try list.verify()
      // More frames than a list without a near index has.
      #expect(list.records(.videoFrame)?.nearIndex?.slots.isEmpty == false)
      #expect(try list.findsItsOwnRecords())
    }
    #expect(files[0] == files[1])
  }

  /// The reference's own way: each frame of one against each of the other.
  private func shares(_ query: VideoHash, _ listed: VideoHash, within distance: Int) -> (query: Int, listed: Int) {
    func found(_ some: VideoHash, in other: VideoHash) -> Int {
      some.frames.count { frame in
        frame.isComparable && other.frames.contains { $0.isComparable && $0.hash.distanceInBits(to: frame.hash) <= distance }
      }
    }
    return (found(query, in: listed), found(listed, in: query))
  }

  @Test func sharesAreThoseOfComparingAllFramesWithAllFrames() throws {
    var generator = SeededGenerator(seed: 62)
    let scenes = (0..<60).map { _ in generator.hash() }
    func film(_ count: Int) -> VideoHash {
      VideoHash(
        frames: (0..<count).map { second in
          var hash = generator.near(scenes.randomElement(using: &generator)!, bits: Int.random(in: 0...20, using: &generator))
          if second % 9 == 8 { hash = PerceptualHash(words: hash.words, quality: 30) }
          return FrameHash(seconds: Double(second), hash: hash)
        })
    }
    let listed = (0..<16).map { n in film(3 + n) }
    let (list, _) = try makeList(listed.enumerated().map { entry("v\($0)", $1) }, in: scratch)
    var found = 0
    for _ in 0..<6 {
      let query = film(30)
      let matches = Dictionary(uniqueKeysWithValues: try search(list, query).map { ($0.entry, $0.video!) })
      for (n, video) in listed.enumerated() {
        let due = shares(query, video, within: 31)
        let match = matches["v\(n)"]
        #expect(match?.queryFound ?? 0 == due.query && match?.listedFound ?? 0 == due.listed, "seed 62, video \(n)")
        #expect(match == nil || (match!.listedFrames, match!.queryFrames) == (video.comparableFrames, query.comparableFrames))
        found += due.query
      }
    }
    #expect(found > 200)
  }

  /// The project's own films, hashed by its own tool: edits of one are found by the other.
  @Test(.enabled(if: Corpus.isPresent)) func editsOfTheReferencesFilmsAreFoundWhereItFindsThem() throws {
    let folder = Corpus.root.appending(path: "vectors/vpdq/hashes")
    var films: [(name: String, video: VideoHash)] = []
    for file in try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() {
      let text = try String(contentsOf: folder.appending(path: file), encoding: .utf8)
      // A frame a second, as a scan takes them: the tool wrote every one.
      let lines = text.split(whereSeparator: \.isNewline).map { $0.split(separator: ",") }.filter { UInt32($0[0])! % 30 == 0 }
      let frames = lines.map {
        FrameHash(number: UInt32($0[0]), seconds: Double($0[3])!, hash: PerceptualHash(hex: $0[2], quality: UInt8($0[1]))!)
      }
      films.append((file, VideoHash(frames: frames)))
    }
    let (list, _) = try makeList(films.map { entry($0.name, $0.video) }, in: scratch)
    try list.verify()
    var whole = 0
    for film in films {
      let matches = Dictionary(uniqueKeysWithValues: try search(list, film.video).map { ($0.entry, $0.video!) })
      for other in films {
        let due = shares(film.video, other.video, within: 31)
        #expect(matches[other.name]?.listedFound ?? 0 == due.listed && matches[other.name]?.queryFound ?? 0 == due.query)
        whole += matches[other.name]?.kind == .whole ? 1 : 0
      }
    }
    print("vPDQ films: \(films.count), of \(films.count * films.count) pairs \(whole) are whole matches")
    #expect(whole > films.count)
  }
}

private func + (one: VideoHash, other: VideoHash) -> VideoHash { VideoHash(frames: one.frames + other.frames) }
