import Foundation
import Hashing
import SystemPackage
import TestSupport
import Testing

@testable import Matching

/// The files that `testdata/make_hashlists.py` writes from the document, without any code of ours.
struct GoldenFileTests {
  static let folder = Corpus.packageRoot.appending(path: "testdata/hashlists")

  static func bytes(_ name: String) throws -> [UInt8] {
    try [UInt8](Data(contentsOf: folder.appending(path: "\(name).hashlist")))
  }

  private static func open(_ name: String) throws -> HashList {
    try HashList(opening: FilePath(folder.appending(path: "\(name).hashlist").path))
  }

  /// What the script calls `mixed_entries`.
  static func mixedEntries() throws -> [ListEntry] {
    var entries: [ListEntry] = []
    for n in 1...40 {
      var entry = ListEntry(id: n % 7 == 0 ? nil : "entry-\(n)", recordNumber: n + 1)
      entry.digests = [try digest(.sha256, "text \(n)")]
      if n % 3 == 0 { entry.digests.append(try digest(.sha1, "text \(n)")) }
      if n % 4 == 0 { entry.perceptualHashes = [try picture("picture \(n)", quality: [nil, 49, 50, 100][n / 4 % 4])] }
      entry.contributor = [nil, "hotline-a", "hotline-b"][n % 3]
      if n % 5 == 0 { entry.category = Category(scheme: "scheme-é", label: "A\(n % 2)") }
      if n % 2 == 1 { entry.listedAt = newYear - Double(86400 * n) }
      entries.append(entry)
    }
    entries.append(
      ListEntry(
        id: "again", recordNumber: 42, digests: [try digest(.sha256, "text 1")],
        perceptualHashes: [try picture("picture 4", quality: 7)], contributor: "hotline-a"))
    entries.append(
      ListEntry(
        id: "other", recordNumber: 43, digests: [try digest(.sha256, "text 5")], contributor: "hotline-a",
        category: Category(scheme: "scheme-é", label: "A0")))
    return entries
  }

  /// What the script calls `video_entries`.
  static func videoEntries() throws -> [ListEntry] {
    var entries: [ListEntry] = []
    for n in 1...6 {
      var frames: [FrameHash] = []
      for second in 0..<n + 2 {
        let hash = try picture("scene \(n * second % 7)", quality: UInt8(100 - 10 * second))
        frames.append(FrameHash(number: UInt32(25 * second), seconds: Double(second), hash: hash))
      }
      entries.append(
        ListEntry(id: "video-\(n)", recordNumber: n, video: VideoHash(frames: frames), contributor: "hotline-a"))
    }
    let uncounted = [
      FrameHash(seconds: 0, hash: try picture("scene 1")),
      FrameHash(seconds: 1e9, hash: PerceptualHash(words: .zero, quality: 100)),
    ]
    entries.append(ListEntry(recordNumber: 7, video: VideoHash(frames: uncounted), contributor: "hotline-b"))
    for (number, id) in [(8, "again"), (9, "once more")] {
      entries.append(
        ListEntry(
          id: id, recordNumber: number, video: entries[2].video, contributor: "hotline-b",
          category: Category(scheme: "scheme", label: "A")))
    }
    let still = [try picture("scene 1", quality: 100)]
    return entries + [ListEntry(id: "still", recordNumber: 10, perceptualHashes: still, contributor: "hotline-a")]
  }

  @Test func builderWritesTheBytesThatTheScriptWrites() throws {
    let scratch = try TemporaryDirectory()
    let abc = ListEntry(id: "a1", recordNumber: 1, digests: [try digest(.md5, "abc")], contributor: "lab")
    for (name, version, source, entries) in [
      ("empty", "1", "", []), ("one", "1", "one.txt", [abc]),
      ("mixed", "2026-01-01.1", "mixed.csv", try Self.mixedEntries()),
      ("videos", "1", "videos", try Self.videoEntries()),
    ] {
      var builder = HashListBuilder()
      for entry in entries { try builder.add(entry) }
      let path = scratch.path(name)
      let information = HashListInformation(name: name, version: version, source: source, created: newYear)
      _ = try builder.write(to: FilePath(path), information: information)
      #expect(try [UInt8](Data(contentsOf: URL(filePath: path))) == Self.bytes(name), "\(name)")
    }
  }

