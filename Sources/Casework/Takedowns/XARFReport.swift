import Foundation
import Hashing
import Matching

/// Who sends notices.
public struct NoticeSender: Sendable, Codable {
  public var org: String
  /// An address of mail.
  public var contact: String
  public var domain: String

  public init(org: String, contact: String, domain: String) {
    self.org = org
    self.contact = contact
    self.domain = domain
  }
}

/// A takedown as the XARF v4 report that abuse desks read by machine.
///
/// Source: xarf-spec, `schemas/v4`: core, content base and `csam`. There is no key for a PDQ hash.
public struct XARFReport: Sendable {
  /// What the sender's own scheme of categories says; the schema asks for one, and no hash list decides it.
  public enum Classification: String, Sendable, CaseIterable {
    case baseline
    case a1 = "A1"
    case a2 = "A2"
    case b1 = "B1"
    case b2 = "B2"
  }

  public let json: [UInt8]

  /// - Parameter id: Of the report; a host that gets the same twice knows it by this.
  public init(_ takedown: Takedown, sender: NoticeSender, classification: Classification, id: UUID) throws {
    let notice = Array(Notice(takedown, language: .english).text.utf8)
    let digest = try notice.withUnsafeBytes { try Digester.digests(of: $0, [.sha256])[0] }
    var text = JSONLine()
    text.add("xarf_version", "4.2.0")
    text.add("report_id", id.uuidString.lowercased())
    text.add("timestamp", LedgerTime.text((takedown.notifiedAt ?? takedown.orderedAt).milliseconds))
    text.add("reporter", Self.object(sender))
    text.add("sender", Self.object(sender))
    text.add("source_identifier", takedown.host)
    text.add("category", "content")
    text.add("type", "csam")
    text.add("url", takedown.url)
    text.add("domain", Network.bytes(takedown.host) == nil ? takedown.host : nil)
    text.add("classification", classification.rawValue)
    text.add("detection_method", "hash_match")
    text.add("verified_at", LedgerTime.text(takedown.verifiedAt.milliseconds))
    text.add("country_code", takedown.recipient.country)
    if let sha256 = takedown.sha256 {
      var hashes = JSONLine()
      hashes.add("sha256", sha256.hex)
      text.add("hash_values", hashes)
    }
    text.add("description", takedown.match)
    text.add("tags", ["muhafiz:case:\(takedown.caseNumber)", "muhafiz:takedown:\(takedown.number)"])
    text.add("evidence", [notice]) { notice, evidence in
      evidence.add("content_type", "text/plain; charset=utf-8")
      evidence.add("description", "the notice; the content itself is never attached")
      evidence.add("payload", Data(notice).base64EncodedString())
      evidence.add("hash", "sha256:\(digest.hex)")
      evidence.add("size", notice.count)
    }
    json = text.object
  }

  private static func object(_ sender: NoticeSender) -> JSONLine {
    var text = JSONLine()
    text.add("org", sender.org)
    text.add("contact", sender.contact)
    text.add("domain", sender.domain)
    return text
  }
}
