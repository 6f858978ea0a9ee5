import Foundation
import GRDB

extension CaseStore {
  /// Orders that resolvers block the name of a takedown's host.
  ///
  /// Where the contact table does not say that nobody shares the name, the block waits until somebody else approves it.
  ///
  /// - Parameter days: Until it expires; at most those of the profile.
  public func block(
    _ number: TakedownNumber, days: Int? = nil, reason: String, profile: RuleProfile, contacts: ContactTable,
    by actor: String,
    at time: Date
  ) throws -> DNSBlock {
    try changeBlock(number, action: "block", by: actor, at: time) { takedown, database, ledger in
      let days = days ?? profile.orderDays
      if reason.allSatisfy(\.isWhitespace) { return .failure("a reason is needed before anything is done") }
      if takedown.state == .closed || takedown.state == .withdrawn {
        return .failure("it is \(takedown.state.rawValue)")
      }
      if profile.orderDays == 0 { return .failure("rule profile \(profile.id) knows no order to block") }
      guard profile.isInForce(at: time) else { return .failure("rule profile \(profile.id) is not in force") }
      guard profile.maySign(actor) else { return .failure("\(actor) may not sign under rule profile \(profile.id)") }
      guard (1...profile.orderDays).contains(days) else {
        return .failure("an order to block is for 1…\(profile.orderDays) days")
      }
      guard DNSBlock.canName(takedown.host) else { return .failure("a zone cannot name '\(takedown.host)'") }
      let needsApproval = !contacts.isKnownUnshared(takedown.host)
      let expiry = time.addingTimeInterval(Double(days) * 86_400)
      try database.execute(
        sql: """
          INSERT INTO dns_block (takedown_id, host, ordered_by, ordered_at, expires_at, needs_approval)
          VALUES (?, ?, ?, ?, ?, ?)
          ON CONFLICT DO UPDATE SET ordered_by = excluded.ordered_by, ordered_at = excluded.ordered_at,
            expires_at = excluded.expires_at, needs_approval = excluded.needs_approval, approved_by = NULL
          """,
        arguments: [number.value, takedown.host, actor, time.milliseconds, expiry.milliseconds, needsApproval])
      let entry = LedgerEntry(.blockOrdered, by: actor, about: .takedown(number), state: takedown.state.rawValue) {
        facts in
        facts.add("host", takedown.host)
        facts.add("expires", LedgerTime.text(expiry.milliseconds))
        facts.add("needs_approval", needsApproval)
        facts.add("reason", reason)
      }
      try ledger.append(entry, at: time)
      return nil
    }
  }

  /// Agrees that a name which others may share is blocked.
  public func approveBlock(_ number: TakedownNumber, reason: String, by actor: String, at time: Date) throws -> DNSBlock {
    try changeBlock(number, action: "approve-block", by: actor, at: time) { takedown, database, ledger in
      guard let block = try dnsBlocks(of: number, in: database).first else { return .failure("no block was ordered") }
      if reason.allSatisfy(\.isWhitespace) { return .failure("a reason is needed before anything is done") }
      if block.orderedBy == actor { return .failure("who orders a block cannot approve it") }
      if !block.needsApproval || block.approvedBy != nil { return .failure("it needs no approval") }
      if time >= block.expiresAt { return .failure("the order has expired") }
      try database.execute(
        sql: "UPDATE dns_block SET approved_by = ? WHERE takedown_id = ?", arguments: [actor, number.value])
      let entry = LedgerEntry(.blockApproved, by: actor, about: .takedown(number), state: takedown.state.rawValue) {
        facts in
        facts.add("host", block.host)
        facts.add("reason", reason)
      }
      try ledger.append(entry, at: time)
      return nil
    }
  }

  /// All names that were ordered to be blocked, also those that are not in force.
  public func dnsBlocks() throws -> [DNSBlock] { try read { try dnsBlocks(of: nil, in: $0) } }

  private enum Refusal {
    case failure(String)
  }

  private func changeBlock(
    _ number: TakedownNumber, action: String, by actor: String, at time: Date,
    _ body: (Takedown, Database, LedgerAppender) throws -> Refusal?
  ) throws -> DNSBlock {
    let outcome = try write { database, ledger -> Result<DNSBlock, CaseworkError> in
      let takedown = try takedown(number, in: database)
      if case .failure(let why) = try body(takedown, database, ledger) {
        return .failure(
          try refuse(
            action, about: .takedown(number), state: takedown.state.rawValue, by: actor, "\(number): \(why)", ledger,
            at: time))
      }
      return .success(try dnsBlocks(of: number, in: database)[0])
    }
    return try outcome.get()
  }

  /// Those of a closed or withdrawn takedown end with it.
  private func dnsBlocks(of number: TakedownNumber?, in database: Database) throws -> [DNSBlock] {
    try Row.fetchAll(
      database,
      sql: """
        SELECT dns_block.* FROM dns_block JOIN takedown ON takedown.id = dns_block.takedown_id
        WHERE (?1 IS NULL OR takedown_id = ?1) AND takedown.state NOT IN ('closed', 'withdrawn') ORDER BY dns_block.id
        """, arguments: [number?.value]
    ).map { row in
      DNSBlock(
        takedown: TakedownNumber(row["takedown_id"]), host: row["host"], orderedBy: row["ordered_by"],
        orderedAt: Date(milliseconds: row["ordered_at"]), expiresAt: Date(milliseconds: row["expires_at"]),
        needsApproval: row["needs_approval"], approvedBy: row["approved_by"])
    }
  }
}
