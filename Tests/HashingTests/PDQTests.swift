import Foundation
import Testing
import TestSupport

@testable import Hashing

struct PDQTests {
  /// A row of the corpus's bit-exact vectors, with its plane.
  struct Vector: CustomTestStringConvertible, Sendable {
    let row: [String: String]
    var testDescription: String { row["file"]! }
    var width: Int { Int(row["width"]!)! }
    var height: Int { Int(row["height"]!)! }

    func withPlane<Result>(_ body: (LumaPlane) throws -> Result) throws -> Result {
      let bytes = try Corpus.bytes("vectors/" + row["file"]!)
      if row["layout"] == "gray" {
        return try bytes.withUnsafeBufferPointer {
          try body(LumaPlane(width: width, height: height, samples: .bytes($0)))
        }
      }
      return try luma(rgb: bytes).withUnsafeBufferPointer {
        try body(LumaPlane(width: width, height: height, samples: .floats($0)))
      }
    }

    /// Has coefficients that should be zero, and are rounding noise.
    var isDegenerate: Bool { ["flat_", "white_", "gradx_"].contains(where: testDescription.contains) }

    var isSampledAlikeMirrored: Bool {
      [width, height].map { BoxWindow(length: $0) }.allSatisfy {
        $0.mirroredPositions.map { Set($0) } == Set($0.sampledPositions)
      }
    }

    static var all: [Vector] {
      guard Corpus.isPresent else { return [] }
      do { return try Corpus.table("vectors/raw_expected.csv").map(Vector.init) } catch {
        Issue.record(error)
        return []
      }
    }
  }

