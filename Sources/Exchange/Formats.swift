import Matching

/// The list formats that are read: the table of the module.
public enum ListFormat: String, Sendable, CaseIterable {
  case plain, sums, csv, hashdeep, pdq, vpdq, threatexchange, nsrl
  case nsrlDatabase = "nsrl-sqlite"
  case kdb, hfind, encase, vics, ncmec, stopncii, misp, stix, dfxml

  /// One line for `--help`.
  public var summary: String {
    switch self {
    case .plain: "hex digits, one hash a line; MD5, SHA-1 or SHA-256 by length, or 'sha256:HEX'"
    case .sums: "sha256sum and md5sum lines, GNU ('HEX  name', also --zero) and BSD ('SHA256 (name) = HEX')"
    case .csv: "columns named in a header line (also of ICSE, iLook, HashKeeper), or mapped with --column"
    case .hashdeep: "hashdeep 1.0"
    case .pdq: "perceptual hashes: 'HEX,name' or bare HEX, 64 digits"
    case .vpdq: "one video a file, by its frames: 'frame,quality,HEX,seconds'"
    case .threatexchange: "ThreatExchange local file: 'pdq HEX', 'video_md5 HEX'"
    case .nsrl: "NSRLFile.txt of the NSRL's RDS, versions 1.5 and 2"
    case .nsrlDatabase: "the NSRL's RDS, version 3, SQLite"
    case .kdb: "Autopsy's hash set database (.kdb)"
    case .hfind: "md5 and sha1 index of The Sleuth Kit's hfind"
    case .encase: "EnCase hash set (.hash)"
    case .vics: "Project VIC JSON, 1.1 to 2.0: hash sets and cases"
    case .ncmec: "NCMEC hash sharing, version 2, XML"
    case .stopncii: "StopNCII, answers to FetchHashes, JSON"
    case .misp: "MISP events, JSON"
    case .stix: "STIX 2.1 bundles: indicators and files, JSON"
    case .dfxml: "Digital Forensics XML"
    }
  }

  /// What the numbers of records count: lines, or records in their order.
  var recordName: String {
    switch self {
    case .plain, .sums, .csv, .hashdeep, .pdq, .vpdq, .threatexchange, .nsrl, .hfind: "line"
    case .nsrlDatabase, .kdb, .encase, .vics, .ncmec, .stopncii, .misp, .stix, .dfxml: "record"
    }
  }

  func makeParser(_ options: ImportOptions) -> Parser {
    switch self {
    case .plain: .lines(PlainFormat())
    case .sums: .lines(SumsFormat())
    case .csv: .lines(CSVFormat(options))
    case .hashdeep: .lines(HashdeepFormat())
    case .pdq: .lines(PDQFormat())
    case .vpdq: .lines(VPDQFormat())
    case .threatexchange: .lines(ThreatExchangeFormat())
    case .nsrl: .lines(CSVFormat(nsrl: options))
    case .nsrlDatabase: .database(.nsrl)
    case .kdb: .database(.kdb)
    case .hfind: .lines(HfindFormat())
    case .encase: .document(EnCaseFormat.read)
    case .vics: .document(VICSFormat.read)
    case .ncmec: .document(NCMECFormat.read)
    case .stopncii: .document(StopNCIIFormat.read)
    case .misp: .document(MISPFormat.read)
    case .stix: .document(STIXFormat.read)
    case .dfxml: .document(DFXMLFormat.read)
    }
  }
}

/// What turns a format into entries: line after line, the file as one stream, or wherever in it they are.
enum Parser {
  case lines(any LineParser)
  case document((_ bytes: consuming ByteStream, _ sink: inout RecordSink) throws -> Void)
  case database(DatabaseFormat)
}

/// Turns the lines of one format into entries.
protocol LineParser {
  /// - Parameter line: One line without its end, trimmed of nothing.
  mutating func parse(_ line: UnsafeRawBufferPointer, number: Int, into sink: inout RecordSink) throws

  /// The file has ended.
  mutating func finish(into sink: inout RecordSink) throws
}

extension LineParser {
  mutating func finish(into sink: inout RecordSink) throws {}
}

/// How a partner's file is to be read.
public struct ImportOptions: Sendable {
  /// `nil` to go by the content.
  public var format: ListFormat?
  /// Refuse the whole file at the first record that is refused.
  public var strict = false
  /// Who contributed entries that do not say so themselves.
  public var contributor: String?
  /// The scheme of categories in files that do not name theirs. Numbers mean different things in different schemes.
  public var categoryScheme = "unspecified"
  /// For CSV: which column holds what, instead of the header's names.
  public var columns: [ColumnMapping] = []
  /// For CSV: `nil` to go by the first line.
  public var delimiter: UInt8?
  public var hasHeader = true

  public init() {}
}
