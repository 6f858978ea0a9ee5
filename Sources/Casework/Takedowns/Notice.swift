import Foundation
import Hashing

/// The language of a notice.
public enum NoticeLanguage: String, Sendable, CaseIterable {
  case english = "en"
  case urdu = "ur"
}

/// What the recipient of a takedown reads.
///
/// It says which list entry was met, where, and what is asked for; never what the content is, and nothing of it is attached.
public struct Notice: Sendable {
  public let text: String

  /// Fills the template of a language.
  public init(_ takedown: Takedown, language: NoticeLanguage) {
    let template =
      switch language {
      case .english: PackageResources.notice_en_txt
      case .urdu: PackageResources.notice_ur_txt
      }
    let start = takedown.notifiedAt ?? takedown.orderedAt
    let deadline = takedown.deadline ?? start.addingTimeInterval(Double(takedown.hours) * 3600)
    let values: [String: String] = [
      "authority": takedown.authority, "takedown": takedown.number.description, "case": takedown.caseNumber.description,
      "ordered": Self.time(takedown.orderedAt), "recipient": "\(takedown.recipient.name) <\(takedown.recipient.email)>",
      "hours": String(takedown.hours), "url": takedown.url, "host": takedown.host,
      "verified": Self.time(takedown.verifiedAt),
      "sha256": takedown.sha256?.hex ?? "-", "match": takedown.match, "legal_ground": takedown.legalGround,
      "deadline": Self.time(deadline), "signer": takedown.orderedBy,
      "emergency": takedown.isEmergency ? (language == .urdu ? " — ہنگامی" : " - EMERGENCY") : "",
    ]
    // Within Urdu each value keeps its own direction: a date or an address must not be read backwards.
    let isolated =
      language == .urdu ? values.mapValues { "\u{2068}\(Self.oneLine($0))\u{2069}" } : values.mapValues(Self.oneLine)
    text = Self.fill(String(decoding: template, as: UTF8.self), isolated)
  }

  /// Puts values in the place of `{names}`, once over the template: what a value says is never read as a name.
  private static func fill(_ template: String, _ values: [String: String]) -> String {
    var result = ""
    var rest = template[...]
    while let open = rest.firstIndex(of: "{"), let close = rest[open...].firstIndex(of: "}") {
      result += rest[..<open]
      result += values[String(rest[rest.index(after: open)..<close])] ?? ""
      rest = rest[rest.index(after: close)...]
    }
    return result + rest
  }

  /// A value cannot begin a line of its own, nor turn the direction of those around it.
  private static func oneLine(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar.value {
      case 0..<0x20, 0x7F..<0xA0, 0x2028, 0x2029: result += " "
      case 0x061C, 0x200E, 0x200F, 0x202A...0x202E, 0x2066...0x2069: continue
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }

  private static func time(_ date: Date) -> String {
    String(LedgerTime.text(date.milliseconds).prefix(16)).replacing("T", with: " ")
  }
}
