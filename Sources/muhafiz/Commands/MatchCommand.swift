import ArgumentParser
import Exchange
import Hashing
import Matching
import Scanning

struct MatchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "match", abstract: "Looks hashes up in the lists in force.",
    discussion: """
      Hashes come from the arguments, or one a line from standard input: md5:HEX, sha1:HEX, sha256:HEX, pdq:HEX, or bare \
      hex digits, whose count tells the digest (64 is SHA-256).

      EXAMPLES
        muhafiz match sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad
        muhafiz match --format ndjson < hashes.txt
      """)

  @OptionGroup var home: HomeOptions
  @Option(help: "text or ndjson.") var format = OutputFormat.text
  @Argument(help: "Hashes; none or - to read them from standard input.") var hashes: [String] = []

  func run() throws {
    let blocklist = try home.catalog.loadBlocklist()
    let writer = try ResultWriter(nil)
    var (hasMatch, isComplete) = (false, true)
    func look(up text: String) throws {
      do {
        let query = try Query(text)
        let matches = try blocklist.matches(for: query.fingerprint)
        let verdict = blocklist.policy.verdict(for: matches)
        hasMatch = hasMatch || verdict == .block || verdict == .review
        switch format {
        case .ndjson: try writer.write(ItemLine.of(query: query.description, matches: matches, verdict: verdict).bytes)
        case .text:
          try writer.write(line: "\(verdict.rawValue.uppercased().padded(8))\(query.description)")
          for match in matches { try writer.write(line: "        \(match.sentence)") }
        }
      } catch let error as ExchangeError {
        isComplete = false
        switch format {
        case .ndjson: try writer.write(ItemLine.of(query: text, error: error.description).bytes)
        case .text: try writer.write(line: "ERROR   \(text.forTerminal.prefix(100)): \(error.description)")
        }
      }
    }
    if hashes.isEmpty || hashes == ["-"] {
      while let line = readLine() {
        let text = line.trimmed
        if !text.isEmpty && !text.hasPrefix("#") { try look(up: text) }
      }
    } else {
      for hash in hashes { try look(up: hash) }
    }
    try writer.finish()
    throw ExitCode(ExitStatus.of(hasMatch: hasMatch, isComplete: isComplete))
  }
}

extension Query {
  /// The hash as if it were all that is known of a content.
  fileprivate var fingerprint: Fingerprint {
    switch self {
    case .digest(let digest): Fingerprint(sizeInBytes: 0, digests: [digest])
    case .perceptual(let hash): Fingerprint(sizeInBytes: 0, digests: [], perceptualHash: hash)
    }
  }
}

extension String {
  fileprivate var trimmed: String {
    let isSpace: (Character) -> Bool = { $0.isWhitespace }
    return String(drop(while: isSpace).reversed().drop(while: isSpace).reversed())
  }
}
