import ArgumentParser
import Foundation
import Hashing
import Matching
import Scanning

struct ListShow: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "Shows the lists in force, or all versions of one and who contributed to it.")

  @OptionGroup var home: HomeOptions
  @Option(help: "text or ndjson.") var format = OutputFormat.text
  @Argument(help: "Name of a list, for all its versions.") var name: String?

  func run() throws {
    let catalog = home.catalog
    let active = try catalog.active()
    let shown =
      if let name { try catalog.versions(ofExisting: name) } else {
        try active.map { try catalog.open(ListVersion(name: $0.name, version: $0.version)) }
      }
    if shown.isEmpty {
      throw MatchingError(
        .noListInForce, "no hash list is in force in \(catalog.folder)", hint: "import one: muhafiz list import --name NAME FILE")
    }
    if format == .text {
      print(
        "LIST                VERSION        STATE   DISTANCE      SHA-256       SHA-1         MD5         PDQ        VPDQ        SIZE"
      )
    }
    for list in shown {
      let inForce = active.first { $0.name == list.information.name && $0.version == list.information.version }
      switch format {
      case .text: showRow(list, inForce)
      case .ndjson: try showLine(list, inForce)
      }
    }
    if format == .text, name != nil, let last = shown.last { try showDetails(last, active.first { $0.name == name }) }
  }

  private static let algorithms: [MatchAlgorithm] = [.sha256, .sha1, .md5, .pdq, .vpdq]

  private func showRow(_ list: HashList, _ inForce: ListCatalog.Active?) {
    let counts = Self.algorithms.map { list.count(of: $0) }
    print(
      list.information.name.padded(20) + list.information.version.padded(15)
        + (inForce?.action.rawValue ?? "kept").padded(8) + (inForce.map { String($0.distance) } ?? "").leftPadded(8)
        + counts.enumerated().map { $1.grouped.leftPadded($0 == 0 ? 13 : 12) }.joined()
        + list.sizeInBytes.asBytes.leftPadded(12))
  }

  private func showLine(_ list: HashList, _ inForce: ListCatalog.Active?) throws {
    var line = JSONLine(type: "list")
    line.add("list", list.information.name)
    line.add("version", list.information.version)
    line.add("action", inForce?.action.rawValue)
    line.add("distance", inForce?.distance)
    line.add("keep", inForce?.keep)
    for algorithm in Self.algorithms { line.add("\(algorithm.rawValue)_count", list.count(of: algorithm)) }
    line.add("entries", list.entryCount)
    line.add("size", list.sizeInBytes)
    line.add("source", list.information.source)
    line.add("base", list.information.base)
    line.add("created", list.information.created.formatted(.iso8601))
    line.add("listed_from", list.information.listedFrom?.formatted(.iso8601))
    line.add("listed_to", list.information.listedTo?.formatted(.iso8601))
    line.add("conflicts", list.information.conflicts)
    line.add("sha256", list.digest.hex)
    line.add("attributions", try list.attributions()) { said, object in
      object.add("contributor", said.contributor)
      object.add("category_scheme", said.category?.scheme)
      object.add("category", said.category?.label)
      object.add("entries", said.entries)
    }
    line.add("quarantined", inForce?.quarantined ?? []) { entry, object in object.add("entry", entry) }
    print(String(decoding: line.bytes, as: UTF8.self), terminator: "")
  }

  private func showDetails(_ list: HashList, _ inForce: ListCatalog.Active?) throws {
    let information = list.information
    print(
      "\nversion \(information.version) was made \(information.created.formatted(.iso8601)) from \(information.source.forTerminal)"
    )
    if let base = information.base { print("  as a change of version \(base)") }
    print("  digest \(list.digest.hex)")
    if let from = information.listedFrom, let to = information.listedTo {
      print("  entries were listed from \(from.formatted(.iso8601)) to \(to.formatted(.iso8601))")
    }
    if information.conflicts > 0 { print("  \(information.conflicts.grouped) hashes are in different categories of one scheme") }
    print("\nENTRIES       CONTRIBUTOR             CATEGORY (SCHEME)")
    let attributions = try list.attributions().sorted { $0.entries > $1.entries }
    for said in attributions.prefix(50) {
      print(
        said.entries.grouped.leftPadded(12) + "  " + (said.contributor?.forTerminal ?? "not said").padded(24)
          + (said.category.map { "\($0.label) (\($0.scheme))".forTerminal } ?? "none"))
    }
    if attributions.count > 50 { print("and \((attributions.count - 50).grouped) more") }
    if let quarantined = inForce?.quarantined {
      print("\nquarantined, their near matches do not count: \(quarantined.joined(separator: ", ").forTerminal)")
    }
  }
}
