import CKernels

/// Shrinks a luma plane to 64 × 64 as PDQ defines it: a box filter along rows and columns, twice, then the centre samples.
///
/// The reference filters the whole plane four times over. Here rows stream through all four passes in groups of sixteen,
/// with only a window's worth of rows kept, so the work stays in the cache; the second row pass computes means, and the
/// second column pass anything at all, only in the sampled columns. Every sum is formed in the reference's order, so
/// the 4,096 results are the same bits.
///
///     luma ──row means──▶ ring of rows ──column means──▶ sixteen rows ──row means──▶ 64 columns ──column means──▶ 64 × 64
///
/// The mirrored picture is sampled elsewhere, up to a pixel or two off: it takes columns and rows of its own.
///
/// Source: PDQ reference, `pdq/cpp/downscaling/downscaling.cpp`, `jaroszFilterFloat` and `decimateFloat`.
struct PDQDownsampler {
  private let along: BoxWindow
  private let down: BoxWindow
  private let columns: Sampling
  private let rows: Sampling

  private static let group = Int(CK_BOX_ROWS)

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
    let (width, height, group) = (along.length, down.length, Self.group)
    let positions = columns.positions.map(UInt32.init)
    var values: [Float] = []
    values.reserveCapacity(rows.positions.count * positions.count)
    var kept = 0
    withRoom(2 * group * width) { room in
      ColumnPass.withPass(down, width: width, inputsBegin: 0) { first in
        ColumnPass.withPass(down, width: positions.count, inputsBegin: down.reachAhead) { second in
          for step in stride(from: 0, to: height + 2 * down.reachAhead, by: group) {
            if step < height { writeRowMeans(of: luma, from: step, to: first.room(at: step), apart: first.apart, room) }
            first.writeMeans(at: step, to: room)
            ck_box_rows(
              room, width, along.reachBack, along.reachAhead, positions, positions.count, second.room(at: step),
              second.apart)
            second.writeMeans(at: step, to: room)
            while kept < rows.positions.count, case let row = rows.positions[kept] + 2 * down.reachAhead - step, row < group {
              for column in positions.indices { values.append(room[column * group + row]) }
              kept += 1
            }
          }
        }
      }
    }
    return PDQSamples(values: values, columns: columns, rows: rows)
  }

  /// First row pass: means along up to sixteen rows from row `y` on.
  private func writeRowMeans(
    of luma: LumaPlane, from y: Int, to target: UnsafeMutablePointer<Float>, apart: Int,
    _ room: UnsafeMutablePointer<Float>
  ) {
    let width = along.length
    let count = min(Self.group, down.length - y)
    switch luma.samples {
    case .floats(let samples):
      ck_box_floats(
        samples.baseAddress! + y * width, count, width, along.reachBack, along.reachAhead, room, target, apart)
    case .bytes(let samples):
      for row in 0..<count {
        ck_box_bytes(
          samples.baseAddress! + (y + row) * width, width, along.reachBack, along.reachAhead, target + row * apart)
      }
    }
  }
}

/// A pass down the columns, sixteen rows at a step: the rows that its window holds, and their sums.
private struct ColumnPass {
  private static let group = Int(CK_BOX_ROWS)

  private let window: BoxWindow
  private let width: Int
  /// The step that brings the first row.
  private let inputsBegin: Int
  /// From one row to the next.
  let apart: Int
  private let ring: UnsafeMutablePointer<Float>
  private let ringRows: Int
  private let sums: UnsafeMutablePointer<Float>
  /// A row of zeros: what enters and leaves beyond the edges.
  private let none: UnsafeMutablePointer<Float>

  static func withPass(_ window: BoxWindow, width: Int, inputsBegin: Int, _ body: (Self) -> Void) {
    // Groups do not straddle the ring's end, and a row may be overwritten once it has left the window.
    let ringRows = (window.size + 2 * group - 1) / group * group
    // An odd number of cache lines: rows a power of two apart would all lie in the same few places of a cache.
    let apart = ((width + 15) / 16 | 1) * 16
    withRoom((ringRows + 2) * apart) { ring in
      (ring + ringRows * apart).initialize(repeating: 0, count: 2 * apart)
      body(
        Self(
          window: window, width: width, inputsBegin: inputsBegin, apart: apart, ring: ring, ringRows: ringRows,
          sums: ring + ringRows * apart, none: ring + (ringRows + 1) * apart))
    }
  }

  /// Where the sixteen rows of a step are to be written before their means are asked for.
  func room(at step: Int) -> UnsafeMutablePointer<Float> { ring + step % ringRows * apart }

  /// Means of sixteen rows, a column after the other: those that lie `inputsBegin` and the window's reach before the step's.
  func writeMeans(at step: Int, to means: UnsafeMutablePointer<Float>) {
    withUnsafeTemporaryAllocation(of: UnsafePointer<Float>?.self, capacity: 2 * Self.group) { rows in
      withUnsafeTemporaryAllocation(of: UInt32.self, capacity: Self.group) { counts in
        for index in 0..<Self.group {
          let entering = step + index
          rows[index] = row(entering)
          rows[Self.group + index] = row(entering - window.size)
          let y = entering - inputsBegin - window.reachAhead
          counts[index] = y >= 0 && y < window.length ? UInt32(window.count(at: y)) : 1
        }
        ck_box_columns(
          rows.baseAddress, rows.baseAddress! + Self.group, counts.baseAddress, width, sums, means)
      }
    }
  }

  /// The row that a step brought.
  private func row(_ step: Int) -> UnsafePointer<Float> {
    UnsafePointer(
      step >= inputsBegin && step < inputsBegin + window.length ? ring + step % ringRows * apart : none)
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

/// Lends memory for `count` values, with nothing in it.
private func withRoom<Result>(_ count: Int, _ body: (UnsafeMutablePointer<Float>) -> Result) -> Result {
  withUnsafeTemporaryAllocation(of: Float.self, capacity: count) { body($0.baseAddress!) }
}
