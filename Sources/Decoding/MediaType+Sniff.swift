import Glibc

extension MediaType {
  /// Bytes from the start of a file that ``sniff(_:)`` wants to see: an ISO 9660 image says what it is only behind 32 KiB.
  public static let sniffedBytes = 0x8006

  /// Tells a type by the first bytes of a file.
  ///
  /// Signatures of two or three bytes are believed only with further fields in range, so that other data
  /// which happen to begin like that are not taken for a picture.
  ///
  /// - Parameter head: The start of the file, ``sniffedBytes`` or more, or the whole file; with less, types are missed.
  /// - Returns: The type, or `nil` where none is recognised: text, an executable, random bytes.
  public static func sniff(_ head: UnsafeRawBufferPointer) -> MediaType? {
    let head = Head(bytes: head)
    return picture(head) ?? isoMedia(head) ?? video(head) ?? container(head)
  }

  private static func picture(_ head: Head) -> MediaType? {
    // SOI, then another marker: 0xC0…0xFE without restart markers and a second SOI.
    if head.has([0xff, 0xd8, 0xff]), let marker = head[3], (0xc0...0xfe).contains(marker),
      !(0xd0...0xd8).contains(marker)
    {
      return .jpeg
    }
    if head.has([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]) { return isAnimatedPNG(head) ? .apng : .png }
    if head.has("GIF87a") || head.has("GIF89a") { return .gif }
    if head.has("RIFF"), head.has("WEBP", at: 8) { return .webp }
    if isBitmap(head) { return .bmp }
    if isCameraRaw(head) { return .cameraRaw }
    if head.has([0x49, 0x49, 0x2a, 0x00]) || head.has([0x4d, 0x4d, 0x00, 0x2a]) { return .tiff }
    // BigTIFF: offsets of eight bytes.
    if head.has([0x49, 0x49, 0x2b, 0x00, 8, 0, 0, 0]) { return .tiff }
    if head.has([0x4d, 0x4d, 0x00, 0x2b, 0, 8, 0, 0]) { return .tiff }
    if head.has([0, 0, 0, 0x0c]), head.has("JXL \r\n", at: 4) { return .jxl }
    if isBareJXL(head) { return .jxl }
    if head.has([0, 0, 0, 0x0c]), head.has("jP  \r\n", at: 4) { return .jpeg2000 }
    if head.has([0xff, 0x4f, 0xff, 0x51, 0x00]) { return .jpeg2000 }
    if head.has("8BPS"), head.number(at: 4, bytes: 2) == 0x0100 || head.number(at: 4, bytes: 2) == 0x0200 {
      return .photoshop
    }
    if isIcon(head) { return .icon }
    if isPortableMap(head) { return .pnm }
    if isTarga(head) { return .targa }
    return nil
  }

  /// Canon's CR2 is a TIFF with letters behind its head, and CR3 has a brand; Olympus and Panasonic have a number of their
  /// own in the place of 42.
  private static func isCameraRaw(_ head: Head) -> Bool {
    (head.has([0x49, 0x49, 0x2a, 0x00]) && head.has("CR\u{2}", at: 8)) || head.has("FUJIFILMCCD-RAW ")
      || head.has("IIRO") || head.has("IIRS") || head.has("MMOR") || head.has([0x49, 0x49, 0x55, 0x00])
      || head.has("ftypcrx ", at: 4)
  }

  /// "P4" to "P7", and then numbers or the words of PAM; the text forms "P1" to "P3" too look like this.
  private static func isPortableMap(_ head: Head) -> Bool {
    guard head.has("P"), let kind = head[1], (0x31...0x37).contains(kind), head.bytes.count >= 7 else { return false }
    if kind == 0x37 { return head.has("P7\nWIDTH ") || head.has("P7\n#") }
    var (at, digits, numbers) = (2, 0, 0)
    // Width and height, and for gray and colour a greatest value, each behind white space or comments.
    while numbers < (kind == 0x31 || kind == 0x34 ? 2 : 3) {
      guard let byte = head[at] else { return false }
      switch byte {
      case 0x30...0x39: digits += 1
      case 0x09, 0x0a, 0x0d, 0x20:
        if digits > 0 { numbers += 1 }
        digits = 0
      case 0x23:
        guard digits == 0, let end = head.bytes[at...].firstIndex(of: 0x0a) else { return false }
        at = end
      default: return false
      }
      at += 1
    }
    return true
  }

  /// Targa has no signature in front: true colour or gray without a colour map, whose fields then are zeros, or a map of
  /// 24 or 32 bits a colour; a depth that goes with the kind; and a picture of some size near the origin.
  private static func isTarga(_ head: Head) -> Bool {
    guard let hasMap = head[1], let kind = head[2], let width = head.number(at: 12, bytes: 2),
      let height = head.number(at: 14, bytes: 2), let depth = head[16], let flags = head[17], width > 0, height > 0,
      let left = head.number(at: 8, bytes: 2), let bottom = head.number(at: 10, bytes: 2), left <= width,
      bottom <= height,
      flags & 0xc0 == 0
    else { return false }
    switch (hasMap, kind) {
    case (0, 2), (0, 10): return head.has([0, 0, 0, 0, 0], at: 3) && [15, 16, 24, 32].contains(depth)
    case (0, 3), (0, 11): return head.has([0, 0, 0, 0, 0], at: 3) && [8, 16].contains(depth)
    case (1, 1), (1, 9):
      guard let first = head.number(at: 3, bytes: 2), let colours = head.number(at: 5, bytes: 2), let size = head[7]
      else { return false }
      return first <= 256 && (1...256).contains(colours) && (size == 24 || size == 32) && depth == 8
    default: return false
    }
  }

