import Foundation
import Hashing
import Matching
import TestSupport
import Testing

@testable import Casework

struct StatisticsTests {
  private let home = try! TestHome()

  private func statistics(minimum: Int = 1) throws -> Statistics {
    try home.store.statistics(
      from: Date(timeIntervalSince1970: 1_767_225_600), until: Date(timeIntervalSince1970: 1_800_000_000),
      minimumCell: minimum)
  }

  private func cells(_ statistics: Statistics, _ title: String, _ label: String) throws -> [String] {
    let table = try #require(statistics.tables.first { $0.title == title })
    return try #require(table.rows.first { $0.label == label }).cells.map(\.description)
  }

  /// Ten takedowns: the n-th is notified after n hours, and the first eight are gone n hours later.
  private func fill() throws {
    let begun = home.now
    for seed in 1...10 {
      home.now = begun
      let takedown = try home.ordered(UInt64(seed))
      home.wait(hours: Double(seed))
      _ = try home.store.notified(takedown.number, how: "mail", by: "o", at: home.now)
      if seed > 8 { continue }
      home.wait(hours: Double(seed))
      for _ in 0..<2 {
        _ = try home.store.rechecked(takedown.number, .gone, profile: TestHome.profile(), by: "r", at: home.now)
        home.wait(hours: 1)
      }
    }
    home.now = begun
    // A near match that was not one after all, and a decision that fell.
    let near = try home.record(20...20, run: "near", verdict: .review)[0]
    func act(_ action: CaseAction, by: String, _ decision: CaseDecision? = nil) throws {
      let version = try home.store.detail(of: near).summary.version
      _ = try home.store.act(
        CaseRequest(near, action, by: by, reason: "x", decision: decision, version: version), at: home.now)
    }
    try act(.propose, by: "a", .takedown)
    try act(.approve, by: "b")
    try act(.appeal, by: "host")
    try act(.overturn, by: "c")
    try act(.propose, by: "c", .noMatch)
    try act(.approve, by: "a")
  }

  @Test func countsTimesAndPrecisionAreThoseOfTheRecord() throws {
    try fill()
    let statistics = try statistics()
    #expect(try cells(statistics, "totals", "cases opened") == ["11"])
    #expect(try cells(statistics, "totals", "cases with an exact match") == ["10"])
    #expect(try cells(statistics, "totals", "decisions overturned") == ["1"])
    #expect(
      try cells(statistics, "totals", "takedowns ordered") == ["10"]
        && cells(statistics, "totals", "takedowns removed") == ["8"])
    #expect(try cells(statistics, "hours", "received to notified") == ["10", "5.0", "9.0", "10.0"])
    #expect(try cells(statistics, "hours", "notified to removed") == ["8", "4.0", "8.0", "8.0"])
    #expect(try cells(statistics, "takedowns by host", "host3.example") == ["1", "1"])
    #expect(
      try cells(statistics, "takedowns by country", "PK") == ["9", "7"]
        && cells(statistics, "takedowns by country", "?") == ["1", "1"])
    #expect(try cells(statistics, "takedowns by month", "2026-01") == ["10", "8"])
    #expect(try cells(statistics, "cases by list", "national") == ["11", "11", "1", "90.9 %"])
  }

  @Test func smallCellsAreNotShownAndNothingGivesThemAway() throws {
    try fill()
    let statistics = try statistics(minimum: 9)
    #expect(
      try cells(statistics, "totals", "takedowns removed") == ["<9"]
        && cells(statistics, "totals", "reports received") == ["0"])
    #expect(try cells(statistics, "hours", "notified to removed") == ["<9", "-", "-", "-"])
    #expect(try cells(statistics, "takedowns by host", "host3.example") == ["<9", "<9"])
    #expect(!statistics.csv.contains("host3.example,ordered,1"))
  }

  @Test func anEmptyPeriodHasNoFiguresAndNoFailure() throws {
    let statistics = try statistics(minimum: 5)
    #expect(
      try cells(statistics, "totals", "cases opened") == ["0"]
        && cells(statistics, "hours", "received to removed") == ["0", "-", "-", "-"])
    #expect(statistics.svg.contains("<desc>none</desc>") && statistics.text.contains("TOTALS"))
  }

  @Test func tablesAreSafeInASpreadsheetAndTheChartIsWellFormed() throws {
    try fill()
    try home.tamper(
      #"UPDATE takedown SET host = '=cmd("x"), a' WHERE id = 1"#, "UPDATE takedown SET country = '<b>&' WHERE id = 2")
    let statistics = try statistics()
    #expect(statistics.csv.contains("takedowns by host,\"'=cmd(\"\"x\"\"), a\",ordered,1"))
    #expect(
      statistics.csv.split(separator: "\r\n").allSatisfy { line in
        !line.split(separator: ",").contains { $0.hasPrefix("=") }
      })
    try Data(statistics.svg.utf8).write(to: home.file("chart.svg"))
    let parse = "import sys, xml.dom.minidom as x; d = x.parse(sys.argv[1]); print(len(d.getElementsByTagName('rect')))"
    let result = try run("/usr/bin/env", ["python3", "-c", parse, home.file("chart.svg").path])
    if result.exitCode == 127 { return print("skipped: the chart is parsed with Python") }
    #expect(result.text == "5\n", "\(result.errorText)")
  }
}
