import Foundation
import Hashing
import Matching

extension LedgerEntry {
  /// A finding as it stands in the ledger: where, which hashes, which entries of which list versions, what verdict.
  ///
  /// It is filed under no subject: an exhibit may have a hundred thousand of them in one case, and a case's history is what
  /// people decided. The case is named in it.
  static func finding(_ finding: Finding, in number: CaseNumber, run: String, by examiner: String) -> LedgerEntry {
    var shown = min(finding.matches.count, maximumMatches)
    while true {
      let entry = entry(of: finding, showing: shown, in: number, run: run, by: examiner)
      // What is added to the facts takes less than 1 KiB.
      if shown == 0 || entry.facts.object.count <= maximumSize - 1024 { return entry }
      shown /= 2
    }
  }

  private static func entry(
    of finding: Finding, showing shown: Int, in number: CaseNumber, run: String, by examiner: String
  ) -> LedgerEntry {
    LedgerEntry(.findingRecorded, by: examiner) { facts in
      facts.add("case", number.description)
      facts.add("run", run)
      facts.add("exhibit", finding.location.exhibit)
      facts.add(finding.location.place)
      if let member = finding.location.member { facts.add("member", beginning: maximumMember, of: member) }
      facts.add(finding.location.origin, mostRuns: maximumRuns)
      facts.add("size", finding.fingerprint.sizeInBytes)
      for digest in finding.fingerprint.digests {
        switch digest.algorithm {
        case .md5: facts.add("md5", digest.hex)
        case .sha1: facts.add("sha1", digest.hex)
        case .sha256: facts.add("sha256", digest.hex)
        }
      }
      facts.add("pdq", finding.fingerprint.perceptualHash?.hex)
      facts.add("verdict", finding.verdict.rawValue)
      facts.add("matches", Array(finding.matches.prefix(shown))) { match, object in
        object.add("list", match.list.name)
        object.add("version", match.list.version)
        object.add("entry", beginning: maximumEntryName, of: match.entry)
        object.add("algorithm", match.algorithm.rawValue)
        object.add("grade", match.grade.rawValue)
        object.add("distance", match.distanceInBits)
      }
      if finding.matches.count > shown { facts.add("matches_in_all", finding.matches.count) }
      facts.add(finding.chain, finding.reference)
      facts.add("sealed", finding.sealedName)
    }
  }

  /// So that a content that meets a whole list still fits in an entry; the record has all.
  static let maximumMatches = 100
  /// For the same reason, in scalars, of which each takes six bytes at most: names in a list and in an archive are hostile.
  private static let maximumMember = 2048
  private static let maximumEntryName = 256
  /// For the same reason: a run takes 60 bytes at most.
  static let maximumRuns = 100
}

extension JSONLine {
  /// Adds the beginning of a text, and the length of all of it where that is not all.
  fileprivate mutating func add(_ name: String, beginning most: Int, of text: String) {
    let all = text.unicodeScalars
    guard all.count > most else {
      add(name, text)
      return
    }
    add(name, String(all.prefix(most)))
    add("\(name)_length", all.count)
  }

  /// Adds how a content was fetched. Each hop takes 2 KB at most, so that any chain fits in an entry.
  mutating func add(_ chain: [FetchHop], _ reference: PageReference?) {
    func cut(_ url: WebURL) -> String { String(url.description.prefix(1024)) }
    if let reference {
      add("page", cut(reference.page))
      add("element", String(reference.element.prefix(64)))
      add("attribute", String(reference.attribute.prefix(64)))
    }
    if chain.isEmpty { return }
    add("chain", chain) { hop, text in
      text.add("url", cut(hop.url))
      text.add("time", LedgerTime.text(hop.startedAt.milliseconds))
      text.add("address", hop.address?.description)
      text.add("port", hop.port.map { Int64($0) })
      text.add("tls", hop.security?.version)
      text.add("certificate", hop.security?.certificate.hex)
      text.add("status", hop.status.map { Int64($0) })
      text.add("size", hop.sizeInBytes)
      text.add("sha256", hop.digest?.hex)
      for header in hop.headers {
        switch header.name {
        case "content-type": text.add("content_type", String(header.value.prefix(100)))
        case "last-modified": text.add("last_modified", String(header.value.prefix(100)))
        case "etag": text.add("etag", String(header.value.prefix(100)))
        default: break
        }
      }
    }
  }
}
