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

  /// Looks at frames only until they show that a listed video is there: the rest would show no heavier match of a frame. Where
  /// the first ones meet a listed video, samples of the rest are looked at before all of it is.
  private func lookAtFrames(
    _ type: MediaType, _ source: ByteSource?, _ lease: inout DecoderLease, _ look: inout Look
  ) throws {
    let before = look
    // What is kept to be looked for again is to be all there is.
    let maySuffice = !options.fullVideo && !options.keepsQueries
    /// Returns whether frames were left out.
    func read(mayLeaveOut mayAsk: Bool, isAgain: Bool = false) throws -> Bool {
      look = before
      var (mayLeaveOut, isPart) = (mayAsk, false)
      let detail: FrameDetail = options.fullVideo ? .full : .usual
      let failure = try lease.decodeFrames(type, from: source, detail: detail, isAgain: isAgain) { frame in
        let queries = queries(of: frame.luma)
        look.frames.append(FrameHash(seconds: frame.seconds, hash: queries[0][0]))
        isPart = frame.othersAreLeftOut
        guard try ask(queries, &look), maySuffice else { return .more }
        if try isDecided(look) {
          look.videoStop = .listedVideo
          return .enough
        }
        // A list of what is known, or to be ignored, ends no look.
        guard mayLeaveOut, frame.seconds <= Self.secondsToLookAtAgain,
          try blocklist.policy.verdict(for: look.videos.matches()) == .review
        else { return .more }
        // Until a frame says that none was left out.
        (mayLeaveOut, isPart) = (false, true)
        return .samples
      }
      if failure?.mayBeAnothers == true && !isAgain { return try read(mayLeaveOut: mayAsk, isAgain: true) }
      look.failure = failure?.reason
      return isPart && look.videoStop == nil
    }
    guard try read(mayLeaveOut: true) else { return }
    if look.failure == nil, try isDecided(look, bySamples: true) {
      look.videoStop = .listedVideo
    } else {
      _ = try read(mayLeaveOut: false)
    }
  }

  /// Listed videos of fewer frames, and fewer frames found, may be a title that many films begin with.
  private static let leastDecisiveFrames = 3

  /// A film whose samples decide nothing is begun again: so much of it at most has been looked at by then.
  private static let secondsToLookAtAgain = 10.0

  /// Whether a verdict stands on a listed video: one that was found whole, or one that has the film in it, as samples from
  /// all over it show.
  private func isDecided(_ look: Look, bySamples: Bool = false) throws -> Bool {
    let decisive = try look.videos.matches().filter { match in
      guard let video = match.video else { return false }
      return switch video.kind {
      case .whole: video.listedFrames >= Self.leastDecisiveFrames
      // Frames that tell nothing show nothing of the film either.
      case .clip:
        bySamples && video.queryFound >= Self.leastDecisiveFrames && 2 * video.queryFrames >= look.frames.count
      case .frame: false
      }
    }
    return blocklist.policy.verdict(for: decisive) == .review
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
