import Foundation
import Hashing
import Matching

extension LedgerEntry {
  /// A finding as it stands in the ledger: where, which hashes, which entries of which list versions, what verdict.
  ///
  /// It is filed under no subject: an exhibit may have a hundred thousand of them in one case, and a case's history is what
  /// people decided. The case is named in it.
  static func finding(_ finding: Finding, in number: CaseNumber, run: String, by examiner: String) -> LedgerEntry {
    LedgerEntry(.findingRecorded, by: examiner) { facts in
      facts.add("case", number.description)
      facts.add("run", run)
      facts.add(finding.location)
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
      facts.add(
        "matches",
        finding.matches.prefix(maximumMatches).map { match in
          var text = JSONText()
          text.add("list", match.list.name)
          text.add("version", match.list.version)
          text.add("entry", match.entry)
          text.add("algorithm", match.algorithm.rawValue)
          text.add("grade", match.grade.rawValue)
          text.add("distance", match.distanceInBits)
          return text
        })
      if finding.matches.count > maximumMatches { facts.add("matches_in_all", finding.matches.count) }
    }
  }

  /// So that a content that meets a whole list still fits in an entry; the record has all.
  static let maximumMatches = 100
}

extension JSONText {
  /// Adds a place: a path that is not UTF-8 in Base64, so that nothing of a name is lost.
  mutating func add(_ location: ContentLocation) {
    add("exhibit", location.exhibit)
    switch location.place {
    case .url(let url): add("url", url)
    case .file:
      let bytes = LocationRow.columns(location.place).place
      if let text = String(validating: bytes, as: UTF8.self) {
        add("path", text)
      } else {
        add("path_base64", bytes.base64EncodedString())
      }
    }
    add("member", location.member)
  }
}
