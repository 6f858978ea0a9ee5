import ArgumentParser
import Matching

struct ListVerify: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify", abstract: "Reads lists from end to end and checks all that can be checked.",
    discussion: "The lists in force, or all versions of those named.")

  @OptionGroup var home: HomeOptions
  @Argument(help: "Names of lists.") var names: [String] = []

  func run() throws {
    let lists =
      names.isEmpty
      ? try home.catalog.loadBlocklist().members.map(\.list) : try names.flatMap { try home.catalog.versions(ofExisting: $0) }
    for list in lists {
      try list.verify()
      print("\(list.version.name) \(list.version.version): \(list.hashCount.grouped) hashes, intact")
    }
  }
}

struct ListActivate: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "activate", abstract: "Puts a version that is on disk in force: one that was held, or any other.")

  @OptionGroup var home: HomeOptions
  @Argument(help: "Name of the list.") var name: String
  @Argument(help: "Version; 'muhafiz list show NAME' shows those there are.") var version: String

  func run() throws {
    let record = try home.listRecord()
    let active = try home.catalog.activate(ListVersion(name: name, version: version))
    try record.append("activate", active)
    print("list \(active.name), version \(active.version), is in force")
  }
}

struct ListRollback: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rollback", abstract: "Puts the version before the one in force in force again, or the one named.")

  @OptionGroup var home: HomeOptions
  @Argument(help: "Name of the list.") var name: String
  @Argument(help: "Version. Default: the one made before the one in force.") var version: String?

  func run() throws {
    let catalog = home.catalog
    let before = try catalog.active().first { $0.name == name }
    let versions = try catalog.versions(of: name).map(\.information.version)
    let place = before.flatMap { versions.firstIndex(of: $0.version) } ?? versions.endIndex
    guard let chosen = version ?? versions[..<place].last else {
      throw UsageError("there is no earlier version of list '\(name)'", hint: "'muhafiz list show \(name)' shows those there are")
    }
    let record = try home.listRecord()
    let active = try catalog.activate(ListVersion(name: name, version: chosen))
    try record.append("rollback", active)
    print("list \(active.name), version \(active.version), is in force again\(before.map { " instead of \($0.version)" } ?? "")")
  }
}

struct ListConfigure: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "configure", abstract: "Changes what a match on a list leads to, and how near is near.",
    discussion: """
      ACTIONS
        block      an exact match blocks; anything weaker is for review
        review     every match is for a person to look at
        known      content known to be harmless
        negative   pictures that many harmless ones look like: near matches of what looks like one do not count
        off        kept, and not asked
      """)

  @OptionGroup var home: HomeOptions
  @Option(help: "What a match leads to.") var action: ListAction?
  @Option(help: "Bits within which perceptual hashes match, 0…63.") var distance: Int?
  @Option(help: "Versions to keep on disk, from the next import on.") var keep: Int?
  @Argument(help: "Name of the list.") var name: String

  func validate() throws {
    if action == nil && distance == nil && keep == nil {
      throw ValidationError("nothing to change: --action, --distance or --keep")
    }
    if let distance, !(0...63).contains(distance) { throw ValidationError("--distance is 0…63, not \(distance)") }
    if let keep, keep < 1 { throw ValidationError("--keep is 1 or more, not \(keep)") }
  }

  func run() throws {
    let now = try home.catalog.configure(name, action: action, distanceInBits: distance, keep: keep)
    print(
      "list \(now.name): action \(now.action.rawValue), distance \(now.distance), keeps \(now.keep.map { "\($0)" } ?? "all") versions"
    )
  }
}

struct ListRelease: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "release", abstract: "Lets near matches of quarantined entries count again.",
    discussion: "'muhafiz list show NAME' says which entries are quarantined. With --quarantine, puts entries there instead.")

  @OptionGroup var home: HomeOptions
  @Flag(help: "Let near matches of the entries no longer count.") var quarantine = false
  @Argument(help: "Name of the list.") var name: String
  @Argument(help: "Entries, as matches name them.") var entries: [String]

  func run() throws {
    let now = try home.catalog.quarantine(entries, of: name, release: !quarantine)
    print("list \(now.name): \((now.quarantined ?? []).count.grouped) entries quarantined")
  }
}

struct ListRemove: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "remove", abstract: "Takes a list out of force. Its files stay for findings that name them.")

  @OptionGroup var home: HomeOptions
  @Argument(help: "Name of the list.") var name: String

  func run() throws {
    let record = try home.listRecord()
    guard let removed = try home.catalog.deactivate(name) else {
      throw UsageError("no list '\(name)' is in force", hint: "'muhafiz list show' shows those that are")
    }
    try record.append("remove", removed)
    print("list \(removed.name), version \(removed.version), is no longer in force")
  }
}
