import Glibc
import Hashing

/// A hash in a partner's file, or why it is refused.
enum HashText {
  case digest(Digest)
  case perceptual(PerceptualHash)
  case refused(Refusal)

  /// Why a text is no hash that a list should hold. Put in words only where somebody reads them: millions may be refused.
  enum Refusal: Equatable, CustomStringConvertible {
    case wrongLength(of: String, found: Int, isHex: Bool, expected: Int)
    case wrongDigit(String)
    case noAlgorithm(ofLength: Int)
    case unknownAlgorithm(String)
    case emptyFile(String)
    case nearlyConstant
    case lowQuality(UInt8)

    var description: String {
      switch self {
      case .wrongLength(let name, let found, let isHex, let expected):
        "\(name) has \(found) \(isHex ? "hex digits" : "characters"), expected \(expected)"
      case .wrongDigit(let name): "\(name) has a character that is not a hex digit"
      case .noAlgorithm(let length): "\(length) characters; a hash has 32 (md5), 40 (sha1) or 64 (sha256) hex digits"
      case .unknownAlgorithm(let name): "'\(name)' is not an algorithm; use md5, sha1, sha256 or pdq"
      case .emptyFile(let name): "\(name) of the empty file, which matches every empty file"
      case .nearlyConstant: "pdq is all zeros or nearly constant, which matches blank pictures"
      case .lowQuality(let quality): "pdq has quality \(quality), at least \(PerceptualHash.leastQuality) is needed"
      }
    }
  }

  /// Reads a digest of a known algorithm.
  init(_ algorithm: DigestAlgorithm, _ text: UnsafeRawBufferPointer) {
    guard text.count == algorithm.byteCount * 2 else {
      self = .refused(Self.wrongLength(algorithm.name, text, algorithm.byteCount * 2))
      return
    }
    self = Self.digest(algorithm, text).map(HashText.init) ?? .refused(.wrongDigit(algorithm.name))
  }

  /// Takes a digest, unless it is that of the empty file.
  init(_ digest: Digest) {
    self = digest.isOfEmptyContent ? .refused(.emptyFile(digest.algorithm.name)) : .digest(digest)
  }

  /// Reads a perceptual hash.
  init(pdq text: UnsafeRawBufferPointer, quality: UInt8? = nil) {
    guard text.count == PerceptualHash.byteCount * 2 else {
      self = .refused(Self.wrongLength("pdq", text, PerceptualHash.byteCount * 2))
      return
    }
    guard let first = Self.word(text, 0), let second = Self.word(text, 16), let third = Self.word(text, 32),
      let fourth = Self.word(text, 48)
    else {
      self = .refused(.wrongDigit("pdq"))
      return
    }
    let hash = PerceptualHash(words: SIMD4(first, second, third, fourth), quality: quality)
    if hash.isNearlyConstant {
      self = .refused(.nearlyConstant)
    } else if let quality, quality < PerceptualHash.leastQuality {
      self = .refused(.lowQuality(quality))
    } else {
      self = .perceptual(hash)
    }
  }

  /// Reads a hash of an algorithm given by name, among them `pdq`.
  init(named name: some StringProtocol, _ text: UnsafeRawBufferPointer) {
    if name.lowercased() == "pdq" {
      self.init(pdq: text)
    } else if let algorithm = DigestAlgorithm(name: name) {
      self.init(algorithm, text)
    } else {
      self = .refused(.unknownAlgorithm(String(name.prefix(16)).filter { $0.isASCII && ($0.isLetter || $0.isNumber) }))
    }
  }

  /// Reads a hash of an algorithm given by name, without the space around it.
  init(named name: some StringProtocol, _ text: some StringProtocol) {
    self = Array(text.utf8).withUnsafeBytes { HashText(named: name, $0.trimmed) }
  }

  /// Reads a digest whose algorithm its length tells.
  init(byLength text: UnsafeRawBufferPointer) {
    switch text.count {
    case 64: self.init(.sha256, text)
    case 40: self.init(.sha1, text)
    case 32: self.init(.md5, text)
    default: self = .refused(.noAlgorithm(ofLength: text.count))
    }
  }

  /// Whether a hash of this name is one that is compared here.
  static func knows(_ name: some StringProtocol) -> Bool {
    name.lowercased() == "pdq" || DigestAlgorithm(name: name) != nil
  }

