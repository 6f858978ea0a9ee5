import Foundation
import GRDB
import Hashing
import Matching

/// Somebody wants a content to be taken down.
public struct TakedownOrder: Sendable {
  public var caseNumber: CaseNumber
  /// One of the places where the case's content was found.
  public var url: String
  public var isEmergency: Bool
  public var by: String
  public var reason: String
  /// What the host's name resolved to, where that is known.
  public var address: String?
  /// In place of whom the contact table names.
  public var recipient: ContactTable.Contact?

  public init(
    _ caseNumber: CaseNumber, url: String, isEmergency: Bool = false, by: String, reason: String,
    address: String? = nil,
    recipient: ContactTable.Contact? = nil
  ) {
    self.caseNumber = caseNumber
    self.url = url
    self.isEmergency = isEmergency
    self.by = by
    self.reason = reason
    self.address = address
    self.recipient = recipient
  }
}

extension CaseStore {
  /// The places of a case that a takedown can be ordered for: URLs where its content was found, and those of linked
  /// reports, each once, the latest seen first.
  public func places(toTakeDownIn number: CaseNumber) throws -> [String] {
    try read { database in
      _ = try caseSummary(number, in: database)
      let rows = try Data.fetchAll(
        database,
        sql: """
          SELECT location.place FROM finding JOIN location ON location.id = finding.location_id
          WHERE finding.case_id = ? AND location.kind = 'url' GROUP BY location.place ORDER BY max(finding.last_seen_at) DESC
          """, arguments: [number.value])
      let found = rows.map { String(decoding: $0, as: UTF8.self) }
      let reported = try String.fetchAll(
        database, sql: "SELECT url FROM report WHERE case_id = ? ORDER BY id DESC", arguments: [number.value])
      return found + reported.filter { !found.contains($0) }
    }
  }

  /// Orders a takedown: the case is acted on, and the notice can be written.
  ///
  /// - Throws: ``CaseworkError``: `refused` with the reason, which is in the record; `unusableData` for a URL that is none.
  public func order(
    _ order: TakedownOrder, profile: RuleProfile, contacts: ContactTable, at time: Date
  ) throws -> Takedown {
    let url: WebURL
    do { url = try WebURL(order.url) } catch {
      throw CaseworkError(.unusableData, "'\(order.url.prefix(80))' is no URL that can be taken down: \(error)")
    }
    let outcome = try write { database, ledger -> Result<Takedown, CaseworkError> in
      let before = try caseSummary(order.caseNumber, in: database)
      func refused(_ why: String) throws -> Result<Takedown, CaseworkError> {
        .failure(
          try refuse(
            "order", about: .caseFile(before.number), state: before.state.rawValue, by: order.by, why, ledger, at: time)
        )
      }
      guard CaseAction.act.next(from: before.state) != nil, before.decision == .takedown else {
        return try refused("\(before.number) is \(before.state.rawValue), and not decided to be taken down")
      }
      if order.reason.allSatisfy(\.isWhitespace) { return try refused("a reason is needed before anything is done") }
      guard profile.isInForce(at: time) else {
        return try refused(
          "rule profile \(profile.id) is not in force on \(LedgerTime.text(time.milliseconds).prefix(10))")
      }
      guard profile.maySign(order.by) else {
        return try refused("\(order.by) may not sign under rule profile \(profile.id)")
      }
      guard let found = try found(at: order.url, canonical: url.description, in: before.number, database) else {
        return try refused(
          "nothing of \(before.number) was found at that URL, and no report of it is linked with the case")
      }
      let isRunning = try Bool.fetchOne(
        database, sql: "SELECT count(*) FROM takedown WHERE url = ? AND state NOT IN ('closed', 'withdrawn')",
        arguments: [order.url])!
      if isRunning { return try refused("a takedown of that URL is under way") }
      guard
        let recipient = order.recipient
          ?? contacts.contact(role: profile.escalation[0], host: url.host.name, address: order.address)
      else {
        return try refused("the contact table names no \(profile.escalation[0]) for \(url.host.name)")
      }
      _ = try move(
        before, CaseRequest(before.number, .act, by: order.by, reason: order.reason), in: database, ledger, at: time)
      let receivedAt = try Int64.fetchOne(
        database, sql: "SELECT min(first_received_at) FROM report WHERE url = ?", arguments: [url.description])
      let expiry = profile.orderDays == 0 ? nil : time.addingTimeInterval(Double(profile.orderDays) * 86_400)
      try database.execute(
        sql: """
          INSERT INTO takedown (case_id, url, host, sha256, match, profile, authority, legal_ground, hours, is_emergency,
            ordered_by, recipient, country, rung, state, received_at, ordered_at, verified_at, expires_at, next_check_at)
          VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 'ordered', ?, ?, ?, ?, ?)
          """,
        arguments: [
          before.number.value, order.url, url.host.name, found.sha256, found.match, profile.id, profile.authority,
          profile.legalGround, profile.hours(isEmergency: order.isEmergency), order.isEmergency, order.by,
          try Self.encoded(recipient), recipient.country, receivedAt ?? found.firstSeenAt, time.milliseconds,
          found.lastSeenAt, expiry?.milliseconds,
          time.addingTimeInterval(Double(profile.recheckHours[0]) * 3600).milliseconds,
        ])
      let number = TakedownNumber(database.lastInsertedRowID)
      let entry = LedgerEntry(.takedownIssued, by: order.by, about: .takedown(number), state: "ordered") { facts in
        facts.add("case", before.number.description)
        facts.add("url", order.url)
        facts.add("profile", profile.id)
        facts.add("authority", profile.authority)
        facts.add("legal_ground", profile.legalGround)
        facts.add("hours", profile.hours(isEmergency: order.isEmergency))
        facts.add("emergency", order.isEmergency)
        facts.add("reason", order.reason)
        facts.add("recipient", "\(recipient.name) <\(recipient.email)>")
      }
      try ledger.append(entry, at: time)
      return .success(try takedown(number, in: database))
    }
    return try outcome.get()
  }

