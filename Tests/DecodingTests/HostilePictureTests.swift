import Decoding
import TestSupport
import Testing

/// Whatever the bytes, the answer is a plane or a reason, and the pool goes on.
@Suite(.serialized)
struct HostilePictureTests {
  static let good = TestPictures.png(width: 8, height: 8, colour: 2, rows: TestPictures.noise(192, seed: 8))

  private func refusal(_ file: [UInt8], as type: MediaType) throws -> Unhashable? {
    if case .failure(let unhashable) = try decode(file, as: type) { return unhashable }
    return nil
  }

  @Test(arguments: MediaType.allCases.filter(\.isDecodable)) func anEmptyFileIsBroken(type: MediaType) throws {
    #expect(try refusal([], as: type)?.code == .broken)
  }

  @Test func aTypeWithoutADecoderIsUnsupported() throws {
    let answer = try refusal([1, 2, 3], as: .pdf)
    #expect(answer?.code == .unsupported && answer?.reason == "application/pdf is not decoded")
  }

  @Test func everyPrefixOfAPictureIsDecodedOrBroken() throws {
    let rgb = TestPictures.noise(7 * 6 * 3, seed: 9)
    for file in [
      TestPictures.png(width: 7, height: 6, colour: 2, rows: rgb), TestPictures.bmp(width: 7, height: 6, pixels: rgb),
    ] {
      for length in 0..<file.count {
        let type: MediaType = file[0] == 0x89 ? .png : .bmp
        switch try decode(Array(file.prefix(length)), as: type) {
        case .success(let plane): #expect(plane.samples == TestPictures.luma(rgb), "a part passed for the whole")
        case .failure(let answer): #expect(answer.code == .broken, "\(length): \(answer.reason)")
        }
      }
    }
  }

  @Test(
    .enabled(if: Corpus.zoo != nil),
    arguments: [
      "baseline.jpg", "progressive.jpg", "arithmetic.jpg", "restart.jpg", "cmyk.jpg", "base.png", "interlaced.png",
      "lossy.webp", "lossless.webp", "animated.webp", "static.gif", "rgb24.bmp", "palette.bmp", "jpeg.tiff", "lzw.tiff",
      "raw.tiff", "still.avif", "still.heic", "from_jpeg.jxl", "lossy.jxl", "pixmap.ppm", "targa.tga",
    ])
  func halfAPictureIsAPrematureEnd(name: String) throws {
    guard let zoo = try? Corpus.file(name) else { return }
    let whole = try decode(zoo).get()
    for share in [0.05, 0.3, 0.5, 0.9] {
      let length = Int(Double(zoo.count) * share)
      switch try decode(Array(zoo.prefix(length)), as: zoo.withUnsafeBytes(MediaType.sniff)) {
      case .success(let plane): #expect(plane == whole, "\(name) at \(length) bytes passed for the whole")
      case .failure(let answer): #expect(answer.code == .broken, "\(name) at \(length): \(answer.reason)")
      }
    }
  }

  @Test(.enabled(if: Corpus.zoo != nil), arguments: ["baseline.jpg", "progressive.jpg"])
  func aJPEGThatLacksOnlyItsEndMarkerIsWhole(name: String) throws {
    let file = try Corpus.file(name)
    #expect(try decode(file.dropLast(2)).get() == decode(file).get())
  }

  @Test(.enabled(if: Corpus.zoo != nil)) func aJPEGCutAndClosedAgainIsAPrematureEnd() throws {
    let file = try Corpus.file("baseline.jpg")
    let answer = try refusal(Array(file.prefix(file.count / 2)) + [0xff, 0xd9], as: .jpeg)
    #expect(answer?.reason == "premature end of data")
  }

  @Test func aClaimOf64kSquareMeetsTheLimit() throws {
    let most = 1 << 28
    let pixels = 65_535 * 65_535
    var png = Self.good
    png.replaceSubrange(16..<24, with: [0, 0, 255, 255, 0, 0, 255, 255])
    var gif = Array("GIF89a".utf8) + [255, 255, 255, 255, 0, 0, 0]
    gif += [0x2c, 0, 0, 0, 0, 1, 0, 1, 0, 0, 2, 1, 0, 0, 0x3b]
    var bmp = TestPictures.bmp(width: 2, height: 2, pixels: TestPictures.noise(12, seed: 10))
    bmp.replaceSubrange(18..<26, with: [255, 255, 0, 0, 255, 255, 0, 0])
    // SOI, then SOF0 with one component; SOS is needed for libjpeg to look at the size.
    let jpeg: [UInt8] = [
      0xff, 0xd8, 0xff, 0xc0, 0, 11, 8, 255, 255, 255, 255, 1, 1, 0x11, 0, 0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0, 0, 0,
    ]
    for (type, file) in [(MediaType.png, png), (.gif, gif), (.bmp, bmp)] {
      let answer = try refusal(file, as: type)
      #expect(answer?.code == .limit, "\(type)")
      #expect(answer?.reason == "limit: \(pixels) pixels, at most \(most)", "\(type)")
    }
    // libjpeg has a bound of its own, which comes first.
    #expect(try refusal(jpeg, as: .jpeg)?.reason == "limit: a side of more than 65500 pixels")
  }

