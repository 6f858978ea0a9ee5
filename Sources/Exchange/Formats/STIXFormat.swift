import Hashing
import Matching

/// STIX 2.1: hashes in the patterns of indicators, and in observed files.
///
/// Source: STIX 2.1, 4.7 "Indicator", 6.7 "File Object", 9 "STIX Patterning".
enum STIXFormat {
  static func read(_ bytes: consuming ByteStream, _ sink: inout RecordSink) throws {
    var json = JSONReader(bytes)
    var number = 0
    try json.forEachObject { try readObject(&$0, &number, into: &sink) }
    try json.finish()
  }

  private static func readObject(_ json: inout JSONReader, _ number: inout Int, into sink: inout RecordSink) throws {
    var entry = ListEntry(recordNumber: 0, contributor: sink.options.contributor)
    var type: String?
    var pattern: String?
    var patternType = "stix"
    var isRevoked = false
    var fileHashes: [(name: String, value: String)] = []
    try json.beginObject()
    while let key = try json.nextKey() {
      switch try (key, json.kind()) {
      case ("hashes", .object): fileHashes = try readHashes(&json)
      case (_, .object), (_, .array): try json.forEachObject { try readObject(&$0, &number, into: &sink) }
      case ("type", _): type = try json.text()
      case ("id", _): entry.id = try json.text()
      case ("pattern", _): pattern = try json.text()
      case ("pattern_type", _): patternType = try json.text() ?? ""
      case ("revoked", _): isRevoked = try json.text() == "true"
      case ("created_by_ref", _): entry.contributor = try json.text() ?? entry.contributor
      default: try json.skip()
      }
    }
    var found = type == "file" ? fileHashes : []
    if type == "indicator", let pattern {
      number += 1
      guard patternType == "stix", let comparisons = STIXPattern.hashes(in: pattern) else {
        return try sink.reject(number, "a pattern that asks for more than listed hashes")
      }
      // An indicator of addresses or names is none of ours.
      if comparisons.isEmpty { return number -= 1 }
      found = comparisons
    } else if !found.isEmpty {
      number += 1
    }
    entry.recordNumber = number
    var hashes: [HashText] = []
    for (name, value) in found {
      if HashText.knows(name) { hashes.append(HashText(named: name, value)) } else { sink.leaveOut(name) }
    }
    if found.isEmpty { return }
    if isRevoked {
      try sink.withdraw(hashes, of: entry)
    } else {
      try sink.add(hashes, to: entry, hasOtherKinds: true)
    }
  }

  private static func readHashes(_ json: inout JSONReader) throws -> [(name: String, value: String)] {
    var hashes: [(name: String, value: String)] = []
    try json.beginObject()
    while let name = try json.nextKey() {
      if let value = try json.text(), hashes.count < 64 { hashes.append((name, value)) }
    }
    return hashes
  }
}

/// The part of STIX patterns that lists hashes: `[file:hashes.'SHA-256' = '…'] OR [file:hashes.MD5 = '…']`.
enum STIXPattern {
  /// The hashes that a pattern compares with, each by itself; empty where it is about other things.
  ///
  /// - Returns: `nil` for a pattern that has hashes but negates, orders or limits them, which a hash list cannot say.
  static func hashes(in pattern: String) -> [(name: String, value: String)]? {
    guard let tokens = tokens(of: pattern) else { return pattern.contains("hashes") ? nil : [] }
    guard tokens.contains(where: { isHashPath($0) }) else { return [] }
    var hashes: [(name: String, value: String)] = []
    var index = 0
    while index < tokens.count {
      switch tokens[index] {
      case .word(let word) where isHashPath(tokens[index]):
        // The name is part of the path, or a text after its last dot.
        var name = word.split(separator: ".", omittingEmptySubsequences: false).last.map(String.init) ?? ""
        if name.isEmpty, index + 1 < tokens.count, case .text(let quoted) = tokens[index + 1] {
          name = quoted
          index += 1
        }
        guard index + 2 < tokens.count, tokens[index + 1] == .word("="), case .text(let value) = tokens[index + 2]
        else { return nil }
        hashes.append((name, value))
        index += 3
      case .word("["), .word("]"), .word("("), .word(")"), .word("OR"): index += 1
      default: return nil
      }
    }
    return hashes
  }

  private enum Token: Equatable {
    case word(String)
    case text(String)
  }

  private static func isHashPath(_ token: Token) -> Bool {
    if case .word(let word) = token { word.hasPrefix("file:hashes.") } else { false }
  }

  private static func tokens(of pattern: String) -> [Token]? {
    var tokens: [Token] = []
    var word = ""
    func endWord() {
      if !word.isEmpty { tokens.append(.word(word)) }
      word = ""
    }
    var rest = Substring(pattern)
    while let character = rest.popFirst() {
      switch character {
      case "'", "\"":
        endWord()
        var text = ""
        while let inner = rest.popFirst(), inner != character {
          if inner == "\\", let escaped = rest.popFirst() { text.append(escaped) } else { text.append(inner) }
        }
        tokens.append(.text(text))
      case "[", "]", "(", ")", "=":
        // `!=` is a word of its own, and none that is taken.
        if character == "=" && word == "!" {
          word.append(character)
        } else {
          endWord()
          tokens.append(.word(String(character)))
        }
      case _ where character.isWhitespace: endWord()
      default: word.append(character)
      }
      if tokens.count > 10_000 { return nil }
    }
    endWord()
    return tokens
  }
}
