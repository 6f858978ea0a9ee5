import Decoding
import TestSupport
import Testing

/// Pixels come out as the reference sees them.
struct PictureTests {
  @Test func colourPNGGivesTheReferencesLumaBitForBit() throws {
    let (width, height) = (67, 41)
    let rgb = TestPictures.noise(width * height * 3, seed: 1)
    let plane = try decode(TestPictures.png(width: width, height: height, colour: 2, rows: rgb)).get()
    #expect(plane.isFloat && plane.width == width && plane.height == height)
    #expect(plane.samples == TestPictures.luma(rgb))
  }

  @Test func alphaIsDroppedAndTheColourUnderItKept() throws {
    let rgba = TestPictures.noise(9 * 7 * 4, seed: 2)
    let rgb = rgba.enumerated().filter { $0.offset % 4 != 3 }.map(\.element)
    let plane = try decode(TestPictures.png(width: 9, height: 7, colour: 6, rows: rgba)).get()
    #expect(plane.samples == TestPictures.luma(rgb))
    let grayAlpha = try decode(TestPictures.png(width: 9, height: 14, colour: 4, rows: rgba)).get()
    #expect(!grayAlpha.isFloat && grayAlpha.samples == stride(from: 0, to: rgba.count, by: 2).map { Float(rgba[$0]) })
  }

  @Test func grayPNGGivesItsBytes() throws {
    let gray = TestPictures.noise(33 * 20, seed: 3)
    let plane = try decode(TestPictures.png(width: 33, height: 20, colour: 0, rows: gray)).get()
    #expect(!plane.isFloat && plane.samples == gray.map(Float.init))
  }

  @Test func sixteenBitsKeepTheirHighByte() throws {
    let raw = TestPictures.noise(12 * 5 * 6, seed: 4)
    let high = stride(from: 0, to: raw.count, by: 2).map { raw[$0] }
    let colour = try decode(TestPictures.png(width: 12, height: 5, depth: 16, colour: 2, rows: raw)).get()
    #expect(colour.samples == TestPictures.luma(high))
    let gray = try decode(TestPictures.png(width: 12, height: 15, depth: 16, colour: 0, rows: raw)).get()
    #expect(gray.samples == high.map(Float.init))
  }

  @Test func palettesAndSmallDepthsAreSpreadOut() throws {
    let palette: [UInt8] = [255, 0, 0, 0, 255, 0, 0, 0, 255, 10, 20, 30]
    let indexed = try decode(
      TestPictures.png(width: 4, height: 1, depth: 2, colour: 3, rows: [0b00_01_10_11], palette: palette)
    ).get()
    #expect(indexed.samples == TestPictures.luma(palette))
    let bits = try decode(TestPictures.png(width: 8, height: 1, depth: 1, colour: 0, rows: [0b1010_0001])).get()
    #expect(bits.samples == [255, 0, 255, 0, 0, 0, 0, 255])
  }

  @Test func bitmapGivesTheReferencesLumaBitForBit() throws {
    let rgb = TestPictures.noise(23 * 11 * 3, seed: 5)
    let plane = try decode(TestPictures.bmp(width: 23, height: 11, pixels: rgb)).get()
    #expect(plane.isFloat && plane.width == 23 && plane.samples == TestPictures.luma(rgb))
  }

  /// libjpeg-turbo does not bring such colours to the whole width, and gives the luma alone.
  @Test func coloursOfTwoThirdsOfTheWidthDoNotMatter() throws {
    func segment(_ marker: UInt8, _ content: [UInt8]) -> [UInt8] { [0xff, marker, 0, UInt8(content.count + 2)] + content }
    // One code, of one bit, for zero: every block is two zero bits.
    let codes: [UInt8] = [1] + [UInt8](repeating: 0, count: 16)
    let file =
      [0xff, 0xd8] + segment(0xdb, [0] + [UInt8](repeating: 1, count: 64))
      + segment(0xc0, [8, 0, 8, 0, 24, 3, 1, 0x31, 0, 2, 0x21, 0, 3, 0x11, 0]) + segment(0xc4, [0x00] + codes)
      + segment(0xc4, [0x10] + codes) + segment(0xda, [3, 1, 0, 2, 0, 3, 0, 0, 63, 0]) + [0x00, 0x0f, 0xff, 0xd9]
    let plane = try decode(file).get()
    #expect(!plane.isFloat && plane.samples == [Float](repeating: 128, count: 24 * 8))
  }

