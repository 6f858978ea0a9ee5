import Hashing

/// A group of records that became durable together; `JournalFormat.md`, "Frames".
///
///     OFFSET  SIZE  MEANING
///          0     8  "MUHJRNL2"
///          8     8  number of the frame in its file, from 0, little-endian
///         16     8  length of the payload in bytes, little-endian
///         24    32  SHA-256 of the run's 16 bytes, the file's number (8, little-endian), bytes 0…23 and the payload
///         56        payload: records, one after the other
enum JournalFrame {
  static let headerSize = 56
  static let magic = Array("MUHJRNL2".utf8)
  private static let digestOffset = 24

  /// What a frame's digest says besides its bytes, so that none can stand in the place of another.
  struct Context: Sendable {
    let run: [UInt8]  // 16 bytes.
    let file: UInt64
  }

  static func bytes(_ payload: [UInt8], number: UInt64, _ context: Context) throws -> [UInt8] {
    var bytes = magic + littleEndian(number) + littleEndian(UInt64(payload.count))
    bytes += try digest(bytes[...], payload[...], context).bytes
    return bytes + payload
  }

  /// The length of the payload behind a header; `nil` where it is none.
  static func payloadSize(_ header: ArraySlice<UInt8>) -> UInt64? {
    guard header.count == headerSize, header.starts(with: magic) else { return nil }
    return number(header.dropFirst(16).prefix(8))
  }

  /// Whether the bytes are what was written as this frame.
  static func isWhole(_ header: ArraySlice<UInt8>, _ payload: ArraySlice<UInt8>, number: UInt64, _ context: Context)
    throws -> Bool
  {
    guard Self.number(header.dropFirst(8).prefix(8)) == number else { return false }
    return try digest(header.prefix(digestOffset), payload, context).bytes.elementsEqual(header.dropFirst(digestOffset))
  }

  /// The number that a header gives itself.
  static func number(of header: ArraySlice<UInt8>) -> UInt64 { number(header.dropFirst(8).prefix(8)) }

  private static func digest(_ head: ArraySlice<UInt8>, _ payload: ArraySlice<UInt8>, _ context: Context) throws
    -> Digest
  {
    var digester = try Digester([.sha256])
    for part in [context.run[...], littleEndian(context.file)[...], head, payload] {
      try part.withUnsafeBytes { try digester.update($0) }
    }
    return try digester.finish()[0]
  }

  private static func littleEndian(_ number: UInt64) -> [UInt8] { withUnsafeBytes(of: number.littleEndian, Array.init) }

  private static func number(_ bytes: ArraySlice<UInt8>) -> UInt64 {
    bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }
}
