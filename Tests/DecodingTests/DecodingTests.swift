import Foundation
import Glibc
import Hashing
import SystemPackage
import TestSupport
import Testing

@testable import Decoding

struct DecodingTests {
  private func makePool(_ change: (inout DecodingLimits) -> Void = { _ in }) throws -> DecoderPool {
    var limits = DecodingLimits()
    change(&limits)
    return try DecoderPool(limits: limits, program: FilePath(builtProgram("muhafiz-decoder")))
  }

  private struct Plane: Equatable {
    let width: Int
    let height: Int
    let samples: [Float]
    let isBytes: Bool

    init(_ plane: LumaPlane) {
      (width, height) = (plane.width, plane.height)
      switch plane.samples {
      case .bytes(let buffer): (samples, isBytes) = (buffer.map(Float.init), true)
      case .floats(let buffer): (samples, isBytes) = (Array(buffer), false)
      }
    }
  }

  private func decode<Result>(_ bytes: [UInt8], _ type: MediaType, _ pool: DecoderPool, _ body: (LumaPlane) -> Result) throws -> Result {
    try pool.withLease { lease in
      try lease.begin()
      try bytes.withUnsafeBytes { try lease.append($0) }
      return try lease.decode(type, body)
    }
  }

  private func plane(_ bytes: [UInt8], _ type: MediaType, _ pool: DecoderPool) throws -> Plane {
    try decode(bytes, type, pool) { Plane($0) }
  }

  private func luma(_ rgb: [UInt8]) -> Float {
    Float(0.299 * Double(rgb[0]) + 0.587 * Double(rgb[1]) + 0.114 * Double(rgb[2]))
  }

  @Test func pngSamplesAreTheReferencesToTheLastBit() throws {
    let pool = try makePool()
    var generator = SeededGenerator(seed: 1)
    let (width, height) = (13, 7)
    func samples(_ count: Int) -> [UInt8] { (0..<width * height * count).map { _ in UInt8.random(in: 0...255, using: &generator) } }
    let gray = samples(1)
    #expect(try plane(PNG.make(width, height, colour: 0, gray), .png, pool).samples == gray.map(Float.init))
    #expect(try plane(PNG.make(width, height, colour: 0, gray), .png, pool).isBytes)
    let rgb = samples(3)
    let expected = stride(from: 0, to: rgb.count, by: 3).map { luma(Array(rgb[$0..<$0 + 3])) }
    #expect(try plane(PNG.make(width, height, colour: 2, rgb), .png, pool).samples == expected)
    // Alpha is dropped and the colour under it kept, as the reference's binding is fed.
    let rgba = stride(from: 0, to: rgb.count, by: 3).flatMap { rgb[$0..<$0 + 3] + [UInt8($0 % 256)] }
    #expect(try plane(PNG.make(width, height, colour: 6, rgba), .png, pool).samples == expected)
    // Sixteen bits keep the high byte.
    let deep = rgb.flatMap { (sample: UInt8) -> [UInt8] in [sample, 0xFF] }
    #expect(try plane(PNG.make(width, height, colour: 2, deep, depth: 16), .png, pool).samples == expected)
  }

  @Test func bitmapsDecodeBottomUp() throws {
    let pool = try makePool()
    let rgb: [[UInt8]] = [[255, 0, 0], [0, 255, 0], [0, 0, 255], [9, 99, 199]]
    var bytes = Array("BM".utf8) + [70, 0, 0, 0, 0, 0, 0, 0, 54, 0, 0, 0, 40, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 1, 0, 24, 0]
    bytes += [UInt8](repeating: 0, count: 24)
    for row in [1, 0] { bytes += rgb[row * 2].reversed() + rgb[row * 2 + 1].reversed() + [0, 0] }
    #expect(MediaType.sniff(bytes) == .bmp)
    #expect(try plane(bytes, .bmp, pool).samples == rgb.map(luma))
  }

