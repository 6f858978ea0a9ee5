import Foundation
import Hashing
import Matching
import SystemPackage
import TestSupport
import Testing

@testable import Casework

struct NoticeTests {
  private let home = try! TestHome()

  @Test(arguments: NoticeLanguage.allCases) func noticesSayWhatARecipientNeeds(language: NoticeLanguage) throws {
    let takedown = try home.store.notified(home.ordered().number, how: "mail", by: "officer", at: home.now)
    let text = Notice(takedown, language: language).text
    for part in [
      takedown.url, "T-000001", "C-000001", takedown.sha256!.hex, "exact match by sha256 with list national version 1",
      "48",
      "2026-01-03 00:00", "abuse@hosting.example", "Pakistan Telecommunication Authority", "officer",
    ] { #expect(text.contains(part), "\(part)") }
    #expect(!text.contains("{") && !text.contains("}"))
    #expect(language == .english || text.unicodeScalars.contains { (0x0600...0x06FF).contains($0.value) })
  }

  @Test func aValueCannotAddLinesOrNamesOfItsOwn() throws {
    var contact = try TestHome.contacts().contact(role: "host", host: "a.example")!
    contact.name = "Evil\nBcc: all@example {url} \u{202E}txt"
    let number = try home.decidedCase()
    let order = TakedownOrder(
      number, url: "https://host1.example/1.jpg", by: "officer", reason: "r", recipient: contact)
    let takedown = try home.store.order(order, profile: TestHome.profile(), contacts: TestHome.contacts(), at: home.now)
    let text = Notice(takedown, language: .english).text
    #expect(text.contains("To: Evil Bcc: all@example {url} txt <") && !text.contains("\u{202E}"))
  }

  @Test(arguments: NoticeLanguage.allCases) func pagesHoldTheWholeNotice(language: NoticeLanguage) throws {
    var takedown = try home.ordered()
    let notice = Notice(takedown, language: language)
    let pdf = try notice.pdf(title: "Takedown \(takedown.number)")
    #expect(pdf.starts(with: Array("%PDF-1.".utf8)) && String(decoding: pdf.suffix(8), as: UTF8.self).contains("%%EOF"))
    try Data(pdf).write(to: home.file("notice.pdf"))
    let read = try run("/usr/bin/env", ["pdftotext", "-layout", home.file("notice.pdf").path, "-"])
    guard read.exitCode != 127 else { return print("skipped: pages are read with pdftotext, of poppler-utils") }
    for part in ["T-000001", "https://host1.example/1.jpg", "SHA-256", "48"] {
      #expect(read.text.contains(part), "\(part)")
    }
    // A long URL is broken, and the rest goes on to a second page.
    let long = Array(repeating: "part/", count: 1500).joined()
    try home.tamper("UPDATE takedown SET url = 'https://host1.example/\(long)'")
    takedown = try home.store.takedown(takedown.number)
    try Data(Notice(takedown, language: language).pdf(title: "x")).write(to: home.file("long.pdf"))
    let pages = try run("/usr/bin/env", ["pdftotext", home.file("long.pdf").path, "-"]).text
    #expect(pages.count { $0 == "\u{0C}" } > 1 && pages.replacing("\n", with: "").count { $0 == "/" } > 1500)
  }

  /// What the schemas of XARF v4 demand of a report like ours.
  private func faults(_ report: [String: Any]) -> [String] {
    var faults: [String] = []
    func demand(_ condition: Bool, _ what: String) { if !condition { faults.append(what) } }
    func text(_ name: String) -> String { report[name] as? String ?? "" }
    demand(text("xarf_version").wholeMatch(of: /4\.\d+\.\d+/) != nil, "xarf_version")
    demand(UUID(uuidString: text("report_id")) != nil, "report_id")
    demand(text("timestamp").wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/) != nil, "timestamp")
    for party in ["reporter", "sender"] {
      let object = report[party] as? [String: String] ?? [:]
      demand(object.keys.sorted() == ["contact", "domain", "org"] && object["contact"]!.contains("@"), party)
    }
    demand(!text("source_identifier").isEmpty, "source_identifier")
    demand(text("category") == "content" && text("type") == "csam", "category")
    demand(URL(string: text("url"))?.scheme != nil, "url")
    demand(["baseline", "A1", "A2", "B1", "B2"].contains(text("classification")), "classification")
    demand(
      ["hash_match", "ai_detection", "manual_review", "user_report", "automated_scan"].contains(
        text("detection_method")), "detection_method")
    let hashes = report["hash_values"] as? [String: String] ?? [:]
    demand(
      Set(hashes.keys).isSubset(of: ["md5", "sha1", "sha256", "photodna"]) && hashes["sha256"]?.count ?? 64 == 64,
      "hash_values")
    for evidence in report["evidence"] as? [[String: Any]] ?? [] {
      let payload = Data(base64Encoded: evidence["payload"] as? String ?? "") ?? Data()
      let digest = payload.withUnsafeBytes { try? Digester.digests(of: $0, [.sha256])[0] }
      demand(
        evidence["hash"] as? String == digest?.description && evidence["size"] as? Int == payload.count, "evidence")
      demand(
        payload.count <= 5 << 20 && (evidence["content_type"] as? String)?.hasPrefix("text/plain") == true,
        "evidence type")
    }
    return faults
  }