  @Test func scriptStillWritesTheFilesThatAreKept() throws {
    let scratch = try TemporaryDirectory()
    let script = Corpus.packageRoot.appending(path: "testdata/make_hashlists.py").path
    let result = try run("/usr/bin/env", ["python3", script, scratch.url.path])
    guard result.exitCode != 127 else { return print("skipped: the golden files' script, for want of python3") }
    #expect(result.exitCode == 0, "\(result.errorText)")
    for name in try FileManager.default.contentsOfDirectory(atPath: Self.folder.path) {
      #expect(
        try Data(contentsOf: scratch.url.appending(path: name)) == Data(contentsOf: Self.folder.appending(path: name)),
        "\(name)")
    }
  }

  @Test func readerFindsWhatTheScriptWrote() throws {
    let empty = try Self.open("empty")
    try empty.verify()
    #expect(empty.entryCount == 0 && empty.hashCount == 0 && empty.digestAlgorithms.isEmpty)
    #expect(try empty.match(for: digest(.md5, "abc")) == nil)
    #expect(try empty.matches(near: [picture("picture 4")], within: 256).isEmpty)

    let one = try Self.open("one")
    try one.verify()
    #expect(one.information == HashListInformation(name: "one", version: "1", source: "one.txt", created: newYear))
    #expect(one.digestAlgorithms == [.md5])
    #expect(
      try one.match(for: digest(.md5, "abc"))
        == Match(list: one.version, entry: "a1", algorithm: .md5, grade: .legacyExact, contributor: "lab"))
    #expect(try one.match(for: digest(.md5, "abd")) == nil)
  }

  @Test func readerFindsEveryHashOfTheMixedList() throws {
    let mixed = try Self.open("mixed")
    try mixed.verify()
    #expect(mixed.entryCount == 42)
    #expect(mixed.information.conflicts == 1)
    #expect(mixed.information.listedFrom == newYear - 39 * 86400 && mixed.information.listedTo == newYear - 86400)
    #expect(try mixed.attributions().map(\.entries).reduce(0, +) == 42)
    #expect(try mixed.matches(for: digest(.sha256, "text 5")).map(\.entry) == ["entry-5", "other"])
    #expect(try mixed.matches(for: digest(.sha256, "text 1")).map(\.entry) == ["entry-1"])
    #expect([.md5, .sha1, .sha256, .pdq].map { mixed.count(of: $0) } == [0, 13, 40, 10])
    for entry in try Self.mixedEntries().dropLast(2) {
      for digest in entry.digests {
        let match = try #require(try mixed.match(for: digest))
        #expect(match.entry == entry.displayName && match.contributor == entry.contributor)
        #expect(match.category == entry.category)
        #expect(match.grade == (digest.algorithm == .sha256 ? .exact : .legacyExact))
      }
      for hash in entry.perceptualHashes {
        let matches = try mixed.matches(near: [hash], within: 31)
        #expect(matches.map(\.entry) == (hash.quality == 49 ? [] : [entry.displayName]))
      }
    }
    #expect(try mixed.match(for: digest(.sha256, "text 41")) == nil)
  }

  @Test func readerFindsTheVideosThatTheScriptWrote() throws {
    let videos = try Self.open("videos")
    try videos.verify()
    #expect(videos.count(of: .vpdq) == 7 && videos.count(of: .pdq) == 1 && videos.hashCount == 8)
    let asked = Fingerprint(sizeInBytes: 0, digests: [], perceptualHash: try picture("scene 3", quality: 100))
    let matches = try Blocklist([Blocklist.Member(list: videos)]).matches(for: asked)
    #expect(Set(matches.map(\.entry)) == ["video-3", "again", "video-5", "video-6"])
    #expect(matches.allSatisfy { $0.algorithm == .vpdq && $0.distanceInBits == 0 })
    #expect(matches.first { $0.entry == "video-5" }?.video?.listedFrames == 6)
  }

  /// One row of `broken.tsv`: the edits that break `one.hashlist`, and the error that is due.
  @Test func readerRefusesEachBrokenFileForItsReason() throws {
    let scratch = try TemporaryDirectory()
    let table = try String(contentsOf: Self.folder.appending(path: "broken.tsv"), encoding: .utf8)
    let rows = table.split(separator: "\n").dropFirst().map { $0.split(separator: "\t").map(String.init) }
    #expect(rows.count == 14)
    for row in rows {
      var file = ListBytes(try Self.bytes("one"), in: scratch)
      for edit in row[2].components(separatedBy: "; ") {
        let words = edit.split(separator: " ")
        let offset = try #require(Int(words[1]))
        if words[0] == "cut" {
          file.bytes.removeSubrange(offset...)
        } else {
          let new = try #require(bytes(hex: words[2]))
          file.bytes.replaceSubrange(offset..<min(offset + new.count, file.bytes.count), with: new)
        }
      }
      let due = row[1].split(separator: " ")
      var step = "on opening"
      let error = #expect(throws: MatchingError.self, "\(row[0])") {
        let list = try file.open()
        step = "on lookup"
        _ = try list.match(for: digest(.md5, "abc"))
        step = "on verification"
        try list.verify()
      }
      #expect(error.map { "\($0.code)" } == String(due[0]), "\(row[0])")
      if due.count > 1 { #expect(step == due.dropFirst().joined(separator: " "), "\(row[0])") }
    }
  }

  private func bytes(hex: Substring) -> [UInt8]? {
    let digits = Array(hex)
    let bytes = stride(from: 0, to: digits.count - 1, by: 2).compactMap { UInt8(String(digits[$0...$0 + 1]), radix: 16) }
    return bytes.count * 2 == digits.count ? bytes : nil
  }
}
