import Hashing

/// A hash in a partner's file, or why it is refused.
enum HashText {
  case digest(Digest)
  case perceptual(PerceptualHash)
  case refused(String)

  /// Reads a digest of a known algorithm.
  init(_ algorithm: DigestAlgorithm, _ text: UnsafeRawBufferPointer) {
    guard text.count == algorithm.byteCount * 2 else {
      self = .refused(Self.wrongLength(algorithm.name, text, algorithm.byteCount * 2))
      return
    }
    let digest = Self.withDecoded(text) { Digest(algorithm, bytes: $0) }
    guard let digest = digest ?? nil else {
      self = .refused("\(algorithm.name) has a character that is not a hex digit")
      return
    }
    self = digest.isOfEmptyContent ? .refused("\(algorithm.name) of the empty file, which matches every empty file") : .digest(digest)
  }

  /// Reads a perceptual hash.
  init(pdq text: UnsafeRawBufferPointer, quality: UInt8? = nil) {
    guard text.count == PerceptualHash.byteCount * 2 else {
      self = .refused(Self.wrongLength("pdq", text, PerceptualHash.byteCount * 2))
      return
    }
    let hash = Self.withDecoded(text) { PerceptualHash(bytes: $0, quality: quality) }
    guard let hash = hash ?? nil else {
      self = .refused("pdq has a character that is not a hex digit")
      return
    }
    if hash.isNearlyConstant {
      self = .refused("pdq is all zeros or nearly constant, which matches blank pictures")
    } else if let quality, quality < PerceptualHash.leastQuality {
      self = .refused("pdq has quality \(quality), at least \(PerceptualHash.leastQuality) is needed")
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
      let shown = String(name.prefix(16)).filter { $0.isASCII && ($0.isLetter || $0.isNumber) }
      self = .refused("'\(shown)' is not an algorithm; use md5, sha1, sha256 or pdq")
    }
  }

  /// Reads a digest whose algorithm its length tells.
  init(byLength text: UnsafeRawBufferPointer) {
    guard let algorithm = DigestAlgorithm.allCases.first(where: { $0.byteCount * 2 == text.count }) else {
      self = .refused("\(text.count) characters; a hash has 32 (md5), 40 (sha1) or 64 (sha256) hex digits")
      return
    }
    self.init(algorithm, text)
  }

  private static func wrongLength(_ name: String, _ text: UnsafeRawBufferPointer, _ expected: Int) -> String {
    let isHex = text.allSatisfy { nibble($0) != nil }
    return "\(name) has \(text.count) \(isHex ? "hex digits" : "characters"), expected \(expected)"
  }

  /// Lends the bytes of at most 64 hex digits; `nil` when one is none.
  private static func withDecoded<Result>(_ text: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) -> Result) -> Result? {
    withUnsafeTemporaryAllocation(byteCount: 32, alignment: 8) { bytes in
      for index in 0..<text.count / 2 {
        guard let high = nibble(text[2 * index]), let low = nibble(text[2 * index + 1]) else { return nil }
        bytes[index] = high << 4 | low
      }
      return body(UnsafeRawBufferPointer(rebasing: bytes[..<(text.count / 2)]))
    }
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
    let quote = UInt8(ascii: "\"")
    if end - start >= 2 && self[start] == quote && self[end - 1] == quote {
      start += 1
      end -= 1
    }
    return UnsafeRawBufferPointer(rebasing: self[start..<end])
  }

  var text: String { String(decoding: self, as: UTF8.self) }

  func from(_ start: Int, to end: Int? = nil) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: self[start..<(end ?? count)])
  }

  /// Whether this is a line to pass over: blank, or a comment.
  var isBlankOrComment: Bool { first.map { $0 == UInt8(ascii: "#") } ?? true }
}

extension UInt8 {
  static let space = UInt8(ascii: " ")
  static let comma = UInt8(ascii: ",")
  static let colon = UInt8(ascii: ":")
  static let backslash = UInt8(ascii: "\\")
}
