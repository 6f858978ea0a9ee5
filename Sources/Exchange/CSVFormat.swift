import Hashing
import Matching

/// What a column of a CSV file holds.
public enum ColumnMeaning: String, Sendable, CaseIterable {
  case md5, sha1, sha256, pdq, quality, id, category, contributor

  /// The meaning of a header's name, however it is spelled: `SHA-256`, `Image ID`, `file_name`.
  init?(header: String) {
    switch header.lowercased().filter({ $0.isLetter || $0.isNumber }) {
    case "md5": self = .md5
    case "sha1": self = .sha1
    case "sha256": self = .sha256
    case "pdq", "pdqhash": self = .pdq
    case "quality", "pdqquality": self = .quality
    case "id", "entry", "entryid", "imageid", "mediaid", "filename", "name": self = .id
    case "category", "classification": self = .category
    case "contributor", "member", "organisation", "organization": self = .contributor
    default: return nil
    }
  }
}

/// Says which column holds what: `sha256=3`, counted from 1, or `sha256=hash`, by the header's name.
public struct ColumnMapping: Sendable {
  public let meaning: ColumnMeaning
  public let column: String

  /// Reads `MEANING=COLUMN`; `nil` when it is not of that form.
  public init?(_ text: String) {
    let parts = text.split(separator: "=", maxSplits: 1)
    guard parts.count == 2, let meaning = ColumnMeaning(rawValue: parts[0].lowercased()) else { return nil }
    self.meaning = meaning
    column = String(parts[1])
  }
}

/// Comma-, semicolon- or tab-separated values, quoted as RFC 4180 has it, also over several lines.
struct CSVFormat: RecordParser {
  private let options: ImportOptions
  private var delimiter: UInt8?
  /// The column of each meaning; `nil` until the first record was seen.
  private var columns: [ColumnMeaning: Int]?
  /// Lines of a record whose quotes are still open.
  private var pending: [UInt8] = []
  private var pendingNumber = 0

  private static let quote = UInt8(ascii: "\"")

  init(_ options: ImportOptions) {
    self.options = options
    delimiter = options.delimiter
  }

  mutating func parse(_ line: UnsafeRawBufferPointer, number: Int, into sink: inout RecordSink) throws {
    if pending.isEmpty && line.trimmed.isEmpty { return }
    let turnsQuotes = !line.count { $0 == Self.quote }.isMultiple(of: 2)
    if pending.isEmpty && !turnsQuotes { return try record(line, number: number, into: &sink) }
    let wasOpen = !pending.isEmpty
    if wasOpen { pending.append(UInt8(ascii: "\n")) } else { pendingNumber = number }
    pending.append(contentsOf: line)
    guard wasOpen && turnsQuotes else { return }
    let whole = pending
    pending = []
    try whole.withUnsafeBytes { try record($0, number: pendingNumber, into: &sink) }
  }

  mutating func finish(into sink: inout RecordSink) throws {
    if !pending.isEmpty { try sink.reject(pendingNumber, "a quote is not closed by the end of the file") }
  }

  private mutating func record(_ line: UnsafeRawBufferPointer, number: Int, into sink: inout RecordSink) throws {
    let delimiter = delimiter ?? Self.likeliestDelimiter(line)
    self.delimiter = delimiter
    let fields = Self.fields(of: line, delimiter: delimiter)
    guard let columns else {
      columns = try mapColumns(fields, fileName: sink.fileName)
      if options.hasHeader { return }
      return try record(line, number: number, into: &sink)
    }
    // A header may stand again in the middle, where files were joined.
    if options.hasHeader && options.columns.isEmpty
      && columns.allSatisfy({ $1 < fields.count && ColumnMeaning(header: String(decoding: fields[$1], as: UTF8.self)) == $0 })
    {
      return
    }
    func field(_ meaning: ColumnMeaning) -> [UInt8]? {
      columns[meaning].flatMap { $0 < fields.count && !fields[$0].isEmpty ? fields[$0] : nil }
    }
    func text(_ meaning: ColumnMeaning) -> String? { field(meaning).map { String(decoding: $0, as: UTF8.self) } }
    var hashes: [HashText] = []
    for (meaning, algorithm) in [(ColumnMeaning.md5, DigestAlgorithm.md5), (.sha1, .sha1), (.sha256, .sha256)] {
      if let hex = field(meaning) { hashes.append(hex.withUnsafeBytes { HashText(algorithm, $0) }) }
    }
    if let hex = field(.pdq) {
      let quality = text(.quality).flatMap { UInt8($0) }
      hashes.append(hex.withUnsafeBytes { HashText(pdq: $0, quality: quality) })
    }
    let entry = ListEntry(
      id: text(.id), recordNumber: number, contributor: text(.contributor) ?? options.contributor,
      category: text(.category).map { Category(scheme: options.categoryScheme, label: $0) })
    try sink.add(hashes, to: entry)
  }

  private func mapColumns(_ first: [[UInt8]], fileName: String) throws -> [ColumnMeaning: Int] {
    let names = first.map { String(decoding: $0, as: UTF8.self) }
    var columns: [ColumnMeaning: Int] = [:]
    for mapping in options.columns {
      if let number = Int(mapping.column) {
        guard number >= 1 && number <= names.count else {
          throw ExchangeError(.unknownColumn, "\(fileName): there is no column \(number), the first line has \(names.count)")
        }
        columns[mapping.meaning] = number - 1
      } else if options.hasHeader, let index = names.firstIndex(where: { $0.lowercased() == mapping.column.lowercased() }) {
        columns[mapping.meaning] = index
      } else {
        throw ExchangeError(.unknownColumn, "\(fileName): the header has no column '\(mapping.column)'")
      }
    }
    if options.columns.isEmpty && options.hasHeader {
      for (index, name) in names.enumerated() {
        // The first of several columns of one meaning: an id before a file name.
        if let meaning = ColumnMeaning(header: name), columns[meaning] == nil { columns[meaning] = index }
      }
    }
    guard [.md5, .sha1, .sha256, .pdq].contains(where: { columns[$0] != nil }) else {
      throw ExchangeError(
        .missingHeader, "\(fileName): no column is known to hold hashes",
        hint: "say which: --column sha256=3, counted from 1, or --column sha256=NAME")
    }
    return columns
  }

  static func likeliestDelimiter(_ line: UnsafeRawBufferPointer) -> UInt8 {
    let candidates = [UInt8.comma, UInt8(ascii: ";"), UInt8(ascii: "\t")]
    return candidates.max { one, other in line.count { $0 == one } < line.count { $0 == other } } ?? .comma
  }

  /// Fields without quotes and the space around them.
  static func fields(of line: UnsafeRawBufferPointer, delimiter: UInt8) -> [[UInt8]] {
    var fields: [[UInt8]] = []
    var field: [UInt8] = []
    var quoted = false
    var index = 0
    func trimmed(_ field: [UInt8]) -> [UInt8] { field.withUnsafeBytes { Array($0.trimmed) } }
    while index < line.count {
      let byte = line[index]
      if byte == quote {
        if quoted && index + 1 < line.count && line[index + 1] == quote {
          field.append(quote)
          index += 1
        } else {
          quoted.toggle()
        }
      } else if byte == delimiter && !quoted {
        fields.append(trimmed(field))
        field = []
      } else {
        field.append(byte)
      }
      index += 1
    }
    return fields + [trimmed(field)]
  }
}
