import Foundation
import Matching

/// The page of a run for people: facts, counts, charts and tables. No script, nothing from elsewhere, no content.
struct HTMLReport {
  private let run: RunDescription
  private let result: RunResult
  private let statistics: RunStatistics
  private let urdu: Bool

  /// - Parameter urdu: Whether headings are in Urdu too.
  init(_ run: RunDescription, _ result: RunResult, _ statistics: RunStatistics, urdu: Bool) {
    self.run = run
    self.result = result
    self.statistics = statistics
    self.urdu = urdu
  }

  var text: String {
    """
    <!DOCTYPE html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
    <meta name="viewport" content="width=device-width">
    <title>\(XML.escaped(HTML.visible("\(run.exhibit ?? run.id): report of a scan")))</title>
    <style>\(Self.style)</style>
    </head>
    <body>
    <h1>\(HTML.text(run.exhibit ?? "Scan")) <small>\(heading("Report of a scan", "اسکین کی رپورٹ"))</small></h1>
    <p class="outcome">\(HTML.text(result.outcome)) · \(result.counts.block) block · \(result.counts.review) review</p>
    <p>A match says that a hash is on a list, and on which. It does not say what a content is.</p>
    \(facts)
    \(counts)
    \(lists)
    \(charts)
    \(matches)
    \(incomplete)
    </body>
    </html>

    """
  }

  private func heading(_ english: String, _ urdu: String) -> String {
    HTML.text(english) + (self.urdu ? " <span lang=\"ur\" dir=\"rtl\">\(HTML.text(urdu))</span>" : "")
  }

  private var facts: String {
    let rows: [(String, String)] = [
      ("run", run.id), ("tool", "\(run.tool) \(run.toolVersion)"), ("examiner", run.examiner),
      ("exhibit", run.exhibit ?? "none named"), ("machine", run.host),
      ("command", run.commandLine.joined(separator: " ")), ("begun", run.begunAt.utc), ("ended", result.endedAt.utc),
      ("canaries", result.isValid ? "passed, before and after" : "FAILED: do not rely on this scan"),
      ("report sha256", result.reportDigest.hex),
    ]
    return "<h2>\(heading("Facts", "حقائق"))</h2>\n<table class=\"facts\">"
      + rows.map { "<tr><th scope=\"row\">\($0.0)</th><td>\(HTML.text($0.1))</td></tr>" }.joined(separator: "\n")
      + "</table>"
  }

  private var counts: String {
    let counts = result.counts
    let rows: [(String, Int)] = [
      ("found", counts.found), ("hashed", counts.hashed), ("unhashable", counts.unhashable), ("skipped", counts.skipped),
      ("errors", counts.errors), ("without a perceptual hash", counts.withoutPerceptualHash),
      ("archives not read to their end", counts.withoutAllMembers), ("block", counts.block), ("review", counts.review),
      ("known", counts.known),
    ]
    return "<h2>\(heading("Counts", "شمار"))</h2>\n<p>found = hashed + unhashable + skipped + errors; "
      + "\(HTML.bytes(counts.bytes)) digested.</p>\n<table class=\"facts\">"
      + rows.map { "<tr><th scope=\"row\">\($0.0)</th><td class=\"number\">\($0.1)</td></tr>" }.joined(separator: "\n")
      + "</table>"
  }

  private var lists: String {
    "<h2>\(heading("Lists in force", "نافذ فہرستیں"))</h2>\n"
      + HTML.table(
        ["list", "version", "entries", "sha256"],
        run.lists.map { [$0.version.name, $0.version.version, String($0.entries), $0.sha256.hex] })
  }

