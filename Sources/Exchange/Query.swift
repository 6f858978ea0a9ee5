import Hashing

/// A hash typed by a person or another program.
public enum Query: Sendable, Equatable {
  case digest(Digest)
  case perceptual(PerceptualHash)

  /// Reads `md5:HEX`, `sha1:HEX`, `sha256:HEX`, `pdq:HEX`, or bare hex, whose length tells the digest (64 is SHA-256).
  ///
  /// - Throws: ``ExchangeError`` with `unreadableQuery`.
  public init(_ text: String) throws(ExchangeError) {
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    let hash = Array((parts.last ?? "").utf8).withUnsafeBytes { hex in
      parts.count == 2 ? HashText(named: parts[0], hex) : HashText(byLength: hex)
    }
    switch hash {
    case .digest(let digest): self = .digest(digest)
    case .perceptual(let hash): self = .perceptual(hash)
    case .refused(let refusal): throw ExchangeError(.unreadableQuery, refusal.description)
    }
  }

  /// `sha256:` and so on, with lower-case digits.
  public var description: String {
    switch self {
    case .digest(let digest): digest.description
    case .perceptual(let hash): hash.description
    }
  }
}
