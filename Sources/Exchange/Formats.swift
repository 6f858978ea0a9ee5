import Matching

/// The list formats that are read: the table of the module.
public enum ListFormat: String, Sendable, CaseIterable {
  case plain, sums, csv, hashdeep, pdq

  /// One line for `--help`.
  public var summary: String {
    switch self {
    case .plain: "hex digits, one hash a line; MD5, SHA-1 or SHA-256 by length, or 'sha256:HEX'"
    case .sums: "sha256sum and md5sum lines, GNU ('HEX  name', also --zero) and BSD ('SHA256 (name) = HEX')"
    case .csv: "columns named in a header line, or mapped with --column"
    case .hashdeep: "hashdeep 1.0"
    case .pdq: "perceptual hashes: 'HEX,name' or bare HEX, 64 digits"
    }
  }

  func makeParser(_ options: ImportOptions) -> any RecordParser {
    switch self {
    case .plain: PlainFormat()
    case .sums: SumsFormat()
    case .csv: CSVFormat(options)
    case .hashdeep: HashdeepFormat()
    case .pdq: PDQFormat()
    }
  }
}

/// How a partner's file is to be read.
public struct ImportOptions: Sendable {
  /// `nil` to go by the content.
  public var format: ListFormat?
  /// Refuse the whole file at the first record that is refused.
  public var strict = false
  /// Who contributed entries that do not say so themselves.
  public var contributor: String?
  /// The scheme that the category column is in. Numbers mean different things in different schemes.
  public var categoryScheme = "unspecified"
  /// For CSV: which column holds what, instead of the header's names.
  public var columns: [ColumnMapping] = []
  /// For CSV: `nil` to go by the first line.
  public var delimiter: UInt8?
  public var hasHeader = true

  public init() {}
}

/// A record that was refused.
public struct Rejection: Sendable, Equatable, CustomStringConvertible {
  /// Line or record in the file, from 1.
  public let recordNumber: Int
  public let reason: String
  public var description: String { "line \(recordNumber): \(reason)" }
}

/// What reading a file came to. Duplicates are counted where entries are sorted, by the hash list builder.
public struct ImportReport: Sendable {
  public internal(set) var format: ListFormat
  /// Entries handed on.
  public internal(set) var entries = 0
  public internal(set) var rejected = 0
  /// The first of them, at most ``mostRejections``.
  public internal(set) var firstRejections: [Rejection] = []
  public internal(set) var warnings: [String] = []

  public static let mostRejections = 20
}

/// Turns the lines of one format into entries.
protocol RecordParser {
  /// - Parameter line: One line without its end, trimmed of nothing.
  mutating func parse(_ line: UnsafeRawBufferPointer, number: Int, into sink: inout RecordSink) throws

  /// The file has ended.
  mutating func finish(into sink: inout RecordSink) throws
}

extension RecordParser {
  mutating func finish(into sink: inout RecordSink) throws {}
}

/// Where parsers put what they find.
struct RecordSink {
  let options: ImportOptions
  let fileName: String
  var report: ImportReport
  let take: (ListEntry) throws -> Void

  mutating func add(_ entry: ListEntry) throws {
    report.entries += 1
    try take(entry)
  }

  /// Refuses a record, or one hash of it.
  mutating func reject(_ number: Int, _ reason: String) throws {
    report.rejected += 1
    let rejection = Rejection(recordNumber: number, reason: reason)
    if options.strict {
      throw ExchangeError(
        .rejectedRecord, "\(fileName): \(rejection)", hint: "nothing was imported; without --strict such lines are left out")
    }
    if report.firstRejections.count < ImportReport.mostRejections { report.firstRejections.append(rejection) }
  }

  mutating func warn(_ text: String) {
    if report.warnings.count < ImportReport.mostRejections { report.warnings.append(text) }
  }
}
