import Glibc

/// The PDQ perceptual hash, bit for bit as the reference defines it.
///
/// A picture becomes 64 × 64 samples, those the 16 × 16 lowest frequencies of their cosine transform (without the
/// constant one), and each bit says whether a coefficient lies above the median of all 256.
///
/// Source: PDQ reference, `pdq/cpp/hashing/pdqhashing.cpp`.
public enum PDQ {
  /// Side of the square that a picture is shrunk to, in samples.
  static let side = 64

  /// Side of the square of coefficients that makes the hash.
  static let coefficientSide = 16

  /// Shortest side of a picture that has a hash of its own, in samples.
  public static let leastSide = 5  // PDQ reference, `pdqHash256FromFloatLuma`

  /// Hashes a luma plane.
  ///
  /// - Parameter luma: Any size from 1 × 1.
  /// - Returns: The hash with its quality, 0…100. Under 5 × 5 samples the reference's answer for pictures too small:
  ///   all zeros with quality 0, which nothing is ever matched on. The same for samples that are no numbers.
  public static func hash(_ luma: LumaPlane) -> PerceptualHash {
    guard let picture = Downsampled(luma, mirrors: false) else { return .none }
    return picture.transformed[0].hash()
  }

  /// Hashes a luma plane as it is, turned by quarters and mirrored.
  ///
  /// - Returns: Eight hashes, in the order of ``Dihedral/allCases``: those of the turned and mirrored pictures. A finished hash
  ///   cannot be turned, so a query carries all eight. The first is always ``hash(_:)``. The reference turns the coefficients
  ///   instead, whose samples lie up to two pixels beside those of the turned picture: of 512 × 512 pixels that takes up to 26
  ///   bits.
  public static func dihedralHashes(_ luma: LumaPlane) -> [PerceptualHash] {
    guard let picture = Downsampled(luma, mirrors: true) else { return Dihedral.allCases.map { _ in .none } }
    let transformed = picture.transformed
    return Dihedral.allCases.map { dihedral in
      let steps = dihedral.steps
      return transformed[(steps.mirrorsRows ? 2 : 0) + (steps.mirrorsColumns ? 1 : 0)].hash(transposes: steps.transposes)
    }
  }
}

/// The eight ways to lay a square on itself, in the reference's order and words.
public enum Dihedral: Int, Sendable, CaseIterable {
  case original, rotate90, rotate180, rotate270, flipX, flipY, flipPlus1, flipMinus1

  /// Each is the picture mirrored from top to bottom, from left to right, both or neither, and then laid on its side or not.
  var steps: (mirrorsRows: Bool, mirrorsColumns: Bool, transposes: Bool) {
    switch self {
    case .original: (false, false, false)
    case .rotate90: (false, true, true)
    case .rotate180: (true, true, false)
    case .rotate270: (true, false, true)
    case .flipX: (true, false, false)
    case .flipY: (false, true, false)
    case .flipPlus1: (false, false, true)
    case .flipMinus1: (true, true, true)
    }
  }
}

extension PerceptualHash {
  /// The reference's answer for what has no hash.
  fileprivate static let none = PerceptualHash(words: .zero, quality: 0)
}

/// A picture's 64 × 64 samples and quality: all that its hashes need.
private struct Downsampled {
  /// As it is; mirrored from left to right; from top to bottom; both. The first alone where no other is wanted.
  private let squares: [[Float]]
  private let quality: UInt8

  init?(_ luma: LumaPlane, mirrors: Bool) {
    guard min(luma.width, luma.height) >= PDQ.leastSide else { return nil }
    let ways = mirrors ? [(false, false), (false, true), (true, false), (true, true)] : [(false, false)]
    let (width, height) = (luma.width, luma.height)
    if width == PDQ.side && height == PDQ.side {
      let samples = luma.floatSamples
      squares = ways.map { Self.mirrored(samples, rows: $0, columns: $1) }
    } else if mirrors, let downsampler = PDQDownsampler(mirroringWidth: width, height: height) {
      let samples = downsampler.downsample(luma)
      squares = ways.map { samples.square(mirrorsRows: $0, mirrorsColumns: $1) }
    } else {
      squares = ways.map {
        PDQDownsampler(width: width, height: height, mirrorsRows: $0, mirrorsColumns: $1).downsample(luma).square()
      }
    }
    // Samples come from a process that a picture may have taken over: what is no luminance has no hash either.
    guard squares.allSatisfy({ $0.allSatisfy { abs($0) <= 65_536 } }) else { return nil }
    quality = Self.quality(of: squares[0])
  }

  /// A square of samples mirrored from top to bottom, from left to right or both.
  private static func mirrored(_ square: [Float], rows: Bool, columns: Bool) -> [Float] {
    let last = PDQ.side - 1
    return square.indices.map { index in
      let (row, column) = (index / PDQ.side, index % PDQ.side)
      return square[(rows ? last - row : row) * PDQ.side + (columns ? last - column : column)]
    }
  }

