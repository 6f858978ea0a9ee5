import Foundation
import Hashing
import Matching
import SystemPackage
import TestSupport
import Testing

@testable import Casework

struct LedgerEntryTests {
  @Test func entriesHaveTheBytesOfTheDocument() throws {
    let entry = LedgerEntry(.caseMoved, by: "analyst-1", about: .caseFile(CaseNumber(12)), state: "proposed") { facts in
      facts.add("action", "propose")
      facts.add("reason", "a \"quoted\" line\nand \u{202E}a turned one")
    }
    let bytes = entry.bytes(at: 1_767_225_600_678, previous: TreeHasher.empty, clockBack: nil)
    #expect(
      String(decoding: bytes, as: UTF8.self)
        == #"{"v":1,"type":"case.moved","time":"2026-01-01T00:00:00.678Z","subject":"C-000012","previous":"\#(TreeHasher.empty.hex)","#
        + #""state":"proposed","by":"analyst-1","action":"propose","reason":"a \"quoted\" line\nand \u202ea turned one"}"#
    )
    let object = try JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any]
    #expect(object?["reason"] as? String == "a \"quoted\" line\nand \u{202E}a turned one")
    let bare = LedgerEntry(.login, by: "o'neil").bytes(at: 0, previous: nil, clockBack: 5)
    #expect(
      String(decoding: bare, as: UTF8.self)
        == #"{"v":1,"type":"login","time":"1970-01-01T00:00:00.000Z","by":"o'neil","clock_back_ms":5}"#)
  }

  /// Names in archives and lists are hostile, and each character takes six in JSON.
  @Test func aFindingFitsInAnEntryWhateverItsNames() throws {
    let name = String(repeating: "\u{1}", count: 12_000)
    let list = ListVersion(name: "national", version: "1")
    let matches = (0..<200).map {
      Match(list: list, entry: "\($0)" + name, algorithm: .sha256, grade: .exact, distanceInBits: 0)
    }
    var generator = SeededGenerator(seed: 12)
    for path in ["a.zip", String(repeating: "\u{1}", count: 4000)] {
      let finding = Finding(
        location: ContentLocation(place: .file(FilePath(path)), member: name),
        fingerprint: Fingerprint(sizeInBytes: 7, digests: [generator.digest()], perceptualHash: nil),
        mediaType: "image/jpeg", matches: matches, verdict: .block, listsUsed: [list])
      let bytes = LedgerEntry.finding(finding, in: CaseNumber(1), run: "r", by: "examiner")
        .bytes(at: 0, previous: TreeHasher.empty, clockBack: 1)
      #expect(bytes.count <= LedgerEntry.maximumSize)
      let object = try #require(try JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any])
      #expect(object["member_length"] as? Int == 12_000 && object["matches_in_all"] as? Int == 200)
      let shown = try #require(object["matches"] as? [[String: Any]])
      #expect(shown.count > 5 && shown[0]["entry_length"] as? Int == 12_001, "\(shown.count)")
    }
  }

  @Test func headsAreReadBack() throws {
    for subject in [nil, LedgerSubject.caseFile(CaseNumber(1)), .takedown(TakedownNumber(7))] {
      for previous in [nil, TreeHasher.empty] {
        let bytes = LedgerEntry(.caseMoved, by: "a", about: subject, state: subject == nil ? nil : "open")
          .bytes(at: 1234, previous: previous, clockBack: nil)
        let head = try #require(bytes.withUnsafeBytes { LedgerEntryHead($0) })
        #expect(head.kind == "case.moved" && head.time == 1234 && head.subject == subject?.description)
        #expect(head.previous == previous && head.state == (subject == nil ? nil : "open"))
        for end in 0..<50 { #expect(bytes[..<end].withUnsafeBytes { LedgerEntryHead($0) } == nil) }
      }
    }
  }

  @Test func timesAreThoseOfTheCalendar() {
    #expect(LedgerTime.text(951_827_696_789) == "2000-02-29T12:34:56.789Z")
    #expect(LedgerTime.text(-1) == "1969-12-31T23:59:59.999Z")
    var generator = SeededGenerator(seed: 11)
    for _ in 0..<10_000 {
      // From 1700, well after the calendar changed, to 9999.
      let seconds = Int64.random(in: -8_520_336_000...253_402_300_799, using: &generator)
      let time = seconds * 1000 + Int64.random(in: 0...999, using: &generator)
      let text = LedgerTime.text(time)
      #expect(text.prefix(19) + "Z" == Date(timeIntervalSince1970: Double(seconds)).formatted(.iso8601))
      #expect(LedgerTime.milliseconds(text) == time)
    }
    for text in [
      "", "2026-02-30T00:00:00.000Z", "2026-13-01T00:00:00.000Z", "2026-01-01T24:00:00.000Z",
      "2026-01-01 00:00:00.000Z",
    ] {
      #expect(LedgerTime.milliseconds(text) == nil, "\(text)")
    }
  }

  @Test func subjectsAreReadAsPeopleWriteThem() {
    #expect(
      LedgerSubject("C-000012") == .caseFile(CaseNumber(12)) && LedgerSubject("t-3") == .takedown(TakedownNumber(3)))
    #expect(LedgerSubject("R-1") == .report(ReportNumber(1)))
    for text in ["", "12", "X-1", "C-", "C-0", "T--1", "C-1 "] { #expect(LedgerSubject(text) == nil, "\(text)") }
  }
}
