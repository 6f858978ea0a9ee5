import ArgumentParser
import Casework
import Foundation
import Matching
import Scanning
import SystemPackage

struct ExportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export", abstract: "Writes what others need: the zone of blocked names.", subcommands: [ExportRPZ.self])
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
