/// Shrinks a luma plane to 64 × 64 as PDQ defines it: a box filter along rows and columns, twice, then the centre samples.
///
/// The reference filters the whole plane four times over. Here rows stream through all four passes in groups of eight,
/// with only a window's worth of rows kept, so the work stays in the cache; the second row pass computes means, and the
/// second column pass anything at all, only in the sampled columns. Every sum is formed in the reference's order, so
/// the 4,096 results are the same bits.
///
///     luma ──row sums──▶ ring of rows ──column sums──▶ eight rows ──row sums──▶ 64 columns ──column sums──▶ 64 × 64
///
/// The mirrored picture is sampled elsewhere, up to a pixel or two off: it takes columns and rows of its own.
///
/// Source: PDQ reference, `pdq/cpp/downscaling/downscaling.cpp`, `jaroszFilterFloat` and `decimateFloat`.
struct PDQDownsampler {
  private let along: BoxWindow
  private let down: BoxWindow
  private let columns: Sampling
  private let rows: Sampling

  private static let group = 8

  /// For samples of the picture, or of the picture mirrored from top to bottom, from left to right or both.
  init(width: Int, height: Int, mirrorsRows: Bool = false, mirrorsColumns: Bool = false) {
    along = BoxWindow(length: width, isMirrored: mirrorsColumns)
    down = BoxWindow(length: height, isMirrored: mirrorsRows)
    columns = Sampling(along.sampledPositions)
    rows = Sampling(down.sampledPositions)
  }

  /// For samples of the picture and of it mirrored in all ways at once; `nil` for a size of which they do not all lie in the
  /// filtered picture.
  init?(mirroringWidth width: Int, height: Int) {
    along = BoxWindow(length: width)
    down = BoxWindow(length: height)
    guard let columns = along.mirroredPositions, let rows = down.mirroredPositions else { return nil }
    self.columns = Sampling(along.sampledPositions, mirrored: columns)
    self.rows = Sampling(down.sampledPositions, mirrored: rows)
  }

  /// - Parameter luma: A plane of the size that the downsampler was made for, at least 5 × 5.
  func downsample(_ luma: LumaPlane) -> PDQSamples {
    let width = along.length
    let height = down.length
    // A row may be overwritten once it has left the column window, that is `size` rows after it entered.
    let ringRows = (down.size + 2 * Self.group - 1) / Self.group * Self.group
    return withZeroed(ringRows * width) { ring in
      withZeroed(width) { columnSums in
        withZeroed(Self.group * width) { smoothed in
          var kept = SampledColumns(window: down, rows: rows.positions, columnCount: columns.positions.count)
          var pending = 0

          /// Sends the smoothed rows gathered so far through the second row pass.
          func flush() {
            if pending == 0 { return }
            var sums = EightRowSums(rows: smoothed, count: pending, stride: width, window: along)
            kept.append(count: pending) { sums.writeMeans(at: columns.positions, to: $0) }
            pending = 0
          }

          for y in 0..<height + down.reachAhead {
            if y < height {
              if y.isMultiple(of: Self.group) {
                addRowMeans(of: luma, from: y, to: ring + (y % ringRows) * width)
              }
              let entering = ring + (y % ringRows) * width
              let leaving = y >= down.size ? ring + ((y - down.size) % ringRows) * width : nil
              if y >= down.reachAhead {
                let target = smoothed + pending * width
                let count = down.count(at: y - down.reachAhead)
                slide(columnSums, entering: entering, leaving: leaving, means: target, count: count, width: width)
                pending += 1
              } else {
                for x in 0..<width { columnSums[x] += entering[x] }
              }
            } else {
              let leaving = ring + ((y - down.size) % ringRows) * width
              let count = Float(down.count(at: y - down.reachAhead))
              let target = smoothed + pending * width
              for x in 0..<width {
                columnSums[x] -= leaving[x]
                target[x] = columnSums[x] / count
              }
              pending += 1
            }
            if pending == Self.group { flush() }
          }
          flush()
          kept.finish()
          return PDQSamples(values: kept.values, columns: columns, rows: rows)
        }
      }
    }
  }

  /// First row pass: means along up to eight rows from row `y` on.
  private func addRowMeans(of luma: LumaPlane, from y: Int, to target: UnsafeMutablePointer<Float>) {
    let width = along.length
    let count = min(Self.group, down.length - y)
    switch luma.samples {
    case .floats(let samples):
      let rows = samples.baseAddress! + y * width
      var sums = EightRowSums(rows: rows, count: count, stride: width, window: along)
      sums.writeAll(to: target, stride: width)
    case .bytes(let samples):
      for row in 0..<count { writeSums(of: samples.baseAddress! + (y + row) * width, to: target + row * width) }
    }
    for row in 0..<count { along.divide(target + row * width) }
  }

  /// Sums along one row of bytes. Whole numbers below 2²⁴ are exact in a `Float`, so the order does not matter here.
  private func writeSums(of row: UnsafePointer<UInt8>, to target: UnsafeMutablePointer<Float>) {
    var sum: Int32 = 0
    for x in 0..<along.reachAhead { sum &+= Int32(row[x]) }
    var x = 0
    while x < along.firstLeaving {
      sum &+= Int32(row[x &+ along.reachAhead])
      target[x] = Float(sum)
      x &+= 1
    }
    while x < along.lastEntered {
      sum &+= Int32(row[x &+ along.reachAhead]) &- Int32(row[x &- along.reachBack &- 1])
      target[x] = Float(sum)
      x &+= 1
    }
    while x < along.length {
      sum &-= Int32(row[x &- along.reachBack &- 1])
      target[x] = Float(sum)
      x &+= 1
    }
  }

