import Foundation
import Glibc
import Hashing
import SystemPackage
import TestSupport
import Testing

@testable import Matching

/// A small list, all that can be asked of it, and the answers that are right.
struct SmallList {
  let original: [UInt8]
  private let known: [Digest: String]
  private let pictures: [PerceptualHash: [String]]
  /// Of the video of one entry.
  private let scenes: [PerceptualHash: [String]]

  init(in folder: TemporaryDirectory) throws {
    var entries = try (1...3).map { n in
      ListEntry(
        id: n == 2 ? nil : "e\(n)", recordNumber: n,
        digests: [try digest(.sha1, "text \(n)")] + (n == 3 ? [] : [try digest(.sha256, "text \(n)")]),
        perceptualHashes: [try picture("picture \(n)", quality: n == 3 ? 49 : 80)], contributor: "lab",
        category: Category(scheme: "s", label: "A\(n)"))
    }
    entries[1].video = VideoHash(
      frames: try (1...3).map { FrameHash(seconds: Double($0), hash: try picture("scene \($0)", quality: $0 == 3 ? 49 : 80)) })
    let (list, _) = try makeList(entries, in: folder, name: "small")
    original = try [UInt8](Data(contentsOf: URL(filePath: list.path.string)))
    let digests = entries.flatMap { entry in entry.digests.map { ($0, entry.displayName) } }
    known = Dictionary(digests) { first, _ in first }
    pictures = try [
      picture("picture 1"): ["e1"], picture("picture 2").flipping(0..<31): ["#2"], picture("picture 3"): [],
      picture("no picture"): [],
    ]
    scenes = try [
      picture("scene 1").flipping(0..<31): ["#2"], picture("scene 2"): ["#2"], picture("scene 3"): [],
      picture("no scene"): [],
    ]
  }

  /// Asks everything.
  ///
  /// - Returns: How many questions were refused with an error; `nil` when an answer was wrong.
  func ask(_ list: HashList) -> Int? {
    var refused = 0
    do {
      for (key, entry) in known {
        for (asked, right) in [(key, entry), (key.neighbour(1)!, nil)] {
          do { if try list.match(for: asked)?.entry != right { return nil } } catch { refused += 1 }
        }
      }
      for (scene, right) in scenes {
        do {
          var search = Blocklist([Blocklist.Member(list: list)]).makeVideoSearch()
          try search.add([[scene]])
          let matches = try search.matches()
          if matches.map(\.entry) != right || matches.first.map({ $0.video?.listedPercent != 50 }) ?? false { return nil }
        } catch { refused += 1 }
      }
      for (asked, right) in pictures {
        do { if try list.matches(near: [asked], within: 31).map(\.entry) != right { return nil } } catch { refused += 1 }
      }
    }
    return refused
  }

  /// Whether a list is answered from as it should be: rightly or with an error, and never taken for whole.
  func isAnsweredRightly(_ path: FilePath) -> Bool {
    do {
      let list = try HashList(opening: path)
      guard ask(list) != nil else { return false }
      try list.verify()
      return false
    } catch { return true }
  }
}

struct DamagedListTests {
  private let scratch: TemporaryDirectory
  private let small: SmallList

  init() throws {
    scratch = try TemporaryDirectory()
    small = try SmallList(in: scratch)
  }

  @Test func anUndamagedListAnswersEverything() throws {
    let list = try ListBytes(small.original, in: scratch).open()
    #expect(small.ask(list) == 0)
    try list.verify()
  }

  /// One bit of each byte, another one from byte to byte; of zeros, which mostly fill blocks, one in seven unless there is
  /// time. In two halves, to use two cores.
  @Test(arguments: [0, 1])
  func aFlippedBitAnywhereIsNeverAWrongAnswer(_ half: Int) throws {
    let path = scratch.path("flipped-\(half).hashlist")
    try Data(small.original).write(to: URL(filePath: path))
    let file = try FileDescriptor.open(FilePath(path), .readWrite)
    defer { close(file.rawValue) }
    var wrong: [Int] = []
    for offset in stride(from: half, to: small.original.count, by: 2) {
      let byte = small.original[offset]
      if byte == 0 && offset % 7 != 0 && !isLongRun { continue }
      // No list is open now, so nobody has mapped what is changed here.
      _ = try file.writeAll(toAbsoluteOffset: Int64(offset), [byte ^ 1 << UInt8((offset + offset / 8) % 8)])
      if !small.isAnsweredRightly(FilePath(path)) { wrong.append(offset) }
      _ = try file.writeAll(toAbsoluteOffset: Int64(offset), [byte])
    }
    #expect(wrong.isEmpty, "at \(wrong.prefix(10)) of \(small.original.count)")
    try HashList(opening: FilePath(path)).verify()
  }