  @Test(arguments: Vector.all) func hashesAsTheReferenceDoes(_ vector: Vector) throws {
    let hash = try vector.withPlane(PDQ.hash)
    #expect(hash.quality.map(String.init) == vector.row["quality"])
    // Flat pictures: the bits are rounding noise, only the quality counts.
    if !vector.testDescription.contains("flat_") { #expect(hash.hex == vector.row["pdq_hex"]) }
  }

  /// Where samples of the mirrored picture are those of the picture, the reference's turned hashes are exact too.
  @Test(arguments: Vector.all.filter { $0.isSampledAlikeMirrored && !$0.isDegenerate })
  func turnsAndMirrorsAsTheReferenceDoes(_ vector: Vector) throws {
    let names = ["orig", "rot90", "rot180", "rot270", "flipx", "flipy", "flipplus1", "flipminus1"]
    let hashes = try vector.withPlane(PDQ.dihedralHashes)
    for (hash, name) in zip(hashes, names) { #expect(hash.hex == vector.row["dih_" + name], "\(name)") }
  }

  @Test(arguments: Vector.all.filter { !$0.isDegenerate }) func turnedHashesAreThoseOfTurnedPictures(_ vector: Vector) throws {
    let hashes = try vector.withPlane(PDQ.dihedralHashes)
    for (dihedral, hash) in zip(Dihedral.allCases, hashes) {
      let turned = try vector.withPlane { $0.withTurned(dihedral, PDQ.hash) }
      #expect(hash.distanceInBits(to: turned) == 0, "\(dihedral)")
      #expect(hash.quality == hashes[0].quality)
    }
  }

  /// The streaming passes against the definition, written out plainly.
  @Test func downsamplesAsTheDefinitionSays() {
    var generator = SeededGenerator(seed: 7)
    let sizes = [5, 6, 7, 8, 9, 63, 64, 65, 127, 128, 129, 130, 255, 256, 257, 511, 513, 700]
    for width in sizes {
      for height in [5, 8, 64, 128, 129, 257, 640] {
        let samples = (0..<width * height).map { _ in Float.random(in: 0...255, using: &generator) }
        let expected = plainDownsample(samples, width: width, height: height)
        let actual = samples.withUnsafeBufferPointer {
          PDQDownsampler(width: width, height: height).downsample(
            LumaPlane(width: width, height: height, samples: .floats($0))
          ).square()
        }
        #expect(actual == expected, "\(width) × \(height)")
      }
    }
  }

  @Test func bytesAndFloatsOfOnePictureHashAlike() {
    var generator = SeededGenerator(seed: 8)
    // Lines of less and more than are taken at once, and of more than have a sum of sixteen bits in a window.
    for (width, height) in [
      (5, 5), (31, 6), (32, 33), (33, 9), (64, 64), (200, 100), (131, 640), (800, 600), (4100, 130), (32_896, 6), (32_897, 5),
      (40_000, 7), (5, 40_000),
    ] {
      let bytes = (0..<width * height).map { (index: Int) -> UInt8 in
        UInt8(truncatingIfNeeded: index / 3 + Int.random(in: 0...60, using: &generator))
      }
      let fromBytes = bytes.withUnsafeBufferPointer {
        PDQ.dihedralHashes(LumaPlane(width: width, height: height, samples: .bytes($0)))
      }
      let fromFloats = bytes.map(Float.init).withUnsafeBufferPointer {
        PDQ.dihedralHashes(LumaPlane(width: width, height: height, samples: .floats($0)))
      }
      #expect(fromBytes == fromFloats, "\(width) × \(height)")
    }
  }

  @Test func samplesThatAreNoLuminanceHaveNoHash() {
    for bad in [Float.nan, .infinity, -.infinity, .greatestFiniteMagnitude, -1e30] {
      for size in [64, 100, 300] {
        var samples = (0..<size * size).map { Float($0 % 251) }
        samples[size * size / 2 + 3] = bad
        let hash = samples.withUnsafeBufferPointer {
          PDQ.hash(LumaPlane(width: size, height: size, samples: .floats($0)))
        }
        #expect(hash == PerceptualHash(words: .zero, quality: 0))
      }
    }
  }

  @Test func everySizeFromOnePixelUpHasAnAnswer() {
    for width in 1...12 {
      for height in 1...12 {
        let bytes = (0..<width * height).map { UInt8(truncatingIfNeeded: $0 * 37) }
        let hash = bytes.withUnsafeBufferPointer {
          PDQ.hash(LumaPlane(width: width, height: height, samples: .bytes($0)))
        }
        if min(width, height) < 5 {
          #expect(hash == PerceptualHash(words: .zero, quality: 0))
        } else {
          #expect(hash.words != .zero)
        }
      }
    }
  }
}

extension LumaPlane {
  /// Lends the plane turned.
  fileprivate func withTurned<Result>(_ dihedral: Dihedral, _ body: (LumaPlane) -> Result) -> Result {
    let steps = dihedral.steps
    let (turnedWidth, turnedHeight) = steps.transposes ? (height, width) : (width, height)
    func sample(_ x: Int, _ y: Int) -> Float {
      switch samples {
      case .bytes(let bytes): Float(bytes[y * width + x])
      case .floats(let floats): floats[y * width + x]
      }
    }
    let turned = (0..<turnedHeight).flatMap { row in
      (0..<turnedWidth).map { column in
        let (x, y) = steps.transposes ? (row, column) : (column, row)
        return sample(steps.mirrorsColumns ? width - 1 - x : x, steps.mirrorsRows ? height - 1 - y : y)
      }
    }
    return turned.withUnsafeBufferPointer { body(LumaPlane(width: turnedWidth, height: turnedHeight, samples: .floats($0))) }
  }
}

/// Luminance of interleaved 8-bit R, G, B, as the reference's binding forms it.
func luma(rgb: [UInt8]) -> [Float] {
  stride(from: 0, to: rgb.count, by: 3).map { (start: Int) -> Float in
    let (red, green, blue) = (Double(rgb[start]), Double(rgb[start + 1]), Double(rgb[start + 2]))
    return Float(0.299 * red + 0.587 * green + 0.114 * blue)
  }
}

/// PDQ's box filter and decimation word for word: four passes over the whole plane.
private func plainDownsample(_ samples: [Float], width: Int, height: Int) -> [Float] {
  func box(_ input: [Float], _ output: inout [Float], start: Int, length: Int, stride: Int) {
    let size = (length + 127) / 128
    let half = (size + 2) / 2
    var (sum, count) = (Float(0), 0)
    var (leaving, entering, writing) = (start, start, start)
    func write() {
      output[writing] = sum / Float(count)
      writing += stride
    }
    for _ in 0..<half - 1 { (sum, count, entering) = (sum + input[entering], count + 1, entering + stride) }
    for _ in 0..<size - half + 1 {
      (sum, count, entering) = (sum + input[entering], count + 1, entering + stride)
      write()
    }
    for _ in 0..<length - size {
      sum += input[entering]
      sum -= input[leaving]
      (entering, leaving) = (entering + stride, leaving + stride)
      write()
    }
    for _ in 0..<half - 1 {
      (sum, count, leaving) = (sum - input[leaving], count - 1, leaving + stride)
      write()
    }
  }
  var plane = samples
  var scratch = samples
  for _ in 0..<2 {
    for y in 0..<height { box(plane, &scratch, start: y * width, length: width, stride: 1) }
    for x in 0..<width { box(scratch, &plane, start: x, length: height, stride: width) }
  }
  return (0..<64 * 64).map { index in
    let y = Int((Double(index / 64) + 0.5) * Double(height) / 64)
    let x = Int((Double(index % 64) + 0.5) * Double(width) / 64)
    return plane[y * width + x]
  }
}
