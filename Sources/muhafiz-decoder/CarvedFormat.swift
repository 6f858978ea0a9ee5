/// What is looked for in free space; the raw value is the extension that it gets.
enum CarvedFormat: String {
  case jpeg = "jpg"
  case png, gif, webp, mp4

  /// Bytes that tell a format.
  static let headInBytes = 12

  private static let mostPictureInBytes: Int64 = 256 << 20
  private static let mostVideoInBytes: Int64 = 64 << 30

  /// Whether it is worth a closer look, at the price of two bytes.
  static func mayBegin(_ head: UnsafeRawBufferPointer) -> Bool {
    guard head.count >= 8 else { return true }
    return switch head[0] {
    case 0xff: head[1] == 0xd8
    case 0x89: head[1] == 0x50
    case 0x47, 0x52: head[1] == 0x49
    case 0: head[4] == 0x66
    default: false
    }
  }

  static func of(_ head: [UInt8]) -> CarvedFormat? {
    switch head[0] {
    case 0xff where head[1] == 0xd8 && head[2] == 0xff && head[3] >= 0xc0 && head[3] < 0xff: .jpeg
    case 0x89 where head.starts(with: [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]): .png
    case 0x47 where head.starts(with: Array("GIF8".utf8)) && (head[4] == 0x37 || head[4] == 0x39) && head[5] == 0x61: .gif
    case 0x52 where head.starts(with: Array("RIFF".utf8)) && head[8...].elementsEqual("WEBP".utf8): .webp
    case 0 where head[4..<8].elementsEqual("ftyp".utf8): .mp4
    default: nil
    }
  }

  /// Where the content that begins at a place ends; `nil` where its structure breaks off.
  func end(in space: FreeSpace, from start: Int64) -> Int64? {
    var walk = StructureWalk(
      space, at: start,
      end: min(space.sizeInBytes, start + (self == .mp4 ? Self.mostVideoInBytes : Self.mostPictureInBytes)))
    return switch self {
    case .jpeg: walk.jpeg()
    case .png: walk.png()
    case .gif: walk.gif()
    case .webp: walk.webp()
    case .mp4: walk.mp4()
    }
  }
}

/// Steps through a content from one part of its structure to the next.
private struct StructureWalk {
  private let space: FreeSpace
  private let start: Int64
  private var place: Int64
  private let end: Int64

  init(_ space: FreeSpace, at place: Int64, end: Int64) {
    self.space = space
    start = place
    self.place = place
    self.end = end
  }

  private mutating func take(_ count: Int) -> [UInt8]? {
    guard Int64(count) <= end - place, let bytes = space.bytes(at: place, count: count) else { return nil }
    place += Int64(count)
    return bytes
  }

  private mutating func skip(_ count: Int64) -> Bool {
    guard count >= 0, count <= end - place else { return false }
    place += count
    return true
  }

  private static func bigEndian(_ bytes: some Sequence<UInt8>) -> Int64 { bytes.reduce(0) { $0 << 8 | Int64($1) } }

  private static func littleEndian(_ bytes: some BidirectionalCollection<UInt8>) -> Int64 { bigEndian(bytes.reversed()) }

  /// Segments, and behind each start of scan its coded data, to the end of image. Source: ITU-T T.81, annex B.
  mutating func jpeg() -> Int64? {
    guard skip(2) else { return nil }
    var hasFrame = false
    while let marker = take(2) {
      guard marker[0] == 0xff else { return nil }
      switch marker[1] {
      case 0xff: place -= 1  // A marker may have fill bytes in front.
      case 0xd9: return hasFrame ? place : nil
      case 0xc0...0xcf, 0xda...0xfe:
        guard let length = take(2).map(Self.bigEndian), length >= 2, skip(length - 2) else { return nil }
        // Frames are C0 to CF but for tables, which are C4, C8 and CC.
        if (0xc0...0xcf).contains(marker[1]) && marker[1] % 4 != 0 || marker[1] == 0xc0 { hasFrame = true }
        if marker[1] == 0xda { guard hasFrame, skipCodedData() else { return nil } }
      default: return nil
      }
    }
    return nil
  }

