import Foundation
import Hashing
import SystemPackage
import TestSupport
import Testing

@testable import Matching

struct NearIndexTests {
  private let scratch = try! TemporaryDirectory()

  /// The least distance to any query of each listed hash within `distance`, by the plainest way to find it.
  private func expected(_ hashes: [PerceptualHash], _ queries: [PerceptualHash], _ distance: Int) -> [String: Int] {
    var nearest: [String: Int] = [:]
    for (index, hash) in hashes.enumerated() {
      let least = queries.map { $0.distanceInBits(to: hash) }.min()!
      if least <= distance { nearest["#\(index + 1)"] = least }
    }
    return nearest
  }

  private func list(_ hashes: [PerceptualHash]) throws -> HashList {
    let (list, _) = try makeList(hashes.enumerated().map { ListEntry(recordNumber: $0 + 1, perceptualHashes: [$1]) }, in: scratch)
    #expect(list.records(.pdq)?.nearIndex?.slots.isEmpty == (list.count(of: .pdq) < NearSlot.leastRecords))
    return list
  }

  private func check(_ hashes: [PerceptualHash], _ queries: [[PerceptualHash]], _ comment: String) throws {
    let hashes = Array(Dictionary(hashes.map { ($0.words, $0) }) { first, _ in first }.values)
    let list = try list(hashes)
    try list.verify()
    for queries in queries {
      for distance in isLongRun ? Array(0...63) : [0, 16, 31, 40, 63] {
        let found = try list.matches(near: queries, within: distance, leastQuality: 0)
        let isRight =
          Dictionary(uniqueKeysWithValues: found.map { ($0.entry, $0.distanceInBits) }) == expected(hashes, queries, distance)
        #expect(isRight, "\(comment), \(queries.count) queries within \(distance)")
      }
    }
  }

  @Test func findsWhatComparingAllFindsAmongRandomHashes() throws {
    var generator = SeededGenerator(seed: 21)
    let hashes = (0..<9000).map { _ in generator.hash() }
    let queries = (0..<6).map { n in [generator.near(hashes[n * 99], bits: [0, 1, 16, 31, 32, 63][n])] }
    try check(hashes, queries + [(0..<8).map { generator.near(hashes[$0], bits: 4 * $0) }], "random, seed 21")
  }

  @Test func findsWhatComparingAllFindsAmongClusters() throws {
    var generator = SeededGenerator(seed: 22)
    let centres = (0..<30).map { _ in generator.hash() }
    let hashes = (0..<9000).map { n in generator.near(centres[n % 30], bits: n % 64) }
    try check(
      hashes, (0..<4).map { [generator.near(centres[$0], bits: 8 * $0)] } + [Array(centres.prefix(9))], "clusters, seed 22")
  }

  /// Hashes at exactly the distance, with the differing bits placed where the tolerances of the slots are spent to the last:
  /// one bit more in each slot than it tolerates would be a miss.
  @Test func findsHashesWhoseDifferencesLieWhereTheyHurtMost() throws {
    var generator = SeededGenerator(seed: 23)
    let centre = generator.hash()
    var hashes = (0..<8500).map { _ in generator.hash() }
    let slots = NearSlot.slots(recordCount: 9000)
    for round in 0..<600 {
      // Two bits in each of as many slots as 31 bits reach, one in the next: from every slot on, and in any order.
      var bits: [Int] = []
      let order = round < 16 ? Array(slots[round...] + slots[..<round]) : slots.shuffled(using: &generator)
      for slot in order where bits.count < 31 {
        let chosen = (slot.firstBit..<slot.firstBit + slot.bits).shuffled(using: &generator).prefix(min(2, 31 - bits.count))
        bits += chosen
      }
      var words = centre.words
      // Bit 0 is the most significant of the first word.
      for bit in bits { words[bit / 64] ^= 1 << UInt64(63 - bit % 64) }
      hashes.append(PerceptualHash(words: words))
    }
    let list = try list(hashes)
    let found = try list.matches(near: [centre], within: 31)
    #expect(found.count == 600 && found.allSatisfy { $0.distanceInBits == 31 })
    #expect(try list.matches(near: [centre], within: 30).isEmpty)
  }

  /// All hashes share all but one slot's bits, so that every slot leads to all of them: slow, and never wrong.
  @Test func aListMadeToBeSlowIsAnsweredRightly() throws {
    let hashes = (0..<9000).map { n in PerceptualHash(words: SIMD4(0x5555_5555_5555_5555, 7, 7, UInt64(n))) }
    var generator = SeededGenerator(seed: 24)
    try check(hashes, [[hashes[17]], [generator.near(hashes[4000], bits: 20)], Array(hashes.prefix(8))], "one bucket")
  }