  /// A chunk "acTL" before the first "IDAT". Source: APNG specification; a chunk is length, name, data and a sum.
  private static func isAnimatedPNG(_ head: Head) -> Bool {
    var at = 8
    while let length = head.bigEndian(at: at, bytes: 4), let name = head.text(at: at + 4, count: 4), name != "IDAT" {
      if name == "acTL" { return true }
      at += 12 + length
    }
    return false
  }

  /// "BM", reserved fields of zero, a picture header of a size that exists, one plane, a depth that exists, and pixels
  /// that start behind the headers. Source: BITMAPFILEHEADER and BITMAPCOREHEADER … BITMAPV5HEADER.
  private static func isBitmap(_ head: Head) -> Bool {
    guard head.has("BM"), head.number(at: 6, bytes: 4) == 0,
      let offset = head.number(at: 10, bytes: 4), let size = head.number(at: 14, bytes: 4),
      [12, 16, 40, 52, 56, 64, 108, 124].contains(size), offset >= 14 + size, offset <= 1 << 16,
      let planes = head.number(at: size == 12 ? 22 : 26, bytes: 2),
      let depth = head.number(at: size == 12 ? 24 : 28, bytes: 2)
    else { return false }
    return planes == 1 && [1, 2, 4, 8, 16, 24, 32].contains(depth)
  }

  /// The bare codestream has only the signature FF 0A. Its size header follows: with the lowest bit set, a height of
  /// eight times 1…32. Others are accepted only where the further fields are not plain text or zeros.
  private static func isBareJXL(_ head: Head) -> Bool {
    guard head.has([0xff, 0x0a]), head.bytes.count >= 16 else { return false }
    return head.bytes[2..<16].contains { $0 >= 0x80 } && head.bytes[2..<16].contains { $0 != head.bytes[2] }
  }

  /// Reserved 0, type 1, a few pictures, and a first directory entry that lies in order.
  private static func isIcon(_ head: Head) -> Bool {
    guard head.has([0, 0, 1, 0]), let count = head.number(at: 4, bytes: 2), (1...64).contains(count), head[9] == 0,
      let planes = head.number(at: 10, bytes: 2), planes <= 1,
      let depth = head.number(at: 12, bytes: 2), [0, 1, 4, 8, 16, 24, 32].contains(depth),
      let size = head.number(at: 14, bytes: 4), size >= 40,
      let offset = head.number(at: 18, bytes: 4)
    else { return false }
    return offset >= 6 + 16 * count && offset < 1 << 24
  }

  /// ISO 14496-12: a first box "ftyp" with a brand, or one of the boxes that old QuickTime files begin with.
  private static func isoMedia(_ head: Head) -> MediaType? {
    guard let size = head.bigEndian(at: 0, bytes: 4), let kind = head.text(at: 4, count: 4) else { return nil }
    if kind == "ftyp" {
      guard size >= 8, size <= 4096 else { return nil }
      var brands = [head.text(at: 8, count: 4)].compactMap(\.self)
      var at = 16
      while at + 4 <= size, at < 64, let brand = head.text(at: at, count: 4) {
        brands.append(brand)
        at += 4
      }
      // "mif1" names the image container and no codec: HEIF.
      return brands.lazy.compactMap(brandType).first ?? (brands.contains("mif1") ? .heic : .mp4)
    }
    if ["moov", "mdat", "wide", "free", "skip", "pnot"].contains(kind), size == 1 || (8...(1 << 31)).contains(size) {
      // "free" and "skip" are words: believed with a further box behind them only.
      if kind == "moov" || kind == "mdat" || kind == "pnot" { return .quickTime }
      guard size <= 256, let next = head.text(at: size + 4, count: 4) else { return nil }
      return ["moov", "mdat", "wide", "free", "skip", "ftyp"].contains(next) ? .quickTime : nil
    }
    return nil
  }

  private static func brandType(_ brand: String) -> MediaType? {
    switch brand {
    case "avif", "avis": .avif
    case "heic", "heix", "heim", "heis", "hevc", "hevx": .heic
    case "qt  ": .quickTime
    case "isom", "iso2", "iso4", "iso5", "iso6", "mp41", "mp42", "avc1", "M4V ", "MSNV", "dash": .mp4
    default: brand.hasPrefix("3gp") || brand.hasPrefix("3g2") ? .threeGPP : nil
    }
  }

