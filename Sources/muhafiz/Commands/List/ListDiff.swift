import ArgumentParser
import Matching
import Scanning

struct ListDiff: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "diff", abstract: "Shows which hashes two versions of a list have that the other has not.",
    discussion: """
      Of each hash only the first eight digits are printed, and the entry that has it. With one version or none, the version \
      in force is compared: to the one named, or to the newest on disk.

      EXAMPLES
        muhafiz list diff national
        muhafiz list diff national 2026-01-30.1 2026-01-31.1 --format ndjson
      """)

  @OptionGroup var home: HomeOptions
  @Option(help: "text or ndjson.") var format = OutputFormat.text
  @Option(help: "Hashes to name at most, of each kind of change.") var most = 20
  @Argument(help: "Name of the list.") var name: String
  @Argument(help: "The old version, and the new one.") var versions: [String] = []

  func validate() throws {
    if versions.count > 2 { throw ValidationError("a comparison is of two versions") }
  }

  func run() throws {
    let (old, new) = try chosen()
    var named = (added: [ListedHash](), removed: [ListedHash]())
    let difference = try ListDifference(from: old, to: new) { hash, isAdded in
      if isAdded {
        if named.added.count < most { named.added.append(hash) }
      } else if named.removed.count < most {
        named.removed.append(hash)
      }
    }
    switch format {
    case .text:
      print("list \(name): version \(old.information.version) to \(new.information.version)")
      print("                   ADDED     REMOVED        KEPT")
      for algorithm in MatchAlgorithm.allCases {
        guard let counts = difference.counts[algorithm] else { continue }
        let numbers = [counts.added, counts.removed, counts.kept].map { $0.grouped.leftPadded(12) }
        print(algorithm.rawValue.padded(12) + numbers.joined())
      }
      for hash in named.removed { print("- \(hash.short)") }
      for hash in named.added { print("+ \(hash.short)") }
    case .ndjson:
      var line = JSONLine(type: "diff")
      line.add("list", name)
      line.add("old_version", old.information.version)
      line.add("new_version", new.information.version)
      line.add("added", difference.added)
      line.add("removed", difference.removed)
      line.add("kept", difference.kept)
      for (kind, hashes) in [("first_removed", named.removed), ("first_added", named.added)] {
        line.add(kind, hashes) { hash, object in
          object.add("algorithm", hash.algorithm.rawValue)
          object.add("begins", hash.beginning)
          object.add("entry", hash.entry.displayName)
          object.add("contributor", hash.entry.contributor)
        }
      }
      print(String(decoding: line.bytes, as: UTF8.self), terminator: "")
    }
  }

  private func chosen() throws -> (old: HashList, new: HashList) {
    func open(_ version: String) throws -> HashList { try home.catalog.open(ListVersion(name: name, version: version)) }
    if versions.count == 2 { return (try open(versions[0]), try open(versions[1])) }
    guard let inForce = try home.catalog.active().first(where: { $0.name == name }) else {
      throw UsageError("no list '\(name)' is in force", hint: "name two versions; 'muhafiz list show \(name)' shows them")
    }
    let other: HashList? =
      if let named = versions.first { try open(named) } else { try home.catalog.versions(of: name).last }
    guard let other, other.information.version != inForce.version else {
      throw UsageError(
        "there is no other version of list '\(name)' to compare", hint: "'muhafiz list show \(name)' shows those there are")
    }
    let current = try open(inForce.version)
    return versions.isEmpty ? (current, other) : (other, current)
  }
}

extension ListedHash {
  /// Partners' hashes are not for terminals and logs: enough to tell one from another.
  fileprivate var beginning: String { bytes.prefix(4).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() }

  fileprivate var short: String {
    "\(algorithm.rawValue) \(beginning)…  entry \(entry.displayName.forTerminal)"
      + (entry.contributor.map { ", contributed by \($0.forTerminal)" } ?? "")
  }
}
