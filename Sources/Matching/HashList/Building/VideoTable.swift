import Hashing
import SystemPackage

/// The frames of videos on their way into a list: for each a row that counts them, then theirs; `HashListFormat.md`, "Frames".
struct VideoTable: ~Copyable {
  private typealias Layout = HashListLayout

  private var rows: SpillFile

  init(spillingTo folder: FilePath) {
    rows = SpillFile(in: folder)
  }

  /// Adds the frames of a video.
  ///
  /// - Returns: The digest of its rows, which is its record, and the place of them.
  mutating func add(_ video: VideoHash) throws(MatchingError) -> (digest: Digest, place: UInt32) {
    guard let place = UInt32(exactly: rows.size / Layout.frameSize) else {
      throw MatchingError(.tooLarge, "a list has at most 2^32 frames of videos")
    }
    var head = [UInt8](repeating: 0, count: Layout.frameSize)
    let frames = Self.rows(of: video)
    do {
      head.withUnsafeMutableBytes { $0.store(UInt64(video.frames.count), at: 0) }
      try head.withUnsafeBytes { try rows.append($0) }
      try frames.withUnsafeBytes { try rows.append($0) }
    } catch { throw error as! MatchingError }
    return (try Self.sha256(frames), place)
  }

  static func digest(of video: VideoHash) throws(MatchingError) -> Digest { try sha256(rows(of: video)) }

  private static func sha256(_ rows: [UInt8]) throws(MatchingError) -> Digest {
    do { return try rows.withUnsafeBytes { try Matching.sha256($0) } } catch { throw error as! MatchingError }
  }

  private static func rows(of video: VideoHash) -> [UInt8] {
    var rows = [UInt8](repeating: 0, count: video.frames.count * Layout.frameSize)
    rows.withUnsafeMutableBytes { rows in
      for (index, frame) in video.frames.enumerated() {
        let row = UnsafeMutableRawBufferPointer(rebasing: rows[(index * Layout.frameSize)...].prefix(Layout.frameSize))
        frame.hash.withBytes { row.copyMemory(from: $0) }
        row.store(frame.milliseconds, at: 32)
        row.store(frame.number ?? Layout.noFrameNumber, at: 36)
        row[40] = frame.hash.quality ?? Layout.unknownQuality
      }
    }
    return rows
  }

  /// How many frames the video at a place has.
  func count(at place: UInt32) throws(MatchingError) -> Int {
    let head = try read(Int(place) * Layout.frameSize, Layout.frameSize)
    return Int(head.withUnsafeBytes { $0.load(UInt64.self, at: 0) })
  }

  /// The rows of the video at a place.
  func rows(at place: UInt32) throws(MatchingError) -> [UInt8] {
    try read((Int(place) + 1) * Layout.frameSize, try count(at: place) * Layout.frameSize)
  }

  private func read(_ offset: Int, _ count: Int) throws(MatchingError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    let got: Int
    do { got = try bytes.withUnsafeMutableBytes { try rows.read(at: offset, into: $0) } } catch { throw error as! MatchingError }
    guard got == count else { throw MatchingError(.inputOutput, "temporary data became shorter") }
    return bytes
  }
}

extension RecordSections {
  /// Writes where the frames of each video begin, and all frames; and hands on those that can be compared.
  ///
  /// - Parameters:
  ///   - added: The videos that were added.
  ///   - base: The earlier version that the others are from.
  ///   - frames: Gets each comparable frame with the number of its video.
  func writeVideos(
    _ added: borrowing VideoTable, _ base: HashList?, frames: inout RecordSorters, to file: inout HashListWriter
  ) throws {
    // All of them may have been taken out.
    if recordCount == 0 { return }
    try file.begin(.init(.videoStarts, .video))
    var start: UInt64 = 0
    try forEachPlace { _, isOfBase, place in
      try file.append(start)
      start += UInt64(isOfBase ? try base!.frameRange(ofVideo: Int(place)).count : try added.count(at: place))
    }
    try file.append(start)
    try file.begin(.init(.frames, .video))
    try forEachPlace { number, isOfBase, place in
      if isOfBase {
        try append(try base!.frameRows(ofVideo: Int(place)), number, &frames, to: &file)
      } else {
        try added.rows(at: place).withUnsafeBytes { try append($0, number, &frames, to: &file) }
      }
    }
  }

  private func append(
    _ rows: UnsafeRawBufferPointer, _ number: UInt32, _ frames: inout RecordSorters, to file: inout HashListWriter
  ) throws {
    try file.append(rows)
    for row in FrameRows(rows) where row.isComparable { try frames.add(frame: row.key, ofVideo: number) }
  }

  private func forEachPlace(_ body: (_ number: UInt32, _ isOfBase: Bool, _ place: UInt32) throws -> Void) throws {
    var number: UInt32 = 0
    try places.forEachPiece { piece in
      for offset in stride(from: 0, to: piece.count, by: 8) {
        try body(number, piece.load(UInt32.self, at: offset) == 1, piece.load(UInt32.self, at: offset + 4))
        number += 1
      }
    }
  }
}
