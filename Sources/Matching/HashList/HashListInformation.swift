import Foundation

/// Who a list is and where it came from; kept in the list file, section "Information".
public struct HashListInformation: Sendable, Equatable {
  public var name: String
  public var version: String
  /// The partner's file that the list was made from, by name only.
  public var source: String
  public var created: Date
  /// The version that this one was made from by adding and removing; `nil` where it stands for itself.
  public var base: String?
  /// Hashes that contributors put into different categories of one scheme.
  public internal(set) var conflicts = 0
  /// When the first and the last entry was listed; `nil` where no entry says.
  public internal(set) var listedFrom: Date?
  public internal(set) var listedTo: Date?

  public init(name: String, version: String, source: String, created: Date, base: String? = nil) {
    self.name = name
    self.version = version
    self.source = source
    self.created = created
    self.base = base
  }

  /// Reads the section; `nil` when it does not say which list this is.
  init?(_ text: String, created: Date) {
    var fields: [Substring: Substring] = [:]
    for line in text.split(separator: "\n") {
      guard let tab = line.firstIndex(of: "\t") else { continue }
      fields[line[..<tab]] = line[line.index(after: tab)...]
    }
    guard let name = fields["name"], let version = fields["version"] else { return nil }
    self.init(
      name: String(name), version: String(version), source: String(fields["source"] ?? ""), created: created,
      base: fields["base"].map(String.init))
    conflicts = fields["conflicts"].flatMap { Int($0) } ?? 0
    func date(_ field: Substring) -> Date? {
      fields[field].flatMap { Int64($0) }.flatMap { seconds in
        HashListLayout.createdRange.contains(seconds) ? Date(timeIntervalSince1970: Double(seconds)) : nil
      }
    }
    listedFrom = date("listed-from")
    listedTo = date("listed-to")
  }

  /// The section's text: a field a line.
  var text: String {
    func seconds(_ date: Date?) -> String? { date.map { String(Int64($0.timeIntervalSince1970)) } }
    let fields: [(String, String?)] = [
      ("name", name), ("version", version), ("source", source), ("base", base),
      ("conflicts", conflicts == 0 ? nil : String(conflicts)), ("listed-from", seconds(listedFrom)),
      ("listed-to", seconds(listedTo)),
    ]
    // One line a field: what a value may not hold cannot break a line.
    return fields.compactMap { field, value in
      value.map { "\(field)\t\(String($0.map { $0.isNewline || $0 == "\t" ? " " : $0 }))\n" }
    }.joined()
  }
}