  /// EXIF 2.32, "Orientation": where the first row and column of what is stored are shown.
  @Test func everyOrientationIsTurnedUpright() throws {
    let pool = try makePool()
    let stored: [UInt8] = [1, 2, 3, 4, 5, 6]  // 3 × 2
    let upright: [[Float]] = [
      [1, 2, 3, 4, 5, 6], [3, 2, 1, 6, 5, 4], [6, 5, 4, 3, 2, 1], [4, 5, 6, 1, 2, 3],
      [1, 4, 2, 5, 3, 6], [4, 1, 5, 2, 6, 3], [6, 3, 5, 2, 4, 1], [3, 6, 2, 5, 1, 4],
    ]
    for orientation in 1...8 {
      let plane = try plane(PNG.make(3, 2, colour: 0, stored, orientation: orientation), .png, pool)
      #expect(plane.samples == upright[orientation - 1], "orientation \(orientation)")
      #expect(plane.width == (orientation >= 5 ? 2 : 3))
    }
  }

  @Test(.enabled(if: Corpus.isPresent)) func everyFormatOfTheZooIsNearTheReference() throws {
    let pool = try makePool()
    var decoded = 0
    for row in try Corpus.table("media/zoo.csv") {
      let bytes = try Corpus.bytes("media/" + row["file"]!)
      guard let type = MediaType.sniff(bytes), type.isDecodable else { continue }
      let hash = try decode(bytes, type, pool, PDQ.hash)
      decoded += 1
      guard Int(row["quality"]!)! >= 80, let reference = PerceptualHash(hex: row["pdq_hex_first_frame_upright"]!) else { continue }
      #expect(hash.distanceInBits(to: reference) <= 10, "\(row["file"]!)")
    }
    #expect(decoded == 33)
  }

