import CMedia
import Decoding

/// Pictures that lie within the file of a picture: thumbnails, and what cameras store for their displays.
///
/// They are found by structure, not by looking for signatures. What one holds is looked for when it is a file of its own.
struct EmbeddedPictures {
  /// Where one lies, or why it cannot be had.
  struct Found {
    var name: String
    var range: Range<Int>
    /// Put before the bytes of the file.
    var head: [UInt8] = []
    var ending = Ending.whole
  }

  private let file: UnsafeRawBufferPointer
  private(set) var found: [Found] = []
  /// Whether there are more than ``mostFound``.
  private(set) var areMore = false
  private var visited: Set<Int> = []

  static let mostFound = 64
  private static let mostDirectories = 64

  init(_ file: UnsafeRawBufferPointer, _ type: MediaType?) {
    self.file = file
    switch type {
    case .jpeg: readJPEG()
    case .png, .apng: readPNG()
    case .webp: readWebP()
    case .photoshop: readPhotoshopFile()
    case .tiff: if let tiff = TIFFDirectories(file) { readTIFF(tiff, isRaw: false) }
    case .cameraRaw: readRaw()
    default: break
    }
  }

  /// Tells the parent of the pictures within the file of a request.
  static func read(_ request: DecodeRequest, _ link: ParentLink) -> DecodeReply {
    guard !request.isPulled else { return DecodeReply(status: .unsupported) }
    let file = UnsafeRawBufferPointer(rebasing: link.input[..<Int(request.inputSize)])
    let type = MediaType.sniff(file)
    if type == .heic || type == .avif { return readHEIF(request, file, link) }
    let pictures = EmbeddedPictures(file, type)
    for picture in pictures.found {
      link.begin(Array(picture.name.utf8))
      var isWanted = picture.head.isEmpty || link.tellBytes(picture.head[...])
      if isWanted { isWanted = link.tellBytes(UnsafeRawBufferPointer(rebasing: file[picture.range])) }
      link.end(.end, picture.ending)
    }
    return reply(areMore: pictures.areMore)
  }

  private static func reply(areMore: Bool) -> DecodeReply {
    var reply = DecodeReply(status: areMore ? .limit : .decoded)
    if areMore { reply.reason = "limit: more than \(mostFound) pictures within a picture" }
    return reply
  }

  /// The one of most bytes: what stands for a camera's picture.
  var largest: Range<Int>? {
    found.filter { $0.ending.status == .decoded && $0.head.isEmpty }.map(\.range).max { $0.count < $1.count }
  }

  /// A big-endian number of so many bytes, which are there.
  private func number(_ at: Int, _ count: Int) -> Int { file[at..<at + count].reduce(0) { $0 << 8 | Int($1) } }

  /// What stands before red, green and blue in a portable map.
  private static func mapHead(_ width: Int, _ height: Int) -> [UInt8] { Array("P6\n\(width) \(height)\n255\n".utf8) }

  // MARK: What is found

  private mutating func add(_ name: String, _ range: Range<Int>, head: [UInt8] = [], _ ending: Ending = .whole) {
    // Cameras name one picture in several directories.
    if ending.status == .decoded && found.contains(where: { $0.range == range && $0.ending.status == .decoded }) {
      return
    }
    guard found.count < Self.mostFound else {
      areMore = true
      return
    }
    let others = found.count { $0.name == name || $0.name.hasPrefix(name + "-") }
    found.append(Found(name: others == 0 ? name : "\(name)-\(others + 1)", range: range, head: head, ending: ending))
  }

  /// A JPEG that is said to lie there. One whose samples are a sensor's is no picture yet, and not told of.
  private mutating func addJPEG(_ name: String, at start: Int, count: Int, isCertain: Bool = true) {
    guard count > 0 else { return }
    guard start >= 0, count <= file.count, start <= file.count - count else {
      if isCertain { add(name, 0..<0, Ending(status: .broken, reason: "it lies outside of the file")) }
      return
    }
    let range = start..<start + count
    guard count >= 4, file[start] == 0xff, file[start + 1] == 0xd8, file[start + 2] == 0xff else {
      if isCertain { add(name, 0..<0, Ending(status: .broken, reason: "there is no JPEG where it should be")) }
      return
    }
    if !Self.isLossless(UnsafeRawBufferPointer(rebasing: file[range])) { add(name, range) }
  }

