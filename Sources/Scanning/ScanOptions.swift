import Hashing

/// What a scan does with each item.
public struct ScanOptions: Sendable {
  /// Digests to take besides SHA-256 and those that the lists in force are asked with.
  public var digests: Set<DigestAlgorithm>
  /// Whether pictures are hashed perceptually.
  public var perceptual: Bool
  /// Whether archives are opened, and their members scanned as items of their own.
  public var archives: Bool
  /// Items in hand at once.
  public var workers: Int

  public init(digests: Set<DigestAlgorithm> = [], perceptual: Bool = true, archives: Bool = true, workers: Int) {
    self.digests = digests
    self.perceptual = perceptual
    self.archives = archives
    self.workers = max(1, workers)
  }

  /// Whether anything is to be decoded.
  public var needsDecoders: Bool { perceptual || archives }
}
