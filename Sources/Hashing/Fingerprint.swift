/// All hashes of one content.
public struct Fingerprint: Sendable, Hashable {
  /// Length of the content in bytes.
  public var sizeInBytes: Int64

  /// One digest for each algorithm that was asked for.
  public var digests: [Digest]

  /// The perceptual hash of the picture as a viewer shows it; `nil` where the content is no
  /// picture, or could not be decoded, or nobody asked.
  public var perceptualHash: PerceptualHash?

  public init(sizeInBytes: Int64, digests: [Digest], perceptualHash: PerceptualHash? = nil) {
    self.sizeInBytes = sizeInBytes
    self.digests = digests
    self.perceptualHash = perceptualHash
  }

  /// The digest by one algorithm, if it was asked for.
  public func digest(_ algorithm: DigestAlgorithm) -> Digest? {
    digests.first { $0.algorithm == algorithm }
  }
}