  @Test(.enabled(if: Corpus.isPresent)) func photosStayWithinTwoBitsInTheMedian() throws {
    let pool = try makePool()
    var distances: [Int] = []
    for row in try Corpus.table("vectors/pdq_expected.csv") where Int(row["quality_pdqhash"]!)! >= 80 {
      let upright = row["pdq_hex_pdqhash_upright"]!
      let reference = PerceptualHash(hex: upright.isEmpty ? row["pdq_hex_pdqhash"]! : upright)!
      let bytes = try Corpus.bytes("vectors/" + row["file"]!)
      distances.append(try decode(bytes, try #require(MediaType.sniff(bytes)), pool, PDQ.hash).distanceInBits(to: reference))
    }
    #expect(distances.max()! <= 10 && distances.sorted()[distances.count / 2] <= 2)
    print("distance to the reference over \(distances.count) pictures: \(distances.sorted())")
  }

  @Test func limitsAreNamed() throws {
    let pool = try makePool { ($0.pixels, $0.bytes) = (100, 5000) }
    let tooLarge = PNG.make(11, 10, colour: 0, [UInt8](repeating: 1, count: 110))
    #expect(reason(tooLarge, .png, pool) == "limit: 110 pixels, at most 100")
    #expect(reason([UInt8](repeating: 0, count: 5001), .png, pool) == "limit: 5001 bytes, at most 5000")
    // A header that claims more than there can be is refused before anything is allocated.
    var claims = PNG.make(1, 1, colour: 0, [1])
    claims.replaceSubrange(16..<24, with: [0x7F, 0xFF, 0xFF, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF])
    #expect(reason(claims, .png, pool) != nil)
    #expect(try plane(PNG.make(10, 10, colour: 0, [UInt8](repeating: 1, count: 100)), .png, pool).width == 10)
  }

  private func reason(_ bytes: [UInt8], _ type: MediaType, _ pool: DecoderPool) -> String? {
    do { _ = try plane(bytes, type, pool) } catch { return (error as? DecodingError)?.reason ?? "\(error)" }
    return nil
  }

  @Test func everyPrefixOfAPictureIsRefused() throws {
    let pool = try makePool()
    let png = PNG.make(20, 20, colour: 0, (0..<400).map { UInt8($0 % 251) })
    for length in 0..<png.count - 12 { #expect(reason(Array(png[..<length]), .png, pool) != nil, "\(length) bytes") }
    let jpeg = try [UInt8](Data(contentsOf: Corpus.packageRoot.appending(path: "testdata/pictures/dunes.jpg")))
    for length in stride(from: 0, to: jpeg.count - 2, by: 97) {
      #expect(reason(Array(jpeg[..<length]), .jpeg, pool) != nil, "\(length) bytes")
    }
    for type in MediaType.allCases where type.isDecodable { #expect(reason([], type, pool) != nil) }
  }

  @Test func mutatedPicturesCostNothingButThemselves() throws {
    let pool = try makePool { $0.seconds = 3 }
    let whole = PNG.make(20, 20, colour: 0, (0..<400).map { UInt8($0 % 251) })
    var samples: [([UInt8], MediaType)] = [(whole, .png)]
    for name in ["pictures/dunes.jpg", "changed/orchard.webp"] {
      let bytes = try [UInt8](Data(contentsOf: Corpus.packageRoot.appending(path: "testdata/\(name)")))
      samples.append((bytes, try #require(MediaType.sniff(bytes))))
    }
    if Corpus.isPresent {
      for name in ["static.gif", "palette.bmp", "progressive.jpg", "interlaced.png", "animated.webp", "cmyk.jpg"] {
        let bytes = try Corpus.bytes("media/zoo/\(name)")
        samples.append((bytes, try #require(MediaType.sniff(bytes))))
      }
    }
    var generator = SeededGenerator(seed: 99)
    for round in 0..<450 {
      var (bytes, type) = samples[round % samples.count]
      for _ in 0..<Int.random(in: 1...20, using: &generator) {
        bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
      }
      do { _ = try plane(bytes, type, pool) } catch { #expect(error is DecodingError, "round \(round): \(error)") }
    }
    #expect(try plane(whole, .png, pool).width == 20)
  }

  @Test func aDecoderThatDiesCostsOnePicture() throws {
    let pool = try makePool()
    let picture = PNG.make(2, 2, colour: 0, [1, 2, 3, 4])
    kill(try #require(pool.idleProcesses.first), SIGKILL)
    #expect(reason(picture, .png, pool) == "decoder crashed: signal 9")
    #expect(try plane(picture, .png, pool).samples == [1, 2, 3, 4])
  }

  @Test func aDecoderThatHangsIsStopped() throws {
    let pool = try makePool { $0.seconds = 1 }
    let picture = PNG.make(2, 2, colour: 0, [1, 2, 3, 4])
    let process = try #require(pool.idleProcesses.first)
    kill(process, SIGSTOP)
    #expect(reason(picture, .png, pool) == "limit: decoder stopped after 1 s")
    #expect(kill(process, 0) != 0)
    #expect(try plane(picture, .png, pool).samples == [1, 2, 3, 4])
  }

  @Test func theSandboxHolds() throws {
    let pool = try makePool()
    let process = try #require(pool.idleProcesses.first)
    let status = try String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)
    #expect(status.contains("Seccomp:\t2") && status.contains("NoNewPrivs:\t1"))
    #expect(pool.sandbox.systemCalls < 40)
    guard geteuid() == 0 else {
      print("skipped: only root may list the descriptors of a process that cannot be dumped")
      return
    }
    let open = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/fd").sorted()
    #expect(open == ["0", "1", "2", "3", "4", "5"])
  }

  @Test func withoutADecoderNothingIsSaidOfPictures() {
    #expect(throws: DecoderFailure.self) { try DecoderPool(program: "/nowhere/muhafiz-decoder") }
    // A program that is no decoder does not come up in a sandbox.
    #expect(throws: DecoderFailure.self) { try DecoderPool(program: "/bin/true") }
  }

  @Test func decodersWorkSideBySideAndKeepTheirSize() throws {
    let pool = try makePool()
    let picture = PNG.make(300, 200, colour: 2, (0..<180_000).map { UInt8($0 % 253) })
    let expected = try plane(picture, .png, pool)
    let first = try #require(pool.idleProcesses.first)
    func residentKilobytes() throws -> Int {
      let status = try String(contentsOfFile: "/proc/\(first)/status", encoding: .utf8)
      let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmRSS") })
      return try #require(Int(line.split(separator: " ").dropLast().last?.split(separator: "\t").last ?? ""))
    }
    let before = try residentKilobytes()
    DispatchQueue.concurrentPerform(iterations: 4) { _ in
      for _ in 0..<150 {
        do { #expect(try plane(picture, .png, pool) == expected) } catch { Issue.record(error) }
      }
    }
    #expect(try residentKilobytes() - before < 20_000)
  }

  @Test func contentIsKnownByItsFirstBytes() {
    let table: [([UInt8], MediaType?)] = [
      ([0xFF, 0xD8, 0xFF, 0xE0], .jpeg), (Array("GIF89a".utf8), .gif), (Array("RIFF....WEBP".utf8), .webp),
      (Array("RIFF....AVI ".utf8), .avi), ([0x49, 0x49, 0x2A, 0], .tiff), ([0, 0, 0, 24] + Array("ftypheic".utf8), .heic),
      ([0, 0, 0, 24] + Array("ftypisom".utf8), .mp4), ([0x1A, 0x45, 0xDF, 0xA3], .matroska), ([0x50, 0x4B, 3, 4], .zip),
      (Array("BM, said the letter, and then went on for long enough".utf8), nil), (Array("BM".utf8), nil), ([], nil), ([0xFF], nil),
    ]
    for (bytes, type) in table { #expect(MediaType.sniff(bytes) == type, "\(bytes)") }
  }
}

extension MediaType {
  static func sniff(_ bytes: [UInt8]) -> MediaType? { bytes.withUnsafeBytes { sniff($0) } }
}

/// Small PNG files, made by hand so that every byte is known.
private enum PNG {
  /// - Parameter colour: 0 gray, 2 RGB, 6 RGB with alpha.
  static func make(
    _ width: Int, _ height: Int, colour: UInt8, _ samples: [UInt8], depth: UInt8 = 8, orientation: Int? = nil
  ) -> [UInt8] {
    let row = samples.count / height
    let raw = (0..<height).flatMap { [0] + samples[$0 * row..<($0 + 1) * row] }
    var bytes: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
    bytes += chunk("IHDR", big(width) + big(height) + [depth, colour, 0, 0, 0])
    if let orientation {
      bytes += chunk("eXIf", Array("MM\0*".utf8) + big(8) + [0, 1, 0x01, 0x12, 0, 3] + big(1) + [0, UInt8(orientation), 0, 0] + big(0))
    }
    bytes += chunk("IDAT", stored(raw)) + chunk("IEND", [])
    return bytes
  }

  private static func big(_ value: Int) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * $0)) } }

  private static func chunk(_ name: String, _ data: [UInt8]) -> [UInt8] {
    let body = Array(name.utf8) + data
    var crc: UInt32 = .max
    for byte in body {
      crc ^= UInt32(byte)
      for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0xEDB8_8320 : crc >> 1 }
    }
    return big(data.count) + body + big(Int(~crc))
  }

  /// Zlib without compression: blocks of at most 65,535 bytes.
  private static func stored(_ raw: [UInt8]) -> [UInt8] {
    var bytes: [UInt8] = [0x78, 0x01]
    for start in stride(from: 0, to: raw.count, by: 65_535) {
      let block = raw[start..<min(start + 65_535, raw.count)]
      let (low, high) = (UInt8(block.count & 255), UInt8(block.count >> 8))
      bytes += [start + 65_535 >= raw.count ? 1 : 0, low, high, ~low, ~high] + block
    }
    var (a, b): (UInt32, UInt32) = (1, 0)
    for byte in raw {
      a = (a + UInt32(byte)) % 65_521
      b = (b + a) % 65_521
    }
    return bytes + big(Int(b << 16 | a))
  }
}
