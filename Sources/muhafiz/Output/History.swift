import Casework
import Foundation

/// What the ledger says about a case or a takedown, for people.
enum History {
  /// Members that every line begins with, or that only a program needs.
  private static let known: Set<String> = [
    "v", "type", "time", "subject", "previous", "state", "by", "evidence", "version",
  ]

  static func show(_ entries: [(index: Int64, data: [UInt8])]) {
    if entries.isEmpty { return }
    print("\nhistory")
    for (index, data) in entries {
      guard let object = try? JSONSerialization.jsonObject(with: Data(data)) as? [String: Any] else {
        print("  entry \(index) cannot be read; 'muhafiz ledger verify' says more")
        continue
      }
      func text(_ name: String) -> String { (object[name] as? String ?? "").forTerminal }
      let facts = object.keys.filter { !known.contains($0) }.sorted().map { "\($0) \("\(object[$0]!)".forTerminal)" }
      let state = object["state"] == nil ? "" : " → \(text("state"))"
      print(
        "  \(text("time"))  \(text("type"))\(state), by \(text("by"))\(facts.isEmpty ? "" : ": ")\(facts.joined(separator: ", "))"
      )
    }
  }
}
