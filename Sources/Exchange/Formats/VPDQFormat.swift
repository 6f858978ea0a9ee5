import Hashing
import Matching
import SystemPackage

/// The frames of one video as vPDQ's tools write them: frame number, quality, hash, seconds.
///
/// One file is one entry, named like the file. Frames that are too flat to be compared are kept with the others; a video that
/// has only such is refused. Source: `vpdq/README.md` and `vpdq/cpp/io.cpp`.
struct VPDQFormat: LineParser {
  private var frames: [FrameHash] = []
  private var first = 1

  mutating func parse(_ line: UnsafeRawBufferPointer, number: Int, into sink: inout RecordSink) throws {
    let text = line.trimmed
    if text.isBlankOrComment { return }
    let fields = text.split(separator: .comma, omittingEmptySubsequences: false).map {
      UnsafeRawBufferPointer(rebasing: $0).trimmed.text
    }
    guard fields.count == 4 else { return try sink.reject(number, "\(fields.count) fields, expected 4") }
    guard let frame = UInt32(fields[0]), let quality = UInt8(fields[1]), quality <= 100 else {
      return try sink.reject(number, "no frame number, or no quality of 0…100")
    }
    guard let hash = PerceptualHash(hex: fields[2], quality: quality) else {
      return try sink.reject(number, "pdq is not 64 hex digits")
    }
    guard let seconds = Double(fields[3]), seconds >= 0, seconds < Self.mostSeconds else {
      return try sink.reject(number, "no time in seconds")
    }
    guard frames.count < VideoHash.mostFrames else {
      return try sink.reject(number, "limit: more than \(VideoHash.mostFrames) frames of one video")
    }
    if frames.isEmpty { first = number }
    frames.append(FrameHash(number: frame, seconds: seconds, hash: hash))
  }

  mutating func finish(into sink: inout RecordSink) throws {
    if frames.isEmpty { return }
    let video = VideoHash(frames: frames)
    guard video.comparableFrames > 0 else {
      return try sink.reject(first, "no frame of quality \(PerceptualHash.leastQuality) or more in the video")
    }
    let id = FilePath(sink.fileName).lastComponent?.stem
    try sink.add(
      ListEntry(id: id, recordNumber: first, video: video, contributor: sink.options.contributor))
  }

  /// Some weeks: a list keeps times as milliseconds of 32 bits.
  private static let mostSeconds = 4_000_000.0
}

extension FrameHash {
  /// The line that vPDQ's tools write, without its end. Where frames were not counted, `index` stands for the number.
  func vpdqLine(index: Int) -> String {
    let (whole, rest) = milliseconds.quotientAndRemainder(dividingBy: 1000)
    let thousandths = String(rest + 1000).dropFirst()
    return "\(number.map(Int.init) ?? index),\(hash.quality ?? 100),\(hash.hex),\(whole).\(thousandths)"
  }
}
