import Decoding
import Foundation
import Hashing
import TestSupport
import Testing

/// Every file on a disk image comes out, at the place that The Sleuth Kit's own tools give it.
@Suite(.serialized)
struct DiskImageTests {
  private let disks = try! TestDisks()

  /// Compares what was told of a volume with `fls`, and the planted files with what they are copies of.
  private func check(
    _ name: String, sectorOffset: Int = 0, poolBlock: Int? = nil, planted: [String: String], deleted: String?, of told: DiskTold
  ) throws {
    #expect(told.ending == nil && told.reasons.isEmpty, "\(told.reasons)")
    #expect(try told.listing(below: "vol1/") == disks.filesByFLS(name, sectorOffset: sectorOffset, poolBlock: poolBlock))
    for (path, source) in planted {
      let file = try #require(told.files["vol1/\(path)"], "\(path)")
      #expect(try file.bytes == TestDisks.bytes(source), "\(path)")
      #expect(file.origin?.allocation == (path == deleted ? .deleted : .allocated) && file.origin?.inode != nil)
      try checkRuns(of: file, in: disks.bytes(of: name))
    }
  }

  /// The runs alone lead to the bytes.
  private func checkRuns(of file: DiskTold.File, in image: [UInt8]) throws {
    let origin = try #require(file.origin)
    let bytes = origin.runs.flatMap { run in
      run.offset.map { image[Int($0)..<Int($0 + run.length)] } ?? ArraySlice(repeating: 0, count: Int(run.length))
    }
    #expect(origin.runs.isEmpty || (bytes == file.bytes && !origin.isFragmentedFurther))
  }

  @Test(.enabled(if: TestDisks.has("mkfs.ext4", "debugfs", "fls")), arguments: ["ext2", "ext3", "ext4"])
  func extYieldsWhatFLSListsDeletedFilesIncluded(kind: String) throws {
    try disks.makeExt("disk", kind: kind)
    let told = try DiskTold(disks.bytes(of: "disk"))
    try check("disk", planted: TestDisks.files, deleted: "lagoon.jpg", of: told)
    #expect(told.files["vol1/docs/plain.zip/note.txt"]?.bytes.isEmpty == false)
    #expect(told.files["vol1/empty"]?.bytes == [])
    let withoutDeleted = try DiskTold(disks.bytes(of: "disk"), [])
    #expect(withoutDeleted.files["vol1/lagoon.jpg"] == nil && withoutDeleted.files["vol1/docs/plain.zip/note.txt"] == nil)
  }

  @Test(.enabled(if: TestDisks.has("mkfs.vfat", "mcopy", "fls")), arguments: [12, 16, 32])
  func fatYieldsWhatFLSListsDeletedFilesIncluded(bits: Int) throws {
    try disks.makeFAT("disk", bits: bits)
    var planted = TestDisks.files
    planted["_agoon.jpg"] = planted.removeValue(forKey: "lagoon.jpg")  // The first letter makes room for the mark.
    let told = try DiskTold(disks.bytes(of: "disk"))
    try check("disk", planted: planted, deleted: "_agoon.jpg", of: told)
  }

  @Test(.enabled(if: TestDisks.has("mkfs.ntfs", "ntfscp", "fls")))
  func ntfsYieldsWhatFLSListsNamedStreamsAndDeletedFilesIncluded() throws {
    try disks.makeNTFS("disk")
    let told = try DiskTold(disks.bytes(of: "disk"))
    let planted = [
      "dunes.jpg": "pictures/dunes.jpg", "dunes.jpg:hidden": "pictures/harbour.jpg", "lagoon.jpg": "pictures/lagoon.jpg",
      "steppe.jpg": "pictures/steppe.jpg", "plain.zip": "archives/plain.zip",
    ]
    try check("disk", planted: planted, deleted: nil, of: told)
    try disks.deleteFromNTFS("disk", "lagoon.jpg")
    let after = try DiskTold(disks.bytes(of: "disk"))
    try check("disk", planted: planted, deleted: "lagoon.jpg", of: after)
    #expect(try disks.filesByFLS("disk").contains("*lagoon.jpg"))
    #expect(try DiskTold(disks.bytes(of: "disk"), []).files["vol1/lagoon.jpg"] == nil)
  }

  @Test(.enabled(if: TestDisks.has("genisoimage", "fls"))) func discsYieldWhatFLSLists() throws {
    try disks.shell("genisoimage -quiet -J -R -o disk tree")
    try check("disk", planted: TestDisks.files, deleted: nil, of: DiskTold(disks.bytes(of: "disk")))
  }

  @Test(.enabled(if: TestDisks.has("xorriso", "fls"))) func hfsPlusOfAHybridDiscIsAVolume() throws {
    try disks.shell("xorriso -as mkisofs -quiet -hfsplus -R -o disk tree")
    let image = try disks.bytes(of: "disk")
    let told = try DiskTold(image)
    let volume = try #require(told.files.keys.first { $0.hasSuffix("/$CatalogFile") }).prefix { $0 != "/" }
    for (path, source) in TestDisks.files {
      let file = try #require(told.files["\(volume)/\(path)"])
      #expect(try file.bytes == TestDisks.bytes(source))
      try checkRuns(of: file, in: image)
    }
  }

  @Test(.enabled(if: TestDisks.has("mkfs.exfat", "fls"))) func exFATYieldsWhatFLSListsDeletedFilesIncluded() throws {
    try disks.makeExFAT("disk")
    try check("disk", planted: TestDisks.files, deleted: "lagoon.jpg", of: DiskTold(disks.bytes(of: "disk")))
  }