  /// One step of the first column pass, all columns at once.
  private func slide(
    _ sums: UnsafeMutablePointer<Float>, entering: UnsafePointer<Float>, leaving: UnsafePointer<Float>?,
    means: UnsafeMutablePointer<Float>, count: Int, width: Int
  ) {
    guard let leaving else {
      for x in 0..<width {
        let sum = sums[x] + entering[x]
        sums[x] = sum
        means[x] = sum / Float(count)
      }
      return
    }
    if count & (count - 1) == 0 {
      // Exact, as a division by a power of two is: see `BoxWindow.divide`.
      let inverse = 1 / Float(count)
      for x in 0..<width {
        let sum = sums[x] + entering[x] - leaving[x]
        sums[x] = sum
        means[x] = sum * inverse
      }
    } else {
      let divisor = Float(count)
      for x in 0..<width {
        let sum = sums[x] + entering[x] - leaving[x]
        sums[x] = sum
        means[x] = sum / divisor
      }
    }
  }
}

/// Which places of a line are kept, and what they are.
struct Sampling {
  /// Distinct, ascending.
  let positions: [Int]
  /// For each of the 64 samples, where in `positions` it is; the same of the mirrored line, where it is wanted.
  let plain, mirrored: [Int]

  init(_ plain: [Int], mirrored: [Int] = []) {
    positions = Set(plain + mirrored).sorted()
    let index = Dictionary(uniqueKeysWithValues: zip(positions, positions.indices))
    self.plain = plain.map { index[$0]! }
    self.mirrored = mirrored.map { index[$0]! }
  }
}

/// The filtered picture at all places that are sampled.
struct PDQSamples {
  let values: [Float]
  fileprivate let columns, rows: Sampling

  /// 64 rows of 64 samples: of the picture, or of it mirrored.
  ///
  /// - Parameters:
  ///   - mirrorsRows: From top to bottom.
  ///   - mirrorsColumns: From left to right. Either only where the downsampler was made for it.
  func square(mirrorsRows: Bool = false, mirrorsColumns: Bool = false) -> [Float] {
    let (rows, places) = (mirrorsRows ? rows.mirrored : rows.plain, mirrorsColumns ? columns.mirrored : columns.plain)
    return [Float](unsafeUninitializedCapacity: rows.count * places.count) { square, count in
      for row in rows {
        for place in places {
          square[count] = values[row * columns.positions.count + place]
          count += 1
        }
      }
    }
  }
}

/// The second column pass over the sampled columns, which keeps the sampled rows.
private struct SampledColumns {
  private let window: BoxWindow
  private let rows: [Int]
  private let columnCount: Int
  /// What was kept: as many rows of `columnCount`.
  private(set) var values: [Float]
  /// As many rows as the window is high, and a group more.
  private var ring: [Float]
  private let ringRows: Int
  private var sums: [Float]
  private var entered = 0
  private var written = 0

  init(window: BoxWindow, rows: [Int], columnCount: Int) {
    self.window = window
    self.rows = rows
    self.columnCount = columnCount
    ringRows = (window.size + 15) / 8 * 8
    ring = [Float](repeating: 0, count: ringRows * columnCount)
    sums = [Float](repeating: 0, count: columnCount)
    values = [Float](repeating: 0, count: rows.count * columnCount)
  }

  /// Takes the next rows, which `fill` writes: room for eight, of which `count` are real.
  mutating func append(count: Int, fill: (UnsafeMutablePointer<Float>) -> Void) {
    let start = entered % ringRows
    ring.withUnsafeMutableBufferPointer { fill($0.baseAddress! + start * columnCount) }
    for _ in 0..<count {
      let row = entered % ringRows * columnCount
      for column in 0..<columnCount { sums[column] += ring[row + column] }
      if entered >= window.size { leave(entered - window.size) }
      if entered >= window.reachAhead { emit(entered - window.reachAhead) }
      entered += 1
    }
  }

  /// Lets the window empty at the lower edge.
  mutating func finish() {
    for step in 0..<window.reachAhead {
      leave(entered + step - window.size)
      emit(entered + step - window.reachAhead)
    }
  }

  private mutating func leave(_ y: Int) {
    let row = y % ringRows * columnCount
    for column in 0..<columnCount { sums[column] -= ring[row + column] }
  }

  /// Keeps row `y` if it is sampled.
  private mutating func emit(_ y: Int) {
    guard written < rows.count, rows[written] == y else { return }
    let count = Float(window.count(at: y))
    for column in 0..<columnCount { values[written * columnCount + column] = sums[column] / count }
    written += 1
  }
}

/// Lends zeroed memory for `count` values.
private func withZeroed<Result>(_ count: Int, _ body: (UnsafeMutablePointer<Float>) -> Result) -> Result {
  withUnsafeTemporaryAllocation(of: Float.self, capacity: count) { buffer in
    buffer.initialize(repeating: 0)
    return body(buffer.baseAddress!)
  }
}
