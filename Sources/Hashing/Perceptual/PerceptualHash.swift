/// A 256-bit PDQ hash of one picture, with its quality.
///
/// Two pictures look alike when few bits differ: 31 or fewer of 256 is the reference
/// implementation's threshold. It says "look", not "decide".
///
/// Source: PDQ reference, `pdq/README.md`, "Matching".
public struct PerceptualHash: Sendable, Hashable {
  /// The hash as one 256-bit number, most significant word first: the order of its hex digits.
  public let words: SIMD4<UInt64>

  /// 0…100; below 50 the picture is too flat to trust. `nil` when a list did not say.
  public let quality: UInt8?

  public init(words: SIMD4<UInt64>, quality: UInt8? = nil) {
    self.words = words
    self.quality = quality
  }

  /// Takes 32 bytes, most significant first.
  ///
  /// - Returns: `nil` for any other count.
  public init?(bytes: UnsafeRawBufferPointer, quality: UInt8? = nil) {
    guard bytes.count == Self.byteCount else { return nil }
    self.init(words: bigEndianWords(bytes), quality: quality)
  }

  /// Reads 64 hexadecimal digits, most significant first, as the reference prints them.
  public init?(hex: some StringProtocol, quality: UInt8? = nil) {
    guard let bytes = Hashing.bytes(hex: hex.utf8) else { return nil }
    guard let hash = bytes.withUnsafeBytes({ Self(bytes: $0, quality: quality) }) else { return nil }
    self = hash
  }

  /// Length in bytes.
  public static let byteCount = 32

  /// Distance at or below which two pictures count as alike, in bits.
  public static let matchDistance = 31  // PDQ reference, `PDQ_CONFIDENT_MATCH_THRESHOLD`

  /// Quality below which a hash is not to be matched on.
  public static let leastQuality: UInt8 = 50  // PDQ reference, `pdq/README.md`, "Quality"

  /// 64 lower-case hexadecimal digits, most significant first.
  public var hex: String { hexString(words) }

  /// Lends the 32 bytes, most significant first, for the time of `body`.
  public func withBytes<Result, Failure>(
    _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let stored = words.bigEndianBytes
    return try withUnsafeBytes(of: stored, body)
  }

  /// Number of bits in which two hashes differ: 0…256.
  public func distanceInBits(to other: PerceptualHash) -> Int {
    let difference = words ^ other.words
    return (0..<4).reduce(0) { $0 + difference[$1].nonzeroBitCount }
  }

  /// Whether the hash lies within matching distance of all zeros or all ones.
  ///
  /// Half of the bits of a real hash are set, because each compares one coefficient with the median;
  /// a hash like this is a blank, a default or a mistake and would match other blanks.
  public var isNearlyConstant: Bool {
    let set = (0..<4).reduce(0) { $0 + words[$1].nonzeroBitCount }
    return min(set, 256 - set) <= Self.matchDistance
  }
}

extension PerceptualHash: CustomStringConvertible {
  /// `pdq:` and the hex digits, the form that `muhafiz match` reads.
  public var description: String { "pdq:\(hex)" }
}