  // MARK: JPEG

  /// Calls with each marker segment before the first scan, until `false`. Source: ITU-T T.81, annex B.
  private static func forEachSegment(
    of jpeg: UnsafeRawBufferPointer, _ body: (_ marker: UInt8, _ content: Range<Int>) -> Bool
  ) {
    var at = 2
    while at + 4 <= jpeg.count {
      guard jpeg[at] == 0xff else { return }
      let marker = jpeg[at + 1]
      if marker == 0xff {
        at += 1
        continue
      }
      if marker == 0x01 || (0xd0...0xd8).contains(marker) {
        at += 2
        continue
      }
      let length = Int(jpeg[at + 2]) << 8 | Int(jpeg[at + 3])
      guard marker != 0xda, marker != 0xd9, length >= 2, length <= jpeg.count - at - 2,
        body(marker, at + 4..<at + 2 + length)
      else { return }
      at += 2 + length
    }
  }

  private static func isLossless(_ jpeg: UnsafeRawBufferPointer) -> Bool {
    var isLossless = false
    forEachSegment(of: jpeg) { marker, _ in
      isLossless = [0xc3, 0xc7, 0xcb, 0xcf].contains(marker)
      return !isLossless
    }
    return isLossless
  }

  private mutating func readJPEG() {
    var segments: [(marker: UInt8, content: Range<Int>)] = []
    Self.forEachSegment(of: file) { marker, content in
      if [0xe0, 0xe1, 0xe2, 0xed].contains(marker) { segments.append((marker, content)) }
      return segments.count < 4096
    }
    for (marker, content) in segments {
      if marker == 0xe0, let thumbnail = block(content, after: "JFXX\0") {
        readJFXX(thumbnail)
      } else if marker == 0xe0, let header = block(content, after: "JFIF\0") {
        if header.count > 9 { addSamples("jfif-thumbnail", header.dropFirst(7)) }
      } else if marker == 0xe1, let exif = block(content, after: "Exif\0\0") {
        readEXIF(exif)
      } else if marker == 0xe2, let index = block(content, after: "MPF\0") {
        readMPF(index)
      } else if marker == 0xed, let resources = block(content, after: "Photoshop 3.0\0") {
        readPhotoshop(resources)
      }
    }
  }

  /// What follows an identifier in a segment.
  private func block(_ content: Range<Int>, after identifier: String) -> Range<Int>? {
    let letters = Array(identifier.utf8)
    guard content.count >= letters.count, file[content].starts(with: letters) else { return nil }
    return content.dropFirst(letters.count)
  }

  /// The directory behind the first is the thumbnail's. Source: EXIF 2.32, 4.5.
  private mutating func readEXIF(_ block: Range<Int>) {
    guard let exif = TIFFDirectories(UnsafeRawBufferPointer(rebasing: file[block])),
      let main = exif.directory(at: exif.first), let thumbnail = exif.directory(at: main.next)
    else { return }
    let entries = thumbnail.entries
    let start = exif.numbers(entries[0x201]).first
    if let start, let count = exif.numbers(entries[0x202]).first, count > 0 {
      guard start >= 0, start < block.count else {
        return add("exif-thumbnail", 0..<0, Ending(status: .broken, reason: "it lies outside of the EXIF data"))
      }
      return addJPEG("exif-thumbnail", at: block.lowerBound + start, count: min(count, block.count - start))
    }
    addUncompressed("exif-thumbnail", exif, thumbnail, within: block)
  }

  /// Red, green and blue in one strip.
  private mutating func addUncompressed(
    _ name: String, _ tiff: TIFFDirectories, _ directory: TIFFDirectories.Directory, within block: Range<Int>
  ) {
    let entries = directory.entries
    func first(_ tag: Int) -> Int? { tiff.numbers(entries[tag]).first }
    guard first(0x103) == 1, let start = first(0x111), let width = first(0x100), let height = first(0x101),
      (1...65_535).contains(width), (1...65_535).contains(height)
    else { return }
    guard entries[0x111]?.count == 1, first(0x106) == 2, first(0x115) == 3,
      tiff.numbers(entries[0x102]).allSatisfy({ $0 == 8 })
    else {
      return add(
        name, 0..<0, Ending(status: .unsupported, reason: "an uncompressed thumbnail of a kind that is not read"))
    }
    let count = width * height * 3
    guard count <= block.count, start <= block.count - count else {
      return add(name, 0..<0, Ending(status: .broken, reason: "it lies outside of the EXIF data"))
    }
    let place = block.lowerBound + start
    add(name, place..<place + count, head: Self.mapHead(width, height))
  }