  /// 0…100: how much neighbouring samples differ.
  private static func quality(of square: [Float]) -> UInt8 {
    let side = PDQ.side
    return square.withUnsafeBufferPointer { samples in
      var sum: Int32 = 0
      /// Adds the differences of `count` samples to those `distance` further on. Each is cut to a whole number on its own,
      /// as in the reference.
      func add(_ start: Int, count: Int, distance: Int) {
        for index in start..<start + count {
          sum &+= abs(Int32((samples[index] - samples[index + distance]) * 100 / 255))
        }
      }
      add(0, count: side * (side - 1), distance: side)
      for row in 0..<side { add(row * side, count: side - 1, distance: 1) }
      return UInt8(min(100, sum / 90))
    }
  }

  /// In the order of the squares.
  var transformed: [Transformed] { squares.map { Transformed($0, quality: quality) } }
}

/// The coefficients of 64 × 64 samples: all that the hash needs, and that of the picture laid on its side.
private struct Transformed {
  private let coefficients: [Float]
  private let median: Float
  private let quality: UInt8

  init(_ square: [Float], quality: UInt8) {
    coefficients = CosineTransform.lowestFrequencies(of: square)
    median = lowerMedian(of: coefficients)
    self.quality = quality
  }

  func hash(transposes: Bool = false) -> PerceptualHash {
    let side = PDQ.coefficientSide
    var words = SIMD4<UInt64>.zero
    for (index, value) in coefficients.enumerated() where value > median {
      let bit = transposes ? index % side * side + index / side : index
      words[3 - bit / 64] |= 1 << UInt64(bit % 64)
    }
    return PerceptualHash(words: words, quality: quality)
  }
}

/// The reference's median: of an even count, the lower of the two in the middle.
///
/// Narrows down the part that holds it, as quicksort would sort it.
private func lowerMedian(of values: [Float]) -> Float {
  var values = values
  let middle = values.count / 2 - 1
  return values.withUnsafeMutableBufferPointer { values in
    var (low, high) = (0, values.count - 1)
    while low < high {
      let pivot = values[(low + high) / 2]
      var (left, right) = (low, high)
      while left <= right {
        while values[left] < pivot { left += 1 }
        while values[right] > pivot { right -= 1 }
        if left <= right {
          values.swapAt(left, right)
          left += 1
          right -= 1
        }
      }
      if middle <= right { high = right } else if middle >= left { low = left } else { break }
    }
    return values[middle]
  }
}

/// The cosine transform of 64 × 64 samples, of which the 16 × 16 lowest frequencies after the constant are kept.
private enum CosineTransform {
  /// Row i, column k: √(2/64) · cos(π/128 · (i + 1)(2k + 1)). The root is rounded to single precision first, as in the
  /// reference; pictures with little in them have hashes that depend on it.
  private static let matrix: [Float] = {
    let scale = Double(Float((2.0 / Double(PDQ.side)).squareRoot()))
    return (0..<PDQ.coefficientSide * PDQ.side).map { index in
      let (i, k) = (index / PDQ.side, index % PDQ.side)
      return Float(scale * cos(Double.pi / 2 / Double(PDQ.side) * Double(i + 1) * Double(2 * k + 1)))
    }
  }()

  /// The matrix by columns: 64 vectors of 16.
  private static let columns: [SIMD16<Float>] = (0..<PDQ.side).map { k in
    var column = SIMD16<Float>.zero
    for i in 0..<PDQ.coefficientSide { column[i] = matrix[i * PDQ.side + k] }
    return column
  }

  /// B = D A Dᵀ. Products are added in the order of k, as in the reference; lanes hold different results, never parts of one.
  static func lowestFrequencies(of square: [Float]) -> [Float] {
    let (side, kept) = (PDQ.side, PDQ.coefficientSide)
    // D A, a column of A at a time: 64 vectors, each the 16 kept rows of one column.
    var partial = [SIMD16<Float>](repeating: .zero, count: side)
    for k in 0..<side {
      let factors = columns[k]
      for j in 0..<side { partial[j] += factors * square[k * side + j] }
    }
    var result = [Float](repeating: 0, count: kept * kept)
    for i in 0..<kept {
      var row = SIMD16<Float>.zero
      for k in 0..<side { row += columns[k] * partial[k][i] }
      for j in 0..<kept { result[i * kept + j] = row[j] }
    }
    return result
  }
}

extension LumaPlane {
  /// All samples as numbers.
  fileprivate var floatSamples: [Float] {
    switch samples {
    case .bytes(let buffer): buffer.map(Float.init)
    case .floats(let buffer): Array(buffer)
    }
  }
}