  /// Bits at random of a list of many blocks, of which a lookup reads few: an answer is right or an error, and verification finds
  /// the bit.
  @Test func aFlippedBitOfALargerListIsNeverAWrongAnswer() throws {
    var generator = SeededGenerator(seed: 31)
    let keys = (0..<12_000).map { _ in
      Digest(.sha256, bytes: (0..<32).map { _ in UInt8.random(in: 0...255, using: &generator) })!
    }
    let entries = keys.enumerated().map { ListEntry(recordNumber: $0.offset + 1, digests: [$0.element]) }
    let path = try makeList(entries, in: scratch, name: "larger").list.path
    let original = try [UInt8](Data(contentsOf: URL(filePath: path.string)))
    let file = try FileDescriptor.open(path, .readWrite)
    defer { close(file.rawValue) }

    /// Opened anew each time, and closed before the file changes.
    func isAnsweredRightly() -> Bool {
      do {
        let list = try HashList(opening: path)
        for _ in 0..<20 {
          let key = keys.randomElement(using: &generator)!
          do {
            guard try list.contains(key), try !list.contains(key.neighbour(1)!) else { return false }
          } catch { if error.code != .listCorrupt { return false } }
        }
        try list.verify()
        return false
      } catch {
        return [.listCorrupt, .listTruncated, .notAHashList, .futureVersion, .foreignByteOrder].contains(error.code)
      }
    }

    var wrong: [Int] = []
    for _ in 0..<(isLongRun ? 100_000 : 300) {
      let offset = original.indices.randomElement(using: &generator)!
      let flipped = original[offset] ^ 1 << UInt8.random(in: 0..<8, using: &generator)
      _ = try file.writeAll(toAbsoluteOffset: Int64(offset), [flipped])
      if !isAnsweredRightly() { wrong.append(offset) }
      _ = try file.writeAll(toAbsoluteOffset: Int64(offset), [original[offset]])
    }
    #expect(wrong.isEmpty, "at \(wrong.prefix(10)) of \(original.count)")
    try HashList(opening: path).verify()
  }

  @Test func everyOtherLengthIsRefused() throws {
    let path = scratch.path("cut.hashlist")
    try Data(small.original + [0]).write(to: URL(filePath: path))
    var opened: [Int] = []
    for length in (0...small.original.count + 1).reversed() where length != small.original.count {
      #expect(truncate(path, length) == 0)
      do {
        _ = try HashList(opening: FilePath(path))
        opened.append(length)
      } catch {
        let right: MatchingError.Code = length > small.original.count ? .listCorrupt : .listTruncated
        if error.code != right { opened.append(length) }
      }
    }
    #expect(opened.isEmpty)
  }

  @Test func anUndamagedBlockGoesOnAnsweringBesideADamagedOne() throws {
    var file = ListBytes(small.original, in: scratch)
    let records = try file.section(.records, .sha1)
    file.bytes[records.lowerBound] ^= 1
    let list = try file.open()
    #expect(try list.match(for: digest(.sha256, "text 1"))?.entry == "e1")
    #expect(throws: MatchingError(.listCorrupt, "")) { try list.match(for: digest(.sha1, "text 1")) }
    #expect(throws: MatchingError(.listCorrupt, "")) { try list.verify() }
  }

  @Test func aFileThatIsNoListIsRefusedForWhatItIs() throws {
    for (content, code) in [("", MatchingError.Code.listTruncated), ("MHL", .listTruncated), ("MHX", .notAHashList)] {
      #expect(throws: MatchingError(code, "")) { try ListBytes(Array(content.utf8), in: scratch).open() }
    }
    let text = [UInt8](repeating: 0x61, count: 10_000)
    #expect(throws: MatchingError(.notAHashList, "")) { try ListBytes(text, in: scratch).open() }
    #expect(throws: MatchingError(.notAHashList, "")) { try HashList(opening: FilePath(scratch.url.path)) }
    #expect(throws: MatchingError(.listMissing, "")) { try HashList(opening: FilePath(scratch.path("none"))) }
    let pipe = scratch.path("pipe")
    #expect(mkfifo(pipe, 0o600) == 0)
    #expect(throws: MatchingError(.notAHashList, "")) { try HashList(opening: FilePath(pipe)) }
  }
}
