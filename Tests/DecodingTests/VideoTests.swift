import Decoding
import Foundation
import Hashing
import TestSupport
import Testing

/// Frames of videos, held against the reference's.
@Suite(.serialized, .enabled(if: Corpus.isPresent))
struct VideoTests {
  private func frames(
    _ file: [UInt8], as type: MediaType? = nil, pulled: Bool = true, from pool: DecoderPool? = nil,
    detail: FrameDetail = .usual, most: Int = .max
  ) throws -> (frames: [FrameHash], failure: Unhashable?) {
    var frames: [FrameHash] = []
    let failure = try read(file, as: type, pulled: pulled, from: pool, detail: detail) { frame, hash in
      frames.append(hash)
      return frames.count < most ? .more : .enough
    }
    return (frames, failure)
  }

  private func read(
    _ file: [UInt8], as type: MediaType? = nil, pulled: Bool = true, from pool: DecoderPool? = nil,
    detail: FrameDetail = .usual, _ body: (DecodedFrame, FrameHash) -> FrameDemand
  ) throws -> Unhashable? {
    let source = ByteSource(sizeInBytes: Int64(file.count)) { offset, buffer in
      let bytes = file[Int(offset)..<min(file.count, Int(offset) + buffer.count)]
      buffer.copyBytes(from: bytes)
      return bytes.count
    }
    let type = type ?? file.withUnsafeBytes(MediaType.sniff) ?? .mp4
    return try (pool ?? DecoderPool.shared.get()).withLease { lease in
      if !pulled { try file.withUnsafeBytes { try lease.append($0) } }
      return try lease.decodeFrames(type, from: pulled ? source : nil, detail: detail) { frame in
        body(frame, FrameHash(seconds: frame.seconds, hash: PDQ.hash(frame.luma)))
      }
    }
  }

  /// Distances of the frames at whole seconds to the reference's of the same time.
  private func distances(_ file: String, to reference: [(seconds: Double, hash: PerceptualHash)]) throws -> [Int] {
    let (frames, failure) = try frames(Corpus.bytes(file))
    #expect(failure == nil, "\(file): \(failure?.reason ?? "")")
    return reference.compactMap { seconds, hash in
      let nearest = frames.min { abs($0.seconds - seconds) < abs($1.seconds - seconds) }
      guard let nearest, abs(nearest.seconds - seconds) < 0.02, hash.quality ?? 100 >= PerceptualHash.leastQuality
      else { return nil }
      return nearest.hash.distanceInBits(to: hash)
    }
  }

