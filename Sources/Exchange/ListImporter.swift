import Glibc
import Hashing
import Matching
import SystemPackage

/// Reads partners' list files as a stream: memory does not grow with the file.
public struct ListImporter: Sendable {
  private let options: ImportOptions
  private let pieceSize: Int

  public init(_ options: ImportOptions = ImportOptions()) {
    self.init(options, pieceSize: 1 << 18)
  }

  /// - Parameter pieceSize: Bytes read at once; tests make it small so that records lie across its end.
  package init(_ options: ImportOptions, pieceSize: Int) {
    self.options = options
    self.pieceSize = pieceSize
  }

  /// Reads one file.
  ///
  /// - Parameters:
  ///   - path: `-` for standard input.
  ///   - withdraw: Gets each entry that the partner has withdrawn, with its id, its hashes or both.
  ///   - takeDigests: Gets digests that are all their records say, some thousands at once and in the order of the file:
  ///     most lists are nothing else, and an entry for each costs more than the rest of the reading. Where it answers
  ///     `false`, `take` gets them.
  ///   - take: Gets each entry, in the order of the file. What it throws ends the reading.
  /// - Throws: ``ExchangeError``.
  public func read(
    _ path: FilePath, withdraw: (ListEntry) throws -> Void = { _ in },
    takeDigests: ([NumberedDigest]) throws -> Bool = { _ in false }, take: (ListEntry) throws -> Void
  ) throws -> ImportReport {
    let isInput = path == "-"
    let descriptor: FileDescriptor
    do {
      descriptor = isInput ? .standardInput : try FileDescriptor.open(path, .readOnly, options: [.closeOnExec])
    } catch {
      throw ExchangeError(.cannotRead, "cannot read \(path): \(error)")
    }
    defer { if !isInput { close(descriptor.rawValue) } }
    return try read(
      descriptor, fileName: isInput ? "standard input" : path.string, withdraw: withdraw, takeDigests: takeDigests, take: take)
  }

  /// Reads an open file; see ``read(_:withdraw:takeDigests:take:)``.
  package func read(
    _ descriptor: FileDescriptor, fileName: String, withdraw: (ListEntry) throws -> Void,
    takeDigests: ([NumberedDigest]) throws -> Bool = { _ in false }, take: (ListEntry) throws -> Void
  ) throws -> ImportReport {
    try withoutActuallyEscaping(take) { take in
      try withoutActuallyEscaping(takeDigests) { takeDigests in
        try withoutActuallyEscaping(withdraw) { withdraw in
          let bytes = ByteStream(descriptor, fileName: fileName, pieceSize: max(pieceSize, 16))
          return try read(bytes) { format in
            RecordSink(
              options: options, fileName: fileName, report: ImportReport(format: format), take: take,
              takeDigests: takeDigests, withdraw: withdraw)
          }
        }
      }
    }
  }

  private func read(
    _ bytes: consuming ByteStream, _ makeSink: (ListFormat) -> RecordSink
  ) throws -> ImportReport {
    try bytes.readHead()
    let sniffer = FormatSniffer(bytes: bytes.piece, fileName: bytes.fileName)
    try sniffer.checkEncoding()
    let format = try options.format ?? sniffer.format()
    let separator = sniffer.isZeroTerminated ? 0 : UInt8(ascii: "\n")
    var sink = makeSink(format)
    switch format.makeParser(options) {
    case .document(let read): try read(bytes, &sink)
    case .database(let database): try database.read(bytes.descriptor, &sink)
    case .lines(let parser): try Self.readLines(bytes, separator, parser, into: &sink)
    }
    try sink.flush()
    sink.summarize()
    return sink.report
  }

  private static func readLines(
    _ bytes: consuming ByteStream, _ separator: UInt8, _ parser: consuming some LineParser, into sink: inout RecordSink
  ) throws {
    var parser = parser
    var lines = LineReader(bytes, separator: separator)
    try lines.forEach { line, number in
      if let line {
        try parser.parse(line, number: number, into: &sink)
      } else {
        try sink.reject(number, "longer than \(LineReader.longestLine) bytes")
      }
    }
    try parser.finish(into: &sink)
  }
}
