/// Reads pairs of hexadecimal digits of either case; `nil` for an odd count or any other byte.
package func bytes(hex: some Collection<UInt8>) -> [UInt8]? {
  guard hex.count.isMultiple(of: 2) else { return nil }
  var result: [UInt8] = []
  result.reserveCapacity(hex.count / 2)
  var high: UInt8?
  for character in hex {
    guard let value = nibble(character) else { return nil }
    if let upper = high {
      result.append(upper << 4 | value)
      high = nil
    } else {
      high = value
    }
  }
  return result
}

/// The value of one ASCII hexadecimal digit.
package func nibble(_ character: UInt8) -> UInt8? {
  switch character {
  case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0")
  case UInt8(ascii: "a")...UInt8(ascii: "f"): character - UInt8(ascii: "a") + 10
  case UInt8(ascii: "A")...UInt8(ascii: "F"): character - UInt8(ascii: "A") + 10
  default: nil
  }
}

/// Lower-case digits of four big-endian words: 64 characters.
func hexString(_ words: SIMD4<UInt64>, digits count: Int = 64) -> String {
  String(unsafeUninitializedCapacity: count) { out in
    for position in 0..<count {
      let digit = UInt8(words[position >> 4] >> UInt64(60 - (position & 15) * 4) & 15)
      out[position] = digit < 10 ? 0x30 + digit : 0x57 + digit
    }
    return count
  }
}

/// Reads up to 32 bytes, most significant first; missing low bytes are zero.
package func bigEndianWords(_ bytes: UnsafeRawBufferPointer) -> SIMD4<UInt64> {
  var stored = SIMD4<UInt64>.zero
  withUnsafeMutableBytes(of: &stored) { $0.copyMemory(from: bytes) }
  return stored.bigEndianBytes
}

extension SIMD4<UInt64> {
  /// The words with their bytes swapped to memory order, most significant first. Its own inverse.
  var bigEndianBytes: Self { Self(self[0].bigEndian, self[1].bigEndian, self[2].bigEndian, self[3].bigEndian) }

  /// Whether these words, read as one 256-bit number, are less than the others.
  package func precedes(_ other: Self) -> Bool {
    for index in 0..<4 where self[index] != other[index] { return self[index] < other[index] }
    return false
  }
}
