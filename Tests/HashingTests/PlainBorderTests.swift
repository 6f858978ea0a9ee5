import Hashing
import TestSupport
import Testing

/// The picture within a border is found, and a picture without one is left alone.
struct PlainBorderTests {
  /// Noise of a picture's kind: neighbours resemble each other.
  private func picture(_ width: Int, _ height: Int, seed: UInt64 = 1) -> [UInt8] {
    var random = SeededGenerator(seed: seed)
    var samples = [UInt8](repeating: 0, count: width * height)
    for y in 0..<height {
      for x in 0..<width {
        samples[y * width + x] = UInt8(60 + (x * 3 + y * 5) % 120 + Int.random(in: 0..<30, using: &random))
      }
    }
    return samples
  }

  private func bordered(
    _ samples: [UInt8], _ width: Int, _ height: Int, left: Int, top: Int, right: Int, bottom: Int, colour: UInt8
  ) -> (samples: [UInt8], width: Int, height: Int) {
    let (wide, high) = (left + width + right, top + height + bottom)
    var all = [UInt8](repeating: colour, count: wide * high)
    for y in 0..<height {
      for x in 0..<width { all[(top + y) * wide + left + x] = samples[y * width + x] }
    }
    return (all, wide, high)
  }

  private func region(_ samples: [UInt8], _ width: Int, _ height: Int) -> PlaneRegion? {
    samples.withUnsafeBufferPointer {
      LumaPlane(width: width, height: height, samples: .bytes($0)).regionWithinPlainBorders()
    }
  }

  @Test(arguments: [(0, 0, 0, 1), (1, 0, 0, 0), (8, 8, 8, 8), (0, 40, 0, 40), (30, 0, 30, 0), (3, 17, 9, 1)])
  func everySideIsFoundToTheLine(_ sides: (Int, Int, Int, Int)) {
    let samples = picture(120, 80)
    for colour: UInt8 in [0, 255] {
      let (left, top, right, bottom) = sides
      let all = bordered(samples, 120, 80, left: left, top: top, right: right, bottom: bottom, colour: colour)
      #expect(region(all.samples, all.width, all.height) == PlaneRegion(left: left, top: top, width: 120, height: 80))
      let floats = all.samples.map(Float.init)
      floats.withUnsafeBufferPointer { buffer in
        let plane = LumaPlane(width: all.width, height: all.height, samples: .floats(buffer))
        #expect(plane.regionWithinPlainBorders() == PlaneRegion(left: left, top: top, width: 120, height: 80))
      }
    }
  }

  @Test func aPictureWithoutABorderIsLeftAlone() {
    for seed in 0..<20 { #expect(region(picture(100, 70, seed: UInt64(seed)), 100, 70) == nil) }
  }

  @Test func whatIsPlainAltogetherOrHardlyAPictureHasNoRegion() {
    #expect(region([UInt8](repeating: 9, count: 6400), 80, 80) == nil)
    let all = bordered(picture(20, 80), 20, 80, left: 90, top: 0, right: 90, bottom: 0, colour: 0)
    #expect(region(all.samples, all.width, all.height) == nil)
    #expect(region([7], 1, 1) == nil)
    #expect(region([7, 7, 200, 200], 4, 1) == nil)
  }

  @Test func aCaptionInTheBorderIsToleratedAndNoiseToo() {
    var random = SeededGenerator(seed: 5)
    var all = bordered(picture(200, 100), 200, 100, left: 0, top: 20, right: 0, bottom: 20, colour: 10)
    for at in 0..<200 * 20 { all.samples[at] = UInt8(10 + Int.random(in: -8...8, using: &random)) }
    for x in 90..<93 { all.samples[5 * 200 + x] = 250 }
    #expect(region(all.samples, 200, 140) == PlaneRegion(left: 0, top: 20, width: 200, height: 100))
  }

  @Test func samplesThatAreNoNumbersAreNoBorder() {
    let samples = [Float](repeating: .nan, count: 6400)
    samples.withUnsafeBufferPointer { buffer in
      #expect(LumaPlane(width: 80, height: 80, samples: .floats(buffer)).regionWithinPlainBorders() == nil)
    }
  }

  @Test func theCopyIsThePictureItself() {
    let samples = picture(120, 80)
    let all = bordered(samples, 120, 80, left: 5, top: 6, right: 7, bottom: 8, colour: 0)
    all.samples.withUnsafeBufferPointer { buffer in
      let plane = LumaPlane(width: all.width, height: all.height, samples: .bytes(buffer))
      let hash = plane.withCopy(of: PlaneRegion(left: 5, top: 6, width: 120, height: 80), PDQ.hash)
      samples.withUnsafeBufferPointer {
        #expect(hash == PDQ.hash(LumaPlane(width: 120, height: 80, samples: .bytes($0))))
      }
    }
  }
}
