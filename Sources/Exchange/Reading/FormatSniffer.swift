import Hashing

/// Tells a list's format from its beginning.
///
/// Bare lines of 64 hex digits are SHA-256, unless the file's name begins with `pdq` or ends in `.pdq`; with a comma and a
/// name behind they are PDQ. Anything else that is ambiguous is settled by `--format`.
struct FormatSniffer {
  /// The first bytes of the file, after any byte order mark.
  let bytes: UnsafeRawBufferPointer
  let fileName: String

  /// Whether records end with a zero byte, as those of `sha256sum --zero` do: then names may hold line feeds.
  var isZeroTerminated: Bool {
    guard bytes.position(of: 0) != nil else { return false }
    let records = bytes.split(separator: 0, maxSplits: 2).map { UnsafeRawBufferPointer(rebasing: $0) }
    guard let first = records.first, format(ofLine: first) == .sums else { return false }
    return records.count < 3 || format(ofLine: records[1]) == .sums
  }

  /// Refuses what is no list that is read here, by its name where it has one.
  func checkEncoding() throws(ExchangeError) {
    let utf16 = bytes.starts(with: [0xFF, 0xFE]) || bytes.starts(with: [0xFE, 0xFF])
    if utf16 && bytes.prefix(64).count(where: { $0 == 0 }) >= 8 {
      throw ExchangeError(
        .wrongEncoding, "\(fileName) is UTF-16, not UTF-8", hint: "convert it: iconv -f UTF-16 -t UTF-8")
    }
  }

  func format() throws(ExchangeError) -> ListFormat {
    if let format = knownFormat { return format }
    throw ExchangeError(
      .unknownFormat, "cannot tell the format of \(fileName)",
      hint: "say it: --format \(ListFormat.allCases.map(\.rawValue).joined(separator: "|"))")
  }

  /// The format of the file as a whole, or of the first line that tells.
  private var knownFormat: ListFormat? {
    if bytes.starts(with: Array("%%%% HASHDEEP".utf8)) { return .hashdeep }
    if bytes.starts(with: EnCaseFormat.magic) { return .encase }
    if bytes.starts(with: DatabaseFormat.magic) { return contains("CREATE TABLE db_properties") ? .kdb : .nsrlDatabase }
    switch bytes.first(where: { $0 > 0x20 }) {
    case UInt8(ascii: "<"): return markupFormat
    case UInt8(ascii: "{"), UInt8(ascii: "["): return objectFormat
    default: break
    }
    let separator = isZeroTerminated ? 0 : UInt8(ascii: "\n")
    for line in bytes.split(separator: separator).prefix(100) {
      if let format = format(ofLine: UnsafeRawBufferPointer(rebasing: line)) { return format }
    }
    return nil
  }

  /// XML, by its root.
  private var markupFormat: ListFormat? {
    if contains("queryResult", within: 4096) { return .ncmec }
    return contains("dfxml", within: 4096) ? .dfxml : nil
  }

  /// JSON, by keys that only one format has.
  private var objectFormat: ListFormat? {
    if contains("\"hashRecords\"") { return .stopncii }
    if contains("odata.") || contains("\"MediaID\"") { return .vics }
    if contains("\"spec_version\"") || contains("\"bundle\"") { return .stix }
    return contains("\"Attribute\"") || contains("\"Event\"") ? .misp : nil
  }

  private func contains(_ mark: String, within size: Int = .max) -> Bool {
    let mark = Array(mark.utf8)
    let text = bytes.from(0, to: min(size, bytes.count))
    var start = 0
    while let found = text.position(of: mark[0], from: start) {
      if text.from(found).starts(with: mark) { return true }
      start = found + 1
    }
    return false
  }

  private func format(ofLine line: UnsafeRawBufferPointer) -> ListFormat? {
    let text = line.trimmed
    if text.isBlankOrComment { return nil }
    let body = text.first == .backslash ? text.from(1) : text
    let digits = body.prefix { nibble($0) != nil }.count
    if [32, 40, 64].contains(digits) {
      if digits == body.count { return digits == 64 && isNamedPDQ ? .pdq : .plain }
      if body[digits] == .space { return .sums }
      if body[digits] == UInt8(ascii: "|") { return .hfind }
      if body[digits] == .comma && digits == 64 { return .pdq }
    }
    if HfindFormat.isHeader(text) { return .hfind }
    let start = String(decoding: body.prefix(12), as: UTF8.self)
    if let colon = start.firstIndex(of: ":"), HashText.knows(start[..<colon]) { return .plain }
    if let space = start.firstIndex(of: " "), start[space...].hasPrefix(" ("),
      DigestAlgorithm(name: start[..<space]) != nil
    {
      return .sums
    }
    return format(ofFields: line) ?? (isSignal(text) ? .threatexchange : nil)
  }

  /// A header of CSV, or a line of vPDQ.
  private func format(ofFields line: UnsafeRawBufferPointer) -> ListFormat? {
    var record = CSVRecord()
    record.read(line, delimiter: CSVRecord.likeliestDelimiter(line))
    let names = record.fieldTexts
    if names.count == 4, UInt32(names[0]) != nil, UInt8(names[1]) != nil, names[2].utf8.count == 64 { return .vpdq }
    guard names.contains(where: { ColumnMeaning(header: $0)?.isHash ?? false }) else { return nil }
    return names.first == "SHA-1" && names.contains("SpecialCode") ? .nsrl : .csv
  }

  /// `pdq HEX`, `video_md5 HEX`: a type that names a hash, and hex digits.
  private func isSignal(_ text: UnsafeRawBufferPointer) -> Bool {
    guard let space = text.prefix(32).firstIndex(of: .space) else { return false }
    let signal = text.from(space).trimmed
    return ThreatExchangeFormat.hashKind(of: text.from(0, to: space).text.lowercased()) != nil
      && [32, 40, 64].contains(signal.count) && signal.allSatisfy { nibble($0) != nil }
  }

  private var isNamedPDQ: Bool {
    let name = fileName.lowercased().split(separator: "/").last ?? ""
    return name.hasSuffix(".pdq") || name.hasPrefix("pdq")
  }
}