  private var charts: String {
    let types = statistics.types.sorted { ($0.value.items, $1.key) > ($1.value.items, $0.key) }.prefix(20)
    let sizes = statistics.sizes.sorted { $0.key < $1.key }
    let perList = statistics.lists.sorted { ($0.key.name, $0.key.version) < ($1.key.name, $1.key.version) }
    func bar(_ label: String, _ count: RunStatistics.Count) -> BarChart.Bar {
      BarChart.Bar(label: label, value: count.items, part: count.matched)
    }
    return [
      BarChart(
        title: heading("Types", "اقسام"), unit: "items", part: "block or review",
        bars: types.map { bar($0.key, $0.value) }),
      BarChart(
        title: heading("Sizes", "حجم"), unit: "items", part: "block or review",
        bars: sizes.map { bar("under 10^\($0.key) bytes", $0.value) }),
      BarChart(
        title: heading("Last changed", "آخری تبدیلی"), unit: "items", part: "block or review",
        bars: timeline.map { bar($0.label, $0.count) }),
      BarChart(
        title: heading("Matches by list", "فہرست کے لحاظ سے مماثلت"), unit: "matches", part: "exact",
        bars: perList.map { list, grades in
          BarChart.Bar(
            label: "\(list.name) \(list.version)", value: grades.values.reduce(0, +), part: grades[.exact] ?? 0)
        }),
    ].map(\.html).joined(separator: "\n")
  }

  /// By month, or by year where the months would be too many to read.
  private var timeline: [(label: String, count: RunStatistics.Count)] {
    let months = statistics.months.sorted { $0.key < $1.key }
    guard months.count > 36 else {
      return months.map { (String(format: "%04d-%02d", $0.key / 12, $0.key % 12 + 1), $0.value) }
    }
    let years = Dictionary(grouping: months) { $0.key / 12 }.sorted { $0.key < $1.key }
    return years.map { year, months in
      let sum = months.reduce(into: RunStatistics.Count()) {
        $0.items += $1.value.items
        $0.matched += $1.value.matched
      }
      return (String(year), sum)
    }
  }

  private var matches: String {
    let rows = statistics.matched.flatMap { row in
      row.matches.map { match in
        [
          row.verdict?.rawValue ?? "none", row.place, "\(match.list.name) \(match.list.version)", match.entry,
          "\(match.grade.rawValue)\(match.grade == .near ? ", \(match.distanceInBits) bits" : "")",
        ]
      }
    }
    return "<h2>\(heading("Matches", "مماثلتیں"))</h2>\n"
      + HTML.limited(statistics.matched.count, of: statistics.matchedCount)
      + HTML.table(["verdict", "place", "list", "entry", "grade"], rows)
  }

  private var incomplete: String {
    let reasons = statistics.reasons.sorted { ($0.value, $1.key) > ($1.value, $0.key) }
    return "<h2>\(heading("Not hashed, or not in full", "جن کا ہیش نہ بن سکا"))</h2>\n"
      + HTML.table(["items", "reason"], reasons.map { [String($0.value), $0.key] })
      + HTML.limited(statistics.incomplete.count, of: statistics.incompleteCount)
      + HTML.table(
        ["status", "place", "reason"], statistics.incomplete.map { [$0.state, $0.place, $0.reason ?? ""] })
  }

  private static let style = """
    body{font:15px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#17202a;background:#fff}
    h1 small{font-weight:normal;font-size:1rem;color:#566573}h2{margin-top:2rem;border-bottom:1px solid #d5d8dc}
    .outcome{font-size:1.2rem;font-weight:600}table{border-collapse:collapse;width:100%;margin:.5rem 0}
    th,td{text-align:left;vertical-align:top;padding:.2rem .6rem .2rem 0;border-bottom:1px solid #eaecee;overflow-wrap:anywhere}
    .facts th{width:16rem;font-weight:normal;color:#566573}.number{font-variant-numeric:tabular-nums}
    svg{width:100%;height:auto;display:block}
    @media print{body{margin:0;max-width:none;font-size:10pt}h2,svg,tr{break-inside:avoid}h2{break-after:avoid}
    thead{display:table-header-group}*{print-color-adjust:exact}}
    """
}
