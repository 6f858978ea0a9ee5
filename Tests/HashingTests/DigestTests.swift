import Foundation
import Testing
import TestSupport

@testable import Hashing

struct DigestTests {
  /// "abc": RFC 1321, A.5; FIPS 180-4 example values.
  @Test func digestsThePublishedExamples() throws {
    let digests = try Array("abc".utf8).withUnsafeBytes { try Digester.digests(of: $0, DigestAlgorithm.allCases) }
    #expect(
      digests.map(\.description) == [
        "md5:900150983cd24fb0d6963f7d28e17f72",
        "sha1:a9993e364706816aba3e25717850c26c9cd0d89d",
        "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
      ])
  }

  @Test func oneDigesterServesOneContentAfterAnother() throws {
    var digester = try Digester([.sha256, .md5, .sha256])
    #expect(digester.algorithms == [.md5, .sha256])
    let empty = try digester.finish()
    #expect(empty.allSatisfy { $0.isOfEmptyContent })
    try Array("a".utf8).withUnsafeBytes { try digester.update($0) }
    try digester.reset()
    try Array("ab".utf8).withUnsafeBytes { try digester.update($0) }
    try Array("c".utf8).withUnsafeBytes { try digester.update($0) }
    let ofABC = try digester.finish()
    #expect(ofABC[0].hex == "900150983cd24fb0d6963f7d28e17f72")
    let again = try digester.finish()
    #expect(again == empty)
  }

  @Test func digestsAgreeWithSumToolsAtAnyLength() throws {
    var generator = SeededGenerator(seed: 3)
    let scratch = try TemporaryDirectory()
    for length in [0, 1, 55, 56, 63, 64, 65, 4095, 4096, 100_003] {
      let bytes = (0..<length).map { _ in UInt8.random(in: 0...255, using: &generator) }
      let path = scratch.path("content")
      try Data(bytes).write(to: URL(filePath: path))
      for (algorithm, tool) in [(DigestAlgorithm.md5, "md5sum"), (.sha1, "sha1sum"), (.sha256, "sha256sum")] {
        let printed = try run("/usr/bin/\(tool)", [path]).text.prefix { $0 != " " }
        let digest = try bytes.withUnsafeBytes { try Digester.digests(of: $0, [algorithm])[0] }
        #expect(digest.hex == printed)
      }
    }
  }

  @Test func whatWouldLeaveLanesEmptyIsDigestedByItself() {
    for (sizes, alone) in [
      ([], 0), ([5000], 1), ([0, 0], 2), ([Int](repeating: 640, count: 8), 8), ([Int](repeating: 640, count: 9), 0),
      ([100_000] + [Int](repeating: 1000, count: 40), 1), ((1...16).map { $0 * 2500 }.reversed(), 0),
      ((1...64).map { $0 * 625 }.reversed(), 0),
    ] { #expect(BatchDigester.countAlone(sizes) == alone, "\(sizes)") }
  }

  @Test func manyContentsHaveTheDigestsThatEachHasByItself() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("contents digested together: seed \(seed); side by side: \(DigestLanes.areTrusted)")
    var generator = SeededGenerator(seed: seed)
    let bytes = (0..<20_000).map { _ in UInt8.random(in: 0...255, using: &generator) }
    let sets: [Set<DigestAlgorithm>] = [[.sha256], [.md5], [.sha1, .sha256], [.md5, .sha1, .sha256], []]
    try bytes.withUnsafeBytes { bytes in
      func check(_ lengths: [Int]) throws {
        // From anywhere: contents need not be aligned.
        let contents = lengths.map { length in
          let start = Int.random(in: 0...(bytes.count - length), using: &generator)
          return UnsafeRawBufferPointer(rebasing: bytes[start..<start + length])
        }
        for algorithms in sets {
          let alone = try contents.map { try Digester.digests(of: $0, algorithms) }
          var batch = try BatchDigester(algorithms)
          #expect(try batch.digests(of: contents) == alone, "\(lengths)")
          if DigestLanes.areTrusted { #expect(DigestLanes(algorithms).digests(of: contents) == alone, "\(lengths)") }
        }
      }
      try check([])
      // Around the ends of blocks, and of the room that a length needs.
      for length in 0...130 { try check([length]) }
      for count in [1, 15, 16, 17, 31, 32, 33] { try check((0..<count).map { 50 + $0 }) }
      try check(Array(0...300))
      try check([20_000, 0, 0, 1, 64, 19_999])
      for _ in 0..<20 {
        try check((0..<Int.random(in: 2...80, using: &generator)).map { _ in Int.random(in: 0...5000, using: &generator) })
      }
    }
    var batch = try BatchDigester([.sha256])
    let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
    #expect(try batch.digests(of: [nothing, nothing]).allSatisfy { $0[0].isOfEmptyContent })
  }

  @Test func hexIsReadInEitherCaseAndRefusedOtherwise() {
    let lower = Digest(.md5, hex: "900150983cd24fb0d6963f7d28e17f72")
    #expect(lower == Digest(.md5, hex: "900150983CD24FB0D6963F7D28E17F72"))
    #expect(lower?.hex == "900150983cd24fb0d6963f7d28e17f72")
    #expect(Digest(.md5, hex: "900150983cd24fb0d6963f7d28e17f7") == nil)
    #expect(Digest(.md5, hex: "900150983cd24fb0d6963f7d28e17f7g") == nil)
    #expect(Digest(.sha1, hex: "900150983cd24fb0d6963f7d28e17f72") == nil)
    #expect(PerceptualHash(hex: "00") == nil)
  }

  @Test func ordersAsItsBytesDo() {
    var generator = SeededGenerator(seed: 5)
    for algorithm in DigestAlgorithm.allCases {
      let digests = (0..<200).map { _ in
        Digest(algorithm, bytes: (0..<algorithm.byteCount).map { _ in UInt8.random(in: 0...3, using: &generator) })!
      }
      let byValue = digests.sorted().map(\.bytes)
      #expect(byValue == digests.map(\.bytes).sorted { $0.lexicographicallyPrecedes($1) })
    }
  }

  @Test func distanceCountsDifferingBits() {
    let zero = PerceptualHash(words: .zero)
    #expect(zero.distanceInBits(to: zero) == 0)
    #expect(zero.distanceInBits(to: PerceptualHash(words: SIMD4(repeating: .max))) == 256)
    #expect(zero.distanceInBits(to: PerceptualHash(words: SIMD4(1, 0, 3, 1 << 63))) == 4)
    #expect(zero.isNearlyConstant)
    #expect(!PerceptualHash(words: SIMD4(.max, .max, 0, 0)).isNearlyConstant)
  }
}
