import Hashing
import Matching

/// Project VIC's JSON, versions 1.1 to 2.0: media records directly under `value` (a hash set) or under `Media` of each case.
///
/// Order of keys, unknown keys and doubtful types are taken as they come, because exporters differ. Numbers of categories
/// are kept with the profile that the file's context names, because they mean different things in different countries.
enum VICSFormat {
  static func read(_ bytes: consuming ByteStream, _ sink: inout RecordSink) throws {
    var json = JSONReader(bytes)
    var reader = VICSRecords()
    try json.beginObject()
    while let key = try json.nextKey() {
      switch key {
      case "@odata.context", "odata.metadata": reader.scheme = try json.text().flatMap(scheme(ofContext:))
      case "value": try reader.readAll(&json, into: &sink)
      default: try json.skip()
      }
    }
    try json.finish()
  }

  /// `VICS 2.0 US` of `…/DataModels/2.0.xml/US/$metadata#Media`; `nil` where no country's profile is named.
  static func scheme(ofContext context: String) -> String? {
    let parts = context.split(separator: "/")
    guard let version = parts.firstIndex(where: { $0.contains(".xml") }), version + 1 < parts.count else { return nil }
    let profile = parts[version + 1]
    let isCountry = profile.allSatisfy { $0.isASCII && $0.isUppercase } && profile != "CUSTOM"
    return isCountry ? "VICS \(parts[version].prefix { $0 != "x" }.dropLast()) \(profile)" : nil
  }
}

/// Reads media records and counts them.
private struct VICSRecords {
  var scheme: String?
  private var number = 0

  mutating func readAll(_ json: inout JSONReader, into sink: inout RecordSink) throws {
    guard try json.kind() == .array else { return try json.skip() }
    try json.beginArray()
    while try json.nextElement() {
      if try json.kind() == .object { try readRecord(&json, into: &sink) } else { try json.skip() }
    }
  }

  private mutating func readRecord(_ json: inout JSONReader, into sink: inout RecordSink) throws {
    var id: String?
    var category: String?
    var hashes: [HashText] = []
    var fileHashes: [HashText] = []
    var isCase = false
    var hasOtherKinds = false
    try json.beginObject()
    while let key = try json.nextKey() {
      switch key {
      case "Media":
        isCase = true
        try readAll(&json, into: &sink)
      case "MediaID": id = try json.text()
      case "Category": category = try json.text()
      case "MD5", "SHA1", "SHA256", "PDQ": if let hash = try json.hash(named: key) { hashes.append(hash) }
      case "PhotoDNA":
        if let value = try json.text(), !value.isEmpty {
          hasOtherKinds = true
          sink.leaveOut(key)
        }
      case "AlternativeHashes": try readAlternatives(&json, &hashes, &hasOtherKinds, into: &sink)
      case "MediaFiles": try readFiles(&json, &fileHashes)
      default: try json.skip()
      }
    }
    if isCase && hashes.isEmpty { return }
    number += 1
    if hashes.isEmpty { hashes = fileHashes }
    let entry = ListEntry(
      id: id, recordNumber: number, contributor: sink.options.contributor,
      category: category.map { Category(scheme: scheme ?? sink.options.categoryScheme, label: $0) })
    try sink.add(hashes, to: entry, hasOtherKinds: hasOtherKinds)
  }

  /// `[{"HashName":…,"HashValue":…}]`: where 1.x keeps PhotoDNA.
  private func readAlternatives(
    _ json: inout JSONReader, _ hashes: inout [HashText], _ hasOtherKinds: inout Bool, into sink: inout RecordSink
  ) throws {
    guard try json.kind() == .array else { return try json.skip() }
    try json.beginArray()
    while try json.nextElement() {
      guard try json.kind() == .object else {
        try json.skip()
        continue
      }
      var name: String?
      var value: String?
      try json.beginObject()
      while let key = try json.nextKey() {
        switch key {
        case "HashName": name = try json.text()
        case "HashValue": value = try json.text()
        default: try json.skip()
        }
      }
      guard let name, let value, !value.isEmpty else { continue }
      if HashText.knows(name) {
        hashes.append(HashText(named: name, value))
      } else {
        hasOtherKinds = true
        sink.leaveOut(name)
      }
    }
  }

  /// The digests that stand with the files: used where the record itself has none.
  private func readFiles(_ json: inout JSONReader, _ hashes: inout [HashText]) throws {
    guard try json.kind() == .array else { return try json.skip() }
    try json.beginArray()
    while try json.nextElement() {
      guard try json.kind() == .object else {
        try json.skip()
        continue
      }
      try json.beginObject()
      while let key = try json.nextKey() {
        guard key == "MD5" && hashes.count < 16 else {
          try json.skip()
          continue
        }
        if let hash = try json.hash(named: key) { hashes.append(hash) }
      }
    }
  }
}

extension JSONReader {
  /// Takes a hash in hex digits; `nil` where there is none, or an empty text.
  mutating func hash(named name: String) throws -> HashText? {
    guard let hex = try text(), !hex.isEmpty else { return nil }
    return HashText(named: name, hex)
  }
}
