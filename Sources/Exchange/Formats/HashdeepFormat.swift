import Hashing
import Matching

/// hashdeep 1.0: `size,md5,sha256,filename` under a header that names the columns. Commas belong to the name.
///
/// Source: hashdeep's `FILEFORMAT` and `src/main.h`.
struct HashdeepFormat: LineParser {
  /// Algorithm of each column between size and name; `nil` for one that is not kept.
  private var algorithms: [DigestAlgorithm?] = []
  private static let mark = Array("%%%% ".utf8)

  mutating func parse(_ line: UnsafeRawBufferPointer, number: Int, into sink: inout RecordSink) throws {
    let text = line.last == UInt8(ascii: "\r") ? line.from(0, to: line.count - 1) : line
    if text.starts(with: Self.mark) {
      let header = text.from(Self.mark.count).text
      if header.lowercased().hasPrefix("size,") {
        let columns = header.split(separator: ",", omittingEmptySubsequences: false)
        algorithms = columns.dropFirst().dropLast().map { DigestAlgorithm(name: $0) }
      }
      return
    }
    if text.isBlankOrComment { return }
    guard !algorithms.isEmpty else {
      throw ExchangeError(
        .missingHeader, "\(sink.fileName): line \(number): a record before the header '%%%% size,…,filename'",
        hint: "the second line of a hashdeep file names its columns")
    }
    guard let comma = text.position(of: .comma), comma > 0,
      text.prefix(comma).allSatisfy({ (0x30...0x39).contains($0) })
    else {
      // hashdeep writes line feeds in names as they are, so a name may go on here.
      sink.warn("line \(number): no record; taken for the rest of a name")
      return
    }
    var hashes: [HashText] = []
    hashes.reserveCapacity(algorithms.count)
    var start = comma + 1
    for (index, algorithm) in algorithms.enumerated() {
      guard let end = text.position(of: .comma, from: start) else {
        return try sink.reject(number, "\(index + 2) fields, expected \(algorithms.count + 2)")
      }
      if let algorithm { hashes.append(HashText(algorithm, text.from(start, to: end).trimmed)) }
      start = end + 1
    }
    try sink.add(
      hashes, to: ListEntry(id: text.from(start).text, recordNumber: number, contributor: sink.options.contributor))
  }
}