  /// A thumbnail as a JPEG, or as red, green and blue of up to 255 by 255. Source: ITU-T T.871, 10.2 and 10.3.
  private mutating func readJFXX(_ block: Range<Int>) {
    guard block.count > 3 else { return }
    switch file[block.lowerBound] {
    case 0x10: addJPEG("jfif-thumbnail", at: block.lowerBound + 1, count: block.count - 1)
    case 0x13: addSamples("jfif-thumbnail", block.dropFirst())
    default:
      add("jfif-thumbnail", 0..<0, Ending(status: .unsupported, reason: "a thumbnail of a kind that is not read"))
    }
  }

  /// Width and height in a byte each, and as many samples of red, green and blue.
  private mutating func addSamples(_ name: String, _ block: Range<Int>) {
    let (width, height) = (Int(file[block.lowerBound]), Int(file[block.lowerBound + 1]))
    let samples = block.dropFirst(2).prefix(width * height * 3)
    if width * height == 0 { return }
    guard samples.count == width * height * 3 else {
      return add(name, 0..<0, Ending(status: .broken, reason: "the thumbnail is cut short"))
    }
    add(name, samples, head: Self.mapHead(width, height))
  }

  /// Further pictures of the file, by their places behind this block's start. Source: CIPA DC-007, 5.2.3.
  private mutating func readMPF(_ block: Range<Int>) {
    guard let index = TIFFDirectories(UnsafeRawBufferPointer(rebasing: file[block])),
      let directory = index.directory(at: index.first), let entry = directory.entries[0xb002],
      let list = index.offset(entry)
    else { return }
    for number in 0..<min(entry.count / 16, Self.mostFound + 1) {
      guard let count = index.number(at: list + 16 * number + 4, bytes: 4),
        let offset = index.number(at: list + 16 * number + 8, bytes: 4)
      else { return }
      if offset > 0 { addJPEG("mpf", at: block.lowerBound + offset, count: count) }
    }
  }

  /// Resource 1036 is a thumbnail: 28 bytes of sizes, then a JPEG. Source: Adobe Photoshop File Formats, "Image Resources".
  private mutating func readPhotoshop(_ block: Range<Int>) {
    var at = block.lowerBound
    while block.upperBound - at >= 12, file[at..<at + 4].elementsEqual("8BIM".utf8) {
      let name = (Int(file[at + 6]) + 2) & ~1  // with its length, padded
      let size = at + 6 + name
      guard size <= block.upperBound - 4 else { return }
      let count = number(size, 4)
      guard count <= block.upperBound - size - 4 else { return }
      if file[at + 4] == 0x04, file[at + 5] == 0x0c, count > 28 {
        addJPEG("photoshop-thumbnail", at: size + 32, count: count - 28)
      }
      at = size + 4 + (count + 1) & ~1
    }
  }

  /// Behind the header and the colours stand the same resources. Source: Adobe Photoshop File Formats, "File Header Section".
  private mutating func readPhotoshopFile() {
    guard file.count >= 34 else { return }
    let colours = number(26, 4)
    guard colours <= file.count - 34 else { return }
    let resources = 34 + colours
    readPhotoshop(resources..<resources + min(number(30 + colours, 4), file.count - resources))
  }

  // MARK: PNG and WebP

  /// Source: PNG specification, third edition, 11.3.4.5.
  private mutating func readPNG() {
    var at = 8
    while file.count - at >= 12, !areMore {
      let count = number(at, 4)
      if file[at + 4..<at + 8].elementsEqual("eXIf".utf8) { readBareEXIF(at + 8..<min(at + 8 + count, file.count)) }
      at += 12 + count
    }
  }

