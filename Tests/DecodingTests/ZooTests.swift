import Decoding
import Foundation
import TestSupport
import Testing

/// One motif in every format, from the shared corpus.
@Suite(.enabled(if: Corpus.zoo != nil))
struct ZooTests {
  /// Upright sizes, as the corpus's table has them.
  static let sizes: [(name: String, width: Int, height: Int)] = [
    ("alpha.png", 480, 318), ("alpha.webp", 480, 318), ("animated.gif", 200, 150), ("animated.png", 200, 150),
    ("animated.webp", 200, 150), ("arithmetic.jpg", 480, 318), ("base.png", 480, 318), ("baseline.jpg", 480, 318),
    ("bilevel.png", 480, 318), ("cmyk.jpg", 480, 318), ("exif_orient3.jpg", 480, 318), ("exif_orient6.jpg", 480, 318),
    ("exif_orient7.jpg", 480, 318), ("flat.png", 300, 200), ("full_chroma.jpg", 480, 318), ("gray.jpg", 480, 318),
    ("gray.png", 480, 318), ("gray16.png", 240, 159), ("interlaced.png", 240, 159), ("large_12mp.jpg", 4000, 3000),
    ("lossless.webp", 240, 159), ("lossy.webp", 480, 318), ("one_pixel.png", 1, 1), ("palette.bmp", 480, 318),
    ("palette.png", 480, 318), ("palette_trns.png", 480, 318), ("progressive.jpg", 480, 318),
    ("restart.jpg", 480, 318), ("rgb16.png", 240, 159), ("rgb24.bmp", 240, 159), ("static.gif", 480, 318),
    ("strip_640x6.png", 640, 6), ("tiny_4x4.png", 4, 4), ("jpeg.tiff", 480, 318), ("lzw.tiff", 480, 318),
    ("raw.tiff", 240, 159), ("multipage.tiff", 200, 150), ("still.avif", 480, 318), ("still10.avif", 480, 318),
    ("still.heic", 480, 318), ("from_jpeg.jxl", 480, 318), ("lossy.jxl", 480, 318), ("pixmap.ppm", 240, 159),
    ("targa.tga", 240, 159),
  ]

  @Test(arguments: sizes) func everyFormatDecodesUprightAtItsSize(_ entry: (name: String, width: Int, height: Int))
    throws
  {
    let plane = try decode(Corpus.file(entry.name), smallestSide: 0).get()
    #expect(plane.width == entry.width && plane.height == entry.height)
    #expect(plane.pictureWidth == entry.width && plane.pictureHeight == entry.height)
  }

  @Test(arguments: [
    ("baseline.jpg", 4.0), ("progressive.jpg", 4), ("arithmetic.jpg", 4), ("restart.jpg", 4), ("full_chroma.jpg", 4),
    ("gray.jpg", 4), ("cmyk.jpg", 3), ("exif_orient3.jpg", 4), ("exif_orient6.jpg", 4), ("exif_orient7.jpg", 4),
    ("gray.png", 0.6), ("bilevel.png", 110), ("palette.png", 8), ("palette.bmp", 8), ("static.gif", 8),
    ("lossy.webp", 6), ("jpeg.tiff", 4), ("lzw.tiff", 0.1), ("still.avif", 6), ("still10.avif", 6), ("still.heic", 6),
    ("from_jpeg.jxl", 4), ("lossy.jxl", 6),
  ])
  func everyFormatShowsTheSameMotif(name: String, meanDifference: Double) throws {
    let base = try decode(Corpus.file("base.png")).get()
    let other = try decode(Corpus.file(name)).get()
    let sum = zip(base.samples, other.samples).reduce(0.0) { $0 + Double(abs($1.0 - $1.1)) }
    #expect(sum / Double(base.samples.count) < meanDifference)
  }

  @Test func losslessFormatsAgreeToTheBit() throws {
    let interlaced = try decode(Corpus.file("interlaced.png")).get()
    #expect(try decode(Corpus.file("lossless.webp")).get().samples == interlaced.samples)
    for name in ["rgb24.bmp", "raw.tiff", "pixmap.ppm", "targa.tga"] {
      #expect(try decode(Corpus.file(name)).get().samples == interlaced.samples, "\(name)")
    }
  }

  @Test func jpegShrinksOnlyAsFarAsBothSidesAllow() throws {
    let file = try Corpus.file("large_12mp.jpg")
    let plane = try decode(file, smallestSide: 751).get()
    #expect(plane.width == 2000 && plane.height == 1500)
    #expect(try decode(file, smallestSide: 750).get().width == 1000)
    #expect(plane.pictureWidth == 4000 && plane.pictureHeight == 3000)
    #expect(try decode(file, smallestSide: 5000).get().width == 4000)
  }

  @Test func everyTypeOfTheZooIsToldByItsBytes() throws {
    let expected: [String: MediaType] = [
      "jpg": .jpeg, "png": .png, "gif": .gif, "webp": .webp, "bmp": .bmp, "tiff": .tiff, "avif": .avif, "heic": .heic,
      "jxl": .jxl, "ppm": .pnm, "tga": .targa,
    ]
    for url in try FileManager.default.contentsOfDirectory(at: Corpus.zoo!, includingPropertiesForKeys: nil) {
      let head = try Corpus.file(url.lastPathComponent).prefix(MediaType.sniffedBytes)
      let type = url.lastPathComponent == "animated.png" ? .apng : expected[url.pathExtension]
      #expect(head.withUnsafeBytes(MediaType.sniff) == type, "\(url.lastPathComponent)")
    }
  }
}