  @Test func aSideOverTheLimitIsNamed() throws {
    let most = Int(DecodingLimits.mostSideInPixels)
    for (width, height, reason) in [
      (most + 1, 5, "limit: 4194305 pixels wide or high, at most 4194304"),
      (5, most + 1, "limit: 4194305 pixels wide or high, at most 4194304"), (most, 5, nil),
    ] {
      var png = Self.good
      png.replaceSubrange(16..<24, with: [width, height].flatMap { side in [24, 16, 8, 0].map { UInt8(side >> $0 & 255) } })
      let answer = try refusal(png, as: .png)
      #expect(answer?.code == (reason == nil ? .broken : .limit) && (reason == nil || answer?.reason == reason), "\(width)")
    }
  }

  @Test func aFileOverTheInputLimitIsNamedAndTheNextOneWorks() throws {
    var limits = DecodingLimits()
    limits.inputInBytes = 4096
    let pool = try DecoderPool(size: 1, limits: limits)
    let large = TestPictures.png(width: 64, height: 64, colour: 2, rows: TestPictures.noise(64 * 64 * 3, seed: 11))
    let answer = try pool.decode(large, as: .png)
    #expect(throws: Unhashable(.limit, "")) { try answer.get() }
    if case .failure(let unhashable) = answer {
      #expect(unhashable.reason == "limit: \(large.count) bytes, at most 4096")
    }
    _ = try pool.decode(Self.good).get()
  }

  @Test func aPictureOverThePixelLimitIsNamed() throws {
    var limits = DecodingLimits()
    limits.pixels = 63
    let pool = try DecoderPool(size: 1, limits: limits)
    let answer = try pool.decode(Self.good)
    if case .failure(let unhashable) = answer { #expect(unhashable.reason == "limit: 64 pixels, at most 63") }
    #expect(throws: Unhashable(.limit, "")) { try answer.get() }
  }

  @Test func aPictureThatNeedsMoreMemoryThanAWorkerMayHaveIsNamed() throws {
    // Interlaced and on its side: all 780 MB of pixels must be held to be turned.
    let file = TestPictures.png(
      width: 20_000, height: 13_000, colour: 2, rows: [], exif: TestPictures.exif(orientation: 6), interlaced: true)
    let answer = try refusal(file, as: .png)
    #expect(answer?.code == .limit)
    #expect(answer?.reason == "limit: the decoder needs more memory than 2147483648 bytes")
    _ = try decode(Self.good).get()
  }

  @Test func mutatedPicturesNeverCrashAWorker() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("mutations: seed \(seed)")
    var random = SeededGenerator(seed: seed)
    let rgb = TestPictures.noise(40 * 30 * 3, seed: 12)
    var files: [(MediaType, [UInt8])] = [
      (.png, TestPictures.png(width: 40, height: 30, colour: 2, rows: rgb)),
      (.bmp, TestPictures.bmp(width: 40, height: 30, pixels: rgb)),
    ]
    if Corpus.zoo != nil {
      files += try [
        (.jpeg, Corpus.file("baseline.jpg")), (.jpeg, Corpus.file("progressive.jpg")),
        (.jpeg, Corpus.file("arithmetic.jpg")), (.jpeg, Corpus.file("cmyk.jpg")), (.gif, Corpus.file("static.gif")),
        (.webp, Corpus.file("lossy.webp")), (.webp, Corpus.file("lossless.webp")),
        (.webp, Corpus.file("animated.webp")),
        (.png, Corpus.file("interlaced.png")), (.bmp, Corpus.file("palette.bmp")), (.tiff, Corpus.file("jpeg.tiff")),
        (.tiff, Corpus.file("lzw.tiff")), (.avif, Corpus.file("still10.avif")), (.heic, Corpus.file("still.heic")),
        (.jxl, Corpus.file("from_jpeg.jxl")), (.jxl, Corpus.file("lossy.jxl")), (.pnm, Corpus.file("pixmap.ppm")),
        (.targa, Corpus.file("targa.tga")),
      ]
    }
    let pool = try DecoderPool.shared.get()
    for round in 0..<800 {
      var (type, file) = files[round % files.count]
      switch round / files.count % 4 {
      case 0: for _ in 0..<Int.random(in: 1...30, using: &random) { flip(&file, file.count, &random) }
      case 1: for _ in 0..<Int.random(in: 1...10, using: &random) { flip(&file, min(600, file.count), &random) }
      case 2: file.removeSubrange(Int.random(in: 1..<file.count, using: &random)...)
      default:
        let at = Int.random(in: 0..<file.count, using: &random)
        file.insert(
          contentsOf: TestPictures.noise(Int.random(in: 1...500, using: &random), seed: random.next()), at: at)
      }
      if case .failure(let answer) = try pool.decode(file, as: type) {
        #expect(answer.code != .crashed && answer.code != .timedOut, "round \(round), \(type): \(answer.reason)")
        #expect(!answer.reason.isEmpty && answer.reason.utf8.count < 200)
        #expect(answer.reason.utf8.allSatisfy { (0x20...0x7e).contains($0) })
      }
    }
  }

  private func flip(_ file: inout [UInt8], _ end: Int, _ random: inout SeededGenerator) {
    file[Int.random(in: 0..<end, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
  }
}
