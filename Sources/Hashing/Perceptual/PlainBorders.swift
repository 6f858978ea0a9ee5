/// A part of a plane, in samples.
public struct PlaneRegion: Sendable, Equatable {
  public let left: Int
  public let top: Int
  public let width: Int
  public let height: Int

  public init(left: Int, top: Int, width: Int, height: Int) {
    (self.left, self.top, self.width, self.height) = (left, top, width, height)
  }
}

/// Borders of one colour and letterboxes, which PDQ does not survive: a twentieth on each side changes some 78 of 256 bits.
extension LumaPlane {
  /// Finds the picture within plain borders.
  ///
  /// Each side is looked at on its own: lines from the edge on that are of the edge's colour nearly everywhere. Where
  /// they end, a lossy format has mixed border and picture; the border then ends at the greatest step nearby.
  ///
  /// - Returns: `nil` where no side has a border, or what is left would be no picture: under a fifth of the width or the
  ///   height, or under 16 samples.
  public func regionWithinPlainBorders() -> PlaneRegion? {
    switch samples {
    case .bytes(let bytes): BorderFinder(width: width, height: height) { Float(bytes[$0]) }.region
    case .floats(let floats): BorderFinder(width: width, height: height) { floats[$0] }.region
    }
  }

  /// Lends a copy of a region, as a plane of its own.
  ///
  /// - Precondition: The region lies within the plane.
  public func withCopy<Result>(of region: PlaneRegion, _ body: (LumaPlane) throws -> Result) rethrows -> Result {
    switch samples {
    case .bytes(let all):
      let copy = copied(all, region)
      return try copy.withUnsafeBufferPointer {
        try body(LumaPlane(width: region.width, height: region.height, samples: .bytes($0)))
      }
    case .floats(let all):
      let copy = copied(all, region)
      return try copy.withUnsafeBufferPointer {
        try body(LumaPlane(width: region.width, height: region.height, samples: .floats($0)))
      }
    }
  }

  private func copied<Sample>(_ all: UnsafeBufferPointer<Sample>, _ region: PlaneRegion) -> [Sample] {
    var copy: [Sample] = []
    copy.reserveCapacity(region.width * region.height)
    for row in region.top..<region.top + region.height {
      let start = row * width + region.left
      copy.append(contentsOf: all[start..<start + region.width])
    }
    return copy
  }
}

private struct BorderFinder {
  let width: Int
  let height: Int
  let sample: (Int) -> Float

  /// How far a sample of a border may be from its colour, of 255: twice what JPEG at a low quality does to a plain area.
  static let tolerance: Float = 10
  /// Samples of a line that may be further off, of a hundred: a logo, a caption, damage.
  static let strangersPercent = 2
  /// Lines in which a lossy format mixes border and picture: a block of JPEG.
  static let mixedLines = 8

  var region: PlaneRegion? {
    let rows = 0..<height
    let columns = 0..<width
    let top = border(rows, step: 1, across: columns, at: { $0 * width + $1 })
    let bottom = border(rows, step: -1, across: columns, at: { $0 * width + $1 })
    guard height - top - bottom >= least(height) else { return nil }
    // The corners belong to the borders above and below.
    let between = top..<height - bottom
    let left = border(columns, step: 1, across: between, at: { $1 * width + $0 })
    let right = border(columns, step: -1, across: between, at: { $1 * width + $0 })
    guard width - left - right >= least(width), top + bottom + left + right > 0 else { return nil }
    return PlaneRegion(left: left, top: top, width: width - left - right, height: height - top - bottom)
  }

  private func least(_ side: Int) -> Int { max(16, side / 5) }

  /// Lines of a border.
  ///
  /// - Parameters:
  ///   - step: 1 to look from the first line on, -1 from the last one back.
  ///   - place: The sample of a line and a position in it.
  private func border(_ lines: Range<Int>, step: Int, across: Range<Int>, at place: (Int, Int) -> Int) -> Int {
    func line(_ number: Int) -> Int { step > 0 ? lines.lowerBound + number : lines.upperBound - 1 - number }
    let colour = across.reduce(Float(0)) { $0 + sample(place(line(0), $1)) } / Float(max(across.count, 1))
    let mostStrangers = across.count * Self.strangersPercent / 100
    func isPlain(_ number: Int) -> Bool {
      var strangers = 0
      for position in across where !(abs(sample(place(line(number), position)) - colour) <= Self.tolerance) {
        strangers += 1
        if strangers > mostStrangers { return false }
      }
      return true
    }
    var count = 0
    while count < lines.count && isPlain(count) { count += 1 }
    guard count > 0, count < lines.count else { return count }
    func jump(_ number: Int) -> Float {
      across.reduce(Float(0)) { $0 + abs(sample(place(line(number), $1)) - sample(place(line(number - 1), $1))) }
    }
    let candidates = count..<min(count + Self.mixedLines, lines.count)
    return candidates.max { jump($0) < jump($1) } ?? count
  }
}
