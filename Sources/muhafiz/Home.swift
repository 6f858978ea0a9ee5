import ArgumentParser
import Casework
import Foundation
import Glibc
import Matching
import SystemPackage

/// Where lists and cases are kept.
struct HomeOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Folder of lists and cases.",
      discussion: "Default: $MUHAFIZ_HOME, else $XDG_DATA_HOME/muhafiz, else ~/.local/share/muhafiz.", valueName: "folder"))
  var home: String?

  var path: FilePath {
    let environment = ProcessInfo.processInfo.environment
    func named(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
    if let chosen = home ?? named("MUHAFIZ_HOME") { return FilePath(chosen) }
    if let data = named("XDG_DATA_HOME") { return FilePath(data).appending("muhafiz") }
    return FilePath(NSHomeDirectory()).appending(".local/share/muhafiz")
  }

  var catalog: ListCatalog { ListCatalog(home: path) }

  /// Opens the record of cases, and makes home and record where there are none.
  func openCaseStore() throws -> CaseStore {
    try DurableFile.makeFolder(path)
    return try CaseStore(at: recordPath)
  }

  /// Opens the record of cases; `nil` where nothing was ever recorded.
  func openExistingCaseStore() throws -> CaseStore? {
    recordPath.withPlatformString { access($0, F_OK) } == 0 ? try CaseStore(at: recordPath) : nil
  }

  /// Opens the record of cases.
  ///
  /// - Throws: ``UsageError`` where nothing was ever recorded.
  func requireCaseStore() throws -> CaseStore {
    guard let store = try openExistingCaseStore() else {
      throw UsageError("nothing is recorded yet in \(path)", hint: "'muhafiz scan PATH --record' records findings")
    }
    return store
  }

  /// The ledger of the record; its folder need not exist yet.
  func ledger(of store: CaseStore) -> Ledger { Ledger(store, folder: path.appending("ledger")) }

  private var recordPath: FilePath { path.appending("casework.sqlite") }
}

/// The name of the user who runs the program.
var loginName: String {
  guard let entry = getpwuid(getuid()) else { return "uid \(getuid())" }
  return String(cString: entry.pointee.pw_name)
}