  private static func video(_ head: Head) -> MediaType? {
    if head.has([0x1a, 0x45, 0xdf, 0xa3]) { return head.contains("webm", before: 64) ? .webm : .matroska }
    if head.has("RIFF"), head.has("AVI ", at: 8) { return .avi }
    if head.has([0x30, 0x26, 0xb2, 0x75, 0x8e, 0x66, 0xcf, 0x11, 0xa6, 0xd9]) { return .asf }
    if head.has("FLV"), head[3] == 1, let flags = head[4], flags & 0xfa == 0,
      head.bigEndian(at: 5, bytes: 4) == 9
    {
      return .flv
    }
    if head.has("OggS"), head[4] == 0 { return .ogg }
    // Pack header with the marker bits of MPEG-1 (0010) or MPEG-2 (01), or a sequence header.
    if head.has([0, 0, 1, 0xba]), let next = head[4], next >> 4 == 0b0010 || next >> 6 == 0b01 { return .mpegProgram }
    if head.has([0, 0, 1, 0xb3]), let shape = head[7], (1...8).contains(shape & 15), shape >> 4 != 0 {
      return .mpegProgram
    }
    // Packets of 188 bytes, or 192 with a time in front, each beginning with 0x47; three in a row.
    for (first, length) in [(0, 188), (4, 192)]
    where [0, 1, 2].allSatisfy({ head[first + $0 * length] == 0x47 }) { return .mpegTransport }
    return nil
  }

  private static func container(_ head: Head) -> MediaType? {
    if head.has("%PDF-") { return .pdf }
    if head.has([0x50, 0x4b, 3, 4]) || head.has([0x50, 0x4b, 5, 6]) { return .zip }
    if head.has([0x1f, 0x8b, 8]), let flags = head[3], flags & 0xe0 == 0 { return .gzip }
    if head.has("BZh"), let level = head[3], (0x31...0x39).contains(level),
      head.has([0x31, 0x41, 0x59, 0x26, 0x53, 0x59], at: 4) || head.has([0x17, 0x72, 0x45, 0x38, 0x50, 0x90], at: 4)
    {
      return .bzip2
    }
    if head.has([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]) { return .xz }
    if head.has([0x28, 0xb5, 0x2f, 0xfd]) { return .zstandard }
    if head.has([0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c]) { return .sevenZip }
    if head.has("Rar!\u{1a}\u{7}") { return .rar }
    if head.has("MSCF"), head.number(at: 4, bytes: 4) == 0 { return .cabinet }
    if isTapeArchive(head) { return .tar }
    if head.has("CD001", at: 0x8001) { return .iso9660 }
    return diskImage(head)
  }

  /// A header block whose bytes add up to the sum written in it: that many zeros and digits in the right places are no
  /// accident. Both sums count the field of the sum itself as spaces. Source: POSIX ustar; also holds before it.
  private static func isTapeArchive(_ head: Head) -> Bool {
    guard head.bytes.count >= 512, head[0] != 0 else { return false }
    let field = head.bytes[148..<156]
    let digits = field.drop { $0 == 0x20 }.prefix { (0x30...0x37).contains($0) }
    guard (1...7).contains(digits.count), let written = Int(String(decoding: digits, as: UTF8.self), radix: 8) else {
      return false
    }
    let spaces = 8 * 0x20 - field.reduce(0) { $0 + Int($1) }
    return head.bytes[..<512].reduce(0) { $0 + Int($1) } + spaces == written
  }
}

/// The first bytes of a file; whatever lies behind their end is absent.
struct Head {
  let bytes: UnsafeRawBufferPointer

  subscript(offset: Int) -> UInt8? { offset < bytes.count ? bytes[offset] : nil }

  func has(_ signature: [UInt8], at offset: Int = 0) -> Bool {
    signature.withUnsafeBytes { has($0, at: offset) }
  }

  func has(_ signature: StaticString, at offset: Int = 0) -> Bool {
    has(UnsafeRawBufferPointer(start: signature.utf8Start, count: signature.utf8CodeUnitCount), at: offset)
  }

  private func has(_ signature: UnsafeRawBufferPointer, at offset: Int) -> Bool {
    bytes.count >= offset + signature.count
      && memcmp(bytes.baseAddress! + offset, signature.baseAddress!, signature.count) == 0
  }

  func contains(_ word: StaticString, before end: Int) -> Bool {
    (0..<min(end, bytes.count)).contains { has(word, at: $0) }
  }

  func number(at offset: Int, bytes count: Int) -> Int? {
    guard offset + count <= bytes.count else { return nil }
    return bytes[offset..<offset + count].reversed().reduce(0) { $0 << 8 | Int($1) }
  }

  func bigEndian(at offset: Int, bytes count: Int) -> Int? {
    guard offset + count <= bytes.count else { return nil }
    return bytes[offset..<offset + count].reduce(0) { $0 << 8 | Int($1) }
  }

  func text(at offset: Int, count: Int) -> String? {
    guard offset + count <= bytes.count else { return nil }
    let letters = bytes[offset..<offset + count]
    return letters.allSatisfy { (0x20...0x7e).contains($0) } ? String(decoding: letters, as: UTF8.self) : nil
  }
}