  /// Goes to the next marker that is neither a restart nor a stuffed byte.
  private mutating func skipCodedData() -> Bool {
    while place < end {
      let piece = space.piece(at: place)
      if piece.isEmpty { return false }
      guard let mark = piece.firstIndex(of: 0xff) else {
        place += Int64(piece.count)
        continue
      }
      place += Int64(mark)
      guard let next = space.bytes(at: place, count: 2)?[1] else { return false }
      switch next {
      case 0, 0xd0...0xd7: place += 2
      case 0xff: place += 1
      default: return true
      }
    }
    return false
  }

  /// Chunks to IEND. Source: PNG specification, 5.3.
  mutating func png() -> Int64? {
    guard skip(8) else { return nil }
    var isFirst = true
    while let head = take(8) {
      let length = Self.bigEndian(head[..<4])
      let name = head[4...]
      guard name.allSatisfy({ (0x41...0x5a).contains($0) || (0x61...0x7a).contains($0) }),
        !isFirst || (name.elementsEqual("IHDR".utf8) && length == 13), skip(length + 4)
      else { return nil }
      if name.elementsEqual("IEND".utf8) { return length == 0 ? place : nil }
      isFirst = false
    }
    return nil
  }

  /// Blocks to the trailer. Source: GIF89a specification.
  mutating func gif() -> Int64? {
    guard skip(6), let screen = take(7), skip(Self.coloursInBytes(screen[4])) else { return nil }
    var hasPicture = false
    while let kind = take(1)?[0] {
      switch kind {
      case 0x21:
        guard take(1) != nil, skipBlocks() else { return nil }
      case 0x2c:
        guard let head = take(9), skip(Self.coloursInBytes(head[8])), take(1) != nil, skipBlocks() else { return nil }
        hasPicture = true
      case 0x3b: return hasPicture ? place : nil
      default: return nil
      }
    }
    return nil
  }

  private static func coloursInBytes(_ flags: UInt8) -> Int64 { flags & 0x80 == 0 ? 0 : 3 << (Int64(flags & 7) + 1) }

  private mutating func skipBlocks() -> Bool {
    while let length = take(1)?[0] {
      if length == 0 { return true }
      if !skip(Int64(length)) { return false }
    }
    return false
  }

  /// Chunks that fill the size in front exactly. Source: RIFF container of WebP.
  mutating func webp() -> Int64? {
    guard let head = take(12) else { return nil }
    let whole = start + 8 + Self.littleEndian(head[4..<8])
    guard whole <= end else { return nil }
    var hasPicture = false
    while place < whole {
      guard let chunk = take(8) else { return nil }
      let length = Self.littleEndian(chunk[4...])
      guard chunk[..<4].allSatisfy({ (0x20...0x7e).contains($0) }), skip(length + length % 2) else { return nil }
      hasPicture = hasPicture || chunk.starts(with: Array("VP8".utf8)) || chunk.starts(with: Array("ANMF".utf8))
    }
    return place == whole && hasPicture ? place : nil
  }

  /// Boxes as far as they are of a kind that lies at the top of a file, an index and data among them.
  /// Source: ISO/IEC 14496-12.
  mutating func mp4() -> Int64? {
    var met: Set<String> = []
    while end - place >= 8, let head = space.bytes(at: place, count: 8) {
      let kind = String(decoding: head[4...], as: UTF8.self)
      guard Self.boxes.contains(kind) else { break }
      var (length, headInBytes) = (Self.bigEndian(head[..<4]), Int64(8))
      if length == 1 {
        guard let large = space.bytes(at: place + 8, count: 8), large[0] < 0x80 else { return nil }
        (length, headInBytes) = (Self.bigEndian(large), 16)
      }
      // A box that goes on to the end of its file says nothing of where that is.
      guard length >= headInBytes, skip(length) else { return nil }
      met.insert(kind)
    }
    return met.contains("mdat") && !met.isDisjoint(with: ["moov", "moof"]) ? place : nil
  }

  private static let boxes: Set<String> = [
    "ftyp", "moov", "mdat", "free", "skip", "wide", "uuid", "moof", "mfra", "sidx", "styp", "meta", "pdin", "udta", "emsg",
    "prft",
  ]
}
