import Hashing
import Matching

/// An EnCase hash set: MD5 digests of 16 bytes, two bytes each behind them, from a fixed place on.
///
///     OFFSET  SIZE  MEANING (little endian)
///          0     8  "HASH\r\n", 0xFF, 0
///         16     4  number of records
///       1032    80  name of the set, UTF-16
///       1152    18  each record: 16 bytes of MD5, 2 bytes that are 0
///
/// Source: hashdeep's `files.cpp`, The Sleuth Kit's `tsk/hashdb/encase.cpp`.
enum EnCaseFormat {
  static let magic: [UInt8] = Array("HASH\r\n".utf8) + [0xFF, 0]
  private static let recordsOffset = 1152
  private static let recordSize = 18

  static func read(_ bytes: consuming ByteStream, _ sink: inout RecordSink) throws {
    guard let header = try bytes.take(recordsOffset), header.starts(with: magic) else {
      throw ExchangeError(.malformed, "\(sink.fileName) is no EnCase hash set, or ends inside its header")
    }
    let announced = (0..<4).reduce(0) { $0 | Int(header[16 + $1]) << (8 * $1) }
    var number = 0
    while let record = try bytes.take(recordSize) {
      number += 1
      let digest = record.withUnsafeBytes { Digest(.md5, bytes: $0.from(0, to: 16)) }
      try sink.add(digest.map(HashText.init) ?? .refused(.wrongDigit("md5")), number: number)
    }
    guard bytes.offset == recordsOffset + number * recordSize else {
      throw ExchangeError(
        .malformed,
        "\(sink.fileName) is truncated: \(bytes.offset - recordsOffset - number * recordSize) bytes of a record of \(recordSize)"
      )
    }
    guard number >= announced else {
      throw ExchangeError(.malformed, "\(sink.fileName) is truncated: \(number) of \(announced) records")
    }
    if number > announced { sink.warn("\(number) records, where the header says \(announced); all were taken") }
  }
}

extension ByteStream {
  /// Takes so many bytes; `nil` when fewer are left, which are then taken all the same.
  fileprivate mutating func take(_ count: Int) throws -> [UInt8]? {
    var taken: [UInt8] = []
    taken.reserveCapacity(count)
    while taken.count < count {
      guard try fill() else { return nil }
      let part = piece.prefix(count - taken.count)
      taken.append(contentsOf: part)
      advance(part.count)
    }
    return taken
  }
}
