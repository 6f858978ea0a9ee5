import Foundation
import TestSupport

/// Pictures made byte by byte, so that what must come out is known without another decoder.
enum TestPictures {
  static func noise(_ count: Int, seed: UInt64) -> [UInt8] {
    var random = SeededGenerator(seed: seed)
    return (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
  }

  /// A PNG with stored (uncompressed) rows, no filter. `colour`: 0 gray, 2 RGB, 3 palette, 4 gray + alpha, 6 RGBA.
  static func png(
    width: Int, height: Int, depth: UInt8 = 8, colour: UInt8, rows: [UInt8], palette: [UInt8]? = nil,
    exif: [UInt8]? = nil, gamma: UInt32? = nil, profile: [UInt8]? = nil, interlaced: Bool = false
  ) -> [UInt8] {
    let rowSize = rows.count / height
    var raw: [UInt8] = []
    for y in 0..<height { raw += [0] + rows[y * rowSize..<(y + 1) * rowSize] }
    var file: [UInt8] = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]
    var header = big(UInt32(width))
    header += big(UInt32(height))
    header += [depth, colour, 0, 0, interlaced ? 1 : 0]
    file += chunk("IHDR", header)
    if let gamma { file += chunk("gAMA", big(gamma)) }
    if let profile { file += chunk("iCCP", Array("profile\0\0".utf8) + uncompressed(profile)) }
    if let exif { file += chunk("eXIf", exif) }
    if let palette { file += chunk("PLTE", palette) }
    return file + chunk("IDAT", uncompressed(raw)) + chunk("IEND", [])
  }

  /// A BMP of 24 bits a pixel, first row at the bottom; `pixels` are RGB from the top.
  static func bmp(width: Int, height: Int, pixels: [UInt8]) -> [UInt8] {
    let padding = (4 - width * 3 % 4) % 4
    var rows: [UInt8] = []
    for y in (0..<height).reversed() {
      for x in 0..<width {
        let at = (y * width + x) * 3
        rows += [pixels[at + 2], pixels[at + 1], pixels[at]]
      }
      rows += [UInt8](repeating: 0, count: padding)
    }
    var file = Array("BM".utf8)
    for value in [54 + rows.count, 0, 54, 40, width, height, 24 << 16 | 1, 0, rows.count, 2835, 2835, 0, 0] {
      file += little(UInt32(value))
    }
    return file + rows
  }

  /// An EXIF block that holds an orientation and nothing else, big-endian.
  static func exif(orientation: UInt8) -> [UInt8] {
    [0x4d, 0x4d, 0, 42, 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0, 0, 0, 0, 0]
  }

  /// A colour profile of a display whose red is blue and whose blue is red, and whose values are linear.
  static func swappedProfile() -> [UInt8] {
    func xyz(_ x: UInt32, _ y: UInt32, _ z: UInt32) -> [UInt8] { Array("XYZ \0\0\0\0".utf8) + big(x) + big(y) + big(z) }
    let red = xyz(0x6fa2, 0x38f5, 0x0390), green = xyz(0x6299, 0xb785, 0x18da), blue = xyz(0x24a0, 0x0f84, 0xb6cf)
    let curve = Array("curv\0\0\0\0".utf8) + big(0)
    let tags: [(String, [UInt8])] = [
      ("wtpt", xyz(0xf6d6, 0x10000, 0xd32d)), ("rXYZ", blue), ("gXYZ", green), ("bXYZ", red), ("rTRC", curve), ("gTRC", curve),
      ("bTRC", curve),
    ]
    var table = big(UInt32(tags.count)), data: [UInt8] = []
    for (name, value) in tags {
      table += Array(name.utf8) + big(UInt32(128 + 4 + 12 * tags.count + data.count)) + big(UInt32(value.count))
      data += value
    }
    let date = [UInt8](repeating: 0, count: 12)
    var header = big(UInt32(128 + table.count + data.count)) + big(0) + big(0x0240_0000) + Array("mntrRGB XYZ ".utf8) + date
    header += Array("acsp".utf8) + [UInt8](repeating: 0, count: 28) + big(0xf6d6) + big(0x10000) + big(0xd32d)
    return header + [UInt8](repeating: 0, count: 128 - header.count) + table + data
  }

  /// The reference's luma of each RGB pixel.
  static func luma(_ rgb: [UInt8]) -> [Float] {
    stride(from: 0, to: rgb.count, by: 3).map { (at: Int) -> Float in
      let (red, green, blue) = (Double(rgb[at]), Double(rgb[at + 1]), Double(rgb[at + 2]))
      return Float(0.299 * red + 0.587 * green + 0.114 * blue)
    }
  }

  /// Where the sample at (x, y) of the upright picture is in the stored one.
  static func stored(_ x: Int, _ y: Int, _ width: Int, _ height: Int, orientation: Int) -> (x: Int, y: Int) {
    switch orientation {
    case 2: return (width - 1 - x, y)
    case 3: return (width - 1 - x, height - 1 - y)
    case 4: return (x, height - 1 - y)
    case 5: return (y, x)
    case 6: return (y, height - 1 - x)
    case 7: return (width - 1 - y, height - 1 - x)
    case 8: return (width - 1 - y, x)
    default: return (x, y)
    }
  }

  private static func chunk(_ name: String, _ data: [UInt8]) -> [UInt8] {
    let body = Array(name.utf8) + data
    var crc: UInt32 = 0xffff_ffff
    for byte in body {
      crc ^= UInt32(byte)
      for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0xedb8_8320 : crc >> 1 }
    }
    return big(UInt32(data.count)) + body + big(~crc)
  }

  /// zlib without compression: blocks of at most 65,535 bytes (RFC 1950, RFC 1951).
  private static func uncompressed(_ raw: [UInt8]) -> [UInt8] {
    var out: [UInt8] = [0x78, 0x01]
    var at = 0
    repeat {
      let count = min(65_535, raw.count - at)
      out.append(at + count == raw.count ? 1 : 0)
      out += little(UInt32(count) | ~UInt32(count) << 16)
      out += raw[at..<at + count]
      at += count
    } while at < raw.count
    var (a, b): (UInt32, UInt32) = (1, 0)
    for byte in raw {
      a = (a + UInt32(byte)) % 65_521
      b = (b + a) % 65_521
    }
    return out + big(b << 16 | a)
  }

  private static func big(_ value: UInt32) -> [UInt8] { little(value).reversed() }

  private static func little(_ value: UInt32) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }
}

extension Corpus {
  /// The folder of one motif in many formats; `nil` where the corpus is not there.
  static var zoo: URL? { isPresent ? root.appending(path: "media/zoo") : nil }

  static func file(_ name: String) throws -> [UInt8] { try bytes("media/zoo/\(name)") }
}
