import Decoding
import Hashing
import Matching
import SystemPackage

extension ItemScanner {
  /// Pages of one TIFF file.
  private static let mostPages = 1000

  /// What became of the perceptual part.
  struct Look {
    /// Whether there should be a perceptual hash.
    var isDue = false
    /// Of the whole picture, upright.
    var hash: PerceptualHash?
    var frames: [FrameHash] = []
    var queries: [[PerceptualHash]] = []
    var matches: [Match] = []
    /// Listed videos, by the pages or frames so far.
    var videos: VideoSearch
    var videoStop: VideoStop?
    /// Why something is missing.
    var failure: String?
  }

  /// Hashes a picture or a video perceptually, and asks the lists; once for all copies of it.
  ///
  /// - Parameter source: The file; `nil` where it has been appended to the lease.
  func look(_ content: Content, _ source: ByteSource?, _ lease: inout DecoderLease) throws -> Look {
    guard options.perceptual, content.failure == nil, !content.isKnownGood, let type = content.mediaType,
      type.isPicture || type.isVideo
    else {
      return Look(videos: blocklist.makeVideoSearch())
    }
    let digest = content.digests.first { $0.algorithm == .sha256 }
    if let digest, let known = looks?.look(at: digest) { return known }
    let look = try look(content, type, source, &lease)
    if let digest { looks?.keep(look, of: digest) }
    return look
  }

  private func look(
    _ content: Content, _ type: MediaType, _ source: ByteSource?, _ lease: inout DecoderLease
  ) throws -> Look {
    var look = Look(videos: blocklist.makeVideoSearch())
    look.isDue = true
    if type.isPicture {
      var pages = 1
      var page = 0
      while page < pages {
        let result = try lease.decode(type, page: page) { picture in
          if page == 0 { pages = min(picture.pages, Self.mostPages) }
          return queries(of: picture.luma)
        }
        switch result {
        case .success(let queries):
          if page == 0 { look.hash = queries[0][0] }
          try ask(queries, &look)
        case .failure(let unhashable):
          look.failure = page == 0 ? unhashable.reason : "page \(page + 1): \(unhashable.reason)"
          return look
        }
        page += 1
      }
      if pages == Self.mostPages { look.failure = "limit: \(pages) pages" }
    }
    guard type.hasFrames else {
      if type.isVideo { look.failure = "\(type.rawValue) is not decoded" }
      return look
    }
    if !options.fullVideo && blocklist.policy.verdict(for: content.matches) == .block {
      look.videoStop = .exactMatch
      return look
    }
    do {
      // A picture's bytes are with the decoder already.
      try lookAtFrames(type, type.isPicture ? nil : source, &lease, &look)
    } catch let error as Errno {
      look.failure = "the video cannot be read: \(error.reason)"
    }
    // A picture of one frame does not move.
    if type.isPicture && look.frames.count < 2 && look.videoStop == nil { look.frames = [] }
    return look
  }

  /// Looks at key frames of longer films first, and at frames only until they show that a listed video is there: the rest
  /// would show no heavier match of a frame.
  private func lookAtFrames(
    _ type: MediaType, _ source: ByteSource?, _ lease: inout DecoderLease, _ look: inout Look
  ) throws {
    let before = look
    // What is kept to be looked for again is to be all there is.
    let maySuffice = !options.fullVideo && !options.keepsQueries
    /// Returns whether frames were left out.
    func read(_ detail: FrameDetail) throws -> Bool {
      look = before
      var isPart = false
      let failure = try lease.decodeFrames(type, from: source, detail: detail) { frame in
        let queries = queries(of: frame.luma)
        look.frames.append(FrameHash(seconds: frame.seconds, hash: queries[0][0]))
        isPart = frame.othersAreLeftOut
        let isNew = try ask(queries, &look)
        guard isNew, maySuffice, !isPart, try isDecided(look, leastFrames: Self.leastDecisiveFrames) else { return .more }
        look.videoStop = .listedVideo
        return .enough
      }
      look.failure = failure?.reason
      return isPart
    }
    if options.fullVideo || !blocklist.hasPerceptualHashes {
      _ = try read(options.fullVideo ? .full : .usual)
    } else if try read(.keyFrames) {
      if look.failure == nil, try isDecided(look) { look.videoStop = .listedVideo } else { _ = try read(.usual) }
    }
  }

  /// A listed video of fewer frames may be a title that many films begin with.
  private static let leastDecisiveFrames = 3

  /// Whether a listed video was found whole, and a verdict stands on it.
  private func isDecided(_ look: Look, leastFrames: Int = 1) throws -> Bool {
    let whole = try look.videos.matches().filter {
      $0.video.map { $0.kind == .whole && $0.listedFrames >= leastFrames } ?? false
    }
    return blocklist.policy.verdict(for: whole) == .review
  }

  /// The hashes that a picture is looked for with: of the whole, and of what is within plain borders.
  ///
  /// Turned and mirrored forms are queries; without a list to ask nobody needs them, nor what is within borders.
  ///
  /// - Returns: One or two groups, in each the upright hash first.
  private func queries(of luma: LumaPlane) -> [[PerceptualHash]] {
    guard blocklist.hasPerceptualHashes || options.keepsQueries else { return [[PDQ.hash(luma)]] }
    let whole = PDQ.dihedralHashes(luma)
    guard let region = luma.regionWithinPlainBorders() else { return [whole] }
    return [whole, luma.withCopy(of: region, PDQ.dihedralHashes)]
  }

  /// Asks for one picture or frame.
  ///
  /// - Returns: Whether it met a listed video in a frame that was not met before.
  @discardableResult
  private func ask(_ queries: [[PerceptualHash]], _ look: inout Look) throws -> Bool {
    if options.keepsQueries { look.queries += queries }
    for hashes in queries {
      for match in try blocklist.matches(near: hashes) { look.matches.add(match) }
    }
    return try look.videos.add(queries)
  }
}
