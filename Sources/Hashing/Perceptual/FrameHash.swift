/// The perceptual hash of one frame of a video, and when it is shown: a feature of vPDQ.
///
/// Source: vPDQ reference, `vpdq/README.md`.
public struct FrameHash: Sendable, Hashable {
  /// Which frame of the video it is, from 0; `nil` where that was not counted.
  public let number: UInt32?
  /// Time from the video's start.
  public let seconds: Double
  public let hash: PerceptualHash

  public init(number: UInt32? = nil, seconds: Double, hash: PerceptualHash) {
    self.number = number
    self.seconds = seconds
    self.hash = hash
  }

  /// The time in whole milliseconds, as exact as vPDQ writes it; 0 for what is none, 49 days for what is later.
  public var milliseconds: UInt32 {
    seconds > 0 ? UInt32(exactly: (seconds * 1000).rounded()) ?? .max : 0
  }

  /// Whether the frame tells anything: a flat one looks like every other flat one.
  public var isComparable: Bool {
    hash.quality ?? 100 >= PerceptualHash.leastQuality && !hash.isNearlyConstant
  }
}
