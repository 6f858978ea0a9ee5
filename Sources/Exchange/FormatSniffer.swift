import Hashing

/// Tells a list's format from its beginning.
///
/// Bare lines of 64 hex digits are SHA-256, unless the file's name begins with `pdq` or ends in `.pdq`; with a comma and a
/// name behind they are PDQ. Anything else that is ambiguous is settled by `--format`.
struct FormatSniffer {
  let head: UnsafeRawBufferPointer
  let fileName: String

  /// Whether records end with a zero byte, as those of `sha256sum --zero` do: then names may hold line feeds.
  var isZeroTerminated: Bool {
    let records = head.split(separator: 0, maxSplits: 2).map { UnsafeRawBufferPointer(rebasing: $0) }
    guard head.contains(0), let first = records.first, format(ofLine: first) == .sums else { return false }
    return records.count < 3 || format(ofLine: records[1]) == .sums
  }

  /// Refuses what is no list in text, by its name where it has one.
  func checkEncoding() throws(ExchangeError) {
    let utf16 = head.starts(with: [0xFF, 0xFE]) || head.starts(with: [0xFE, 0xFF])
    if utf16 && head.prefix(64).count(where: { $0 == 0 }) >= 8 {
      throw ExchangeError(.wrongEncoding, "\(fileName) is UTF-16, not UTF-8", hint: "convert it: iconv -f UTF-16 -t UTF-8")
    }
    if head.starts(with: Array("SQLite format 3".utf8)) {
      throw ExchangeError(.unsupportedFormat, "\(fileName) is an SQLite database, which is not read yet")
    }
    guard let first = head.first(where: { $0 > 0x20 }) else { return }
    if first == UInt8(ascii: "<") || first == UInt8(ascii: "{") || first == UInt8(ascii: "[") {
      throw ExchangeError(
        .unsupportedFormat, "\(fileName) is \(first == UInt8(ascii: "<") ? "XML" : "JSON"), which is not read yet",
        hint: "formats: \(ListFormat.allCases.map(\.rawValue).joined(separator: ", "))")
    }
  }

  /// The format of the first line that tells.
  func format() throws(ExchangeError) -> ListFormat {
    if head.starts(with: Array("%%%% HASHDEEP".utf8)) { return .hashdeep }
    let separator = isZeroTerminated ? 0 : UInt8(ascii: "\n")
    for line in head.split(separator: separator).prefix(100) {
      if let format = format(ofLine: UnsafeRawBufferPointer(rebasing: line)) { return format }
    }
    throw ExchangeError(
      .unknownFormat, "cannot tell the format of \(fileName)",
      hint: "say it: --format \(ListFormat.allCases.map(\.rawValue).joined(separator: "|"))")
  }

  private func format(ofLine line: UnsafeRawBufferPointer) -> ListFormat? {
    let text = line.trimmed
    if text.isBlankOrComment { return nil }
    let body = text.first == .backslash ? text.from(1) : text
    let digits = body.prefix { nibble($0) != nil }.count
    if [32, 40, 64].contains(digits) {
      if digits == body.count { return digits == 64 && isNamedPDQ ? .pdq : .plain }
      if body[digits] == .space { return .sums }
      if body[digits] == .comma && digits == 64 { return .pdq }
    }
    let start = String(decoding: body.prefix(12), as: UTF8.self)
    if let colon = start.firstIndex(of: ":"), start[..<colon].lowercased() == "pdq" || DigestAlgorithm(name: start[..<colon]) != nil {
      return .plain
    }
    if let space = start.firstIndex(of: " "), start[space...].hasPrefix(" ("), DigestAlgorithm(name: start[..<space]) != nil {
      return .sums
    }
    let names = CSVFormat.fields(of: line, delimiter: CSVFormat.likeliestDelimiter(line))
    let meanings = names.compactMap { ColumnMeaning(header: String(decoding: $0, as: UTF8.self)) }
    return meanings.contains { [.md5, .sha1, .sha256, .pdq].contains($0) } ? .csv : nil
  }

  private var isNamedPDQ: Bool {
    let name = fileName.lowercased().split(separator: "/").last ?? ""
    return name.hasSuffix(".pdq") || name.hasPrefix("pdq")
  }
}
