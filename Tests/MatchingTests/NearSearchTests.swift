import CKernels
import Foundation
import Hashing
import TestSupport
import Testing

@testable import Matching

struct NearSearchTests {
  private struct Hit: Hashable {
    let record: UInt32
    let query: UInt16
    let distance: UInt16
  }

  private typealias Kernel = (
    UnsafePointer<UInt8>, Int, UnsafePointer<UInt8>, Int, UInt32, UnsafeMutablePointer<ck_near_hit>, Int,
    UnsafeMutablePointer<Int>
  ) -> Int

  /// All hits of a kernel, going on as often as its room is full.
  private func hits(
    _ kernel: Kernel, _ records: [PerceptualHash], _ queries: [PerceptualHash], radius: UInt32, room: Int
  ) -> [Hit] {
    let storage = UnsafeMutableRawBufferPointer.allocate(byteCount: records.count * 32 + 32, alignment: 8)
    let found = UnsafeMutableBufferPointer<ck_near_hit>.allocate(capacity: room)
    defer {
      storage.deallocate()
      found.deallocate()
    }
    for (index, record) in records.enumerated() {
      record.withBytes { storage[(index * 32)...].copyBytes(from: $0) }
    }
    let packed = queries.flatMap { $0.withBytes { Array($0) } }
    var hits: [Hit] = []
    var next = 0
    repeat {
      let before = next
      let count = kernel(
        storage.assumingMemoryBound(to: UInt8.self).baseAddress!, records.count, packed, queries.count, radius,
        found.baseAddress!, room, &next)
      hits += found[..<count].map { Hit(record: $0.record, query: $0.query, distance: $0.distance) }
      if next == before && next < records.count { return [] }  // Would go on for ever.
    } while next < records.count
    return hits
  }

  /// Hashes in clusters, with queries near some of them.
  private func clustered(_ count: Int, _ generator: inout SeededGenerator) -> [PerceptualHash] {
    let centres = (0..<max(1, count / 20)).map { _ in PerceptualHash.random(using: &generator) }
    return (0..<count).map { _ in
      let bits = Int.random(in: 0...80, using: &generator)
      return centres.randomElement(using: &generator)!.flipping(
        (0..<256).shuffled(using: &generator).prefix(bits))
    }
  }

