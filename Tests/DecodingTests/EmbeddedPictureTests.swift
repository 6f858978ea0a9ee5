import Decoding
import Foundation
import Hashing
import TestSupport
import Testing

/// A TIFF structure, little-endian, of directories that are written one behind the other from offset 8 or `first` on.
enum TestDirectories {
  static func number(_ value: Int, bytes: Int) -> [UInt8] { (0..<bytes).map { UInt8(value >> (8 * $0) & 255) } }

  static func bigNumber(_ value: Int, bytes: Int) -> [UInt8] { number(value, bytes: bytes).reversed() }

  /// - Parameter entries: Tag, type, count and value.
  static func directory(_ entries: [(Int, Int, Int, Int)], next: Int = 0) -> [UInt8] {
    number(entries.count, bytes: 2)
      + entries.flatMap { number($0.0, bytes: 2) + number($0.1, bytes: 2) + number($0.2, bytes: 4) + number($0.3, bytes: 4) }
      + number(next, bytes: 4)
  }

  static func head(first: Int = 8) -> [UInt8] { [0x49, 0x49, 42, 0] + number(first, bytes: 4) }

  /// EXIF data with a thumbnail behind two directories of two entries.
  static func exif(_ thumbnail: [UInt8], at place: Int? = nil, count: Int? = nil) -> [UInt8] {
    let start = 8 + 18 + 30
    let main = directory([(0x112, 3, 1, 1)], next: 26)
    let second = directory([(0x201, 4, 1, place ?? start), (0x202, 4, 1, count ?? thumbnail.count)])
    return head() + main + second + thumbnail
  }

  /// A JPEG with a segment behind its first marker.
  static func jpeg(_ picture: [UInt8], _ marker: UInt8, _ content: [UInt8]) -> [UInt8] {
    [0xff, 0xd8, 0xff, marker] + bigNumber(content.count + 2, bytes: 2) + content + picture.dropFirst(2)
  }
}

struct EmbeddedPictureTests {
  private typealias Test = TestDirectories
  private static func testdata(_ name: String) throws -> [UInt8] {
    try [UInt8](Data(contentsOf: Corpus.packageRoot.appending(path: "testdata/\(name)")))
  }
  private let picture = try! testdata("pictures/dunes.jpg")
  private let other = try! testdata("changed/harbour-smaller.jpg")

  private struct Told: Equatable {
    var pictures: [String: [UInt8]] = [:]
    var failures: [String: Unhashable] = [:]
    var ending: Unhashable?
  }

  private func read(_ file: [UInt8]) throws -> Told {
    var told = Told()
    var name = ""
    told.ending = try DecoderPool.shared.get().withLease { lease in
      try file.withUnsafeBytes { try lease.append($0) }
      return try lease.readEmbedded { event in
        switch event {
        case .member(let member):
          name = member.path
          told.pictures[name] = []
        case .bytes(let bytes): told.pictures[name]! += bytes
        case .end(let failure): told.failures[name] = failure
        default: Issue.record("\(event)")
        }
      }
    }
    return told
  }

  private func exif(_ block: [UInt8]) -> [UInt8] { Test.jpeg(picture, 0xe1, Array("Exif\0\0".utf8) + block) }

  @Test func aThumbnailInEXIFIsAPictureOfItsOwn() throws {
    let file = exif(Test.exif(other))
    #expect(try read(file) == Told(pictures: ["exif-thumbnail": other]))
    // What the picture itself shows stays what it was.
    #expect(try decode(file).get() == decode(picture).get())
    #expect(try read(picture) == Told())
  }

  @Test func anUncompressedThumbnailIsAMap() throws {
    let samples = (0..<12).map { UInt8($0 * 20) }
    let start = 8 + 18 + 2 + 6 * 12 + 4
    let thumbnail = Test.directory(
      [(0x100, 3, 1, 2), (0x101, 3, 1, 2), (0x103, 3, 1, 1), (0x106, 3, 1, 2), (0x111, 4, 1, start), (0x115, 3, 1, 3)])
    let block = Test.head() + Test.directory([(0x112, 3, 1, 1)], next: 26) + thumbnail + samples
    #expect(try read(exif(block)).pictures == ["exif-thumbnail": Array("P6\n2 2\n255\n".utf8) + samples])
  }

