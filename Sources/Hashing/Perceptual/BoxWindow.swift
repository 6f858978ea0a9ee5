/// The sliding window of PDQ's box filter along one dimension.
///
/// Output `x` is the mean of the inputs from `x - reachBack` to `x + reachAhead` that exist. The running sum adds the
/// entering input, then subtracts the leaving one; that order decides the last bits of the result, so all passes keep it.
///
/// At an end of the line the window is cut: there inputs only enter, or only leave.
///
/// Source: PDQ reference, `pdq/cpp/downscaling/downscaling.cpp`, `box1DFloat`.
struct BoxWindow {
  let length: Int
  let size: Int
  let reachAhead: Int
  let reachBack: Int
  private let isMirrored: Bool

  /// - Parameters:
  ///   - length: Samples along the dimension, at least ``PDQ/leastSide``.
  ///   - isMirrored: Whether it is to give what the window gives of the mirrored line: then it reaches the other way.
  init(length: Int, isMirrored: Bool = false) {
    self.length = length
    self.isMirrored = isMirrored
    size = (length + 2 * PDQ.side - 1) / (2 * PDQ.side)
    let half = (size + 2) / 2
    (reachAhead, reachBack) = isMirrored ? (size - half, half - 1) : (half - 1, size - half)
  }

  /// How many inputs the mean at `x` is over.
  func count(at x: Int) -> Int { min(x + reachAhead + 1, length) - max(0, x - reachBack) }

  /// The positions of the 64 samples that are kept, in their order: the centres of 64 equal parts.
  var sampledPositions: [Int] {
    let positions = (0..<PDQ.side).map { Int((Double($0) + 0.5) * Double(length) / Double(PDQ.side)) }
    return isMirrored ? positions.map { length - 1 - $0 } : positions
  }

  /// Where the filtered line has what ``sampledPositions`` of the mirrored line would have, in their order; `nil` where it does
  /// not have all of it.
  ///
  /// A mean reaches as far ahead here as it reaches back there, so two passes of an even window lie two places apart. At an end
  /// the mirrored window, which is cut there, has one mean more: lines of 129 to 256 samples are sampled that near to it.
  var mirroredPositions: [Int]? {
    let shift = 2 * (reachAhead - reachBack)
    let places = sampledPositions.map { length - 1 - $0 }
    return shift > 0 && places.last! <= reachAhead ? nil : places.map { $0 - shift }
  }
}
