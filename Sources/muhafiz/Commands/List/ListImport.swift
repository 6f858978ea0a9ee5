import ArgumentParser
import Exchange
import Foundation
import Glibc
import Hashing
import Matching
import Scanning
import SystemPackage

extension ListFormat: ExpressibleByArgument {}
extension ListAction: ExpressibleByArgument {}

extension ListUpdate.Mode: EnumerableFlag {
  public static func help(for value: ListUpdate.Mode) -> ArgumentHelp? {
    switch value {
    case .replace: "The files are the whole list (the default)."
    case .add: "The files have what is new; the version before is kept otherwise."
    case .remove: "The files have what is no longer listed; the version before is kept otherwise."
    }
  }
}

/// A number of bytes, as `512M` or `4G`.
struct ByteCount: ExpressibleByArgument {
  let value: Int

  init(value: Int) { self.value = value }

  init?(argument: String) {
    let units: [Character: Int] = ["K": 10, "M": 20, "G": 30]
    let shift = argument.last.flatMap { units[Character($0.uppercased())] }
    guard let number = Int(shift == nil ? argument[...] : argument.dropLast()), number >= 0, number < 1 << 30 || shift == nil
    else {
      return nil
    }
    value = number << (shift ?? 0)
  }

  var defaultValueDescription: String { value % (1 << 30) == 0 ? "\(value >> 30)G" : "\(value >> 20)M" }
}