  /// Source: RFC 9649, section 2.7.1.5.
  private mutating func readWebP() {
    var at = 12
    while file.count - at >= 8, !areMore {
      let count = file[at + 4..<at + 8].reversed().reduce(0) { $0 << 8 | Int($1) }
      if file[at..<at + 4].elementsEqual("EXIF".utf8) { readBareEXIF(at + 8..<min(at + 8 + count, file.count)) }
      at += 8 + (count + 1) & ~1
    }
  }

  /// Many writers put before it what stands before it in a JPEG.
  private mutating func readBareEXIF(_ range: Range<Int>) { readEXIF(block(range, after: "Exif\0\0") ?? range) }

  // MARK: TIFF and what cameras made of it

  /// - Parameter isRaw: Whether directories of the main chain are looked at as well; those of a TIFF are its pages.
  private mutating func readTIFF(_ tiff: TIFFDirectories, isRaw: Bool) {
    var waiting: [(offset: Int, isPage: Bool)] = [(tiff.first, true)]
    while let (offset, isPage) = waiting.popLast() {
      guard visited.count < Self.mostDirectories else {
        areMore = true
        return
      }
      guard visited.insert(offset).inserted, let directory = tiff.directory(at: offset) else { continue }
      let entries = directory.entries
      if directory.next > 0 { waiting.append((directory.next, isPage)) }
      for child in tiff.numbers(entries[0x14a]) { waiting.append((child, false)) }
      if let exif = tiff.numbers(entries[0x8769]).first { waiting.append((exif, false)) }
      if let start = tiff.numbers(entries[0x201]).first, let count = tiff.numbers(entries[0x202]).first {
        addJPEG("preview", at: start, count: count, isCertain: false)
      }
      let compression = tiff.numbers(entries[0x103]).first
      if isRaw || !isPage, compression == 6 || compression == 7, entries[0x111]?.count == 1, entries[0x117]?.count == 1,
        let start = tiff.numbers(entries[0x111]).first, let count = tiff.numbers(entries[0x117]).first
      {
        addJPEG("preview", at: start, count: count, isCertain: false)
      }
      // Panasonic's JpgFromRaw is the value itself.
      if isRaw, let entry = entries[0x2e], entry.type == 7, let start = tiff.offset(entry) {
        addJPEG("preview", at: start, count: entry.count)
      }
      if let note = entries[0x927c], let start = tiff.offset(note) { readMakerNote(at: start) }
    }
  }

  /// Notes of makers that keep a preview in them: Nikon's and Olympus's. Offsets in them count from places of their own.
  private mutating func readMakerNote(at start: Int) {
    func begins(_ letters: [UInt8]) -> Bool { file.count - start > 32 && file[start...].starts(with: letters) }
    guard start >= 0, start < file.count else { return }
    if begins(Array("Nikon\0\u{2}".utf8)) {
      let base = start + 10
      guard let note = TIFFDirectories(UnsafeRawBufferPointer(rebasing: file[base...])),
        let directory = note.directory(at: note.first), let place = note.numbers(directory.entries[0x11]).first,
        let preview = note.directory(at: place), let offset = note.numbers(preview.entries[0x201]).first,
        let count = note.numbers(preview.entries[0x202]).first
      else { return }
      addJPEG("preview", at: base + offset, count: count, isCertain: false)
    } else if let head = begins(Array("OLYMPUS\0".utf8)) ? 8 : begins(Array("OM SYSTEM\0\0\0".utf8)) ? 12 : nil {
      guard
        let note = TIFFDirectories(
          UnsafeRawBufferPointer(rebasing: file[start...]), isLittle: file[start + head] == UInt8(ascii: "I")),
        let directory = note.directory(at: head + 4), let place = note.numbers(directory.entries[0x2020]).first,
        let settings = note.directory(at: place), let offset = note.numbers(settings.entries[0x101]).first,
        let count = note.numbers(settings.entries[0x102]).first
      else { return }
      addJPEG("preview", at: start + offset, count: count, isCertain: false)
    }
  }

  private mutating func readRaw() {
    if file.starts(with: "FUJIFILMCCD-RAW ".utf8) {
      guard file.count >= 92 else { return }
      addJPEG("preview", at: number(84, 4), count: number(88, 4))
    } else if file.count >= 8, file[4..<8].elementsEqual("ftyp".utf8) {
      readBoxes(0..<file.count, depth: 0)
    } else if let tiff = TIFFDirectories(file) {
      readTIFF(tiff, isRaw: true)
    }
  }

