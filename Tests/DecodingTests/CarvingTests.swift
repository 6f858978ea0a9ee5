import Decoding
import Foundation
import Hashing
import TestSupport
import Testing

/// What lies in free space is found by its structure, and nothing else is.
struct CarvingTests {
  /// An animation of one frame, a pixel large.
  private static let gif: [UInt8] =
    Array("GIF89a".utf8) + [1, 0, 1, 0, 0x80, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff]
    + [0x21, 0xf9, 4, 0, 0, 0, 0, 0] + [0x2c, 0, 0, 0, 0, 1, 0, 1, 0, 0, 2, 2, 0x44, 1, 0, 0x3b]

  /// The boxes of a film, with nothing in them that could be shown.
  private static let mp4: [UInt8] =
    [0, 0, 0, 16] + Array("ftypisom".utf8) + [0, 0, 2, 0] + [0, 0, 0, 12] + Array("moov".utf8) + [1, 2, 3, 4]
    + [0, 0, 0, 1] + Array("mdat".utf8) + [0, 0, 0, 0, 0, 0, 0x10, 0] + [UInt8](repeating: 7, count: 4096 - 16)

  private static func contents() throws -> [(ending: String, bytes: [UInt8])] {
    [
      ("jpg", try TestDisks.bytes("pictures/dunes.jpg")),
      ("png", TestPictures.png(width: 40, height: 30, colour: 0, rows: TestPictures.noise(1200, seed: 4))),
      ("gif", gif), ("webp", try TestDisks.bytes("changed/orchard.webp")), ("mp4", mp4),
    ]
  }

  /// A medium with partitions of zeros, but for what is put at its sectors.
  private func medium(_ contents: [(sector: Int, bytes: [UInt8])], sectors: Int = 4096) -> [UInt8] {
    var image = [UInt8](repeating: 0, count: sectors * 512)
    for (sector, bytes) in contents { image.replaceSubrange(sector * 512..<sector * 512 + bytes.count, with: bytes) }
    return image
  }

  private func carved(_ image: [UInt8]) throws -> [String: DiskTold.File] {
    try DiskTold(image, as: .diskImage, [.carved]).files.filter { $0.value.origin?.allocation == .carved }
  }

  @Test func everyKindIsFoundAtEachPlace() throws {
    for (ending, bytes) in try Self.contents() {
      // At the start, within, across the pieces that are read at a time, and up to the last byte.
      let last = 4096 - (bytes.count + 511) / 512
      for sector in [0, 1, 510, 511, 512, last] {
        let found = try carved(medium([(sector, bytes)]))
        let offset = String(sector * 512)
        let name = "vol1/carved/" + String(repeating: "0", count: 10 - offset.count) + offset + "." + ending
        #expect(found[name]?.bytes == bytes && found.count == 1, "\(ending) at sector \(sector): \(found.keys)")
        #expect(found[name]?.origin?.runs == [.at(Int64(sector * 512), Int64(bytes.count))])
      }
    }
  }

  @Test func contentsThatFollowEachOtherAreAllFound() throws {
    var sector = 3
    var all: [(Int, [UInt8])] = []
    for (_, bytes) in try Self.contents() + Self.contents() {
      all.append((sector, bytes))
      sector += (bytes.count + 511) / 512
    }
    let found = try carved(medium(all))
    #expect(found.count == all.count)
    for (sector, bytes) in all {
      let place = Int64(sector * 512)
      #expect(found.values.contains { $0.bytes == bytes && $0.origin?.runs.first?.offset == place })
    }
  }

  @Test func whatIsCutOffIsNotFound() throws {
    for (ending, bytes) in try Self.contents() {
      // Where a length in front tells the end, an end that was written over cannot be seen.
      let lengths =
        switch ending {
        case "jpg", "gif": [12, bytes.count / 2, bytes.count - 1]
        case "png": [12, bytes.count / 2]
        default: [12]
        }
      for length in lengths {
        let cut = Array(bytes.prefix(length))
        #expect(try carved(medium([(5, cut)])).isEmpty, "\(ending) of \(length)")
        // Coded data of a JPEG cannot be told from noise, so there a marker may end it.
        if ending == "jpg" { continue }
        let noise = TestPictures.noise(40_000, seed: UInt64(length))
        #expect(try carved(medium([(5, cut + noise)])).isEmpty, "\(ending) of \(length) and noise")
      }
    }
  }

  @Test(.enabled(if: TestDisks.has("mkfs.ext4", "debugfs"))) func pathsOfFilesThatAreThereAreNotCarved() throws {
    let disks = try TestDisks()
    try disks.makeExt("disk")
    let told = try DiskTold(disks.bytes(of: "disk"), [.deleted, .carved])
    let found = told.files.filter { $0.value.origin?.allocation == .carved }
    let lagoon = try TestDisks.bytes("pictures/lagoon.jpg")
    #expect(found.count == 1 && found.first?.value.bytes == lagoon)
    #expect(found.first?.value.origin?.runs == told.files["vol1/lagoon.jpg"]?.origin?.runs)
  }

  @Test(.enabled(if: TestDisks.has("mkfs.ext4", "debugfs", "dd"))) func partsWithFilesBetweenThemAreFoundAsOne() throws {
    // Every other block is taken, and a picture lies in the free ones.
    let disks = try TestDisks()
    let picture = try TestDisks.bytes("pictures/harbour.jpg")
    try disks.shell("truncate -s 4M disk && mkfs.ext2 -q -b 1024 disk")
    var image = try disks.bytes(of: "disk")
    try disks.shell("for i in $(seq 2000 2 2100); do echo setb $i; done > taken && debugfs -w -f taken disk")
    image = try disks.bytes(of: "disk")
    var done = 0
    for block in stride(from: 2001, to: 2101, by: 2) where done < picture.count {
      let part = picture[done..<min(done + 1024, picture.count)]
      image.replaceSubrange(block * 1024..<block * 1024 + part.count, with: part)
      done += part.count
    }
    #expect(done == picture.count)
    let found = try carved(image)
    #expect(found["vol1/carved/0002049024.jpg"]?.bytes == picture)
    #expect(found["vol1/carved/0002049024.jpg"]?.origin?.runs.count == (picture.count + 1023) / 1024)
  }
}

extension MemberOrigin.Run {
  static func at(_ offset: Int64, _ length: Int64) -> Self { .init(offset: offset, length: length) }
}
