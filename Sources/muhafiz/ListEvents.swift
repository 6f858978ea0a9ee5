import Casework
import Foundation
import Matching

extension HomeOptions {
  /// Writes into the ledger that a list came into force, went out of it, or waits to be confirmed.
  ///
  /// A list can be imported and asked where nothing is ever recorded; there, no ledger is begun for it.
  ///
  /// The lists stand in files of their own, so the change has happened when this is called. Where it cannot be recorded,
  /// as on a full disk, that is said, and the change stands: a run names the versions that it used in any case.
  func recordListChange(_ action: String, _ list: ListVersion, sha256: String) {
    do {
      try openExistingCaseStore()?.append(
        [.listChanged(action: action, list: list, sha256: sha256)], by: loginName, at: Date())
    } catch { complain("warning: the ledger has no entry of this change of list \(list.name): \(error)") }
  }

  func recordListChange(_ action: String, _ active: ListCatalog.Active) {
    recordListChange(action, ListVersion(name: active.name, version: active.version), sha256: active.sha256)
  }
}