  @Test func reportsAreThoseOfTheSchemaAndAttachNoContent() throws {
    let takedown = try home.ordered()
    let sender = NoticeSender(org: "Example \"Cell\"", contact: "notices@cell.example", domain: "cell.example")
    for classification in XARFReport.Classification.allCases {
      let report = try XARFReport(takedown, sender: sender, classification: classification, id: UUID())
      var object = try JSONSerialization.jsonObject(with: Data(report.json)) as! [String: Any]
      #expect(faults(object) == [])
      #expect((object["hash_values"] as? [String: String])?["sha256"] == takedown.sha256?.hex)
      // The checks can fail.
      object["classification"] = "worst"
      object["report_id"] = "1"
      object["hash_values"] = ["pdq": "00"]
      #expect(faults(object) == ["report_id", "classification", "hash_values"])
    }
  }

  // MARK: Blocks

  private func block(_ takedown: Takedown, days: Int? = nil, by: String = "officer", profile: RuleProfile? = nil) throws
    -> DNSBlock
  {
    try home.store.block(
      takedown.number, days: days, reason: "no answer", profile: profile ?? TestHome.profile(),
      contacts: TestHome.contacts(), by: by,
      at: home.now)
  }

  @Test func aNameThatOthersMayShareIsBlockedOnlyWhenASecondPersonAgrees() throws {
    let takedown = try home.ordered()
    let waiting = try block(takedown)
    #expect(waiting.needsApproval && !waiting.isInForce(at: home.now))
    #expect(try !RPZZone(home.store.dnsBlocks(), origin: "rpz.example", at: home.now).text.contains("host1"))
    #expect(throws: CaseworkError(.refused, "")) {
      try home.store.approveBlock(takedown.number, reason: "mine", by: "officer", at: home.now)
    }
    let approved = try home.store.approveBlock(takedown.number, reason: "one site", by: "reviewer", at: home.now)
    #expect(approved.isInForce(at: home.now))
    #expect(
      try RPZZone(home.store.dnsBlocks(), origin: "rpz.example", at: home.now).text.contains("host1.example CNAME ."))
    #expect(throws: CaseworkError(.refused, "")) {
      try home.store.approveBlock(takedown.number, reason: "again", by: "third", at: home.now)
    }
    // Ordered anew, it waits anew.
    #expect(try !block(takedown, days: 3).isInForce(at: home.now))
    _ = try home.store.approveBlock(takedown.number, reason: "one site", by: "reviewer", at: home.now)
    home.wait(hours: 3 * 24)
    #expect(try !home.store.dnsBlocks()[0].isInForce(at: home.now))
    #expect(try home.ledger.verify().isSound)
  }

  @Test func aNameThatNobodySharesNeedsOnePersonAndEndsWithItsTakedown() throws {
    let takedown = try home.ordered(7)
    #expect(try block(takedown).isInForce(at: home.now))
    _ = try home.store.end(takedown.number, withdraw: false, reason: "gone as a whole", by: "officer", at: home.now)
    #expect(try home.store.dnsBlocks().isEmpty)
    #expect(throws: CaseworkError(.refused, "")) { try block(takedown) }
  }

  @Test func ordersToBlockFollowTheirProfile() throws {
    let takedown = try home.ordered(7)
    let attempts: [(String, () throws -> Void)] = [
      ("1…30 days", { _ = try block(takedown, days: 31) }),
      ("1…30 days", { _ = try block(takedown, days: 0) }),
      ("no order to block", { _ = try block(takedown, profile: TestHome.profile { $0.orderDays = 0 }) }),
      ("not in force", { _ = try block(takedown, profile: TestHome.profile { $0.effectiveUntil = "2025-01-01" }) }),
      ("may not sign", { _ = try block(takedown, profile: TestHome.profile { $0.signers = ["director"] }) }),
    ]
    for (reason, attempt) in attempts {
      let error = #expect(throws: CaseworkError.self) { try attempt() }
      #expect(error?.code == .refused && error?.description.contains(reason) == true, "\(reason)")
    }
  }

  @Test func hostsThatAZoneCannotNameAreRefused() {
    for host in ["a.example", "a-b.c_d.example", "xn--p1ai.example", "192.0.2.1", "2001:db8::1"] {
      #expect(DNSBlock.canName(host), "\(host)")
    }
    for host in [
      "com", "", ".", "a..b", "a.example.", "-a.example", "a b.example", "a.example\n* CNAME .", "a;b.example",
      "ä.example", "*.example",
    ] {
      #expect(!DNSBlock.canName(host), "\(host)")
    }
  }

  @Test func zonesAreAcceptedByAnotherProgram() throws {
    func made(_ host: String, _ number: Int64) -> DNSBlock {
      DNSBlock(
        takedown: TakedownNumber(number), host: host, orderedBy: "a", orderedAt: home.now,
        expiresAt: home.now.addingTimeInterval(86_400), needsApproval: false, approvedBy: nil)
    }
    let hosts = [
      "a.example", "a.example", "b-c.example.org", "192.0.2.7", "2001:db8::7", "2001:db8:1:2:3:4:5:6", "::1",
      "1:0:0:2:0:0:0:3",
    ]
    let zone = try RPZZone(
      hosts.enumerated().map { made($1, Int64($0 + 1)) }, origin: "block.rpz.example", at: home.now)
    #expect(zone.text.contains("32.7.2.0.192.rpz-ip CNAME ."))
    #expect(zone.text.contains("128.7.zz.db8.2001.rpz-ip CNAME .") && zone.text.contains("128.1.zz.rpz-ip CNAME ."))
    #expect(zone.text.contains("128.3.zz.2.0.0.1.rpz-ip CNAME ."))
    #expect(zone.text.split(separator: "\n").count { $0 == "a.example CNAME ." } == 1)
    for bad in ["", "com", "a b.example", "192.0.2.1"] {
      #expect(throws: CaseworkError(.unusableData, "")) { try RPZZone([], origin: bad, at: home.now) }
    }
    try Data(zone.text.utf8).write(to: home.file("zone"))
    let result = try run("/usr/bin/env", ["named-checkzone", "block.rpz.example", home.file("zone").path])
    guard result.exitCode != 127 else {
      print("skipped: zones are checked with named-checkzone, of bind9-utils")
      return
    }
    #expect(result.exitCode == 0 && result.text.contains("OK"), "\(result.text)\(result.errorText)")
    try Data(zone.text.replacing("CNAME .", with: "CNAME").utf8).write(to: home.file("zone"))
    #expect(try run("/usr/bin/env", ["named-checkzone", "block.rpz.example", home.file("zone").path]).exitCode != 0)
  }
}
