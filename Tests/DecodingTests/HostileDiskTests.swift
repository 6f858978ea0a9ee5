import Foundation
import Glibc
import TestSupport
import SystemPackage
import Testing

@testable import Decoding

/// Whatever a disk holds, and whatever becomes of the medium or of a worker, costs what it hits and is said.
@Suite(.serialized)
struct HostileDiskTests {
  private let disks = try! TestDisks()

  private static let makers: [(String, [String], @Sendable (TestDisks) throws -> Void)] = [
    ("ext4", ["mkfs.ext4", "debugfs"], { try $0.makeExt("disk") }),
    ("FAT", ["mkfs.vfat", "mcopy"], { try $0.makeFAT("disk", bits: 12) }),
    ("exFAT", ["mkfs.exfat"], { try $0.makeExFAT("disk") }),
    ("APFS", ["mkapfs"], { _ = try $0.makeAPFS("disk") }),
    ("NTFS", ["mkfs.ntfs", "ntfscp"], { try $0.makeNTFS("disk") }),
    ("ISO 9660", ["genisoimage"], { _ = try $0.shell("genisoimage -quiet -J -o disk tree") }),
    ("HFS+", ["xorriso"], { _ = try $0.shell("xorriso -as mkisofs -quiet -hfsplus -o disk tree") }),
    (
      "partitions", ["sfdisk", "mkfs.vfat", "mcopy"],
      {
        try $0.makeFAT("first", bits: 12)
        try $0.shell(
          """
          truncate -s 6M disk && printf 'label: gpt\nstart=2048,size=8192\n' | sfdisk -q disk
          dd if=first of=disk bs=512 seek=2048 conv=notrunc status=none
          """)
      }
    ),
  ]

