import Casework
import Foundation
import Matching

extension HomeOptions {
  /// Writes into the ledger that a list came into force, went out of it, or waits to be confirmed.
  func recordListChange(_ action: String, _ list: ListVersion, sha256: String) throws {
    try openCaseStore().append([.listChanged(action: action, list: list, sha256: sha256)], by: loginName, at: Date())
  }

  func recordListChange(_ action: String, _ active: ListCatalog.Active) throws {
    try recordListChange(action, ListVersion(name: active.name, version: active.version), sha256: active.sha256)
  }
}
