import Casework
import Foundation
import Matching

/// Writes into the ledger that a list comes into force, goes out of it, or waits to be confirmed.
struct ListRecord {
  private let store: CaseStore

  fileprivate init(_ store: CaseStore) { self.store = store }

  /// - Throws: ``CaseworkError`` where it cannot be recorded, as on a full disk.
  func append(_ action: String, _ list: ListVersion, sha256: String) throws {
    try store.append([.listChanged(action: action, list: list, sha256: sha256)], by: loginName, at: Date())
  }

  func append(_ action: String, _ active: ListCatalog.Active) throws {
    try append(action, ListVersion(name: active.name, version: active.version), sha256: active.sha256)
  }
}

extension HomeOptions {
  /// Opens the record before a list is changed: where nothing can be written down, nothing is changed.
  func listRecord() throws -> ListRecord {
    let store = try openCaseStore()
    try store.signIn(loginName, account: loginName, at: Date())
    return ListRecord(store)
  }
}
