/// The perceptual hash of one frame of a video, and when it is shown: a feature of vPDQ.
///
/// Source: vPDQ reference, `vpdq/README.md`.
public struct FrameHash: Sendable, Hashable {
  /// Time from the video's start.
  public let seconds: Double
  public let hash: PerceptualHash

  public init(seconds: Double, hash: PerceptualHash) {
    self.seconds = seconds
    self.hash = hash
  }
}
