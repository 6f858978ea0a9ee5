import Foundation
import Hashing
import TestSupport
import Testing

@testable import Matching

struct HashListLookupTests {
  /// Asks for every key, and for what stands right before and after it, and compares with a dictionary.
  private func check(_ keys: [Digest], _ comment: String) throws {
    let scratch = try TemporaryDirectory()
    let entries = keys.enumerated().map { ListEntry(recordNumber: $0.offset + 1, digests: [$0.element]) }
    let reference = Dictionary(zip(keys, entries.map(\.displayName))) { first, _ in first }
    let (list, counts) = try makeList(entries, in: scratch)
    #expect(
      counts == HashListCounts(accepted: reference.count, duplicates: keys.count - reference.count, entries: keys.count))
    // What has been verified is searched in another way than what has not.
    for round in ["first", "again"] {
      var wrong = 0
      for key in keys {
        for asked in [key, key.neighbour(1), key.neighbour(-1)].compactMap(\.self)
        where try list.match(for: asked)?.entry != reference[asked] { wrong += 1 }
      }
      #expect(wrong == 0, "\(comment), \(keys.count) keys, \(round)")
    }
    try list.verify()
  }

  private func randomKeys(_ algorithm: DigestAlgorithm, _ count: Int, from prefix: [UInt8] = []) -> [Digest] {
    var generator = SeededGenerator(seed: UInt64(count) << 8 | UInt64(algorithm.rawValue))
    return (0..<count).map { _ in
      let rest = (prefix.count..<algorithm.byteCount).map { _ in UInt8.random(in: 0...255, using: &generator) }
      return Digest(algorithm, bytes: prefix + rest)!
    }
  }

  /// Around the ends of the first and second block (records of 16, 20 and 32 bytes), around those of the fan-out, and around
  /// the eight records that are compared at once.
  @Test(arguments: DigestAlgorithm.allCases)
  func findsEveryRecordAtEachEdgeOfTheLayout(_ algorithm: DigestAlgorithm) throws {
    let block = HashListLayout.blockSize / algorithm.byteCount
    for count in [
      0, 1, 2, 7, 8, 9, block - 1, block, block + 1, 2 * block - 1, 2 * block, 2 * block + 1, 16, 17, 32, 33, 34, 65, 66,
    ] {
      try check(randomKeys(algorithm, count), algorithm.name)
    }
  }

  @Test(arguments: DigestAlgorithm.allCases)
  func findsEveryRecordUnderATreeOfTwoLevels(_ algorithm: DigestAlgorithm) throws {
    let keys = randomKeys(algorithm, 130 * HashListLayout.blockSize / algorithm.byteCount)
    let data = HashListLayout.blocks(keys.count * algorithm.byteCount)
    #expect(HashTreeShape(dataBlocks: data).levels.count == 2)
    try check(keys, algorithm.name)
  }

  @Test func aTreeHasAsManyLevelsAsItsBlocksNeed() {
    for (blocks, levels) in [
      (0, [1]), (1, [1]), (128, [1]), (129, [2, 1]), (16384, [128, 1]), (16385, [129, 2, 1]),
    ] { #expect(HashTreeShape(dataBlocks: blocks).levels == levels) }
  }

  @Test func findsKeysThatAllFallIntoOneBucket() throws {
    for prefix: [UInt8] in [[0xAB, 0xCD, 0xEF], [0, 0, 0, 0], [255, 255, 255, 255]] {
      try check(randomKeys(.sha256, 1000, from: prefix), "prefix \(prefix)")
    }
  }

  @Test(arguments: DigestAlgorithm.allCases)
  func findsTheLeastAndTheGreatestOfAllKeys(_ algorithm: DigestAlgorithm) throws {
    let ends = [UInt8(0), 255].map { Digest(algorithm, bytes: [UInt8](repeating: $0, count: algorithm.byteCount))! }
    for end in ends { try check([end], "\(algorithm.name) alone") }
    try check(ends + randomKeys(algorithm, 500), algorithm.name)
  }

  @Test func keysThatDifferInTheLastByteAloneAreToldApart() throws {
    for algorithm in DigestAlgorithm.allCases {
      let zeros = [UInt8](repeating: 0, count: algorithm.byteCount - 1)
      try check((0..<256).shuffled().map { Digest(algorithm, bytes: zeros + [UInt8($0)])! }, algorithm.name)
    }
  }

  @Test func aDuplicateKeepsTheEntryThatHadItFirst() throws {
    let keys = randomKeys(.sha1, 300)
    try check(keys + keys.reversed() + keys, "three times each")
    try check([Digest](repeating: keys[0], count: 500), "one key")
  }

  @Test func aDuplicatePerceptualHashKeepsTheQualityThatCameFirst() throws {
    let scratch = try TemporaryDirectory()
    let (good, bad) = (try picture("p", quality: 90), try picture("p", quality: 10))
    for (order, found) in [([good, bad], ["#1"]), ([bad, good], [])] {
      let (list, _) = try makeList([ListEntry(recordNumber: 1, perceptualHashes: order)], in: scratch)
      #expect(try list.matches(near: [good], within: 31).map(\.entry) == found)
    }
  }

  @Test func digestsOfOneAlgorithmAreNotThoseOfAnother() throws {
    let scratch = try TemporaryDirectory()
    let key = try digest(.sha256, "text")
    let (list, _) = try makeList([ListEntry(recordNumber: 1, digests: [key])], in: scratch)
    #expect(try list.match(for: Digest(.md5, bytes: key.bytes.prefix(16))!) == nil)
    #expect(try list.match(for: Digest(.sha1, bytes: key.bytes.prefix(20))!) == nil)
    #expect(try list.matches(near: [PerceptualHash(hex: key.hex)!], within: 31).isEmpty)
  }

  @Test func fanOutBitsGrowWithTheRecords() {
    for (count, bits) in [(0, 0), (1, 0), (32, 0), (33, 1), (65, 1), (66, 2), (32 << 21, 21), (Int(UInt32.max), 24)] {
      #expect(HashListLayout.fanOutBits(recordCount: count) == bits)
    }
    let record: [UInt8] = [0xFF, 0xFE, 0xFD, 0xFC]
    record.withUnsafeBytes {
      #expect(HashListLayout.bucket(of: $0.baseAddress!, bits: 0) == 0)
      #expect(HashListLayout.bucket(of: $0.baseAddress!, bits: 1) == 1)
      #expect(HashListLayout.bucket(of: $0.baseAddress!, bits: 24) == 0xFFFEFD)
    }
  }

  @Test func aNameWithTabsAndLineEndsStaysOneField() throws {
    let scratch = try TemporaryDirectory()
    let builder = HashListBuilder()
    let path = scratch.path("odd.hashlist")
    let information = HashListInformation(
      name: "odd", version: "1", source: "a\tb\r\nname\tother\nc", created: newYear)
    _ = try builder.write(to: .init(path), information: information)
    let list = try HashList(opening: .init(path))
    #expect(list.version == ListVersion(name: "odd", version: "1"))
    #expect(list.information.source == "a b name other c")
  }
}