struct ListImport: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "import", abstract: "Compiles partners' files into a new version of a list and puts it in force.",
    discussion: """
      The version before stays on disk. A file that fails leaves everything as it was. Records that cannot be used are \
      left out, counted, and the first of them named; --strict refuses the whole file instead. A file is the whole list, \
      unless --add or --remove says that it changes the version before. A version that adds or removes more than half of \
      the one before is written and held, with exit code 3, until 'muhafiz list activate' or --confirm puts it in force.

      FORMATS
      \(ListFormat.allCases.map { "  \($0.rawValue.padded(16))\($0.summary)" }.joined(separator: "\n"))

      EXAMPLES
        muhafiz list import --name national known.sha256
        muhafiz list import --name ngo --column sha256=3 --column category=5 --scheme NGO-1 export.csv
        muhafiz list import --name national --add new-this-week.sha256
        sha256sum *.jpg | muhafiz list import --name own -
      """)

  @OptionGroup var home: HomeOptions
  @Option(help: "Name of the list.") var name: String
  @Option(help: "Format of the files: auto, or one of those below.") var format = "auto"
  @Option(help: "Name of the version. Default: today's date and a number.") var version: String?
  @Option(help: "What a match leads to. Default: as the version before, or block.") var action: ListAction?
  @Option(help: "Bits within which perceptual hashes match, 0…63. Default: as the version before, or 31.") var distance: Int?
  @Flag(help: "Whether the files are the whole list, or what is new or gone against the version before.")
  var mode = ListUpdate.Mode.replace
  @Option(help: "Versions to keep on disk. Default: as before, or all.") var keep: Int?
  @Option(help: "Hold a version that adds or removes more than this share of the one before, in percent.") var holdAbove = 50
  @Flag(help: "Put the version in force however much it changes.") var confirm = false
  @Option(help: "Memory for sorting, as 512M or 4G; the rest goes through the disk.") var memory = ByteCount(
    value: HashListBuilder.usualMemory)
  @Option(help: ArgumentHelp("Sign the list file with this Ed25519 key, in PEM.", valueName: "file")) var signWith: String?
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
    if let keep, keep < 1 { throw ValidationError("--keep is 1 or more, not \(keep)") }
    if holdAbove < 0 { throw ValidationError("--hold-above is 0 or more, not \(holdAbove)") }
    if memory.value < 8 << 20 { throw ValidationError("--memory is 8M or more") }
    if let distance, !(0...63).contains(distance) { throw ValidationError("--distance is 0…63, not \(distance)") }
    if format != "auto" && ListFormat(rawValue: format) == nil {
      throw ValidationError("no format '\(format)'; use auto, \(ListFormat.allCases.map(\.rawValue).joined(separator: ", "))")
    }
  }

  func run() throws {
    let importer = ListImporter(try importOptions())
    let update = try listUpdate()
    var negatives = try NegativeCheck(home.catalog, except: name)
    var reports: [(file: String, report: ImportReport)] = []
    var progress = ImportProgress()
    let record = try home.listRecord()
    let written = try home.catalog.update(update) { list, isHeld in
      let action = isHeld ? "hold" : mode == .remove ? "withdraw" : "import"
      try record.append(action, list.version, sha256: list.digest.hex)
    } fill: { builder in
      for file in files {
        // What a partner has withdrawn is no longer in a whole list, and is taken out of the version before by a change.
        let report = try importer.read(
          FilePath(file), withdraw: { if update.mode != .replace { try builder.remove($0) } },
          takeDigests: { digests in
            guard update.mode != .remove else { return false }
            progress.count(digests.count)
            try builder.add(digests, contributor: contributor)
            return true
          },
          take: { entry in
            progress.count()
            if update.mode == .remove { return try builder.remove(entry) }
            try negatives.check(entry)
            try builder.add(entry)
          })
        reports.append((file, report))
      }
      guard reports.contains(where: { $0.report.entries > 0 }) else {
        reportRejections(reports)
        throw UsageError("no usable hash in \(files.joined(separator: ", "))", hint: "nothing was imported")
      }
      progress.say("sorting and writing")
    }
    progress.end()
    reportRejections(reports)
    negatives.report()
    show(written, reports)
    if written.isHeld { throw ExitCode(ExitStatus.of(hasMatch: false, isComplete: false)) }
  }

  private func listUpdate() throws -> ListUpdate {
    var update = ListUpdate(
      name: name, source: files.map { FilePath($0).lastComponent?.string ?? $0 }.joined(separator: ", "), created: Date())
    update.mode = mode
    update.version = version
    update.action = action
    update.distanceInBits = distance
    update.keep = keep
    update.memoryInBytes = memory.value
    update.holdAbove = Double(holdAbove) / 100
    update.isConfirmed = confirm
    update.signingKey = try signWith.map { try SigningKey(FilePath($0)) }
    return update
  }

  private func show(_ written: UpdatedList, _ reports: [(file: String, report: ImportReport)]) {
    let (list, counts) = (written.list, written.counts)
    let rejected = reports.reduce(0) { $0 + $1.report.rejected }
    switch output {
    case .ndjson:
      var line = JSONLine(type: "import")
      line.add("list", list.information.name)
      line.add("version", list.information.version)
      line.add("state", written.isHeld ? "held" : "in-force")
      line.add("accepted", counts.accepted)
      line.add("duplicate", counts.duplicates)
      line.add("rejected", rejected)
      line.add("entries", counts.entries)
      line.add("withdrawn", reports.reduce(0) { $0 + $1.report.withdrawn })
      line.add("added", written.difference?.added)
      line.add("removed", written.difference?.removed)
      line.add("conflicts", list.information.conflicts)
      line.add("sha256", list.digest.hex)
      line.add("files", reports) { report, object in
        object.add("file", report.file)
        object.add("format", report.report.format.rawValue)
        object.add("rejected", report.report.rejected)
      }
      print(String(decoding: line.bytes, as: UTF8.self), terminator: "")
    case .text:
      for (file, report) in reports { print("\(file.forTerminal): read as \(report.format.rawValue)") }
      print("list \(list.information.name), version \(list.information.version), is \(written.isHeld ? "HELD" : "in force")")
      func row(_ name: String, _ count: Int) { print("  \(name.padded(11))\(count.grouped.leftPadded(12))") }
      row("accepted", counts.accepted)
      row("duplicate", counts.duplicates)
      row("rejected", rejected)
      if let difference = written.difference {
        row("added", difference.added)
        row("removed", difference.removed)
      }
      if list.information.conflicts > 0 {
        row("conflicts", list.information.conflicts)
        print("  conflicts: contributors put a hash into different categories of one scheme; a match names them all")
      }
      if !written.removedVersions.isEmpty { print("  no longer on disk: \(written.removedVersions.joined(separator: ", "))") }
    }
    if written.isHeld {
      complain("warning: it changes more than \(holdAbove) % of the version before, which stays in force")
      complain(
        "hint: look at it with 'muhafiz list diff \(name)', then: muhafiz list activate \(name) \(list.information.version)")
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
