import ArgumentParser
import Foundation
import Matching
import Scanning
import SystemPackage

struct ExhibitCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "exhibit", abstract: "Holds a report against the evidence.", subcommands: [ExhibitVerifyCommand.self])
}

struct ExhibitVerifyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify", abstract: "Checks a report against its own digest, and against the evidence.",
    discussion: """
      The report is one that 'muhafiz scan --format ndjson' wrote. Its digest and its counts are taken again where it has \
      every item, that is with --all. With --evidence each file is digested again: missing, changed and new ones are named. \
      Members of archives are as their archive is.

      EXAMPLES
        muhafiz exhibit verify exhibit-7.ndjson
        muhafiz exhibit verify exhibit-7.ndjson --evidence /mnt/copy-of-exhibit-7

      EXIT CODES
        0 all as reported      1 something differs      2 no such report
      """)

  @Option(
    help: ArgumentHelp(
      "Where the scanned path is now; given again for each path that was scanned, in the same order.", valueName: "path"
    ))
  var evidence: [String] = []
  @Option(help: "text or ndjson.") var format = OutputFormat.text
  @Argument(help: "A report in NDJSON.") var report: String

  func run() throws {
    let writer = try ResultWriter(nil)
    let format = format
    let outcome = try ReportVerification.verify(FilePath(report), evidence: try existing(evidence)) { difference in
      switch format {
      case .text: try writer.write(line: difference.sentence)
      case .ndjson: try writer.write(difference.line.bytes)
      }
    }
    switch format {
    case .text:
      let evidence = evidence.isEmpty ? "" : ", \(outcome.filesDigested.grouped) files digested again"
      try writer.write(
        line:
          "run \(outcome.run): \(outcome.items.grouped) items\(evidence), \(outcome.differences.grouped) differences")
      if !outcome.hasAllItems {
        try writer.write(
          line: "the report was written without --all: its digest cannot be taken again, nor new files told")
      }
    case .ndjson:
      var line = JSONLine(type: "verified")
      line.add("run", outcome.run)
      line.add("items", outcome.items)
      line.add("files_digested", outcome.filesDigested)
      line.add("differences", outcome.differences)
      line.add("all", "\(outcome.hasAllItems)")
      try writer.write(line.bytes)
    }
    try writer.finish()
    throw ExitCode(outcome.differences > 0 ? 1 : 0)
  }
}

extension ReportVerification.Difference {
  private var facts: (kind: String, path: FilePath?, what: String?) {
    switch self {
    case .report(let what): ("report", nil, what)
    case .missing(let path): ("missing", path, nil)
    case .new(let path): ("new", path, nil)
    case .changed(let path, let what): ("changed", path, what)
    }
  }

  fileprivate var sentence: String {
    "\(facts.kind.uppercased().padded(9))"
      + [facts.path?.forTerminal, facts.what?.forTerminal].compactMap(\.self).joined(separator: ": ")
  }

  fileprivate var line: JSONLine {
    var line = JSONLine(type: "difference")
    line.add("difference", facts.kind)
    if let path = facts.path { line.add(.file(path)) }
    line.add("reason", facts.what)
    return line
  }
}