  @Test(.enabled(if: TestDisks.has("mkapfs", "fls"))) func apfsYieldsWhatFLSLists() throws {
    let block = try disks.makeAPFS("disk")
    try check("disk", poolBlock: block, planted: TestDisks.files, deleted: nil, of: DiskTold(disks.bytes(of: "disk")))
  }

  @Test(.enabled(if: TestDisks.has("makefs", "sfdisk", "fls"))) func ufsYieldsWhatFLSLists() throws {
    try disks.shell(
      """
      makefs -t ffs -s 8m first tree
      truncate -s 12M disk && printf 'label: gpt\\nstart=2048,size=16384\\n' | sfdisk -q disk
      dd if=first of=disk bs=512 seek=2048 conv=notrunc status=none
      """)
    #expect(try disks.bytes(of: "first").withUnsafeBytes(MediaType.sniff) == .diskImage)
    try check("disk", sectorOffset: 2048, planted: TestDisks.files, deleted: nil, of: DiskTold(disks.bytes(of: "disk")))
  }

  @Test(.enabled(if: TestDisks.has("sfdisk", "mkfs.ext4", "mkfs.vfat", "mcopy", "fls")), arguments: ["dos", "gpt"])
  func everyPartitionIsAVolume(table: String) throws {
    try disks.makePartitioned("disk", table: table)
    let image = try disks.bytes(of: "disk")
    let told = try DiskTold(image, [.deleted, .carved])
    #expect(told.ending == nil && told.reasons.isEmpty)
    let allocated = told.listing(below: "vol1/").filter { !$0.hasPrefix("carved/") }
    #expect(try allocated == disks.filesByFLS("disk", sectorOffset: 2048))
    #expect(
      try told.listing(below: "vol2/").filter { !$0.hasPrefix("carved/") } == disks.filesByFLS("disk", sectorOffset: 36864))
    #expect(told.files["vol2/DCIM/100/dunes.jpg"]?.origin?.volume == 2)
    let outside = try #require(told.files["vol0/carved/0061440000.jpg"])
    #expect(try outside.bytes == TestDisks.bytes("pictures/harbour.jpg") && outside.origin?.allocation == .carved)
  }

  @Test(.enabled(if: TestDisks.has("sfdisk"))) func volumesThatNobodyKnowsAreSaidSoUnlessTheyAreEmpty() throws {
    try disks.shell(
      """
      truncate -s 8M disk
      printf 'label: gpt\\nstart=2048,size=4096\\nstart=6144,size=4096\\n' | sfdisk -q disk
      printf 'neither zeros nor files' | dd of=disk bs=512 seek=6144 conv=notrunc status=none
      """)
    let told = try DiskTold(disks.bytes(of: "disk"))
    // Neither partition has files, so the disk as a whole is looked at too, and is none that is known either.
    #expect(told.reasons.map(\.code) == [.unsupported])
    #expect(told.reasons.first?.reason.contains("no file system that is known") == true)
  }

  /// A disc of UDF alone: that of both, without the descriptors of ISO 9660.
  private func makeUDF(_ name: String) throws -> [UInt8] {
    try disks.shell("genisoimage -quiet -udf -o \(name) tree")
    var image = try disks.bytes(of: name)
    let size = 2048
    let sectors = (16..<32).map { Array(image[$0 * size..<($0 + 1) * size]) }
    let descriptors = sectors.filter { ["BEA01", "NSR02", "TEA01"].contains(String(decoding: $0[1..<6], as: UTF8.self)) }
    try #require(descriptors.count == 3)
    for index in sectors.indices {
      let sector = index < 3 ? descriptors[index] : [UInt8](repeating: 0, count: size)
      image.replaceSubrange((16 + index) * size..<(17 + index) * size, with: sector)
    }
    return image
  }

  @Test(.enabled(if: TestDisks.has("genisoimage"))) func udfYieldsItsFilesWithTheirPlaces() throws {
    let image = try makeUDF("disc")
    #expect(image.withUnsafeBytes(MediaType.sniff) == .diskImage)
    let told = try DiskTold(image)
    #expect(told.ending == nil && told.reasons.isEmpty, "\(told.reasons)")
    for (path, source) in TestDisks.files {
      let file = try #require(told.files["vol1/\(path)"], "\(path) of \(told.paths)")
      #expect(try file.bytes == TestDisks.bytes(source), "\(path)")
      #expect(file.origin?.allocation == .allocated && file.origin?.runs.isEmpty == false)
      try checkRuns(of: file, in: image)
    }
  }

  @Test(.enabled(if: TestDisks.has("genisoimage"))) func aChangedUDFNeverEndsTheReading() throws {
    let image = try makeUDF("disc")
    var generator = SeededGenerator(seed: 91)
    for round in 0..<60 {
      var changed = image
      for _ in 0..<Int.random(in: 1...20, using: &generator) {
        // Volume descriptors, the partition's first folders, or anywhere.
        let end = [100 * 2048, 300 * 2048, image.count].randomElement(using: &generator)!
        changed[Int.random(in: 32 * 2048..<min(end, image.count), using: &generator)] = UInt8.random(
          in: 0...255, using: &generator)
      }
      let told = try DiskTold(changed)
      #expect(told.reasons.allSatisfy { $0.code != .timedOut }, "seed 91, round \(round): \(told.reasons)")
    }
  }
}
