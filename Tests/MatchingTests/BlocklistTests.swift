import Foundation
import Hashing
import SystemPackage
import TestSupport
import Testing

@testable import Matching

struct BlocklistTests {
  private let scratch = try! TemporaryDirectory()

  private func member(_ name: String, _ entry: ListEntry, _ action: ListAction) throws -> Blocklist.Member {
    let path = scratch.path("\(name).hashlist")
    try buildList([entry], at: path, name: name)
    return Blocklist.Member(list: try HashList(opening: FilePath(path)), action: action)
  }

  @Test func eachActionAndGradeHasItsVerdict() {
    let table: [(ListAction, MatchGrade, Verdict)] = [
      (.block, .exact, .block), (.block, .legacyExact, .review), (.block, .near, .review),
      (.review, .exact, .review), (.review, .legacyExact, .review), (.review, .near, .review),
      (.known, .exact, .known), (.known, .legacyExact, .known), (.known, .near, .clear),
      (.off, .exact, .clear), (.off, .legacyExact, .clear), (.off, .near, .clear),
    ]
    let version = ListVersion(name: "l", version: "1")
    for (action, grade, verdict) in table {
      let match = Match(list: version, entry: "e", algorithm: .sha256, grade: grade)
      #expect(MatchPolicy(actions: [version: action]).verdict(for: [match]) == verdict, "\(action) \(grade)")
    }
    #expect(MatchPolicy(actions: [:]).verdict(for: []) == .clear)
  }

  @Test func nearMatchAloneNeverBlocks() throws {
    var generator = SeededGenerator(seed: 1)
    let hash = generator.hash()
    let blocklist = Blocklist([try member("near", ListEntry(recordNumber: 1, perceptualHashes: [hash]), .block)])
    let fingerprint = Fingerprint(sizeInBytes: 1, digests: [generator.digest()], perceptualHash: hash)
    let matches = try blocklist.matches(for: fingerprint)
    #expect(matches.map(\.grade) == [.near])
    #expect(blocklist.policy.verdict(for: matches) == .review)
  }

  @Test func blockOutweighsKnown() throws {
    var generator = SeededGenerator(seed: 2)
    let digest = generator.digest()
    let entry = ListEntry(recordNumber: 1, digests: [digest])
    let blocklist = Blocklist([try member("good", entry, .known), try member("bad", entry, .block)])
    let matches = try blocklist.matches(for: Fingerprint(sizeInBytes: 1, digests: [digest]))
    #expect(Set(matches.map(\.list.name)) == ["good", "bad"])
    #expect(blocklist.policy.verdict(for: matches) == .block)
  }

  @Test func anEntryMetByTwoDigestsIsNamedByTheStronger() throws {
    var generator = SeededGenerator(seed: 3)
    let digests = [generator.digest(.md5), generator.digest(.sha256)]
    let blocklist = Blocklist([try member("both", ListEntry(recordNumber: 1, digests: digests), .block)])
    let matches = try blocklist.matches(for: Fingerprint(sizeInBytes: 1, digests: digests))
    #expect(matches.map(\.grade) == [.exact])
    #expect(blocklist.digestAlgorithms == [.md5, .sha256])
  }

  @Test func neitherEmptyFilesNorFlatPicturesNorListsThatAreOffMatch() throws {
    var generator = SeededGenerator(seed: 4)
    let empty = try Digester.digests(of: UnsafeRawBufferPointer(start: nil, count: 0), [.sha256])
    let flat = generator.hash(quality: 49)
    let listed = PerceptualHash(words: flat.words)
    let known = generator.digest()
    let blocklist = Blocklist([
      try member("degenerate", ListEntry(recordNumber: 1, digests: empty, perceptualHashes: [listed]), .block),
      try member("off", ListEntry(recordNumber: 1, digests: [known]), .off),
    ])
    #expect(try blocklist.matches(for: Fingerprint(sizeInBytes: 0, digests: empty, perceptualHash: flat)).isEmpty)
    #expect(try blocklist.matches(for: Fingerprint(sizeInBytes: 1, digests: [known])).isEmpty)
    #expect(blocklist.versions.map(\.name) == ["degenerate"])
  }

  @Test func aTurnedPictureIsFoundByItsOtherHashes() throws {
    var generator = SeededGenerator(seed: 5)
    let (hash, turned) = (generator.hash(), generator.hash())
    let blocklist = Blocklist([try member("turned", ListEntry(recordNumber: 1, perceptualHashes: [turned]), .block)])
    let fingerprint = Fingerprint(sizeInBytes: 1, digests: [], perceptualHash: hash)
    #expect(try blocklist.matches(for: fingerprint).isEmpty)
    #expect(try blocklist.matches(near: [hash, turned]).count == 1)
  }
}
