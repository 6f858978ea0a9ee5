import Glibc

/// Cuts a stream into lines.
struct LineReader: ~Copyable {
  private var bytes: ByteStream
  private let separator: UInt8
  private var number = 0
  /// The beginning of a line that goes on in the next piece.
  private var begun: [UInt8] = []
  private var isTooLong = false

  /// Longest line that is looked at, in bytes. What is longer is refused without being kept.
  static let longestLine = 1 << 16

  init(_ bytes: consuming ByteStream, separator: UInt8) {
    self.bytes = bytes
    self.separator = separator
  }

  /// Hands over every line with its number from 1, without the separator; `nil` for one that is too long.
  mutating func forEach(_ body: (UnsafeRawBufferPointer?, Int) throws -> Void) throws {
    while try bytes.fill() {
      let piece = bytes.piece
      var start = 0
      while start < piece.count, let found = memchr(piece.baseAddress! + start, Int32(separator), piece.count - start) {
        let stop = UnsafeRawPointer(found) - piece.baseAddress!
        try end(piece.from(start, to: stop), body)
        start = stop + 1
      }
      keep(piece.from(start))
      bytes.advance(piece.count)
    }
    if !begun.isEmpty || isTooLong { try end(UnsafeRawBufferPointer(start: nil, count: 0), body) }
  }

  private mutating func end(
    _ rest: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer?, Int) throws -> Void
  ) throws {
    number += 1
    if begun.isEmpty && !isTooLong { return try body(rest.count > Self.longestLine ? nil : rest, number) }
    keep(rest)
    if isTooLong { try body(nil, number) } else { try begun.withUnsafeBytes { try body($0, number) } }
    begun.removeAll(keepingCapacity: true)
    isTooLong = false
  }

  private mutating func keep(_ rest: UnsafeRawBufferPointer) {
    if begun.count + rest.count > Self.longestLine { isTooLong = true }
    if isTooLong { begun.removeAll(keepingCapacity: true) } else { begun.append(contentsOf: rest) }
  }
}
