import Hashing
import Matching

/// Comma-, semicolon- or tab-separated values, quoted as RFC 4180 has it, also over several lines.
///
/// The headers of ICSE, iLook, HashKeeper and the NSRL are among those that are known. NSRL's records stand on one line
/// each, and some of its names hold a lone quote.
struct CSVFormat: LineParser {
  private let options: ImportOptions
  private let mayGoOverLines: Bool
  private var delimiter: UInt8?
  /// `nil` until the first record was seen.
  private var columns: CSVColumns?
  private var header = CSVRecord()
  private var record = CSVRecord()
  /// Lines of a record whose quotes are still open.
  private var pending: [UInt8] = []
  private var pendingNumber = 0

  init(_ options: ImportOptions) {
    self.options = options
    mayGoOverLines = true
    delimiter = options.delimiter
  }

  init(nsrl options: ImportOptions) {
    self.options = options
    mayGoOverLines = false
    delimiter = .comma
  }

  mutating func parse(_ line: UnsafeRawBufferPointer, number: Int, into sink: inout RecordSink) throws {
    if pending.isEmpty {
      guard mayGoOverLines && Self.turnsQuotes(line) else { return try readRecord(line, number: number, into: &sink) }
      pendingNumber = number
      pending.append(contentsOf: line)
      return
    }
    guard pending.count + line.count < LineReader.longestLine else {
      try giveUp("a quote is not closed within \(LineReader.longestLine) bytes", into: &sink)
      return try parse(line, number: number, into: &sink)
    }
    pending.append(UInt8(ascii: "\n"))
    pending.append(contentsOf: line)
    guard Self.turnsQuotes(line) else { return }
    let whole = pending
    pending = []
    try whole.withUnsafeBytes { try readRecord($0, number: pendingNumber, into: &sink) }
  }

  mutating func finish(into sink: inout RecordSink) throws {
    if !pending.isEmpty { try giveUp("a quote is not closed by the end of the file", into: &sink) }
  }

  /// Refuses the line that opened a quote, and reads those after it by themselves: none of them turns quotes.
  private mutating func giveUp(_ reason: String, into sink: inout RecordSink) throws {
    let lines = pending.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    let first = pendingNumber
    pending = []
    try sink.reject(first, reason)
    for (index, line) in lines.enumerated().dropFirst() {
      try line.withUnsafeBytes { try readRecord($0, number: first + index, into: &sink) }
    }
  }

  private mutating func readRecord(_ line: UnsafeRawBufferPointer, number: Int, into sink: inout RecordSink) throws {
    if line.trimmed.isEmpty { return }
    let delimiter = delimiter ?? CSVRecord.likeliestDelimiter(line)
    self.delimiter = delimiter
    record.read(line, delimiter: delimiter)
    guard columns != nil else {
      columns = try CSVColumns(header: record.fieldTexts, options, fileName: sink.fileName)
      if !options.hasHeader { return try takeRecord(number, into: &sink) }
      header = record
      return
    }
    // The header may stand again in the middle, where files were joined.
    if options.hasHeader && record == header { return }
    try takeRecord(number, into: &sink)
  }

  private func takeRecord(_ number: Int, into sink: inout RecordSink) throws {
    guard let columns else { return }
    func text(_ meaning: ColumnMeaning) -> String? { columns[meaning].flatMap { record.text($0) } }
    var hashes: [HashText] = []
    for (meaning, column) in columns.hashes {
      record.withField(column) { field in
        if field.isEmpty { return }
        switch meaning {
        case .md5: hashes.append(HashText(.md5, field))
        case .sha1: hashes.append(HashText(.sha1, field))
        case .sha256: hashes.append(HashText(.sha256, field))
        case .pdq: hashes.append(HashText(pdq: field, quality: text(.quality).flatMap { UInt8($0) }))
        default: hashes.append(HashText(byLength: field))
        }
      }
    }
    let category =
      text(.category).map { Category(scheme: options.categoryScheme, label: $0) }
      ?? text(.baseline).map { Category(scheme: "INTERPOL baseline", label: $0) }
    try sink.add(
      hashes,
      to: ListEntry(
        id: text(.id), recordNumber: number, contributor: text(.contributor) ?? options.contributor, category: category)
    )
  }

  private static func turnsQuotes(_ line: UnsafeRawBufferPointer) -> Bool {
    guard line.position(of: .quote) != nil else { return false }
    return !line.count { $0 == .quote }.isMultiple(of: 2)
  }
}

/// The fields of one record, without their quotes and the space around them. Its memory is used again for the next.
struct CSVRecord: Equatable {
  private var bytes: [UInt8] = []
  private var ranges: [Range<Int>] = []

  mutating func read(_ line: UnsafeRawBufferPointer, delimiter: UInt8) {
    bytes.removeAll(keepingCapacity: true)
    ranges.removeAll(keepingCapacity: true)
    var start = 0
    var isQuoted = false
    var index = 0
    while index < line.count {
      // What lies between quotes and delimiters is copied at once.
      var stop = index
      while stop < line.count && line[stop] != .quote && (line[stop] != delimiter || isQuoted) { stop += 1 }
      bytes.append(contentsOf: line.from(index, to: stop))
      guard stop < line.count else { break }
      if line[stop] == delimiter && !isQuoted {
        endField(from: start)
        start = bytes.count
      } else if isQuoted && stop + 1 < line.count && line[stop + 1] == .quote {
        bytes.append(.quote)
        stop += 1
      } else {
        isQuoted.toggle()
      }
      index = stop + 1
    }
    endField(from: start)
  }

  private mutating func endField(from start: Int) {
    func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0D }
    var range = start..<bytes.count
    while let first = range.first, isSpace(bytes[first]) { range.removeFirst() }
    while let last = range.last, isSpace(bytes[last]) { range.removeLast() }
    ranges.append(range)
  }

  var fieldTexts: [String] { ranges.map { String(decoding: bytes[$0], as: UTF8.self) } }

  /// A field that is there and not empty.
  func text(_ index: Int) -> String? {
    index < ranges.count && !ranges[index].isEmpty ? String(decoding: bytes[ranges[index]], as: UTF8.self) : nil
  }

  /// Lends a field, which is empty where it is missing.
  func withField<Result>(_ index: Int, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
    bytes.withUnsafeBytes {
      body(index < ranges.count ? $0.from(ranges[index].lowerBound, to: ranges[index].upperBound) : $0.from($0.count))
    }
  }

  static func likeliestDelimiter(_ line: UnsafeRawBufferPointer) -> UInt8 {
    let candidates = [UInt8.comma, UInt8(ascii: ";"), UInt8(ascii: "\t")]
    return candidates.max { one, other in line.count { $0 == one } < line.count { $0 == other } } ?? .comma
  }
}
