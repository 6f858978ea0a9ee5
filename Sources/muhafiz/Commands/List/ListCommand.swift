import ArgumentParser

struct ListCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "Imports hash lists, shows, compares and checks them, and says which are in force.",
    subcommands: [
      ListImport.self, ListExport.self, ListShow.self, ListDiff.self, ListVerify.self, ListActivate.self, ListRollback.self,
      ListConfigure.self, ListRelease.self, ListRemove.self,
    ])
}

/// The two forms in which results are printed.
enum OutputFormat: String, CaseIterable, ExpressibleByArgument {
  case text, ndjson
}