  /// Bytes that matter: of what is no zero, those of metadata are hit often enough.
  private func mutate(_ image: inout [UInt8], _ used: [Int], _ random: inout SeededGenerator) {
    for _ in 0..<Int.random(in: 1...30, using: &random) {
      let place = used[Int.random(in: 0..<used.count, using: &random)]
      switch Int.random(in: 0..<3, using: &random) {
      case 0: image[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      case 1: image[place] = [0, 1, 0x7f, 0x80, 0xff][Int.random(in: 0..<5, using: &random)]
      default: for next in place..<min(place + 8, image.count) { image[next] = 0xff }
      }
    }
  }

  @Test(arguments: makers.indices) func mutatedDisksAreReadOrSaidToBeDamaged(maker: Int) throws {
    let (name, programs, make) = Self.makers[maker]
    guard programs.allSatisfy({ TestDisks.has($0) }) else { return }
    try make(disks)
    let whole = try disks.bytes(of: "disk")
    let pictures = Set(try ["dunes", "harbour", "lagoon", "steppe"].map { try TestDisks.bytes("pictures/\($0).jpg") })
    var used: [Int] = []
    for place in stride(from: 0, to: whole.count, by: 3) where whole[place] != 0 { used.append(place) }
    let seed = UInt64.random(in: 0...UInt64.max)
    var random = SeededGenerator(seed: seed)
    var limits = DecodingLimits()
    limits.disk.timeWithoutNews = .seconds(10)
    limits.disk.time = .seconds(20)
    let pool = try DecoderPool(size: 1, limits: limits)
    var (crashes, clean, found) = (0, 0, 0)
    let (least, most) = isLongRun ? (2000, 2000) : (50, 200)
    var rounds = 0
    // Of FAT and HFS+ every fourth disk gives pictures: a share that is less by chance is not after more rounds.
    while rounds < least || found <= rounds / 8 && rounds < most {
      rounds += 1
      var image = whole
      mutate(&image, used, &random)
      let told = try DiskTold(image, as: .diskImage, [.deleted, .archives], from: pool)
      for reason in told.reasons {
        #expect(!reason.reason.isEmpty && reason.reason.utf8.allSatisfy { (0x20...0x7e).contains($0) })
        if reason.code == .crashed || reason.code == .timedOut {
          crashes += 1
          print("\(name): \(reason.reason)")
        }
      }
      if told.reasons.isEmpty { clean += 1 }
      if told.files.values.contains(where: { pictures.contains($0.bytes) }) { found += 1 }
    }
    print("mutated \(name), seed \(seed): \(rounds) disks, \(clean) without a reason, pictures on \(found), \(crashes) crashes")
    // Most damage is local, and a disk with damage on it still gives what is not hit.
    #expect(found > rounds / 8)
  }

  @Test(.enabled(if: TestDisks.has("mkfs.ext4", "debugfs"))) func sectorsThatCannotBeReadCostWhatLiesOnThem() throws {
    try disks.makeExt("disk")
    let image = try disks.bytes(of: "disk")
    let whole = try DiskTold(image)
    let start = try #require(whole.files["vol1/DCIM/100/harbour.jpg"]?.origin?.runs.first?.offset)
    let told = try DiskTold(image, unreadable: start + 4096..<start + 4608)
    #expect(told.ending == nil && told.reasons.count == 1, "\(told.reasons) \(start)")
    #expect(told.files["vol1/DCIM/100/harbour.jpg"]?.failure?.reason == "the medium cannot be read: Input/output error")
    for (path, file) in whole.files where path != "vol1/DCIM/100/harbour.jpg" {
      #expect(told.files[path]?.bytes == file.bytes && told.files[path]?.failure == nil, "\(path)")
    }
    // With the superblock gone nothing is found, and that is said.
    #expect(try DiskTold(image, as: .diskImage, unreadable: 0..<4096).reasons.map(\.code) == [.unsupported])
  }

  @Test(.enabled(if: TestDisks.has("mkfs.ext4", "debugfs"))) func aMemberThatTwoWorkersDieOnIsSaidAndTheOthersAreRead() throws {
    try disks.shell("head -c 2000000 /dev/urandom > tree/DCIM/noise; tar -C tree -cf tree/DCIM/within.tar DCIM/noise")
    try disks.makeExt("disk")
    let image = try disks.bytes(of: "disk")
    let whole = try DiskTold(image)
    // A server of its own, whose children are this pool's workers.
    let program = disks.path("muhafiz-decoder")
    try FileManager.default.createSymbolicLink(atPath: program, withDestinationPath: DecoderProgram.find().string)
    let pool = try DecoderPool(size: 1, decoder: FilePath(program))
    var server: String?
    _ = try DiskTold(image, from: pool)
    _ = try DiskTold(image, from: pool) { _, worker in
      let status = worker.flatMap { try? String(contentsOfFile: "/proc/\($0)/status", encoding: .utf8) }
      server = status?.split(separator: "\n").first { $0.hasPrefix("PPid:") }?.split(separator: "\t").last.map(String.init)
    }
    let children = "/proc/\(try #require(server))/task/\(try #require(server))/children"
    /// Kills so many workers, each at the nth piece of the image that is read since the member began or the last one died.
    func told(killing workers: Int, at member: String, piece: Int) throws -> DiskTold {
      var (killed, pieces) = (0, 0)
      let told = try DiskTold(image, from: pool) { reading, _ in
        guard reading == member, killed < workers else { return }
        pieces += 1
        guard pieces == piece else { return }
        for worker in (try? String(contentsOfFile: children, encoding: .utf8))?.split(separator: " ") ?? [] {
          if let worker = pid_t(worker) { kill(worker, SIGKILL) }
        }
        (killed, pieces) = (killed + 1, 0)
      }
      #expect(killed == workers, "\(member) at piece \(piece)")
      return told
    }
    let within = "vol1/DCIM/within.tar/DCIM/noise"
    for member in ["vol1/DCIM/noise", within] {
      for piece in [1, 4] {
        let once = try told(killing: 1, at: member, piece: piece)
        #expect(once.reasons.isEmpty && once.paths == whole.paths, "\(member) at piece \(piece): \(once.reasons)")
        for (path, file) in whole.files { #expect(once.files[path]?.bytes == file.bytes, "\(path)") }
        // The second dies where the first did, or before it has come as far.
        let twice = try told(killing: 2, at: member, piece: piece)
        #expect(Set(twice.reasons.map(\.reason)) == ["decoder crashed: signal 9"] && twice.ending == nil)
        #expect(twice.files[member]?.failure?.code == .crashed && twice.paths == whole.paths, "\(member)")
        #expect((twice.unopened.values.map(\.code) == [.crashed]) == (member == within))
        for (path, file) in whole.files where path != member { #expect(twice.files[path]?.bytes == file.bytes, "\(path)") }
      }
    }
  }

  @Test(.enabled(if: TestDisks.has("mkfs.ext4", "debugfs"))) func everyLimitIsNamed() throws {
    try disks.shell("head -c 30000000 /dev/zero | gzip -9 > tree/a-bomb.gz; truncate -s 5G tree/b-hole")
    try disks.makeExt("disk")
    let image = try disks.bytes(of: "disk")
    func read(_ change: (inout DecodingLimits) -> Void) throws -> DiskTold {
      var limits = DecodingLimits()
      limits.disk.freeInBytes = 4 << 20
      limits.archive.ratioFreeInBytes = 1 << 20
      change(&limits)
      return try DiskTold(image, from: DecoderPool(size: 1, limits: limits))
    }
    let told = try read { $0.disk.ratio = 1 << 20 }
    // A bomb and a hole cost themselves.
    #expect(told.unopened["vol1/a-bomb.gz"]?.reason == "limit: more than 200 bytes out of each byte of the archive")
    #expect(told.files["vol1/b-hole"]?.failure?.reason == "limit: a file longer than its disk by 4194304 bytes")
    #expect(told.ending == nil && told.files["vol1/steppe.jpg"]?.failure == nil)
    #expect(try told.files["vol1/steppe.jpg"]?.bytes == TestDisks.bytes("pictures/steppe.jpg"))
    #expect(try read { $0.disk.ratio = 1 }.ending?.reason == "limit: more than 1 bytes out of each byte of the disk image")
    #expect(try read { $0.disk.entries = 3 }.ending?.reason == "limit: more than 3 members in the disk image")
    let late = try read { $0.disk.time = .microseconds(1) }.ending
    #expect(late?.code == .limit && late?.reason.hasPrefix("limit: 0") == true)
  }
}
