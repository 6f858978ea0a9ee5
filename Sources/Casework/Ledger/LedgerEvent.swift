import Foundation
import Matching

/// Something that happened outside of the record of cases, and belongs in the ledger all the same.
public enum LedgerEvent: Sendable {
  /// A list version came into force or went out of it.
  ///
  /// `action` is `import`, `withdraw` (entries), `hold`, `activate`, `rollback` or `remove`; `sha256` the hex digest of the list's file.
  case listChanged(action: String, list: ListVersion, sha256: String)
  /// Somebody signed in, or failed to.
  case login(succeeded: Bool)
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
    case .login(let succeeded): self.init(.login, by: actor) { $0.add("succeeded", succeeded) }
    case .exported(let what, let sha256):
      self.init(.exported, by: actor) { facts in
        facts.add("what", what)
        facts.add("sha256", sha256)
      }
    }
  }
}
