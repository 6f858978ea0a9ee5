import ArgumentParser
import Casework
import Foundation
import Hashing
import Scanning
import SystemPackage

struct ExportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export",
    abstract: "Writes what others need: statistics, the zone of blocked names; checks the report of a run.",
    subcommands: [ExportStatistics.self, ExportRPZ.self, ExportCheck.self])
}

struct ExportRPZ: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rpz", abstract: "Writes the response policy zone of all names that are to be blocked now.",
    discussion: "EXAMPLES\n  muhafiz export rpz --zone block.rpz.example -o /var/lib/bind/block.rpz.example")

  @OptionGroup var home: HomeOptions
  @OptionGroup var actor: ActorOptions
  @Option(help: "Name of the zone.") var zone = "block.rpz.invalid"
  @Option(
    name: [.customShort("o"), .customLong("output")], help: ArgumentHelp("Write it to this file.", valueName: "file"))
  var output: String?

  func run() throws {
    let blocks = try home.requireCaseStore().dnsBlocks()
    let zone = try RPZZone(blocks, origin: zone, at: Date())
    try home.export(zone.text, as: "rpz zone \(self.zone)", to: output, by: actor)
    complain("\(blocks.count(where: { $0.isInForce(at: Date()) })) names blocked")
  }
}

struct ExportStatistics: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "statistics",
    abstract: "Writes counts, times and precision over a period: as a table, CSV, or a chart.",
    discussion: """
      Counts of 1…4 are written as fewer than 5, as one of them can point at a person; --minimum-cell sets the bound.

      EXAMPLES
        muhafiz export statistics --from 2026-01-01 --until 2026-04-01
        muhafiz export statistics --format svg -o first-quarter.svg
      """)

  enum Format: String, CaseIterable, ExpressibleByArgument { case table, csv, svg }

  @OptionGroup var home: HomeOptions
  @OptionGroup var actor: ActorOptions
  @Option(help: "table, csv or svg.") var format = Format.table
  @Option(help: "The first day, in UTC. Default: a year before the last.") var from: String?
  @Option(help: "The day after the last, in UTC. Default: tomorrow.") var until: String?
  @Option(help: "Smaller counts are not shown.") var minimumCell = 5
  @Option(
    name: [.customShort("o"), .customLong("output")], help: ArgumentHelp("Write it to this file.", valueName: "file"))
  var output: String?

  func run() throws {
    guard minimumCell >= 1 else { throw UsageError("--minimum-cell is 1 or more") }
    let until = try until.map(day) ?? Date().addingTimeInterval(86_400)
    let from = try from.map(day) ?? until.addingTimeInterval(-366 * 86_400)
    guard from < until else { throw UsageError("--from is before --until") }
    let statistics = try home.requireCaseStore().statistics(from: from, until: until, minimumCell: minimumCell)
    let text =
      switch format {
      case .table:
        statistics.text.split(separator: "\n", omittingEmptySubsequences: false).map { String($0).forTerminal }
          .joined(separator: "\n")
      case .csv: statistics.csv
      case .svg: statistics.svg
      }
    try home.export(text, as: "statistics as \(format.rawValue)", to: output, by: actor)
  }

  private func day(_ text: String) throws -> Date {
    do { return try Date("\(text)T00:00:00Z", strategy: .iso8601) } catch {
      throw UsageError("'\(text)' is no day", hint: "like 2026-01-31")
    }
  }
}

extension HomeOptions {
  /// Writes what leaves the house. Its digest is recorded before: whoever finds it elsewhere can tell that it came from here.
  fileprivate func export(_ text: String, as what: String, to output: String?, by actor: ActorOptions) throws {
    let bytes = Array(text.utf8)
    let digest = try bytes.withUnsafeBytes { try Digest.sha256(of: $0) }
    try acting(actor) { try $0.append([.exported(what: what, sha256: digest.hex)], by: $1, at: Date()) }
    let writer = try ResultWriter(output)
    try writer.write(bytes)
    try writer.finish()
  }
}
