import Foundation
import Hashing
import Matching
import SystemPackage

/// The report of one run as a folder of files that other tools read, and a manifest over them.
///
///     report.html      for people: no script, nothing from elsewhere, no content
///     items.ndjson     NDJSON version 1, every item
///     items.csv        a row for each match, and one for an item without any
///     dfxml.xml        Digital Forensics XML
///     hashdeep.txt     hashdeep 1.0: `hashdeep -r -a -k hashdeep.txt EXHIBIT` audits the evidence with it
///     vics.json        pictures and videos as a Project VIC case
///     MANIFEST         the SHA-256 of each, in the form of sha256sum, as a signed note
///
/// Items are written as they come; the files appear when the run ends, the manifest last: a folder without one is not
/// whole.
public final class ReportFolder {
  private let folder: FilePath
  private let run: RunDescription
  private var reports: [any ItemReport]
  private var files: [ReportFile]
  private var statistics = RunStatistics()

  static let manifestName = "MANIFEST"
  static let pageName = "report.html"

  /// Begins the files.
  ///
  /// - Parameters:
  ///   - folder: Made where it is not there.
  ///   - begin: The first line of the run's NDJSON.
  /// - Throws: ``ExchangeError`` with `folderInUse` where there is a report already; `MatchingError` where nothing can be
  ///   written.
  public init(_ folder: FilePath, of run: RunDescription, begin: JSONLine) throws {
    self.folder = folder
    self.run = run
    try DurableFile.makeFolder(folder)
    if try DurableFile.names(in: folder).contains(Self.manifestName) {
      throw ExchangeError(.folderInUse, "\(folder) holds the report of a run", hint: "name a folder of its own")
    }
    reports = [
      NDJSONReport(begin: begin), CSVReport(), DFXMLReport(run), HashdeepReport(run), VICSReport(run),
    ]
    files = []
    for report in reports {
      let file = try ReportFile(folder, report.fileName)
      try file.append(report.head)
      files.append(file)
    }
  }

  /// Adds the next item.
  public func add(_ item: ScannedItem) throws {
    statistics.add(item)
    for index in reports.indices { try files[index].append(reports[index].text(of: item)) }
  }

  /// Ends the files, and signs the manifest.
  ///
  /// - Parameters:
  ///   - summary: The last line of the run's NDJSON.
  ///   - urdu: Whether the page's headings are in Urdu too.
  ///   - sign: Makes a signed note of a text.
  /// - Returns: SHA-256 of the manifest.
  public func finish(
    _ result: RunResult, summary: JSONLine, urdu: Bool = false, sign: (String) throws -> String
  ) throws -> Digest {
    for index in reports.indices { try files[index].append(reports[index].tail(result, summary)) }
    let page = try ReportFile(folder, Self.pageName)
    try page.append(HTMLReport(run, result, statistics, urdu: urdu).text.utf8)
    var manifest = ReportManifest(run: run.id)
    for file in files + [page] {
      manifest.digests[file.name] = try file.commit()
    }
    let note = Array(try sign(manifest.text).utf8)
    let path = folder.appending(Self.manifestName)
    try DurableFile.sweepOrphans(of: path)
    try DurableFile.replace(path, with: note)
    return try note.withUnsafeBytes { try Digest.sha256(of: $0) }
  }
}

/// One file of a report, written item by item.
protocol ItemReport {
  var fileName: String { get }
  /// What comes before the first item.
  var head: [UInt8] { get }
  mutating func text(of item: ScannedItem) -> [UInt8]
  /// What comes after the last item.
  func tail(_ result: RunResult, _ summary: JSONLine) -> [UInt8]
}

/// NDJSON version 1; the lines are those of `muhafiz scan --all`.
struct NDJSONReport: ItemReport {
  let fileName = "items.ndjson"
  let head: [UInt8]

  init(begin: JSONLine) { head = begin.bytes }

  func text(of item: ScannedItem) -> [UInt8] { ItemLine.of(item).bytes }
  func tail(_ result: RunResult, _ summary: JSONLine) -> [UInt8] { summary.bytes }
}

/// A file whose digest is taken while it is written.
private final class ReportFile {
  let name: String
  private var file: DurableFile?
  private var digester: Digester

  init(_ folder: FilePath, _ name: String) throws {
    self.name = name
    digester = try Digester([.sha256])
    let path = folder.appending(name)
    try DurableFile.sweepOrphans(of: path)
    file = try DurableFile(replacing: path)
  }

  func append(_ bytes: some Sequence<UInt8>) throws {
    let bytes = Array(bytes)
    if bytes.isEmpty { return }
    try bytes.withUnsafeBytes {
      try digester.update($0)
      try file!.append($0)
    }
  }

  func commit() throws -> Digest {
    if let file = file.take() { try file.commit() }
    return try digester.finish()[0]
  }
}
