import Hashing
import Matching

/// MISP events: every attribute that is a hash, wherever it stands in events, objects and answers.
///
/// Source: the MISP core format, "Attribute". `filename|sha256` holds a name, a bar and the digest.
enum MISPFormat {
  static func read(_ bytes: consuming ByteStream, _ sink: inout RecordSink) throws {
    var json = JSONReader(bytes)
    var number = 0
    try json.forEachObject { try readObject(&$0, &number, into: &sink) }
    try json.finish()
  }

  private static func readObject(_ json: inout JSONReader, _ number: inout Int, into sink: inout RecordSink) throws {
    var type: String?
    var value: String?
    var id: String?
    var isDeleted = false
    try json.beginObject()
    while let key = try json.nextKey() {
      switch try (key, json.kind()) {
      case (_, .object), (_, .array): try json.forEachObject { try readObject(&$0, &number, into: &sink) }
      case ("type", _): type = try json.text()
      case ("value", .string): value = try json.text()
      case ("uuid", _): id = try json.text()
      case ("deleted", _): isDeleted = try ["true", "1"].contains(json.text())
      default: try json.skip()
      }
    }
    guard let type, let value, let kind = hashKind(of: type) else { return }
    number += 1
    let hex = type.contains("|") ? value.split(separator: "|").last.map(String.init) ?? "" : value
    let entry = ListEntry(id: id, recordNumber: number, contributor: sink.options.contributor)
    let hashes = [HashText(named: kind, hex)]
    if isDeleted { try sink.withdraw(hashes, of: entry) } else { try sink.add(hashes, to: entry) }
  }

  /// `sha256` of `sha256` and `filename|sha256`; `nil` for attributes that are no hash of ours.
  private static func hashKind(of type: String) -> String? {
    let name = type.hasPrefix("filename|") ? String(type.dropFirst("filename|".count)) : type
    return HashText.knows(name) ? name : nil
  }
}