  @Test func framesOfEveryVideoAreNearTheReferences() throws {
    var all: [Int] = []
    let rows = Dictionary(grouping: try Corpus.table("media/video_frames_pdq.csv")) { $0["file"]! }
    for (file, rows) in rows.sorted(by: { $0.key < $1.key }) {
      let reference = try rows.map { row in
        let hash = PerceptualHash(hex: row["pdq_hex"]!, quality: UInt8(row["quality"]!))
        return (Double(row["nominal_time_s"]!)!, try #require(hash))
      }
      all += try distances("media/" + file, to: reference)
    }
    print("video frames: \(all.count) compared, at most \(all.max() ?? -1) bits from the reference")
    #expect(all.count > 100 && all.max()! <= 10)
  }

  @Test(arguments: ["doorknob-hd-no-bar", "pattern-sd-grey-bar", "pattern-sd-with-small-logo-bar"])
  func framesAreWithinTheToleranceOfVPDQ(name: String) throws {
    let text = try String(decoding: Corpus.bytes("vectors/vpdq/hashes/\(name).txt"), as: UTF8.self)
    let reference = try text.split(separator: "\n").map { line in
      let fields = line.split(separator: ",")
      return (Double(fields[3])!, try #require(PerceptualHash(hex: fields[2], quality: UInt8(fields[1]))))
    }
    let distances = try distances("vectors/vpdq/videos/\(name).mp4", to: reference)
    #expect(!distances.isEmpty && distances.allSatisfy { $0 < 31 }, "\(distances)")
  }

  @Test func bytesThatAreHeldAndBytesThatAreAskedForGiveTheSameFrames() throws {
    for name in ["tour.avi", "bunny_bright.webm", "tour_fps.mov"] {
      let file = try Corpus.bytes("media/videos/\(name)")
      let held = try frames(file, pulled: false)
      #expect(try frames(file).frames == held.frames && held.failure == nil && held.frames.count > 2, "\(name)")
    }
  }

  @Test func whatNothingNeedsIsNotDecodedAndTheSecondsFramesAreTheSame() throws {
    for name in ["tour.mp4", "tour_fps.mov", "tour_lowrate.mkv", "tour_small.webm", "pattern_vp8.webm", "tour.avi"] {
      let file = try Corpus.bytes("media/videos/\(name)")
      let (usual, full) = (try frames(file), try frames(file, detail: .full))
      #expect(usual.failure == nil && full.failure == nil)
      // Behind each whole second the first frame; where a scene begins may be seen on another one.
      func seconds(_ frames: [FrameHash]) -> [FrameHash] {
        var due = 0.0
        return frames.filter { frame in
          defer { if frame.seconds >= due { due = frame.seconds.rounded(.down) + 1 } }
          return frame.seconds >= due
        }
      }
      #expect(seconds(usual.frames) == seconds(full.frames) && seconds(full.frames).count >= 5, "\(name)")
    }
  }

  /// The frames of a look that asks for samples once, and how many of them have others left out before them.
  private func samples(_ file: [UInt8], after count: Int = 1) throws -> (frames: [FrameHash], leavingOut: Int) {
    var (frames, leavingOut): ([FrameHash], Int) = ([], 0)
    let failure = try read(file) { frame, hash in
      frames.append(hash)
      if frame.othersAreLeftOut { leavingOut += 1 }
      return frames.count == count ? .samples : .more
    }
    #expect(failure == nil)
    return (frames, leavingOut)
  }

  @Test func samplesAreSecondsFramesFromAllOverTheFilm() throws {
    // Key frames at 0 and 5.08 s; at 0, 2.72, 5.12 and 10; at 0, 5.09; at 0, 5.12 and 10.24; each 0.48 s.
    for (name, seconds) in [
      ("tour.mp4", [0, 1, 6, 7]), ("tour_fps.mov", [0, 3, 6, 10]), ("tour_lowrate.mkv", [0, 1, 6, 7]),
      ("tour_small.webm", [0, 6, 11]), ("tour.avi", Array(0...11)),
    ] {
      let file = try Corpus.bytes("media/videos/\(name)")
      let (all, (some, leavingOut)) = (try frames(file).frames, try samples(file))
      #expect(some.map { Int($0.seconds) } == seconds && leavingOut == some.count - 1, "\(name): \(some.map(\.seconds))")
      // The second's first frame, and no other picture than without samples.
      #expect(Set(some.map(\.hash)).isSubset(of: Set(all.map(\.hash))), "\(name)")
      #expect(some.allSatisfy { $0.seconds - $0.seconds.rounded(.down) <= 0.08 }, "\(name)")
      // Asked for in the middle: what has been delivered does not come once more.
      let (late, _) = try samples(file, after: 5)
      #expect(zip(late, late.dropFirst()).allSatisfy { $0.seconds < $1.seconds }, "\(name)")
      #expect(late.prefix(5) == all.prefix(5) && Set(late.map(\.hash)).isSubset(of: Set(all.map(\.hash))), "\(name)")
    }
  }

  @Test func aFilmWithoutKeyFramesAllOverItGivesNoSamples() throws {
    // One key frame; the same in Matroska, which has to be sought in; no index.
    for name in ["pattern.mp4", "bunny.mp4", "bunny_crop.mkv", "pattern_vp8.webm"] {
      let file = try Corpus.bytes("media/videos/\(name)")
      let (frames, leavingOut) = try samples(file)
      let all = try self.frames(file).frames
      // Having sought there is no going on.
      #expect(frames == (name.hasSuffix("mp4") ? all : Array(all.prefix(1))) && leavingOut == 0, "\(name)")
    }
    let scratch = try TemporaryDirectory()
    let tour = Corpus.root.appending(path: "media/videos/tour.mp4").path
    // Key frames at 0 and 5.08 of 22 s: half of it is without one.
    let made = try run(
      "/usr/bin/env",
      [
        "ffmpeg", "-v", "error", "-i", tour, "-c", "copy", scratch.path("tour.ts"), "-vf",
        "tpad=stop_mode=clone:stop_duration=10", "-g", "1000", "-force_key_frames", "5.08", "-sc_threshold", "0",
        scratch.path("still.mp4"),
      ])
    guard made.exitCode == 0 else { return print("skipped: films without an index, for want of ffmpeg with an encoder") }
    for name in ["tour.ts", "still.mp4"] {
      let file = try [UInt8](Data(contentsOf: URL(filePath: scratch.path(name))))
      let (frames, leavingOut) = try samples(file)
      #expect(try frames == self.frames(file).frames && frames.count >= 12 && leavingOut == 0, "\(name)")
    }
  }

  /// A packet of two frames: the second comes after samples have been asked for.
  @Test func noFrameBehindTheQuestionSaysThatAllAreThere() throws {
    let scratch = try TemporaryDirectory()
    func convert(_ from: String, _ to: String) throws -> Bool {
      try run("/usr/bin/env", ["ffmpeg", "-v", "error", "-i", from, "-c", "copy", scratch.path(to)]).exitCode == 0
    }
    let videos = Corpus.root.appending(path: "media/videos").path
    guard try convert("\(videos)/bunny_bright.webm", "other.ivf"), try convert("\(videos)/tour_small.webm", "film.ivf") else {
      return print("skipped: a packet of two frames, for want of ffmpeg")
    }
    var film = try [UInt8](Data(contentsOf: URL(filePath: scratch.path("film.ivf"))))
    /// IVF: a head of 32 bytes, then for each packet its size, a time of eight bytes, and its bytes.
    func firstPacket(_ file: [UInt8]) -> [UInt8] {
      Array(file[44...].prefix(Int(file[32]) | Int(file[33]) << 8 | Int(file[34]) << 16))
    }
    let other = try [UInt8](Data(contentsOf: URL(filePath: scratch.path("other.ivf"))))
    let frames = [firstPacket(other), firstPacket(film)]
    // VP9, annex B: the frames, then their sizes of four bytes between two marks.
    let mark: UInt8 = 0b110_11_001
    func bytes(_ number: Int) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) } }
    let both = frames[0] + frames[1] + [mark] + bytes(frames[0].count) + bytes(frames[1].count) + [mark]
    film.replaceSubrange(44..<44 + frames[1].count, with: both)
    film.replaceSubrange(32..<36, with: bytes(both.count))
    try Data(film).write(to: URL(filePath: scratch.path("both.ivf")))
    for container in ["webm", "mp4"] {
      try #require(try convert(scratch.path("both.ivf"), "both.\(container)"))
      let (some, leavingOut) = try samples([UInt8](Data(contentsOf: URL(filePath: scratch.path("both.\(container)")))))
      #expect(some.map { Int($0.seconds) } == [0, 6, 11] && leavingOut == 2, "\(container): \(some.map(\.seconds))")
    }
  }

  /// Cues of which the one for the begin leads elsewhere.
  @Test func whereAnIndexLiesNoFrameFollowsTheQuestion() throws {
    var file = try Corpus.bytes("media/videos/tour_small.webm")
    let cues = try #require(file.indices.last { file[$0...].starts(with: [0x1c, 0x53, 0xbb, 0x6b]) })
    // CuePoint, its length, CueTime of one or two bytes.
    let points = file.indices[(cues + 4)...].filter { file[$0] == 0xbb && file.indices.contains($0 + 3) && file[$0 + 2] == 0xb3 }
    try #require(points.count == 3)
    file[points[0]] = 0xec  // void
    let time = points[1] + 4
    try #require(file[time - 1] == 0x82 && Array(file[time..<time + 2]) == [0x14, 0x00])
    file.replaceSubrange(time..<time + 2, with: [0, 0])
    let (some, leavingOut) = try samples(file)
    #expect(some.map(\.seconds) == [0] && leavingOut == 0, "\(some.map(\.seconds))")
    #expect(try frames(file).frames == frames(Corpus.bytes("media/videos/tour_small.webm")).frames)
  }

  @Test func noFrameComesAfterEnough() throws {
    let pool = try DecoderPool(size: 1)
    for name in ["videos/tour.mp4", "zoo/animated.webp", "videos/tour.avi"] {
      let file = try Corpus.bytes("media/\(name)")
      let (frames, failure) = try frames(file, pulled: !name.hasSuffix("webp"), from: pool, most: 2)
      #expect(frames.count == 2 && failure == nil, "\(name)")
    }
  }

  @Test func picturesThatMoveHaveFrames() throws {
    for (name, count) in [("animated.gif", 10), ("animated.png", 5), ("animated.webp", 10)] {
      let (frames, failure) = try frames(Corpus.bytes("media/zoo/\(name)"), pulled: false)
      #expect(failure == nil && frames.count == count && Set(frames.map(\.hash)).count > 1, "\(name)")
      #expect(zip(frames, frames.dropFirst()).allSatisfy { $0.seconds < $1.seconds }, "\(name)")
    }
    // A picture that does not move is shown for as long as its file says.
    let still = try frames(Corpus.bytes("media/zoo/static.gif"), pulled: false)
    #expect(still.failure == nil && still.frames.count == 1)
    #expect(try Corpus.bytes("media/zoo/animated.png").withUnsafeBytes(MediaType.sniff) == .apng)
    #expect(try Corpus.bytes("media/zoo/base.png").withUnsafeBytes(MediaType.sniff) == .png)
  }

  @Test func aVideoCutShortSaysSo() throws {
    for name in ["tour.mp4", "tour.avi", "tour_lowrate.mkv"] {
      let file = try Corpus.bytes("media/videos/\(name)")
      for share in [0.01, 0.3, 0.6] {
        let (frames, failure) = try frames(Array(file.prefix(Int(Double(file.count) * share))))
        #expect(
          failure?.code == .broken, "\(name) at \(share): \(frames.count) frames, \(failure?.reason ?? "no reason")")
      }
    }
  }

  @Test func everyPageOfATIFFIsAPicture() throws {
    let file = try Corpus.bytes("media/zoo/multipage.tiff")
    var hashes: Set<PerceptualHash> = []
    for page in 0..<4 {
      let answer = try DecoderPool.shared.get().withLease { lease in
        try file.withUnsafeBytes { try lease.append($0) }
        return try lease.decode(.tiff, page: page) { ($0.pages, PDQ.hash($0.luma)) }
      }
      switch answer {
      case .success(let (pages, hash)):
        #expect(pages == 3 && page < 3)
        hashes.insert(hash)
      case .failure(let unhashable): #expect(page == 3 && unhashable.code == .broken)
      }
    }
    #expect(hashes.count == 3)
  }

  @Test func limitsOfFramesAndTimeAreNamed() throws {
    let file = try Corpus.bytes("media/videos/tour.mp4")
    var limits = DecodingLimits()
    limits.frames = 3
    let few = try frames(file, from: DecoderPool(size: 1, limits: limits))
    #expect(few.frames.count == 3 && few.failure?.reason == "limit: 3 frames")
    limits = DecodingLimits()
    limits.videoTime = .milliseconds(20)
    #expect(try frames(file, from: DecoderPool(size: 1, limits: limits)).failure?.code == .limit)
    limits = DecodingLimits()
    limits.pixels = 1000
    let small = try frames(file, from: DecoderPool(size: 1, limits: limits))
    #expect(small.frames.isEmpty && small.failure?.reason.hasPrefix("limit: ") == true)
  }

  @Test func mutatedVideosNeverCrashAWorker() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("mutated videos: seed \(seed)")
    var random = SeededGenerator(seed: seed)
    let files = try ["flat.mp4", "one_frame.mp4", "bunny_crop.mkv"].map { try Corpus.bytes("media/videos/\($0)") }
    for round in 0..<60 {
      var file = files[round % files.count]
      let type = file.withUnsafeBytes(MediaType.sniff)
      for _ in 0..<Int.random(in: 1...30, using: &random) {
        file[Int.random(in: 0..<file.count, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      }
      if let failure = try frames(file, as: type).failure {
        #expect(failure.code != .crashed && failure.code != .timedOut, "round \(round): \(failure.reason)")
      }
    }
  }
}
