import ArgumentParser
import Casework
import Foundation

/// In whose name something is done.
struct ActorOptions: ParsableArguments {
  @Option(name: .customLong("as"), help: ArgumentHelp("Who acts. Default: the login name.", valueName: "name"))
  var name: String?

  var actor: String {
    get throws {
      let actor = name ?? loginName
      guard !actor.isEmpty, actor.utf8.count <= 200 else { throw UsageError("--as takes a name of 1…200 bytes") }
      return actor
    }
  }
}

extension HomeOptions {
  /// Changes the record in somebody's name; whoever is new to it is recorded first.
  func acting<Result>(
    _ actor: ActorOptions, _ body: (CaseStore, _ actor: String) throws -> Result
  ) throws -> Result {
    let (actor, store) = (try actor.actor, try requireCaseStore())
    try store.signIn(actor, account: loginName, at: Date())
    return try body(store, actor)
  }

  /// Decides something in somebody's name, and signs the ledger after it: also where it was refused, which is in it too.
  func deciding<Result>(
    _ actor: ActorOptions, _ body: (CaseStore, _ actor: String) throws -> Result
  ) throws -> Result {
    try acting(actor) { store, actor in
      defer { sign(ledger(of: store)) }
      return try body(store, actor)
    }
  }

  /// Signs the ledger as it now is, and copies the checkpoint to every configured place.
  ///
  /// What is recorded is durable without it, and the next checkpoint is over it too: where it cannot be signed now, as by
  /// somebody who may not read the key, that is said.
  func sign(_ ledger: Ledger) {
    do {
      for failure in try ledger.publish().failures { complain("warning: the checkpoint was not copied to \(failure)") }
    } catch {
      complain("warning: it is recorded, and the ledger is not signed: \(error)")
      complain("hint: 'muhafiz ledger checkpoint' signs it")
    }
  }
}
