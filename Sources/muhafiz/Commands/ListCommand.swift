import ArgumentParser
import Exchange
import Foundation
import Matching
import Scanning
import SystemPackage

extension ListFormat: ExpressibleByArgument {}
extension ListAction: ExpressibleByArgument {}

struct ListCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "Imports hash lists and shows those in force.",
    subcommands: [ListImport.self, ListShow.self, ListVerify.self, ListRollback.self, ListRemove.self])
}

/// The two forms in which results are printed.
enum OutputFormat: String, CaseIterable, ExpressibleByArgument {
  case text, ndjson
}

struct ListImport: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "import", abstract: "Compiles partners' files into a new version of a list and puts it in force.",
    discussion: """
      The version before stays on disk. A file that fails leaves everything as it was. Records that cannot be used are \
      left out, counted, and the first of them named; --strict refuses the whole file instead.

      FORMATS
      \(ListFormat.allCases.map { "  \($0.rawValue.padded(9))\($0.summary)" }.joined(separator: "\n"))

      EXAMPLES
        muhafiz list import --name national known.sha256
        muhafiz list import --name ngo --column sha256=3 --column category=5 --scheme NGO-1 export.csv
        sha256sum *.jpg | muhafiz list import --name own -
      """)

  @OptionGroup var home: HomeOptions
  @Option(help: "Name of the list.") var name: String
  @Option(help: "Format of the files: auto, or one of those below.") var format = "auto"
  @Option(help: "Name of the version. Default: today's date and a number.") var version: String?
  @Option(help: "What a match leads to. Default: as the version before, or block.") var action: ListAction?
  @Option(help: "Bits within which perceptual hashes match, 0…63. Default: as the version before, or 31.") var distance: Int?
  @Flag(help: "Refuse a whole file at the first record that cannot be used.") var strict = false
  @Option(help: "Who contributed entries that do not say so themselves.") var contributor: String?
  @Option(help: "The scheme that a category column is in.") var scheme: String?
  @Option(
    name: .customLong("column"),
    help: ArgumentHelp(
      "For CSV: which column holds what; counted from 1, or by name. \(ColumnMeaning.allCases.map(\.rawValue).joined(separator: ", ")).",
      valueName: "meaning=column"))
  var columns: [String] = []
  @Option(help: "For CSV: the character between fields, or 'tab'.") var delimiter: String?
  @Flag(help: "For CSV: the first line holds data already.") var noHeader = false
  @Option(name: .customLong("output-format"), help: "text or ndjson.") var output = OutputFormat.text
  @Argument(help: "Files; - for standard input.") var files: [String]

  func validate() throws {
    if let distance, !(0...63).contains(distance) { throw ValidationError("--distance is 0…63, not \(distance)") }
    if format != "auto" && ListFormat(rawValue: format) == nil {
      throw ValidationError("no format '\(format)'; use auto, \(ListFormat.allCases.map(\.rawValue).joined(separator: ", "))")
    }
  }

  func run() throws {
    let importer = ListImporter(try importOptions())
    var reports: [(file: String, report: ImportReport)] = []
    let (list, counts) = try home.catalog.add(
      name: name, version: version, source: files.map { FilePath($0).lastComponent?.string ?? $0 }.joined(separator: ", "),
      created: Date(), action: action, distanceInBits: distance
    ) { builder in
      for file in files {
        reports.append((file, try importer.read(FilePath(file)) { try builder.add($0) }))
      }
      guard reports.contains(where: { $0.report.entries > 0 }) else {
        reportRejections(reports)
        throw UsageError("no usable hash in \(files.joined(separator: ", "))", hint: "nothing was imported")
      }
    }
    reportRejections(reports)
    let rejected = reports.reduce(0) { $0 + $1.report.rejected }
    switch output {
    case .ndjson:
      var line = JSONLine(type: "import")
      line.add("list", list.information.name)
      line.add("version", list.information.version)
      line.add("accepted", counts.accepted)
      line.add("duplicate", counts.duplicates)
      line.add("rejected", rejected)
      line.add("entries", counts.entries)
      line.add("sha256", list.digest.hex)
      line.add("files", reports) { report, object in
        object.add("file", report.file)
        object.add("format", report.report.format.rawValue)
        object.add("rejected", report.report.rejected)
      }
      print(String(decoding: line.bytes, as: UTF8.self), terminator: "")
    case .text:
      for (file, report) in reports { print("\(file.forTerminal): read as \(report.format.rawValue)") }
      print("list \(list.information.name), version \(list.information.version), is in force")
      print("  accepted   \(counts.accepted.grouped.leftPadded(12))")
      print("  duplicate  \(counts.duplicates.grouped.leftPadded(12))")
      print("  rejected   \(rejected.grouped.leftPadded(12))")
    }
  }

  private func importOptions() throws -> ImportOptions {
    var options = ImportOptions()
    options.format = ListFormat(rawValue: format)
    options.strict = strict
    options.contributor = contributor
    options.categoryScheme = scheme ?? name
    options.hasHeader = !noHeader
    options.columns = try columns.map { text in
      guard let mapping = ColumnMapping(text) else {
        throw UsageError("'\(text)' is no column mapping", hint: "like --column sha256=3 or --column id=name")
      }
      return mapping
    }
    if let delimiter {
      guard let byte = delimiter == "tab" ? UInt8(ascii: "\t") : Array(delimiter.utf8).first,
        delimiter == "tab" || delimiter.utf8.count == 1
      else { throw UsageError("--delimiter is one character, or 'tab'") }
      options.delimiter = byte
    }
    return options
  }

  private func reportRejections(_ reports: [(file: String, report: ImportReport)]) {
    for (file, report) in reports {
      for warning in report.warnings { complain("warning: \(file): \(warning)") }
      for rejection in report.firstRejections { complain("warning: \(file): \(rejection)") }
      let more = report.rejected - report.firstRejections.count
      if more > 0 { complain("warning: \(file): and \(more.grouped) more records rejected") }
    }
  }
}