  /// As the reference has it: a profile says how a display is to show the samples, the hash is of the samples.
  @Test func colourProfilesChangeNothing() throws {
    let rgb = TestPictures.noise(23 * 11 * 3, seed: 8)
    let profile = TestPictures.swappedProfile()
    let plain = try decode(TestPictures.png(width: 23, height: 11, colour: 2, rows: rgb)).get()
    #expect(plain.samples == TestPictures.luma(rgb))
    #expect(try decode(TestPictures.png(width: 23, height: 11, colour: 2, rows: rgb, gamma: 100_000)).get() == plain)
    #expect(try decode(TestPictures.png(width: 23, height: 11, colour: 2, rows: rgb, profile: profile)).get() == plain)
    let jpeg = try TestDisks.bytes("pictures/dunes.jpg")
    let segment = Array("ICC_PROFILE\0".utf8) + [1, 1] + profile
    #expect(try decode(TestDirectories.jpeg(jpeg, 0xe2, segment)).get() == decode(jpeg).get())
  }

  @Test(arguments: 1...8) func orientationTurnsThePlaneUpright(orientation: Int) throws {
    // More than two bands of rows, and no multiple of one.
    let (width, height) = (29, 37)
    let rgb = TestPictures.noise(width * height * 3, seed: 6)
    let luma = TestPictures.luma(rgb)
    let gray = Array(rgb.prefix(width * height))
    let exif = TestPictures.exif(orientation: UInt8(orientation))
    let colour = try decode(TestPictures.png(width: width, height: height, colour: 2, rows: rgb, exif: exif)).get()
    let flat = try decode(TestPictures.png(width: width, height: height, colour: 0, rows: gray, exif: exif)).get()
    let lies = orientation >= 5
    for plane in [colour, flat] {
      #expect(plane.width == (lies ? height : width) && plane.height == (lies ? width : height))
      var expected: [Float] = []
      for y in 0..<plane.height {
        for x in 0..<plane.width {
          let from = TestPictures.stored(x, y, width, height, orientation: orientation)
          let at = from.y * width + from.x
          expected.append(plane.isFloat ? luma[at] : Float(gray[at]))
        }
      }
      #expect(plane.samples == expected)
    }
  }

  @Test func anIconIsItsLargestPicture() throws {
    let rgb = TestPictures.noise(24 * 16 * 3, seed: 21)
    let png = TestPictures.png(width: 24, height: 16, colour: 2, rows: rgb)
    // A bitmap without its file header, its height doubled for the mask that follows.
    var bitmap = Array(TestPictures.bmp(width: 24, height: 16, pixels: rgb).dropFirst(14))
    bitmap[8] = 32
    bitmap += [UInt8](repeating: 0, count: 16 * 4)
    for content in [png, bitmap] {
      let small = TestPictures.png(width: 8, height: 8, colour: 2, rows: TestPictures.noise(192, seed: 22))
      func entry(_ width: UInt8, _ height: UInt8, _ count: Int, _ offset: Int) -> [UInt8] {
        let numbers = [count, offset].flatMap { value in (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }
        return [width, height, 0, 0, 1, 0, 24, 0] + numbers
      }
      let icon =
        [0, 0, 1, 0, 2, 0] + entry(8, 8, small.count, 38) + entry(24, 16, content.count, 38 + small.count) + small
        + content
      #expect(icon.withUnsafeBytes(MediaType.sniff) == .icon)
      #expect(try decode(icon).get().samples == TestPictures.luma(rgb))
      for length in stride(from: 0, to: icon.count, by: 13) {
        if case .failure(let answer) = try decode(Array(icon.prefix(length)), as: .icon) {
          #expect(answer.code == .broken)
        }
      }
    }
  }

  @Test func portableMapsOfEveryKindAreRead() throws {
    let gray: [UInt8] = [0, 50, 100, 150, 200, 250]
    let files: [(String, [UInt8])] = [
      ("P5\n# a comment\n3 2\n255\n", gray), ("P2 3 2 255 0 50 100 150 200 250\n", []),
      ("P7\nWIDTH 3\nHEIGHT 2\nDEPTH 1\nMAXVAL 255\nTUPLTYPE GRAYSCALE\nENDHDR\n", gray),
    ]
    for (header, pixels) in files {
      let file = Array(header.utf8) + pixels
      #expect(file.withUnsafeBytes(MediaType.sniff) == .pnm, "\(header)")
      #expect(try decode(file).get().samples == gray.map(Float.init), "\(header)")
    }
    #expect(Array("P5 is a road".utf8).withUnsafeBytes(MediaType.sniff) == nil)
  }

  @Test func orientationOutOfRangeIsIgnored() throws {
    let gray = TestPictures.noise(6 * 4, seed: 7)
    for value: UInt8 in [0, 9, 255] {
      let exif = TestPictures.exif(orientation: value)
      let plane = try decode(TestPictures.png(width: 6, height: 4, colour: 0, rows: gray, exif: exif)).get()
      #expect(plane.width == 6 && plane.samples == gray.map(Float.init))
    }
  }
}
