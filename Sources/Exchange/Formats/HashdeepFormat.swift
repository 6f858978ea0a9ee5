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
    let fields = text.split(separator: .comma, maxSplits: algorithms.count + 1, omittingEmptySubsequences: false)
    guard fields.count > 1, !fields[0].isEmpty, fields[0].allSatisfy({ (0x30...0x39).contains($0) }) else {
      // hashdeep writes line feeds in names as they are, so a name may go on here.
      sink.warn("line \(number): no record; taken for the rest of a name")
      return
    }
    guard fields.count == algorithms.count + 2 else {
      return try sink.reject(number, "\(fields.count) fields, expected \(algorithms.count + 2)")
    }
    let hashes = zip(algorithms, fields.dropFirst()).compactMap { algorithm, field in
      algorithm.map { HashText($0, UnsafeRawBufferPointer(rebasing: field).trimmed) }
    }
    let name = UnsafeRawBufferPointer(rebasing: fields[fields.count - 1]).text
    try sink.add(hashes, to: ListEntry(id: name, recordNumber: number, contributor: sink.options.contributor))
  }
}
