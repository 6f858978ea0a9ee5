/// An exact hash algorithm that hash lists of the field carry.
///
/// The raw value is the algorithm's number in a hash list file; see `HashListFormat.md`, "Algorithms".
public enum DigestAlgorithm: UInt8, Sendable, CaseIterable, Comparable {
  case md5 = 1
  case sha1 = 2
  case sha256 = 3

  /// Length of a digest in bytes: 16, 20 or 32.
  public var byteCount: Int {
    switch self {
    case .md5: 16
    case .sha1: 20
    case .sha256: 32
    }
  }

  /// The name on the command line and in NDJSON: `md5`, `sha1` or `sha256`.
  public var name: String {
    switch self {
    case .md5: "md5"
    case .sha1: "sha1"
    case .sha256: "sha256"
    }
  }

  /// Finds an algorithm by the names in use: `sha1`, `SHA-1`, `sha_256` and the like.
  public init?(name: some StringProtocol) {
    let folded = name.lowercased().filter { $0 != "-" && $0 != "_" }
    guard let known = Self.allCases.first(where: { $0.name == folded }) else { return nil }
    self = known
  }

  public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// An exact hash of some content, with the algorithm that made it.
///
/// Digests of one algorithm order as their bytes do, which is the order of a hash list file.
public struct Digest: Sendable, Hashable {
  public let algorithm: DigestAlgorithm

  /// The bytes, most significant first, as big-endian words; unused low bytes are zero. Single words, because an array of
  /// vectors is aligned to 32 bytes, and a list entry has its digests in an array.
  package let first, second, third, fourth: UInt64

  private var words: SIMD4<UInt64> { SIMD4(first, second, third, fourth) }

  /// Takes the bytes of a digest.
  ///
  /// - Returns: `nil` when there are more or fewer than `algorithm.byteCount` of them.
  public init?(_ algorithm: DigestAlgorithm, bytes: UnsafeRawBufferPointer) {
    guard bytes.count == algorithm.byteCount else { return nil }
    self.algorithm = algorithm
    let words = bigEndianWords(bytes)
    (first, second, third, fourth) = (words[0], words[1], words[2], words[3])
  }

  /// Takes a digest as big-endian words, the unused low bytes zero.
  package init(_ algorithm: DigestAlgorithm, words first: UInt64, _ second: UInt64, _ third: UInt64 = 0, _ fourth: UInt64 = 0) {
    self.algorithm = algorithm
    (self.first, self.second, self.third, self.fourth) = (first, second, third, fourth)
  }

  /// Takes the bytes of a digest; see ``init(_:bytes:)``.
  public init?(_ algorithm: DigestAlgorithm, bytes: some Sequence<UInt8>) {
    let copy = Array(bytes)
    guard let digest = copy.withUnsafeBytes({ Self(algorithm, bytes: $0) }) else { return nil }
    self = digest
  }

  /// Reads hexadecimal digits of either case.
  ///
  /// - Returns: `nil` when their count is not twice `algorithm.byteCount` or one is no hex digit.
  public init?(_ algorithm: DigestAlgorithm, hex: some StringProtocol) {
    guard let bytes = Hashing.bytes(hex: hex.utf8) else { return nil }
    self.init(algorithm, bytes: bytes)
  }

  /// Lower-case hexadecimal digits.
  public var hex: String { hexString(words, digits: algorithm.byteCount * 2) }

  /// The bytes, most significant first.
  public var bytes: [UInt8] { withBytes(Array.init) }

  /// Lends the bytes for the time of `body`.
  public func withBytes<Result, Failure>(
    _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let stored = words.bigEndianBytes
    return try withUnsafeBytes(of: stored) { (all) throws(Failure) in
      try body(UnsafeRawBufferPointer(rebasing: all.prefix(algorithm.byteCount)))
    }
  }

  /// Whether this is the digest of zero bytes, which every empty file has and no list should.
  public var isOfEmptyContent: Bool {
    let empty = Self.ofEmptyContent[Int(algorithm.rawValue) - 1]
    // One word tells nearly always: millions are asked in a row.
    return first == empty.first && self == empty
  }

  /// What the three algorithms, in order, answer for no bytes at all (RFC 1321, A.5; FIPS 180-4 examples).
  private static let ofEmptyContent: [Digest] = [
    Digest(.md5, hex: "d41d8cd98f00b204e9800998ecf8427e")!,
    Digest(.sha1, hex: "da39a3ee5e6b4b0d3255bfef95601890afd80709")!,
    Digest(.sha256, hex: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")!,
  ]
}

extension Digest: Comparable {
  public static func < (left: Self, right: Self) -> Bool {
    left.algorithm == right.algorithm
      ? left.words.precedes(right.words) : left.algorithm < right.algorithm
  }
}

extension Digest: CustomStringConvertible {
  /// `sha256:` and the hex digits, the form that `muhafiz match` reads.
  public var description: String { "\(algorithm.name):\(hex)" }
}
