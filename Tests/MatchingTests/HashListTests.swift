import Foundation
import Hashing
import SystemPackage
import TestSupport
import Testing

@testable import Matching

struct HashListTests {
  private let scratch = try! TemporaryDirectory()

  private func list(_ entries: [ListEntry]) throws -> HashList {
    let path = scratch.path("\(UUID().uuidString).hashlist")
    try buildList(entries, at: path)
    return try HashList(opening: FilePath(path))
  }

  /// 0, 1, a block less one, a block, a block more one, a bucket's worth, several levels of the tree.
  @Test(arguments: [0, 1, 2, 63, 64, 65, 127, 128, 129, 203, 204, 205, 255, 256, 257, 1000, 20_000])
  func findsEachRecordAndNothingElse(_ count: Int) throws {
    for algorithm in DigestAlgorithm.allCases {
      var generator = SeededGenerator(seed: UInt64(count))
      let digests = (0..<count).map { _ in generator.digest(algorithm) }
      let list = try list(digests.enumerated().map { ListEntry(id: "e\($0)", recordNumber: $0 + 1, digests: [$1]) })
      #expect(list.count(of: .init(algorithm)) == count)
      try list.verify()
      for (index, digest) in digests.enumerated() {
        let match = try list.match(for: digest)
        #expect(match?.entry == "e\(index)")
        #expect(match?.grade == (algorithm == .sha256 ? .exact : .legacyExact))
      }
      for _ in 0..<200 { #expect(try list.match(for: generator.digest(algorithm)) == nil) }
      for digest in digests.prefix(200) { #expect(try list.match(for: digest.neighbour(+1)) == nil) }
    }
  }

  @Test func findsRecordsThatAllBeginAlike() throws {
    var generator = SeededGenerator(seed: 1)
    let start: [UInt8] = [0xAB, 0xCD, 0xEF, 0x01, 0x02, 0x03, 0x04, 0x05]
    let edges = [Digest(.sha256, bytes: [UInt8](repeating: 0, count: 32))!, Digest(.sha256, bytes: [UInt8](repeating: 255, count: 32))!]
    let digests = (0..<3000).map { _ in Digest(.sha256, bytes: start + generator.digest().bytes.dropFirst(8))! } + edges
    let list = try list(digests.enumerated().map { ListEntry(recordNumber: $0 + 1, digests: [$1]) })
    try list.verify()
    for (index, digest) in digests.enumerated() { #expect(try list.match(for: digest)?.entry == "#\(index + 1)") }
    #expect(try list.match(for: edges[0].neighbour(+1)) == nil)
    #expect(try list.match(for: edges[1].neighbour(-1)) == nil)
  }

  @Test func keepsTheFirstOfSeveralEntriesWithOneDigest() throws {
    var generator = SeededGenerator(seed: 2)
    let digest = generator.digest()
    let path = scratch.path("duplicates.hashlist")
    let counts = try buildList(
      [
        ListEntry(id: "first", recordNumber: 1, digests: [digest], contributor: "one", category: .init(scheme: "S", label: "2")),
        ListEntry(id: "second", recordNumber: 2, digests: [digest], contributor: "two"),
        ListEntry(recordNumber: 3, digests: [generator.digest()]),
      ], at: path)
    #expect(counts == HashListCounts(accepted: 2, duplicates: 1, entries: 3))
    let match = try HashList(opening: FilePath(path)).match(for: digest)
    #expect(match?.entry == "first" && match?.contributor == "one" && match?.category == Category(scheme: "S", label: "2"))
  }

  @Test func nearMatchesAreThoseOfTheLinearScan() throws {
    var generator = SeededGenerator(seed: 3)
    // Clusters, so that there is something to find at every distance.
    let centres = (0..<20).map { _ in generator.hash() }
    let hashes = (0..<2000).map { index in generator.near(centres[index % 20], bits: index % 60) }
    let list = try list(hashes.enumerated().map { ListEntry(id: "\($0)", recordNumber: 1, perceptualHashes: [$1]) })
    for distance in [0, 1, 31, 63, 256] {
      for count in [1, 7, 8, 9] {
        let queries = (0..<count).map { generator.near(centres[$0], bits: $0) }
        var expected: [String: Int] = [:]
        for (index, hash) in hashes.enumerated() {
          let least = queries.map(hash.distanceInBits).min()!
          // Equal hashes are one record, under the first entry that had it.
          if least <= distance && hashes.firstIndex(where: { $0.words == hash.words }) == index { expected["\(index)"] = least }
        }
        let found = try list.matches(near: queries, within: distance)
        #expect(Dictionary(uniqueKeysWithValues: found.map { ($0.entry, $0.distanceInBits) }) == expected)
        #expect(found.map(\.distanceInBits) == found.map(\.distanceInBits).sorted())
      }
    }
  }

  @Test func listedHashesOfLowQualityAreNotMatched() throws {
    var generator = SeededGenerator(seed: 4)
    let hash = generator.hash(quality: 49)
    let list = try list([ListEntry(recordNumber: 1, perceptualHashes: [hash])])
    #expect(try list.matches(near: [hash], within: 31).isEmpty)
    #expect(try list.matches(near: [hash], within: 31, leastQuality: 0).count == 1)
    let unknown = try self.list([ListEntry(recordNumber: 1, perceptualHashes: [generator.hash(quality: nil)])])
    #expect(try unknown.findsItsOwnRecords())
  }

  @Test(.enabled(if: Corpus.isPresent)) func findsTheNeedlesOfTheReferenceInItsHaystack() throws {
    func hashes(_ name: String) throws -> [PerceptualHash] {
      String(decoding: try Corpus.bytes("vectors/hash_lists/\(name)"), as: UTF8.self).split(whereSeparator: \.isNewline)
        .compactMap { PerceptualHash(hex: $0.prefix(64)) }
    }
    let haystack = try hashes("haystack.txt")
    let list = try list(haystack.enumerated().map { ListEntry(id: "\($0 + 1)", recordNumber: $0 + 1, perceptualHashes: [$1]) })
    for needle in try hashes("needles.txt") {
      let expected = Set(haystack.filter { $0.distanceInBits(to: needle) <= 31 }.map(\.words))
      let found = try list.matches(near: [needle], within: 31)
      #expect(Set(found.map { haystack[Int($0.entry)! - 1].words }) == expected)
    }
  }

  /// The promise that stands above speed: damage is an error and never a wrong answer.
  @Test func everyFlippedByteIsAnErrorOrDoesNotMatter() throws {
    var generator = SeededGenerator(seed: 5)
    let digests = (0..<40).map { _ in generator.digest() }
    let hashes = (0..<10).map { _ in generator.hash() }
    let entries =
      digests.enumerated().map { ListEntry(id: "d\($0)", recordNumber: $0 + 1, digests: [$1], contributor: "partner") }
      + hashes.enumerated().map { ListEntry(id: "h\($0)", recordNumber: $0 + 100, perceptualHashes: [$1]) }
    let path = scratch.path("flipped.hashlist")
    try buildList(entries, at: path)
    let whole = try Data(contentsOf: URL(filePath: path))
    let queries = digests + (0..<10).map { _ in generator.digest() }
    func answers() throws -> [String?] {
      let list = try HashList(opening: FilePath(path))
      return try queries.map { try list.match(for: $0).map(\.entry) } + list.matches(near: hashes, within: 31).map(\.entry)
        + [list.version.name, list.version.version]
    }
    let right = try answers()
    var refused = 0
    // Each byte of header, tree and trailer, and of every section that holds anything.
    for offset in whole.indices where whole[offset] != 0 || offset % 61 == 0 {
      var flipped = whole
      flipped[offset] ^= 1 << UInt8(offset % 8)
      try flipped.write(to: URL(filePath: path))
      do { #expect(try answers() == right, "byte \(offset)") } catch {
        #expect(error is MatchingError, "byte \(offset): \(error)")
        refused += 1
      }
      #expect(throws: MatchingError.self, "byte \(offset)") { try HashList(opening: FilePath(path)).verify() }
    }
    #expect(refused > 1000)
  }

  @Test func everyTruncationIsRefused() throws {
    var generator = SeededGenerator(seed: 6)
    let path = scratch.path("short.hashlist")
    try buildList((0..<50).map { ListEntry(recordNumber: $0 + 1, digests: [generator.digest()]) }, at: path)
    let whole = try Data(contentsOf: URL(filePath: path))
    for length in stride(from: 0, to: whole.count, by: 53) {
      try whole.prefix(length).write(to: URL(filePath: path))
      #expect(throws: MatchingError.self, "\(length) bytes") { try HashList(opening: FilePath(path)) }
    }
    try (whole + [0]).write(to: URL(filePath: path))
    #expect(throws: MatchingError.self) { try HashList(opening: FilePath(path)) }
  }

  /// A header that is consistent with itself and says the impossible: whoever writes it can also sign it.
  @Test func impossibleHeadersAreRefused() throws {
    var generator = SeededGenerator(seed: 7)
    let path = scratch.path("hostile.hashlist")
    try buildList((0..<50).map { ListEntry(recordNumber: $0 + 1, digests: [generator.digest()]) }, at: path)
    let whole = try [UInt8](Data(contentsOf: URL(filePath: path)))
    let key = generator.digest()
    var refused = 0
    for offset in Array(stride(from: 16, to: 64, by: 4)) + Array(stride(from: 128, to: 128 + 64 * 7, by: 4)) {
      for value: UInt32 in [0, 1, 2, 31, 4096, 0x7FFF_FFFF, 0x8000_0000, .max] {
        var hostile = whole
        withUnsafeBytes(of: value.littleEndian) { hostile.replaceSubrange(offset..<offset + 4, with: $0) }
        let digest = try hostile[..<4064].withUnsafeBytes { try Digester.digests(of: $0, [.sha256])[0] }
        hostile.replaceSubrange(4064..<4096, with: digest.bytes)
        try Data(hostile).write(to: URL(filePath: path))
        // An answer or an error; a trap would end the test.
        do {
          let list = try HashList(opening: FilePath(path))
          _ = try list.match(for: key)
          _ = try list.findsItsOwnRecords()
          try list.verify()
        } catch {
          refused += 1
        }
      }
    }
    #expect(refused > 100)
  }

  @Test func refusesWhatIsNoListOfThisVersion() throws {
    let path = scratch.path("other")
    func code(_ change: (inout [UInt8]) -> Void) throws -> MatchingError.Code? {
      try buildList([], at: path)
      var bytes = try [UInt8](Data(contentsOf: URL(filePath: path)))
      change(&bytes)
      try Data(bytes).write(to: URL(filePath: path))
      do { _ = try HashList(opening: FilePath(path)) } catch { return error.code }
      return nil
    }
    #expect(try code { _ in } == nil)
    #expect(try code { $0[0] = 0 } == .notAHashList)
    #expect(try code { $0[8] = 2 } == .futureVersion)
    #expect(try code { $0.replaceSubrange(12..<16, with: $0[12..<16].reversed()) } == .foreignByteOrder)
    #expect(try code { $0.removeLast() } == .listTruncated)
    #expect(try code { $0 = Array("hello".utf8) } == .notAHashList)
    #expect(try code { $0 = [] } == .listTruncated)
    #expect(throws: MatchingError(.listMissing, "")) { try HashList(opening: FilePath(scratch.path("nowhere"))) }
  }
}

extension Digest {
  /// The digest whose bytes, as a number, are one more or less.
  fileprivate func neighbour(_ step: Int) -> Digest {
    var bytes = bytes
    for index in bytes.indices.reversed() {
      let (value, carries) = step > 0 ? bytes[index].addingReportingOverflow(1) : bytes[index].subtractingReportingOverflow(1)
      bytes[index] = value
      if !carries { break }
    }
    return Digest(algorithm, bytes: bytes)!
  }
}
