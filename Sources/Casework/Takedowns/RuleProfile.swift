import Foundation
import Matching
import SystemPackage

/// On what ground a takedown is ordered, by whom, and how long the host has.
///
/// Profiles are data: law changes, and differs from place to place. Those that come with the program are marked as not
/// confirmed; a file of the same id in `profiles` of the home takes the place of one.
public struct RuleProfile: Sendable, Equatable, Codable {
  public var v: Int
  public var id: String
  public var name: String
  public var authority: String
  public var legalGround: String
  /// What the host has, from when it was notified.
  public var hours: Int
  public var emergencyHours: Int
  /// The first and the last day it can be used, `2026-01-31` in UTC; no last day while it stands.
  public var effectiveFrom: String
  public var effectiveUntil: String?
  /// Who may sign; empty for everybody.
  public var signers: [String]
  /// Days after which an order to block expires; 0 where there is no such order.
  public var orderDays: Int
  /// Hours before the deadline at which the host is reminded.
  public var reminderHours: [Int]
  /// Whom to turn to, one after the other: roles of the contact table, and `block-order` for the last.
  public var escalation: [String]
  /// Hours from one re-check to the next while the content is up; the last repeats.
  public var recheckHours: [Int]
  /// Hours from one re-check to the next once it is gone; then none.
  public var recheckClosedHours: [Int]
  /// Whether the owner has confirmed periods and grounds, and what is to be confirmed.
  public var confirmed: Bool
  public var confirm: String?

  private enum CodingKeys: String, CodingKey {
    case v, id, name, authority
    case legalGround = "legal_ground"
    case hours
    case emergencyHours = "emergency_hours"
    case effectiveFrom = "effective_from"
    case effectiveUntil = "effective_until"
    case signers
    case orderDays = "order_days"
    case reminderHours = "reminder_hours"
    case escalation
    case recheckHours = "recheck_hours"
    case recheckClosedHours = "recheck_closed_hours"
    case confirmed, confirm
  }

  /// Reads a profile.
  ///
  /// - Parameter name: Of the file, for the message.
  /// - Throws: ``CaseworkError`` with `unusableData`.
  init(json: Data, name: String) throws(CaseworkError) {
    func refused(_ why: String) -> CaseworkError { CaseworkError(.unusableData, "rule profile \(name): \(why)") }
    let profile: RuleProfile
    do { profile = try JSONDecoder().decode(RuleProfile.self, from: json) } catch { throw refused(Self.reason(error)) }
    guard profile.v == 1 else { throw refused("version \(profile.v), this program reads 1") }
    let hours =
      [profile.hours, profile.emergencyHours] + profile.reminderHours + profile.recheckHours
      + profile.recheckClosedHours
    guard hours.allSatisfy({ (1...8760).contains($0) }) else { throw refused("hours are 1…8760") }
    guard profile.emergencyHours <= profile.hours else {
      throw refused("an emergency has more hours than any other case")
    }
    guard (0...3650).contains(profile.orderDays) else { throw refused("order_days are 0…3650") }
    guard !profile.recheckHours.isEmpty, !profile.escalation.isEmpty else {
      throw refused("recheck_hours or escalation is empty")
    }
    guard Self.isDay(profile.effectiveFrom), profile.effectiveUntil.map(Self.isDay) ?? true else {
      throw refused("a date is not like 2026-01-31")
    }
    self = profile
  }

  private static func isDay(_ text: String) -> Bool { LedgerTime.milliseconds("\(text)T00:00:00.000Z") != nil }

  private static func reason(_ error: any Error) -> String {
    switch error {
    case DecodingError.keyNotFound(let key, _): "'\(key.stringValue)' is missing"
    case DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context):
      "'\(context.codingPath.map(\.stringValue).joined(separator: "."))' has another kind of value"
    default: "no JSON object"
    }
  }

  /// Whether it can be used on a day.
  public func isInForce(at time: Date) -> Bool {
    let day = String(LedgerTime.text(time.milliseconds).prefix(10))
    return effectiveFrom <= day && day <= effectiveUntil ?? "9999-12-31"
  }

  public func maySign(_ name: String) -> Bool { signers.isEmpty || signers.contains(name) }

  func hours(isEmergency: Bool) -> Int { isEmergency ? emergencyHours : hours }

  /// The profiles there are: those of the program, and those of a folder in their place.
  ///
  /// - Parameter folder: Holds `*.json`; need not exist.
  public static func all(in folder: FilePath) throws -> [RuleProfile] {
    var profiles: [String: RuleProfile] = [:]
    for (name, bytes) in [
      ("pk-peca-37", PackageResources.pk_peca_37_json), ("pk-smpra", PackageResources.pk_smpra_json),
      ("voluntary-notice", PackageResources.voluntary_notice_json),
    ] { profiles[name] = try RuleProfile(json: Data(bytes), name: name) }
    for name in try DurableFile.names(in: folder) where name.hasSuffix(".json") {
      let profile = try RuleProfile(json: Data(LedgerFiles.read(folder.appending(name)) ?? []), name: name)
      profiles[profile.id] = profile
    }
    return profiles.values.sorted { $0.id < $1.id }
  }
}