  @Test(arguments: [1, 2, 3])
  func kernelEqualsItsPlainReference(_ seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    let zeros = PerceptualHash(words: .zero)
    let edges = [zeros, zeros.flipping(0..<256), zeros.flipping([0]), zeros.flipping([255]), zeros.flipping(0..<31)]
    for count in [0, 1, 5, 100] {
      let data = [
        (0..<count).map { _ in PerceptualHash.random(using: &generator) }, clustered(count, &generator),
        (0..<count).map { edges[$0 % edges.count] },
      ]
      for records in data {
        for queryCount in 1...8 {
          let queries = (0..<queryCount).map { records.isEmpty || $0 % 3 == 2 ? edges[$0 % 5] : records[$0 % count] }
          for radius: UInt32 in [0, 31, 63, 256] {
            for room in [8, 9, 17, 1024] {
              let fast = hits(ck_near_search, records, queries, radius: radius, room: room)
              let plain = hits(ck_near_search_plain, records, queries, radius: radius, room: room)
              #expect(fast == plain, "seed \(seed), \(count) records, \(queryCount) queries, radius \(radius), room \(room)")
              if radius == 256 { #expect(fast.count == count * queryCount) }
            }
          }
        }
      }
    }
  }

  @Test(arguments: [1, 7, 8, 9, 20])
  func listFindsWhatComparingAllPairsFinds(_ queryCount: Int) throws {
    var generator = SeededGenerator(seed: UInt64(100 + queryCount))
    let scratch = try TemporaryDirectory()
    let hashes = clustered(700, &generator)
    // Two hashes to an entry, so that entries are met twice.
    let entries = (0..<350).map { ListEntry(recordNumber: $0 + 1, perceptualHashes: Array(hashes[$0 * 2...$0 * 2 + 1])) }
    let (list, _) = try makeList(entries, in: scratch)
    // A hash that several entries have counts for the first.
    let owners = Dictionary(hashes.enumerated().map { ($1, "#\($0 / 2 + 1)") }) { first, _ in first }
    for distance in [0, 31, 63, 128] {
      let queries = (0..<queryCount).map { hashes[$0 * 31].flipping($0..<$0 + $0 % 40) }
      let matches = try list.matches(near: queries, within: distance)
      var nearest: [String: Int] = [:]
      for (hash, owner) in owners {
        let least = queries.map { $0.distanceInBits(to: hash) }.min()!
        if least <= distance { nearest[owner] = min(nearest[owner] ?? 256, least) }
      }
      let found = Dictionary(matches.map { ($0.entry, $0.distanceInBits) }) { _, _ in -1 }  // -1: an entry met twice.
      let isRight = found == nearest
      #expect(isRight, "distance \(distance)")
      #expect(matches.map(\.distanceInBits) == matches.map(\.distanceInBits).sorted())
    }
  }

  @Test func moreHitsThanOneCallHasRoomForAreAllFound() throws {
    let scratch = try TemporaryDirectory()
    var generator = SeededGenerator(seed: 8)
    let centre = PerceptualHash.random(using: &generator)
    let entries = (0..<3000).map { n in
      ListEntry(recordNumber: n + 1, perceptualHashes: [centre.flipping((0..<12).filter { n >> $0 & 1 == 1 })])
    }
    let (list, _) = try makeList(entries, in: scratch)
    #expect(try list.matches(near: [PerceptualHash](repeating: centre, count: 8), within: 31).count == 3000)
  }

  @Test func listedHashesOfLowQualityArePassedOver() throws {
    let scratch = try TemporaryDirectory()
    let hash = try picture("p")
    let entries = [nil, 0, 49, 50, 100].enumerated().map { (index: Int, quality: UInt8?) in
      let near = PerceptualHash(words: hash.flipping([index]).words, quality: quality)
      return ListEntry(id: quality.map(String.init) ?? "unknown", recordNumber: index + 1, perceptualHashes: [near])
    }
    let (list, _) = try makeList(entries, in: scratch)
    #expect(try Set(list.matches(near: [hash], within: 31).map(\.entry)) == ["unknown", "50", "100"])
    #expect(try list.matches(near: [hash], within: 31, leastQuality: 0).count == 5)
    #expect(try list.matches(near: [], within: 31).isEmpty)
  }

  @Test(.enabled(if: Corpus.isPresent), arguments: [31, 40])
  func findsEveryNeedleOfTheReferenceInItsHaystack(_ distance: Int) throws {
    let scratch = try TemporaryDirectory()
    func hashes(_ name: String) throws -> [PerceptualHash] {
      let text = String(decoding: try Corpus.bytes("vectors/hash_lists/\(name).txt"), as: UTF8.self)
      return try text.split(separator: "\n").map { try #require(PerceptualHash(hex: $0)) }
    }
    let (needles, haystack) = try (hashes("needles"), hashes("haystack"))
    let (list, counts) = try makeList(
      haystack.enumerated().map { ListEntry(recordNumber: $0 + 1, perceptualHashes: [$1]) }, in: scratch)
    #expect(counts.accepted + counts.duplicates == 1350)
    let first = Dictionary(zip(haystack, 1...)) { first, _ in first }
    var due: [[String: Int]] = needles.map { _ in [:] }
    for row in try Corpus.table("vectors/hash_lists/needles_in_haystack_le40.csv") {
      let numbers = try ["needle_line", "haystack_line", "distance"].map { try #require(row[$0].flatMap { Int($0) }) }
      guard numbers[2] <= distance else { continue }
      due[numbers[0] - 1]["#\(first[haystack[numbers[1] - 1]]!)"] = numbers[2]
    }
    for (needle, due) in zip(needles, due) {
      let found = try list.matches(near: [needle], within: distance).map { ($0.entry, $0.distanceInBits) }
      #expect(Dictionary(uniqueKeysWithValues: found) == due)
    }
    #expect(due.contains { !$0.isEmpty })
  }
}