  // MARK: Canon's boxes

  /// Source: ISO 14496-12, 4.2 for boxes, 8.7 for samples. Canon keeps a thumbnail in `THMB`, a preview in `PRVW`, and the
  /// picture at full size as the sample of a track.
  private mutating func readBoxes(_ range: Range<Int>, depth: Int) {
    var at = range.lowerBound
    var sample: Int?
    while range.upperBound - at >= 8 {
      var (size, head) = (number(at, 4), 8)
      if size == 1 {
        guard range.upperBound - at >= 16, file[at + 8] < 0x80 else { return }
        (size, head) = (number(at + 8, 8), 16)
      } else if size == 0 {
        size = range.upperBound - at
      }
      guard size >= head, size <= range.upperBound - at else { return }
      let content = at + head..<at + size
      switch String(decoding: file[at + 4..<at + 8], as: UTF8.self) {
      case "moov", "trak", "mdia", "minf", "stbl": if depth < 8 { readBoxes(content, depth: depth + 1) }
      case "uuid" where content.count > 16 && depth < 8:
        // Behind its name; the preview's has eight bytes more.
        let isPreview = file[content].starts(with: [0xea, 0xf4, 0x2b, 0x5e])
        readBoxes(content.dropFirst(isPreview && content.count > 24 ? 24 : 16), depth: depth + 1)
      case "THMB" where content.count > 16:
        addJPEG("thumbnail", at: content.lowerBound + 16, count: number(content.lowerBound + 8, 4))
      case "PRVW" where content.count > 16:
        addJPEG("preview", at: content.lowerBound + 16, count: number(content.lowerBound + 12, 4))
      case "stsz" where content.count >= 16:
        let all = number(content.lowerBound + 4, 4)
        sample = all > 0 ? all : content.count >= 16 ? number(content.lowerBound + 12, 4) : nil
      case "co64" where content.count >= 16 && file[content.lowerBound + 8] < 0x80:
        if let sample { addJPEG("preview", at: number(content.lowerBound + 8, 8), count: sample, isCertain: false) }
      default: break
      }
      at += size
    }
  }

  // MARK: HEIF

  /// Thumbnails, and pictures besides the first, as portable maps: coded as they are they would be no files.
  private static func readHEIF(_ request: DecodeRequest, _ file: UnsafeRawBufferPointer, _ link: ParentLink)
    -> DecodeReply
  {
    var index: UInt32 = 0
    while true {
      var job = media_request(
        bytes: file.baseAddress?.assumingMemoryBound(to: UInt8.self), count: file.count,
        samples: link.output.baseAddress, capacity: link.output.count,
        most_pixels: min(request.mostPixels, UInt64(PDFSamples.mostPixels)), smallest_side: 0, frame: index,
        most_frames: 0,
        frame_seconds: 0, detail: 0)
      var result = media_result()
      media_decode_heif_further(&job, &result)
      // A file that cannot be read at all is told of as the picture that it is.
      if result.frames <= index { return reply(areMore: false) }
      if index == mostFound { return reply(areMore: true) }
      link.begin(Array("\(result.left_out != 0 ? "thumbnail" : "image")-\(index + 1)".utf8))
      let told = DecodeReply(&result)
      if told.status == .decoded {
        let count = Int(result.width) * Int(result.height) * 3
        // The output is the way to the parent.
        let map = mapHead(Int(result.width), Int(result.height)) + link.output[..<count]
        _ = link.tellBytes(map[...])
      }
      link.end(.end, Ending(status: told.status, reason: told.reason))
      index += 1
    }
  }
}

extension ParentLink {
  /// Tells of bytes, in pieces; returns whether all were wanted.
  func tellBytes(_ bytes: UnsafeRawBufferPointer) -> Bool {
    for start in stride(from: 0, to: bytes.count, by: ArchiveReader.pieceInBytes) {
      let piece = UnsafeRawBufferPointer(rebasing: bytes[start..<min(start + ArchiveReader.pieceInBytes, bytes.count)])
      output.copyMemory(from: piece)
      if !tellBytes(piece.count) { return false }
    }
    return true
  }

  func tellBytes(_ bytes: ArraySlice<UInt8>) -> Bool { bytes.withUnsafeBytes { tellBytes($0) } }
}