  @Test func thumbnailsInPNGAndWebPAndPhotoshopFilesAreFound() throws {
    func chunk(_ name: String, _ content: [UInt8]) -> [UInt8] {
      Test.bigNumber(content.count, bytes: 4) + Array(name.utf8) + content + [0, 0, 0, 0]
    }
    let png =
      [0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10] + chunk("IHDR", [0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0]) + chunk("IEND", [])
    for head in ["", "Exif\0\0"] {
      let exif = Array(head.utf8) + Test.exif(other)
      let with = Array(png.prefix(33)) + chunk("eXIf", exif) + png.dropFirst(33)
      #expect(try read(with) == Told(pictures: ["exif-thumbnail": other]))
      // A chunk that is longer than the file hides nothing.
      let cut = Array(png.prefix(33)) + chunk("eXIf", exif).dropLast(4)
      #expect(try read(cut) == Told(pictures: ["exif-thumbnail": other]))
      let webp = try Self.testdata("changed/orchard.webp")
      let padded = exif + (exif.count % 2 == 0 ? [] : [0])
      #expect(
        try read(webp + Array("EXIF".utf8) + Test.number(exif.count, bytes: 4) + padded)
          == Told(pictures: ["exif-thumbnail": other]))
    }
    #expect(try read(png) == Told())
    let resource = [4, 0x0c, 0, 0] + Test.bigNumber(other.count + 28, bytes: 4) + [UInt8](repeating: 1, count: 28) + other
    let resources = Array("8BIM".utf8) + resource
    let photoshop = Array("8BPS".utf8) + [0, 1] + [UInt8](repeating: 0, count: 6) + [0, 3, 0, 0, 0, 9, 0, 0, 0, 9, 0, 8, 0, 3]
    let file = photoshop + Test.bigNumber(4, bytes: 4) + [7, 7, 7, 7] + Test.bigNumber(resources.count, bytes: 4) + resources
    #expect(try read(file) == Told(pictures: ["photoshop-thumbnail": other]))
  }

  @Test func thumbnailsBesideTheHeaderOfAJPEGAreFound() throws {
    let jfxx = Array("JFXX\0".utf8)
    #expect(try read(Test.jpeg(picture, 0xe0, jfxx + [0x10] + other)).pictures == ["jfif-thumbnail": other])
    let samples = (0..<12).map { UInt8($0 * 20) }
    let map = try read(Test.jpeg(picture, 0xe0, jfxx + [0x13, 2, 2] + samples))
    #expect(map.pictures == ["jfif-thumbnail": Array("P6\n2 2\n255\n".utf8) + samples])
    let palette = try read(Test.jpeg(picture, 0xe0, jfxx + [0x11, 1, 1, 0, 0, 0]))
    #expect(palette.failures["jfif-thumbnail"]?.code == .unsupported)
    #expect(try read(Test.jpeg(picture, 0xe0, jfxx + [0x13, 9, 9, 1, 2])).failures["jfif-thumbnail"]?.code == .broken)
    // The header has room for one of its own.
    let jfif = Array("JFIF\0".utf8) + [1, 2, 0, 0, 1, 0, 1]
    #expect(try read(Test.jpeg(picture, 0xe0, jfif + [2, 2] + samples)).pictures == map.pictures)
    #expect(try read(Test.jpeg(picture, 0xe0, jfif + [2, 3] + samples)).failures["jfif-thumbnail"]?.code == .broken)
    #expect(try read(Test.jpeg(picture, 0xe0, jfif + [0, 3])) == Told())
  }

  @Test func aThumbnailThatIsNotWhereItShouldBeIsNotTakenForNone() throws {
    for (place, count) in [(1 << 31, 100), (0xffff_ffff, 0xffff_ffff), (60_000, 10)] {
      let told = try read(exif(Test.exif(other, at: place, count: count)))
      #expect(told.failures["exif-thumbnail"]?.code == .broken, "\(place)")
    }
    #expect(try read(exif(Test.exif([1, 2, 3, 4, 5]))).failures["exif-thumbnail"]?.code == .broken)
    #expect(try read(exif(Test.exif([], count: 0))) == Told())
  }

  @Test func picturesBehindAPictureAreFoundByTheirIndex() throws {
    // The index lies in a segment of 4 + 50 bytes behind the first marker; offsets count from behind "MPF\0".
    let entries: ([(Int, Int)]) -> [UInt8] = { list in
      list.flatMap {
        Test.number(0, bytes: 4) + Test.number($0.1, bytes: 4) + Test.number($0.0, bytes: 4) + Test.number(0, bytes: 4)
      }
    }
    func index(_ places: [(Int, Int)]) -> [UInt8] {
      Array("MPF\0".utf8) + Test.head() + Test.directory([(0xb002, 7, 16 * places.count, 26)]) + entries(places)
    }
    let size = Test.jpeg(picture, 0xe2, index([(0, 0), (0, 0)])).count
    let file = Test.jpeg(picture, 0xe2, index([(0, size), (size - 10, other.count)])) + other
    #expect(try read(file) == Told(pictures: ["mpf": other]))
  }

  @Test func aThumbnailOfPhotoshopIsFound() throws {
    let resource =
      Array("8BIM".utf8) + [4, 0x0c, 0, 0] + Test.bigNumber(other.count + 28, bytes: 4) + [UInt8](repeating: 0, count: 28) + other
    let before = Array("8BIM".utf8) + [3, 0xed, 1, 65] + Test.bigNumber(3, bytes: 4) + [1, 2, 3, 0]
    let file = Test.jpeg(picture, 0xed, Array("Photoshop 3.0\0".utf8) + before + resource)
    #expect(try read(file) == Told(pictures: ["photoshop-thumbnail": other]))
  }

  private static let canonMark = Test.head(first: 16) + Array("CR\u{2}\0".utf8) + [0, 0, 0, 0]

  /// A camera's file: a preview, and in a further directory what a sensor saw.
  private func raw(mark: [UInt8]) -> [UInt8] {
    let sensor: [UInt8] = [0xff, 0xd8, 0xff, 0xc3, 0, 2, 0xff, 0xd9]
    let start = 16 + 42 + 54 + 42
    let second = start + picture.count
    let directories =
      Test.directory([(0x103, 3, 1, 6), (0x111, 4, 1, start), (0x117, 4, 1, picture.count)], next: 16 + 42)
      + Test.directory(
        [(0x201, 4, 1, second), (0x202, 4, 1, other.count), (0x14a, 4, 1, 16), (0x8769, 4, 1, 16)], next: 16 + 42 + 54)
      + Test.directory([(0x103, 3, 1, 6), (0x111, 4, 1, second + other.count), (0x117, 4, 1, sensor.count)], next: 16)
    return mark + directories + picture + other + sensor
  }

  @Test func previewsOfCamerasAreFoundAndTheLargestStandsForThePicture() throws {
    for mark in [
      Self.canonMark,
      Array("IIRO".utf8) + Test.number(16, bytes: 4) + Test.number(0, bytes: 8),
    ] {
      let file = raw(mark: mark)
      #expect(file.withUnsafeBytes(MediaType.sniff) == .cameraRaw)
      #expect(try read(file) == Told(pictures: ["preview": picture, "preview-2": other]))
      #expect(try decode(file).get() == decode(picture).get())
    }
    let none =
      Array("IIRO".utf8) + Test.number(16, bytes: 4) + [UInt8](repeating: 0, count: 8) + Test.directory([(0x103, 3, 1, 1)])
    let failure = if case .failure(let failure) = try decode(none) { failure } else { Optional<Unhashable>.none }
    #expect(failure?.code == .unsupported)
  }

  /// A reader of TIFF shows the pages of a file with Canon's letters, whatever preview lies beside them.
  @Test func pagesOfACanonFileAreLookedAtBesidesItsPreview() throws {
    let samples: [UInt8] = [9, 9, 9, 8, 8, 8, 7, 7, 7, 6, 6, 6]
    func file(preview: [UInt8]) -> [UInt8] {
      let start = 16 + 2 + 12 * 11 + 4
      let page = [
        (0x100, 3, 1, 2), (0x101, 3, 1, 2), (0x102, 3, 1, 8), (0x103, 3, 1, 1), (0x106, 3, 1, 2), (0x111, 4, 1, start),
        (0x115, 3, 1, 3), (0x116, 3, 1, 2), (0x117, 4, 1, 12), (0x201, 4, 1, start + 12), (0x202, 4, 1, preview.count),
      ]
      return Self.canonMark + Test.directory(page) + samples + preview
    }
    func pages(_ file: [UInt8]) throws -> Int {
      try DecoderPool.shared.get().withLease { lease in
        try file.withUnsafeBytes { try lease.append($0) }
        return try lease.decode(.cameraRaw) { $0.pages }.get()
      }
    }
    let both = file(preview: picture)
    #expect(both.withUnsafeBytes(MediaType.sniff) == .cameraRaw)
    #expect(try pages(both) == 2 && decode(both).get() == decode(picture).get())
    let broken = [0xff, 0xd8, 0xff] + [UInt8](repeating: 7, count: 4000)
    for page in try [decode(both, page: 1), decode(file(preview: broken)), decode(file(preview: []))] {
      #expect(try (page.get().width, page.get().height) == (2, 2))
    }
    #expect(try pages(file(preview: [])) == 1)
    // What libtiff refuses is the sensor's: the preview stands for it.
    let sensor = raw(mark: Self.canonMark)
    for page in 0..<(try pages(sensor)) { #expect(try decode(sensor, page: page).get() == decode(picture).get()) }
  }

  @Test func aPreviewThatIsTheValueOfAnEntryIsFound() throws {
    let start = 8 + 18
    let file =
      [0x49, 0x49, 0x55, 0] + Test.number(8, bytes: 4) + Test.directory([(0x2e, 7, picture.count, start)]) + picture
    #expect(file.withUnsafeBytes(MediaType.sniff) == .cameraRaw)
    #expect(try read(file) == Told(pictures: ["preview": picture]))
    #expect(try decode(file).get() == decode(picture).get())
    #expect(try read(file.dropLast(9)).failures["preview"]?.code == .broken)
  }

  /// Nikon's counts offsets from a header of its own, Olympus's from its first letter.
  @Test func previewsInNotesOfMakersAreFound() throws {
    let nikon =
      Array("Nikon\0\u{2}\u{11}\0\0".utf8) + Test.head() + Test.directory([(0x11, 4, 1, 26)])
      + Test.directory([(0x201, 4, 1, 56), (0x202, 4, 1, other.count)]) + other
    func olympus(_ head: String) -> [UInt8] {
      let first = head.utf8.count + 4
      return Array(head.utf8) + [0x49, 0x49, 3, 0] + Test.directory([(0x2020, 13, 1, first + 18)])
        + Test.directory([(0x101, 4, 1, first + 48), (0x102, 4, 1, other.count)]) + other
    }
    for note in [nikon, olympus("OLYMPUS\0"), olympus("OM SYSTEM\0\0\0")] {
      // Within the directory that EXIF's entry names.
      let file =
        Test.head() + Test.directory([(0x8769, 4, 1, 26)]) + Test.directory([(0x927c, 7, note.count, 44)]) + note
      #expect(try read(file) == Told(pictures: ["preview": other]))
      // What leads nowhere is no preview that should be there.
      #expect(try read(file.dropLast(other.count + 1)) == Told())
    }
  }

  @Test func aPreviewOfFujifilmIsFound() throws {
    var file = Array("FUJIFILMCCD-RAW ".utf8) + [UInt8](repeating: 0, count: 144)
    file.replaceSubrange(84..<92, with: Test.bigNumber(160, bytes: 4) + Test.bigNumber(picture.count, bytes: 4))
    #expect(try read(file + picture) == Told(pictures: ["preview": picture]))
    #expect(try read(file).failures["preview"]?.code == .broken)
  }

  @Test func previewsInCanonsBoxesAreFound() throws {
    func box(_ name: String, _ content: [UInt8]) -> [UInt8] {
      Test.bigNumber(content.count + 8, bytes: 4) + Array(name.utf8) + content
    }
    let zeros = [UInt8](repeating: 0, count: 16)
    let small = box("THMB", zeros[..<8] + Test.bigNumber(other.count, bytes: 4) + zeros[..<4] + other)
    let preview = box("PRVW", zeros[..<12] + Test.bigNumber(picture.count, bytes: 4) + picture)
    let file =
      box("ftyp", Array("crx \0\0\0\u{1}crx isom".utf8)) + box("moov", box("uuid", zeros + small))
      + box("uuid", [0xea, 0xf4, 0x2b, 0x5e] + zeros + zeros[..<4] + preview)
    #expect(file.withUnsafeBytes(MediaType.sniff) == .cameraRaw)
    #expect(try read(file) == Told(pictures: ["thumbnail": other, "preview": picture]))
  }

  @Test func previewsWithinATIFFAreFoundBesidesItsPages() throws {
    let start = 8 + 54 + 30
    let file =
      Test.head() + Test.directory([(0x14a, 13, 1, 62), (0x103, 3, 1, 7), (0x111, 4, 1, start), (0x117, 4, 1, 9)])
      + Test.directory([(0x201, 4, 1, start), (0x202, 4, 1, other.count)]) + other
    #expect(try read(file).pictures == ["preview": other])
  }

  @Test func thumbnailsOfHEIFAreMaps() throws {
    // By testdata/make_thumbnail.sh.
    let file = try Self.testdata("pictures-within/thumbnail.heic")
    let told = try read(file)
    #expect(told.ending == nil && told.failures.isEmpty && Array(told.pictures.keys) == ["thumbnail-1"])
    let thumbnail = try decode(told.pictures["thumbnail-1"] ?? []).get()
    #expect((thumbnail.width, thumbnail.height) == (64, 44))
    let (whole, small) = (try hash(file), try hash(told.pictures["thumbnail-1"] ?? []))
    // A drawing of so few pixels at this quality is not near; of different pictures half the bits differ.
    #expect(whole.distanceInBits(to: small) < 64, "\(whole.distanceInBits(to: small)) bits")
  }

  private func hash(_ file: [UInt8]) throws -> PerceptualHash {
    try DecoderPool.shared.get().withLease { lease in
      try file.withUnsafeBytes { try lease.append($0) }
      return try lease.decode(file.withUnsafeBytes(MediaType.sniff) ?? .jpeg) { PDQ.hash($0.luma) }.get()
    }
  }

  @Test func changedFilesNeverEndADecoder() throws {
    var generator = SeededGenerator(seed: 83)
    let files = [exif(Test.exif(other)), raw(mark: Self.canonMark)]
    for round in 0..<400 {
      var file = files[round % files.count]
      for _ in 0..<Int.random(in: 1...6, using: &generator) {
        let place = Int.random(in: 4..<200, using: &generator)
        file[place] = Bool.random(using: &generator) ? 0xff : UInt8.random(in: 0...255, using: &generator)
      }
      if round % 3 == 0 { file.removeLast(Int.random(in: 0..<file.count, using: &generator)) }
      let told = try read(file)
      #expect(told.ending == nil && told.failures.values.allSatisfy { $0.code != .crashed }, "seed 83, round \(round)")
    }
  }
}
