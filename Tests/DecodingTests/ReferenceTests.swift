import Decoding
import Foundation
import Hashing
import TestSupport
import Testing

/// Decoder and PDQ together against the reference's Python binding, which hashes the fully decoded pixels.
@Suite(.enabled(if: Corpus.isPresent)) struct ReferenceTests {
  private func hash(_ path: String) throws -> PerceptualHash? {
    let bytes = try Corpus.bytes(path)
    guard let type = bytes.withUnsafeBytes(MediaType.sniff), type.isDecodable else { return nil }
    return try DecoderPool.shared.get().withLease { lease in
      try bytes.withUnsafeBytes { try lease.append($0) }
      return try lease.decode(type) { PDQ.hash($0.luma) }
    }.get()
  }

  @Test func everyFormatOfTheZooIsNearTheReference() throws {
    var decoded = 0
    for row in try Corpus.table("media/zoo.csv") {
      guard let hash = try hash("media/" + row["file"]!) else { continue }
      decoded += 1
      guard Int(row["quality"]!)! >= 80 else { continue }
      let reference = try #require(PerceptualHash(hex: row["pdq_hex_first_frame_upright"]!))
      #expect(hash.distanceInBits(to: reference) <= 10, "\(row["file"]!)")
    }
    #expect(decoded == 44)
  }

  @Test func photosStayWithinTwoBitsInTheMedian() throws {
    var distances: [Int] = []
    for row in try Corpus.table("vectors/pdq_expected.csv") where Int(row["quality_pdqhash"]!)! >= 80 {
      let upright = row["pdq_hex_pdqhash_upright"]!
      let reference = try #require(PerceptualHash(hex: upright.isEmpty ? row["pdq_hex_pdqhash"]! : upright))
      distances.append(try #require(try hash("vectors/" + row["file"]!)).distanceInBits(to: reference))
    }
    #expect(distances.max()! <= 10 && distances.sorted()[distances.count / 2] <= 2)
    print("distance to the reference over \(distances.count) pictures: \(distances.sorted())")
  }
}