  /// More candidates than are compared at a time, most of them of one value: the next portion begins in its middle.
  @Test func candidatesOfOneValueAreAllCompared() throws {
    var generator = SeededGenerator(seed: 27)
    let centre = generator.hash()
    let hashes = (0..<9000).map { number in
      if number % 100 == 0 { return generator.near(centre, bits: number / 100 % 40) }
      var words = generator.hash().words
      if number % 3 > 0 { words[0] = centre.words[0] & 0xffff_0000_0000_0000 | words[0] & 0x0000_ffff_ffff_ffff }
      return PerceptualHash(words: words)
    }
    try check(hashes, [[centre], [generator.near(centre, bits: 3)]], "one value, seed 27")
    let index = try #require(list(hashes).records(.pdq)?.nearIndex)
    var portions: [Int] = []
    var met: Set<UInt32> = []
    let areFew = try centre.withBytes { (key: UnsafeRawBufferPointer) throws(MatchingError) in
      try index.candidates(of: key.baseAddress!, index.plan(within: 31), limit: 9000) { numbers throws(MatchingError) in
        portions.append(numbers.count)
        met.formUnion(numbers)
      }
    }
    #expect(areFew && portions.count > 1 && met.count > 5900, "\(portions)")
  }

  @Test func toleratedDifferencesAreEnoughForEveryDistance() {
    for count in [NearSlot.leastRecords, 1 << 19, 1 << 22, 100_000_000] {
      let slots = NearSlot.slots(recordCount: count)
      #expect(slots.map(\.bits).reduce(0, +) == 256)
      for distance in 0...63 {
        let plan = NearPlan(slots, recordCount: count, distance: distance)
        // Comparing all is cheaper; or there is no time to count all these.
        if plan.differences.isEmpty || plan.expectedWork > 200_000 && !isLongRun { continue }
        let tolerances = plan.differences.map { $0.map(\.nonzeroBitCount).max() ?? -1 }
        #expect(tolerances.map { $0 + 1 }.reduce(0, +) > distance, "\(count) hashes, distance \(distance)")
        for (differences, (slot, tolerance)) in zip(plan.differences, zip(slots, tolerances)) where tolerance >= 0 {
          #expect(Set(differences).count == differences.count)
          var due = 1
          var binomial = 1
          for chosen in 1..<max(1, tolerance + 1) {
            binomial = binomial * (slot.bits - chosen + 1) / chosen
            due += binomial
          }
          #expect(differences.count == due)
        }
      }
    }
  }

  @Test func aSlotsValueIsItsBits() {
    var generator = SeededGenerator(seed: 25)
    for _ in 0..<50 {
      let hash = generator.hash()
      let bits = hash.hex.flatMap { digit in
        let value = Int(String(digit), radix: 16)!
        return [value >> 3 & 1, value >> 2 & 1, value >> 1 & 1, value & 1]
      }
      for slots in [
        NearSlot.slots(recordCount: 10_000), NearSlot.slots(recordCount: 1 << 22), NearSlot.slots(recordCount: 1 << 20),
      ] {
        for slot in slots {
          let due = bits[slot.firstBit..<slot.firstBit + slot.bits].reduce(0) { $0 << 1 | $1 }
          #expect(hash.withBytes { slot.value(of: $0.baseAddress!) } == due)
        }
      }
    }
  }

  @Test func aDamagedNearIndexIsAnErrorAndNeverAMiss() throws {
    var generator = SeededGenerator(seed: 26)
    let hashes = (0..<8200).map { _ in generator.hash() }
    let bytes = try [UInt8](Data(contentsOf: URL(filePath: list(hashes).path.string)))
    var file = ListBytes(bytes, in: scratch)
    for kind in [HashListLayout.Kind.nearSlots, .nearStarts, .nearRecords] {
      let section = try file.section(kind, .pdq)
      for _ in 0..<(isLongRun ? 100 : 8) {
        var offset = Int.random(in: section, using: &generator)
        // The second half of a slot's row is reserved, and not looked at.
        if kind == .nearSlots { offset = offset & ~7 | offset & 3 }
        file.bytes[offset] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
        let path = file.path
        try Data(file.bytes).write(to: URL(filePath: path.string))
        #expect(throws: MatchingError(.listCorrupt, ""), "byte \(offset)") { try HashList(opening: path).verify() }
        for query in hashes.prefix(5) {
          do {
            let found = try HashList(opening: path).matches(near: [query], within: 31)
            #expect(found.map(\.distanceInBits) == [0])
          } catch { #expect(error.code == .listCorrupt) }
        }
        // With digests that are right again: a list that somebody made so. It may answer anything, and must not trap.
        var sealed = file
        try sealed.seal()
        if let opened = try? sealed.open() {
          #expect(throws: MatchingError(.listCorrupt, ""), "byte \(offset)") { try opened.verify() }
          for query in hashes.prefix(5) { _ = try? opened.matches(near: [query], within: 31) }
        }
        file.bytes = bytes
      }
    }
  }
}
