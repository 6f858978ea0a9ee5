/// The frames of one video, hashed: what vPDQ compares.
///
/// Two videos are alike when most frames of one look like some frame of the other, whatever their order. It says "look",
/// not "decide".
///
/// Source: vPDQ reference, `vpdq/README.md`, "Matching".
public struct VideoHash: Sendable, Hashable {
  /// In the order of the video.
  public let frames: [FrameHash]

  public init(frames: [FrameHash]) {
    self.frames = frames
  }

  /// How many frames tell anything; see ``FrameHash/isComparable``.
  public var comparableFrames: Int { frames.count(where: \.isComparable) }

  /// Share of a listed video's comparable frames that must be found for the video to be.
  public static let matchShare = 0.8  // vPDQ reference, README, "Matching": P_c

  /// Frames that one video may have: a day and more, a frame a second.
  public static let mostFrames = 100_000
}
