import Foundation
import GRDB
import Matching

/// Something that happened outside of the record of cases, and belongs in the ledger all the same.
public enum LedgerEvent: Sendable {
  /// A list version came into force or went out of it.
  ///
  /// `action` is `import`, `withdraw` (entries), `hold`, `activate`, `rollback` or `remove`; `sha256` the hex digest of the list's file.
  case listChanged(action: String, list: ListVersion, sha256: String)
  /// Somebody signed in, or failed to; `account` is that of the machine, for who acts on its command line.
  case login(succeeded: Bool, account: String? = nil)
  /// Something left the house: what, and the hex digest of it.
  case exported(what: String, sha256: String)
}

extension CaseStore {
  /// Appends entries about events, all or none.
  public func append(_ events: [LedgerEvent], by actor: String, at time: Date) throws {
    try write { _, ledger in
      for event in events { try ledger.append(LedgerEntry(event, by: actor), at: time) }
    }
  }

  /// Records that somebody acts whom the record does not know yet, or by an account that they have not used before.
  ///
  /// - Parameter account: Of the machine, whatever name the person gives.
  public func signIn(_ actor: String, account: String, at time: Date) throws {
    let isKnown = try read { database in
      try Bool.fetchOne(
        database, sql: "SELECT 1 FROM person WHERE name = ? AND account = ?", arguments: [actor, account]) ?? false
    }
    if isKnown { return }
    try write { database, ledger in
      try database.execute(
        sql: "INSERT OR IGNORE INTO person (name, account, first_seen_at) VALUES (?, ?, ?)",
        arguments: [actor, account, time.milliseconds])
      guard database.changesCount == 1 else { return }
      try ledger.append(LedgerEntry(.login(succeeded: true, account: account), by: actor), at: time)
    }
  }
}

extension LedgerEntry {
  fileprivate init(_ event: LedgerEvent, by actor: String) {
    switch event {
    case .listChanged(let action, let list, let sha256):
      self.init(.listChanged, by: actor) { facts in
        facts.add("action", action)
        facts.add("list", list.name)
        facts.add("version", list.version)
        facts.add("sha256", sha256)
      }
    case .login(let succeeded, let account):
      self.init(.login, by: actor) { facts in
        facts.add("succeeded", succeeded)
        facts.add("account", account)
      }
    case .exported(let what, let sha256):
      self.init(.exported, by: actor) { facts in
        facts.add("what", what)
        facts.add("sha256", sha256)
      }
    }
  }
}
