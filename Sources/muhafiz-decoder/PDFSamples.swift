/// Samples of a picture in a PDF, and the portable map that is made of them.
///
/// Source: ISO 32000-1, 8.9.5 "Image Dictionaries" and 8.6 "Colour Spaces".
struct PDFSamples {
  /// What the components of a sample say.
  enum Colours: Equatable {
    case gray, rgb, cmyk
    /// One number, which chooses among these.
    case indexed([SIMD3<UInt8>])

    var components: Int {
      switch self {
      case .gray, .indexed: 1
      case .rgb: 3
      case .cmyk: 4
      }
    }

    /// The colours of a table of bytes.
    func palette(_ table: [UInt8]) -> [SIMD3<UInt8>] {
      stride(from: 0, to: table.count - components + 1, by: components).map { colour(table[$0..<$0 + components]) }
    }

    /// Inks are mixed as if they were ideal: a profile would move a hash by few bits.
    func colour(_ parts: ArraySlice<UInt8>) -> SIMD3<UInt8> {
      let first = parts.startIndex
      switch self {
      case .gray: return SIMD3(repeating: parts[first])
      case .rgb: return SIMD3(parts[first], parts[first + 1], parts[first + 2])
      case .cmyk:
        let light = 255 - UInt16(parts[first + 3])
        func channel(_ ink: UInt8) -> UInt8 { UInt8((255 - UInt16(ink)) * light / 255) }
        return SIMD3(channel(parts[first]), channel(parts[first + 1]), channel(parts[first + 2]))
      case .indexed(let colours): return Int(parts[first]) < colours.count ? colours[Int(parts[first])] : .zero
      }
    }
  }

  let width: Int
  let height: Int
  /// Of one component: 1, 2, 4, 8 or 16.
  let bits: Int
  let colours: Colours

  static let longestSide: Int64 = 65_500
  /// Of three bytes, so that the map is no longer than a file may be.
  static let mostPixels: Int64 = 1 << 26

  /// A PGM file of gray samples, a PPM file of others; `nil` where rows are missing.
  func map(_ samples: [UInt8]) -> [UInt8]? {
    let perRow = (width * colours.components * bits + 7) / 8
    guard samples.count >= perRow * height else { return nil }
    let isGray = colours == .gray
    var file = Array("\(isGray ? "P5" : "P6")\n\(width) \(height)\n255\n".utf8)
    file.reserveCapacity(file.count + width * height * (isGray ? 1 : 3))
    for row in 0..<height {
      let line = components(samples[row * perRow..<(row + 1) * perRow])
      if isGray || colours == .rgb {
        file.append(contentsOf: line)
      } else {
        for column in 0..<width {
          let colour = colours.colour(line[column * colours.components..<(column + 1) * colours.components])
          for channel in 0..<3 { file.append(colour[channel]) }
        }
      }
    }
    return file
  }

  /// The components of a row, a byte each: as they are where they choose among colours, else 0…255.
  private func components(_ row: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    let count = width * colours.components
    if bits == 8 { return ArraySlice(Array(row.prefix(count))) }
    if bits == 16 { return ArraySlice((0..<count).map { row[row.startIndex + 2 * $0] }) }
    let most = (1 << bits) - 1
    let scale = if case .indexed = colours { 1 } else { 255 / most }
    return ArraySlice(
      (0..<count).map { index in
        let (byte, place) = (index * bits).quotientAndRemainder(dividingBy: 8)
        return UInt8((Int(row[row.startIndex + byte]) >> (8 - bits - place) & most) * scale)
      })
  }
}