  /// What was found at a URL of a case, with the strongest match; for the URL of a linked report, what the case rests on.
  private func found(
    at url: String, canonical: String, in number: CaseNumber, _ database: Database
  ) throws -> (sha256: Data?, match: String, firstSeenAt: Int64, lastSeenAt: Int64)? {
    let row = try Row.fetchOne(
      database,
      sql: """
        SELECT finding.id, content.sha256, finding.first_seen_at, finding.last_seen_at FROM finding
        JOIN content ON content.id = finding.content_id
        JOIN location ON location.id = finding.location_id
        WHERE finding.case_id = ?1 AND (
          (location.kind = 'url' AND location.place = CAST(?2 AS BLOB))
          OR EXISTS (SELECT 1 FROM report WHERE report.url = ?3 AND report.case_id = ?1))
        ORDER BY location.kind = 'url' AND location.place = CAST(?2 AS BLOB) DESC, finding.verdict, finding.last_seen_at DESC
        LIMIT 1
        """, arguments: [number.value, url, canonical])
    guard let row else { return nil }
    let match = try Row.fetchOne(
      database, sql: "SELECT * FROM match WHERE finding_id = ? ORDER BY grade, distance, list, entry LIMIT 1",
      arguments: [row["id"] as Int64])
    let words = match.map { match -> String in
      let (grade, algorithm): (String, String) = (match["grade"], match["algorithm"])
      let distance: Int = match["distance"]
      let nearness = grade == MatchGrade.near.rawValue ? ", \(distance) of 256 bits apart" : ""
      return
        "\(grade) match by \(algorithm)\(nearness) with list \(match["list"] as String) version \(match["version"] as String)"
    }
    return (row["sha256"], words ?? "a match that is in the record", row["first_seen_at"], row["last_seen_at"])
  }

  static func encoded(_ contact: ContactTable.Contact) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    return String(decoding: try encoder.encode(contact), as: UTF8.self)
  }
}