struct ListShow: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "Shows the lists in force, or all versions of one.")

  @OptionGroup var home: HomeOptions
  @Option(help: "text or ndjson.") var format = OutputFormat.text
  @Argument(help: "Name of a list, for all its versions.") var name: String?

  func run() throws {
    let catalog = home.catalog
    let active = try catalog.active()
    let shown =
      if let name { try catalog.versions(of: name) } else {
        try active.map { try catalog.open(ListVersion(name: $0.name, version: $0.version)) }
      }
    if shown.isEmpty {
      throw MatchingError(
        name == nil ? .noListInForce : .listMissing,
        name.map { "there is no list '\($0)' in \(catalog.folder)" } ?? "no hash list is in force in \(catalog.folder)",
        hint: "import one: muhafiz list import --name NAME FILE")
    }
    if format == .text { print("LIST                VERSION        STATE   DISTANCE      SHA-256       SHA-1         MD5         PDQ") }
    for list in shown {
      let inForce = active.first { $0.name == list.information.name && $0.version == list.information.version }
      let counts = [MatchAlgorithm.sha256, .sha1, .md5, .pdq].map { list.count(of: $0) }
      switch format {
      case .text:
        print(
          list.information.name.padded(20) + list.information.version.padded(15)
            + (inForce?.action.rawValue ?? "kept").padded(8) + String(inForce?.distance ?? 0).leftPadded(8)
            + counts.enumerated().map { $1.grouped.leftPadded($0 == 0 ? 13 : 12) }.joined())
      case .ndjson:
        var line = JSONLine(type: "list")
        line.add("list", list.information.name)
        line.add("version", list.information.version)
        line.add("action", inForce?.action.rawValue)
        line.add("distance", inForce?.distance)
        for (name, count) in zip(["sha256", "sha1", "md5", "pdq"], counts) { line.add("\(name)_count", count) }
        line.add("entries", list.entryCount)
        line.add("source", list.information.source)
        line.add("created", list.information.created.formatted(.iso8601))
        line.add("sha256", list.digest.hex)
        print(String(decoding: line.bytes, as: UTF8.self), terminator: "")
      }
    }
  }
}

struct ListVerify: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify", abstract: "Reads the lists in force from end to end and checks all that can be checked.")

  @OptionGroup var home: HomeOptions

  func run() throws {
    for member in try home.catalog.loadBlocklist().members {
      try member.list.verify()
      print("\(member.list.version.name) \(member.list.version.version): \(member.list.hashCount.grouped) hashes, intact")
    }
  }
}

struct ListRollback: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rollback", abstract: "Puts a version that is on disk in force instead of the present one.")

  @OptionGroup var home: HomeOptions
  @Argument(help: "Name of the list.") var name: String
  @Argument(help: "Version; 'muhafiz list show NAME' shows those there are.") var version: String

  func run() throws {
    let active = try home.catalog.activate(ListVersion(name: name, version: version))
    print("list \(active.name), version \(active.version), is in force")
  }
}

struct ListRemove: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "remove", abstract: "Takes a list out of force. Its files stay for findings that name them.")

  @OptionGroup var home: HomeOptions
  @Argument(help: "Name of the list.") var name: String

  func run() throws {
    guard let removed = try home.catalog.deactivate(name) else {
      throw UsageError("no list '\(name)' is in force", hint: "'muhafiz list show' shows those that are")
    }
    print("list \(removed.name), version \(removed.version), is no longer in force")
  }
}
