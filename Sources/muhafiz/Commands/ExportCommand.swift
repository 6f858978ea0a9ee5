import ArgumentParser
import Casework
import Foundation
import Matching
import Scanning
import SystemPackage

struct ExportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export", abstract: "Writes what others need: statistics, the zone of blocked names.",
    subcommands: [ExportStatistics.self, ExportRPZ.self])
}

struct ExportRPZ: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rpz", abstract: "Writes the response policy zone of all names that are to be blocked now.",
    discussion: "EXAMPLES\n  muhafiz export rpz --zone block.rpz.example -o /var/lib/bind/block.rpz.example")

  @OptionGroup var home: HomeOptions
  @Option(help: "Name of the zone.") var zone = "block.rpz.invalid"
  @Option(name: [.customShort("o"), .customLong("output")], help: ArgumentHelp("Write it to this file.", valueName: "file"))
  var output: String?

  func run() throws {
    let blocks = try home.requireCaseStore().dnsBlocks()
    let zone = try RPZZone(blocks, origin: zone, at: Date())
    let writer = try ResultWriter(output)
    try writer.write(zone.text.utf8)
    try writer.finish()
    complain("\(blocks.count(where: { $0.isInForce(at: Date()) })) names blocked")
  }
}

struct ExportStatistics: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "statistics", abstract: "Writes counts, times and precision over a period: as a table, CSV, or a chart.",
    discussion: """
      Counts of 1…4 are written as fewer than 5, as one of them can point at a person; --minimum-cell sets the bound.

      EXAMPLES
        muhafiz export statistics --from 2026-01-01 --until 2026-04-01
        muhafiz export statistics --format svg -o first-quarter.svg
      """)

  enum Format: String, CaseIterable, ExpressibleByArgument { case table, csv, svg }

  @OptionGroup var home: HomeOptions
  @Option(help: "table, csv or svg.") var format = Format.table
  @Option(help: "The first day, in UTC. Default: a year before the last.") var from: String?
  @Option(help: "The day after the last, in UTC. Default: tomorrow.") var until: String?
  @Option(help: "Smaller counts are not shown.") var minimumCell = 5
  @Option(name: [.customShort("o"), .customLong("output")], help: ArgumentHelp("Write it to this file.", valueName: "file"))
  var output: String?

  func run() throws {
    guard minimumCell >= 1 else { throw UsageError("--minimum-cell is 1 or more") }
    let until = try until.map(day) ?? Date().addingTimeInterval(86_400)
    let from = try from.map(day) ?? until.addingTimeInterval(-366 * 86_400)
    guard from < until else { throw UsageError("--from is before --until") }
    let statistics = try home.requireCaseStore().statistics(from: from, until: until, minimumCell: minimumCell)
    let writer = try ResultWriter(output)
    switch format {
    case .table: for line in statistics.text.split(separator: "\n", omittingEmptySubsequences: false).dropLast() { try writer.write(line: String(line).forTerminal) }
    case .csv: try writer.write(statistics.csv.utf8)
    case .svg: try writer.write(statistics.svg.utf8)
    }
    try writer.finish()
  }

  private func day(_ text: String) throws -> Date {
    do { return try Date("\(text)T00:00:00Z", strategy: .iso8601) } catch {
      throw UsageError("'\(text)' is no day", hint: "like 2026-01-31")
    }
  }
}