  private static func wrongLength(_ name: String, _ text: UnsafeRawBufferPointer, _ expected: Int) -> Refusal {
    .wrongLength(of: name, found: text.count, isHex: text.allSatisfy { nibble($0) != nil }, expected: expected)
  }

  /// Reads as many hex digits as a digest has; `nil` when one is none.
  private static func digest(_ algorithm: DigestAlgorithm, _ text: UnsafeRawBufferPointer) -> Digest? {
    guard let first = word(text, 0), let second = word(text, 16) else { return nil }
    switch algorithm {
    case .md5: return Digest(.md5, words: first, second)
    case .sha1:
      guard let rest = decodeEight(text.loadUnaligned(fromByteOffset: 32, as: UInt64.self)) else { return nil }
      return Digest(.sha1, words: first, second, UInt64(rest.byteSwapped) << 32)
    case .sha256:
      guard let third = word(text, 32), let fourth = word(text, 48) else { return nil }
      return Digest(.sha256, words: first, second, third, fourth)
    }
  }

  /// Sixteen hex digits as a number.
  @inline(__always)
  private static func word(_ text: UnsafeRawBufferPointer, _ offset: Int) -> UInt64? {
    guard let high = decodeEight(text.loadUnaligned(fromByteOffset: offset, as: UInt64.self)),
      let low = decodeEight(text.loadUnaligned(fromByteOffset: offset + 8, as: UInt64.self))
    else { return nil }
    return UInt64(high.byteSwapped) << 32 | UInt64(low.byteSwapped)
  }

  /// Four bytes of eight hex digits, all at once: both as they lie in memory, little endian.
  @inline(__always)
  private static func decodeEight(_ characters: UInt64) -> UInt32? {
    func each(_ byte: UInt8) -> UInt64 { UInt64(byte) &* 0x0101_0101_0101_0101 }
    // The top bit of each byte tells; no sum carries, as a character with its own top bit set is refused.
    let folded = characters | each(0x20)
    let digits = (characters &+ each(0x80 - 0x30)) & ~(characters &+ each(0x80 - 0x3A))
    let letters = (folded &+ each(0x80 - 0x61)) & ~(folded &+ each(0x80 - 0x67))
    guard characters & each(0x80) == 0 && (digits | letters) & each(0x80) == each(0x80) else { return nil }
    let values = (characters & each(0x0F)) &+ 9 &* (characters >> 6 & each(0x01))
    let pairs = (values << 4 | values >> 8) & 0x00FF_00FF_00FF_00FF
    let halves = (pairs | pairs >> 8) & 0x0000_FFFF_0000_FFFF
    return UInt32(truncatingIfNeeded: halves | halves >> 16)
  }
}

extension UnsafeRawBufferPointer {
  /// Without spaces, tabs and carriage returns around, nor one pair of double quotes.
  var trimmed: UnsafeRawBufferPointer {
    func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0D }
    var start = startIndex
    var end = endIndex
    while start < end && isSpace(self[start]) { start += 1 }
    while end > start && isSpace(self[end - 1]) { end -= 1 }
    if end - start >= 2 && self[start] == .quote && self[end - 1] == .quote {
      start += 1
      end -= 1
    }
    return UnsafeRawBufferPointer(rebasing: self[start..<end])
  }

  var text: String { String(decoding: self, as: UTF8.self) }

  func from(_ start: Int, to end: Int? = nil) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: self[start..<(end ?? count)])
  }

  /// Where a byte stands first, at `start` or after it.
  func position(of byte: UInt8, from start: Int = 0) -> Int? {
    guard start < count, let found = memchr(baseAddress! + start, Int32(byte), count - start) else { return nil }
    return UnsafeRawPointer(found) - baseAddress!
  }

  /// Where the first colon stands that can end the name of an algorithm: among the first eight bytes.
  var colonBehindName: Int? {
    for index in 0..<Swift.min(count, 8) where self[index] == .colon { return index }
    return nil
  }

  /// Whether this is a line to pass over: blank, or a comment.
  var isBlankOrComment: Bool { first.map { $0 == UInt8(ascii: "#") } ?? true }
}

extension UInt8 {
  static let space = UInt8(ascii: " ")
  static let comma = UInt8(ascii: ",")
  static let colon = UInt8(ascii: ":")
  static let backslash = UInt8(ascii: "\\")
  static let quote = UInt8(ascii: "\"")
}
