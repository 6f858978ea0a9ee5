import Decoding
import Hashing
import Matching

/// What a scan does with each item.
public struct ScanOptions: Sendable {
  /// Digests to take besides SHA-256 and those that the lists in force are asked with.
  public var digests: Set<DigestAlgorithm>
  /// Whether pictures are hashed perceptually.
  public var perceptual: Bool
  /// Whether all of a video is looked at, also where its verdict stands before and where it is long.
  public var fullVideo: Bool
  /// Whether archives are opened, and their members scanned as items of their own.
  public var archives: Bool
  /// What is looked for on disk images, whose files are then items of their own; `nil` where they are not opened.
  public var diskImages: DiskOptions?
  /// Whether the bytes of disk images are digested as a whole too; it means reading them twice.
  public var sourceDigests = true
  /// Items in hand at once.
  public var workers: Int
  public var order: ScanOrder
  /// Holes that a sparse file may have: their zeros would be digested for hours. Default 16 GiB.
  public var holesInBytes: Int64 = 16 << 30
  /// Whether items carry all hashes that they were looked for with, so that they can be looked for again without their bytes.
  public var keepsQueries = false

  public init(
    digests: Set<DigestAlgorithm> = [], perceptual: Bool = true, fullVideo: Bool = false, archives: Bool = true,
    workers: Int, order: ScanOrder = .path
  ) {
    self.order = order
    self.digests = digests
    self.perceptual = perceptual
    self.archives = archives
    self.fullVideo = fullVideo
    self.workers = max(1, workers)
  }

  /// What changes the result of a scan, as words: `perceptual=true`.
  public var facts: [String] {
    let unimportant = ["workers", "order"]
    return Mirror(reflecting: self).children.compactMap { child in
      guard let name = child.label, !unimportant.contains(name) else { return nil }
      let digests = (child.value as? Set<DigestAlgorithm>)?.sorted().map(\.name).joined(separator: ",")
      return "\(name)=\(digests ?? "\(child.value)")"
    }
  }

  /// All digests that are taken.
  func digests(for blocklist: Blocklist) -> Set<DigestAlgorithm> { digests.union(blocklist.digestAlgorithms).union([.sha256]) }

  /// Whether anything is to be decoded.
  public var needsDecoders: Bool { perceptual || archives || diskImages != nil }
}
