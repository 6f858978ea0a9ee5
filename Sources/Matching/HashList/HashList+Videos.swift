import Hashing

/// Rows of frames as a list file has them; `HashListFormat.md`, "Frames".
struct FrameRows: RandomAccessCollection {
  private let bytes: UnsafeRawBufferPointer

  /// - Parameter bytes: Whole rows, which outlive this.
  init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  var startIndex: Int { 0 }
  var endIndex: Int { bytes.count / HashListLayout.frameSize }
  subscript(index: Int) -> FrameRow { FrameRow(bytes: bytes.slice(index * HashListLayout.frameSize, HashListLayout.frameSize)) }
}

/// One row of them.
struct FrameRow {
  fileprivate let bytes: UnsafeRawBufferPointer

  /// The 32 bytes of the hash.
  var key: UnsafeRawBufferPointer { bytes.slice(0, PerceptualHash.byteCount) }

  var frame: FrameHash {
    let (number, quality) = (bytes.load(UInt32.self, at: 36), bytes[40])
    return FrameHash(
      number: number == HashListLayout.noFrameNumber ? nil : number,
      seconds: Double(bytes.load(UInt32.self, at: 32)) / 1000,
      hash: PerceptualHash(bytes: key, quality: quality == HashListLayout.unknownQuality ? nil : quality)!)
  }

  var isComparable: Bool { frame.isComparable }
}

extension HashList {
  /// The frames of a listed video.
  ///
  /// - Parameter index: Of its record: 0 ..< the count of videos.
  /// - Throws: ``MatchingError`` with `listCorrupt`.
  func video(at index: Int) throws(MatchingError) -> VideoHash {
    VideoHash(frames: FrameRows(try frameRows(ofVideo: index)).map(\.frame))
  }

  /// The rows of a video among all frames.
  func frameRange(ofVideo index: Int) throws(MatchingError) -> Range<Int> {
    let videos = try videos()
    guard index >= 0, index < videos.starts.count - 1 else { throw damaged("there is no video \(index)") }
    let offset = videos.starts.offset + index * 8
    try tree.verify(offset: offset, size: 16)
    let start = file.bytes.load(UInt64.self, at: offset)
    let end = file.bytes.load(UInt64.self, at: offset + 8)
    guard start <= end, end <= UInt64(videos.frames.count) else { throw damaged("video \(index) has impossible bounds") }
    return Int(start)..<Int(end)
  }

  func frameRows(ofVideo index: Int) throws(MatchingError) -> UnsafeRawBufferPointer {
    let range = try frameRange(ofVideo: index)
    let frames = try videos().frames
    let offset = frames.offset + range.lowerBound * HashListLayout.frameSize
    let size = range.count * HashListLayout.frameSize
    if size == 0 { return UnsafeRawBufferPointer(start: nil, count: 0) }
    try tree.verify(offset: offset, size: size)
    return file.bytes.slice(offset, size)
  }

  private func videos() throws(MatchingError) -> Videos {
    guard let videos = records(.video)?.videos else { throw damaged("it has no videos") }
    return videos
  }

  /// The videos that have a frame, by their numbers.
  func videos(withFrame record: Int, in frames: Records) throws(MatchingError) -> [Int] {
    let all = [try entryIndex(of: record, in: frames)] + (try furtherEntries(of: record, in: frames))
    let count = records(.video)?.keys.count ?? 0
    guard all.allSatisfy({ $0 < count }) else { throw damaged("frame \(record) is of a video that there is not") }
    return all
  }

  /// The record of a frame, or `nil`.
  private func find(frame key: UnsafeRawPointer, in frames: Records) throws(MatchingError) -> Int? {
    let layout = RecordLayout(.videoFrame)
    var (low, high) = (0, frames.keys.count)
    while low < high {
      let middle = (low + high) / 2
      let order = layout.compare(try record(middle, in: frames), key)
      if order == 0 { return middle }
      if order < 0 { low = middle + 1 } else { high = middle }
    }
    return nil
  }

  /// Checks that each video has the digest that is its record, and that exactly its comparable frames lead to it.
  func verifyVideos() throws(MatchingError) {
    guard let videos = records(.video) else {
      if records(.videoFrame) != nil { throw damaged("it has frames and no videos") }
      return
    }
    let frames = records(.videoFrame)
    var (end, leading) = (0, 0)
    for index in 0..<videos.keys.count {
      let range = try frameRange(ofVideo: index)
      guard range.lowerBound == end else { throw damaged("the frames of videos leave a gap") }
      end = range.upperBound
      let rows = try frameRows(ofVideo: index)
      let record = UnsafeRawBufferPointer(start: try self.record(index, in: videos), count: 32)
      guard try sha256(rows) == Digest(.sha256, bytes: record) else {
        throw damaged("video \(index) has other frames than it had")
      }
      var met: Set<PerceptualHash> = []
      for row in FrameRows(rows) where row.isComparable {
        guard met.insert(PerceptualHash(bytes: row.key)!).inserted else { continue }
        guard let frames, let place = try find(frame: row.key.baseAddress!, in: frames),
          try self.videos(withFrame: place, in: frames).contains(index)
        else { throw damaged("a frame of video \(index) does not lead to it") }
      }
      leading += met.count
    }
    guard end == videos.videos?.frames.count, leading == (frames.map { $0.keys.count + $0.furtherEntries.count } ?? 0) else {
      throw damaged("it has frames of no video")
    }
  }
}
