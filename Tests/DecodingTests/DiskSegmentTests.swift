import Decoding
import Foundation
import Hashing
import TestSupport
import Testing

/// Images that are not the medium byte for byte give the medium's files, and say what they store of it.
@Suite(.enabled(if: TestDisks.has("ewfacquirestream", "mkfs.ext4", "debugfs")))
struct DiskSegmentTests {
  private let disks = try! TestDisks()

  /// The segments of an Expert Witness image of the disk, one after the other, and how long each is.
  private func acquire(_ name: String, bytesInSegment: Int, compression: String = "fast") throws -> (
    bytes: [UInt8], sizes: [Int64]
  ) {
    try disks.shell("ewfacquirestream -q -t image -f encase6 -c \(compression) -d sha1 -S \(bytesInSegment) < \(name)")
    let names = try FileManager.default.contentsOfDirectory(atPath: disks.folder.url.path).filter { $0.hasPrefix("image.E") }
    let segments = try names.sorted().map { try disks.bytes(of: $0) }
    return (segments.flatMap(\.self), segments.map { Int64($0.count) })
  }

  /// A disk with noise in a file, so that compressing it leaves enough for several segments.
  private func makeDisk() throws -> [UInt8] {
    try disks.shell("head -c 3000000 /dev/urandom > tree/noise")
    try disks.makeExt("disk")
    return try disks.bytes(of: "disk")
  }

  @Test(arguments: [1 << 20, 1 << 30]) func theMediumComesOutWithItsFilesAndStoredDigests(bytesInSegment: Int) throws {
    let medium = try makeDisk()
    let image = try acquire("disk", bytesInSegment: bytesInSegment)
    #expect(bytesInSegment == 1 << 30 ? image.sizes.count == 1 : image.sizes.count >= 3)
    let told = try DiskTold(image.bytes, segments: image.sizes, [.deleted, .medium])
    #expect(told.reasons.isEmpty && told.paths.first == "medium" && told.files["medium"]?.bytes == medium)
    let digests = try medium.withUnsafeBytes { try Digester.digests(of: $0, [.md5, .sha1]) }
    #expect(told.storedDigests == digests)
    for (path, source) in TestDisks.files {
      let file = try #require(told.files["vol1/\(path)"])
      #expect(try file.bytes == TestDisks.bytes(source))
      let run = try #require(file.origin?.runs.first)
      let start = Int(try #require(run.offset))
      #expect(medium[start..<start + Int(run.length)].elementsEqual(file.bytes.prefix(Int(run.length))))
    }
  }

  @Test func aMediumMuchLargerThanItsImageMeetsNoLimit() throws {
    try disks.shell("truncate -s 6G disk && mkfs.ext4 -q -E lazy_itable_init=1 -d tree disk")
    let image = try acquire("disk", bytesInSegment: 1 << 30, compression: "best")
    #expect(image.bytes.count < 100 << 20)
    let told = try DiskTold(image.bytes, segments: image.sizes)
    #expect(told.reasons.isEmpty && told.files.keys.contains("vol1/DCIM/100/dunes.jpg"), "\(told.reasons)")
  }

  @Test func aMissingSegmentIsSaid() throws {
    _ = try makeDisk()
    let image = try acquire("disk", bytesInSegment: 1 << 20)
    let first = Int(image.sizes[0])
    let told = try DiskTold(Array(image.bytes.prefix(first)), segments: [Int64(first)], [.medium])
    #expect(!told.reasons.isEmpty)
  }

  @Test func damagedImagesEndInAReason() throws {
    _ = try makeDisk()
    let image = try acquire("disk", bytesInSegment: 1 << 30)
    let whole = try DiskTold(image.bytes, segments: image.sizes)
    let seed = UInt64.random(in: 0...UInt64.max)
    print("damaged Expert Witness images: seed \(seed)")
    var random = SeededGenerator(seed: seed)
    for _ in 0..<30 {
      var bytes = image.bytes
      for _ in 0..<20 { bytes[Int.random(in: 13..<bytes.count, using: &random)] ^= UInt8.random(in: 1...255, using: &random) }
      let told = try DiskTold(bytes, as: .ewf, segments: image.sizes)
      for (path, file) in told.files where file.failure == nil && told.reasons.isEmpty {
        #expect(file.bytes == whole.files[path]?.bytes, "\(path)")
      }
    }
  }
}
