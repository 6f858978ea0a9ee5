/// Whether a URL's path ends as media do. It decides what is fetched of links, never what a content is.
package enum MediaExtension {
  package static func ends(_ url: String) -> Bool { self.of(url).map(all.contains) ?? false }

  static func endsAsFont(_ url: String) -> Bool { self.of(url).map(fonts.contains) ?? false }

  private static let all: Set = [
    "jpg", "jpeg", "jpe", "jfif", "pjpeg", "png", "apng", "gif", "webp", "avif", "heic", "heif", "jxl", "jp2", "j2k",
    "bmp",
    "tif", "tiff", "ico", "psd", "tga", "svg",
    "mp4", "m4v", "mov", "qt", "3gp", "3g2", "mkv", "webm", "avi", "wmv", "asf", "flv", "f4v", "mpg", "mpeg", "mpe",
    "m2v",
    "ts", "mts", "m2ts", "vob", "ogv", "ogg", "m3u8", "m3u", "mpd",
  ]

  private static let fonts: Set = ["woff", "woff2", "ttf", "otf", "eot"]

  /// In lower case, as far as it is ASCII.
  private static func of(_ url: String) -> String? {
    let path = url.utf8.prefix { $0 != UInt8(ascii: "?") && $0 != UInt8(ascii: "#") }
    var last: [UInt8] = []
    for byte in path.reversed() {
      if byte == UInt8(ascii: ".") { return String(decoding: last.reversed(), as: UTF8.self) }
      guard isLetter(byte) || isDigit(byte), last.count < 5 else { return nil }
      last.append(lowercased(byte))
    }
    return nil
  }
}
