/// What content is, by its first bytes and never by its name. The raw value is the media type in reports.
public enum MediaType: String, Sendable, CaseIterable {
  case jpeg = "image/jpeg"
  case png = "image/png"
  case webp = "image/webp"
  case gif = "image/gif"
  case bmp = "image/bmp"
  case tiff = "image/tiff"
  case heic = "image/heic"
  case avif = "image/avif"
  case jxl = "image/jxl"
  case mp4 = "video/mp4"
  case quicktime = "video/quicktime"
  case matroska = "video/x-matroska"
  case avi = "video/x-msvideo"
  case mpeg = "video/mpeg"
  case asf = "video/x-ms-asf"
  case flv = "video/x-flv"
  case pdf = "application/pdf"
  case zip = "application/zip"
  case gzip = "application/gzip"
  case rar = "application/vnd.rar"
  case sevenZip = "application/x-7z-compressed"

  public var isPicture: Bool { rawValue.hasPrefix("image/") }
  public var isVideo: Bool { rawValue.hasPrefix("video/") }

  /// Whether the decoder turns it into a luma plane.
  public var isDecodable: Bool { decoderNumber != nil }

  /// The number of the decoder in a request; see ``WireRequest``.
  package var decoderNumber: UInt32? {
    switch self {
    case .jpeg: 1
    case .png: 2
    case .webp: 3
    case .gif: 4
    case .bmp: 5
    default: nil
    }
  }

  /// Recognises content by its first bytes; 64 are enough.
  ///
  /// - Returns: `nil` for anything else, also for bytes too few to tell.
  public static func sniff(_ head: UnsafeRawBufferPointer) -> MediaType? {
    func has(_ bytes: [UInt8], at offset: Int = 0) -> Bool {
      head.count >= offset + bytes.count && head[offset..<offset + bytes.count].elementsEqual(bytes)
    }
    func has(_ text: String, at offset: Int = 0) -> Bool { has(Array(text.utf8), at: offset) }
    if has([0xFF, 0xD8, 0xFF]) { return .jpeg }
    if has([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) { return .png }
    if has("GIF87a") || has("GIF89a") { return .gif }
    if has("RIFF") && has("WEBP", at: 8) { return .webp }
    if has("RIFF") && has("AVI ", at: 8) { return .avi }
    if has("BM") && isBitmap(head) { return .bmp }
    if has([0x49, 0x49, 0x2A, 0x00]) || has([0x4D, 0x4D, 0x00, 0x2A]) { return .tiff }
    if has([0xFF, 0x0A]) && head.count >= 12 && isCodestream(head) || has([0, 0, 0, 0x0C, 0x4A, 0x58, 0x4C, 0x20]) { return .jxl }
    if has("ftyp", at: 4) { return ofBrand(head) }
    if has("moov", at: 4) || has("mdat", at: 4) || has("wide", at: 4) { return .quicktime }
    if has([0x1A, 0x45, 0xDF, 0xA3]) { return .matroska }
    if has([0x00, 0x00, 0x01, 0xBA]) || has([0x00, 0x00, 0x01, 0xB3]) { return .mpeg }
    if has([0x30, 0x26, 0xB2, 0x75, 0x8E, 0x66, 0xCF, 0x11]) { return .asf }
    if has([0x46, 0x4C, 0x56, 0x01]) { return .flv }
    if has("%PDF-") { return .pdf }
    if has([0x50, 0x4B, 0x03, 0x04]) || has([0x50, 0x4B, 0x05, 0x06]) { return .zip }
    if has([0x1F, 0x8B, 0x08]) { return .gzip }
    if has([0x52, 0x61, 0x72, 0x21, 0x1A, 0x07]) { return .rar }
    if has([0x37, 0x7A, 0xBC, 0xAF, 0x27, 0x1C]) { return .sevenZip }
    return nil
  }

  /// Two letters are little to go by: the fields behind them must make sense too.
  private static func isBitmap(_ head: UnsafeRawBufferPointer) -> Bool {
    guard head.count >= 26 else { return false }
    func number(_ offset: Int) -> UInt32 { UInt32(littleEndian: head.loadUnaligned(fromByteOffset: offset, as: UInt32.self)) }
    let headerSize = number(14)
    return number(6) == 0 && [12, 40, 52, 56, 64, 108, 124].contains(headerSize) && number(10) >= 14 + headerSize
      && number(10) < 1 << 16
  }

  /// A bare JPEG XL codestream has two bytes of signature; its size header must not be of the reserved kind.
  private static func isCodestream(_ head: UnsafeRawBufferPointer) -> Bool { head[2] != 0 && head[2] != 0xFF }

  private static func ofBrand(_ head: UnsafeRawBufferPointer) -> MediaType? {
    guard head.count >= 12 else { return nil }
    switch String(decoding: head[8..<12], as: UTF8.self) {
    case "heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1": return .heic
    case "avif", "avis": return .avif
    case "qt  ": return .quicktime
    default: return .mp4
    }
  }
}
