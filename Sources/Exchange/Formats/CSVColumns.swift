/// What a column of a CSV file holds.
public enum ColumnMeaning: String, Sendable, CaseIterable {
  case md5, sha1, sha256, pdq, hash, quality, id, category, baseline, contributor

  /// The meaning of a header's name, however it is spelled: `SHA-256`, `Image ID`, `file_name`. Also those of ICSE, of
  /// iLook (`V3Hash` is MD5) and of HashKeeper (`hash`, whose length tells the algorithm).
  init?(header: String) {
    switch header.lowercased().filter({ $0.isLetter || $0.isNumber }) {
    case "md5", "md5hash", "hashmd5", "v1hash", "v3hash", "v4hash": self = .md5
    case "sha1", "sha1hash", "hashsha1": self = .sha1
    case "sha256", "sha256hash", "hashsha256": self = .sha256
    case "pdq", "pdqhash": self = .pdq
    case "hash", "digest", "hashvalue": self = .hash
    case "quality", "pdqquality": self = .quality
    case "id", "entry", "entryid", "imageid", "mediaid", "fileid", "filename", "name": self = .id
    case "category", "classification": self = .category
    case "baseline": self = .baseline
    case "contributor", "member", "organisation", "organization": self = .contributor
    default: return nil
    }
  }

  /// Whether the column holds hashes.
  var isHash: Bool { [.md5, .sha1, .sha256, .pdq, .hash].contains(self) }
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

/// The columns of one file.
struct CSVColumns {
  /// Columns of hashes with their meanings, in their order.
  private(set) var hashes: [(meaning: ColumnMeaning, column: Int)] = []
  private var others: [ColumnMeaning: Int] = [:]

  /// Takes the columns that the options name, or else those that the header's names tell.
  ///
  /// - Throws: ``ExchangeError``: `unknownColumn` where the options name one that is not there, `missingHeader` where no
  ///   column holds hashes.
  init(header names: [String], _ options: ImportOptions, fileName: String) throws(ExchangeError) {
    var columns: [ColumnMeaning: Int] = [:]
    for mapping in options.columns {
      if let number = Int(mapping.column) {
        guard number >= 1 && number <= names.count else {
          throw ExchangeError(
            .unknownColumn, "\(fileName): there is no column \(number), the first line has \(names.count)")
        }
        columns[mapping.meaning] = number - 1
      } else if options.hasHeader,
        let index = names.firstIndex(where: { $0.lowercased() == mapping.column.lowercased() })
      {
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
    hashes = columns.filter(\.key.isHash).sorted { $0.value < $1.value }.map { ($0.key, $0.value) }
    others = columns.filter { !$0.key.isHash }
    guard !hashes.isEmpty else {
      throw ExchangeError(
        .missingHeader, "\(fileName): no column is known to hold hashes",
        hint: "say which: --column sha256=3, counted from 1, or --column sha256=NAME")
    }
  }

  subscript(_ meaning: ColumnMeaning) -> Int? { others[meaning] }
}
