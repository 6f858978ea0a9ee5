import Decoding
import Testing

struct MediaTypeTests {
  private func sniff(_ bytes: [UInt8]) -> MediaType? { bytes.withUnsafeBytes(MediaType.sniff) }

  @Test func picturesAreToldByTheirBytes() {
    #expect(sniff(TestPictures.png(width: 1, height: 1, colour: 0, rows: [1])) == .png)
    #expect(sniff(TestPictures.bmp(width: 1, height: 1, pixels: [1, 2, 3])) == .bmp)
    #expect(sniff([0xff, 0xd8, 0xff, 0xe0, 0, 16]) == .jpeg)
    #expect(sniff(Array("GIF89a".utf8)) == .gif)
  }

  @Test func containersAreToldByTheirBytes() {
    let box: (String) -> [UInt8] = { [0, 0, 0, 24] + Array("ftyp\($0)".utf8) + [0, 0, 2, 0] + Array("mp41isom".utf8) }
    #expect(sniff(box("isom")) == .mp4)
    #expect(sniff(box("qt  ")) == .quickTime)
    #expect(sniff(box("3gp4")) == .threeGPP)
    #expect(sniff(box("avif")) == .avif)
    #expect(sniff(box("heic")) == .heic)
    #expect(sniff([0x1a, 0x45, 0xdf, 0xa3, 0x9f, 0x42, 0x82, 0x84] + Array("webm".utf8)) == .webm)
    #expect(sniff([0x1a, 0x45, 0xdf, 0xa3, 0x9f, 0x42, 0x82, 0x88] + Array("matroska".utf8)) == .matroska)
    #expect(sniff(Array("RIFF\u{1}\u{1}\u{1}\u{1}AVI LIST".utf8)) == .avi)
    #expect(sniff(Array("%PDF-1.7".utf8)) == .pdf)
    #expect(sniff([0x50, 0x4b, 3, 4, 20, 0]) == .zip)
    #expect(sniff([0x1f, 0x8b, 8, 0, 0, 0]) == .gzip)
    #expect(sniff([0, 0, 1, 0xba, 0x44, 0]) == .mpegProgram)
    var stream = [UInt8](repeating: 0, count: 512)
    for at in stride(from: 0, to: 512, by: 188) { stream[at] = 0x47 }
    #expect(sniff(stream) == .mpegTransport)
  }

  @Test func shortSignaturesNeedMoreThanTheirLetters() {
    #expect(sniff(Array("BM is how this text begins, and it goes on for a while".utf8)) == nil)
    #expect(sniff([0xff, 0xd8]) == nil)
    #expect(sniff([0xff, 0xd8, 0xff, 0x00]) == nil)
    #expect(sniff([0, 0, 1, 0]) == nil)
    #expect(sniff([0, 0, 1, 0xba, 0xff]) == nil)
    #expect(sniff([0x1f, 0x8b, 0, 0]) == nil)
    #expect(sniff(Array("Gallery of nothing".utf8)) == nil)
    #expect(sniff([]) == nil)
  }

  @Test func randomBytesAfterBMAreHardlyEverABitmap() {
    for seed in 0..<20_000 { #expect(sniff([0x42, 0x4d] + TestPictures.noise(62, seed: UInt64(seed))) == nil) }
  }

  @Test func everyPrefixOfAHeadIsReadWithinItsBounds() {
    for type in MediaType.allCases { #expect(type.isPicture || type.isVideo || !type.isDecodable) }
    let head = TestPictures.bmp(width: 3, height: 3, pixels: TestPictures.noise(27, seed: 14))
    for length in 0...head.count { _ = sniff(Array(head.prefix(length))) }
  }
}
