import Foundation
import Matching

/// Pieces of a page.
enum HTML {
  /// Text in an element that keeps the rest of the line in order, whatever direction it is read in.
  static func text(_ text: String) -> String { "<bdi>\(XML.escaped(visible(text)))</bdi>" }

  /// The text with characters that control, or turn the direction of reading, shown as what they are.
  static func visible(_ text: String) -> String {
    var shown = ""
    for scalar in text.unicodeScalars {
      if scalar.properties.generalCategory == .control || scalar.isBidiControl {
        shown += "\\u{\(String(scalar.value, radix: 16))}"
      } else {
        shown.unicodeScalars.append(scalar)
      }
    }
    return shown
  }

  static func table(_ columns: [String], _ rows: [[String]]) -> String {
    if rows.isEmpty { return "<p>none</p>\n" }
    let head = columns.map { "<th scope=\"col\">\($0)</th>" }.joined()
    let body = rows.map { "<tr>\($0.map { "<td>\(text($0))</td>" }.joined())</tr>" }.joined(separator: "\n")
    return "<table><thead><tr>\(head)</tr></thead><tbody>\n\(body)\n</tbody></table>\n"
  }

  /// Says where a table does not hold all; the other files of the folder do.
  static func limited(_ shown: Int, of all: Int) -> String {
    shown < all ? "<p>The first \(shown) of \(all); items.ndjson and items.csv have all.</p>\n" : ""
  }

  static func bytes(_ count: Int64) -> String {
    if count < 1000 { return "\(count) bytes" }
    var value = Double(count) / 1000
    var units = ["kB", "MB", "GB", "TB"][...]
    while value >= 1000, units.count > 1 {
      value /= 1000
      units.removeFirst()
    }
    return String(format: "%.1f %@", value, units.first!)
  }
}

/// A chart of horizontal bars, as SVG within the page.
struct BarChart {
  struct Bar {
    let label: String
    let value: Int
    /// How much of the value has what the darker shade stands for.
    let part: Int
  }

  /// HTML.
  let title: String
  let unit: String
  let part: String
  let bars: [Bar]

  var html: String {
    "<h2>\(title)</h2>\n" + (bars.isEmpty ? "<p>none</p>" : svg)
  }

  private var svg: String {
    let (left, width, step) = (230, 560, 22)
    let most = max(1, bars.map(\.value).max() ?? 1)
    let height = step * bars.count + 34
    var svg =
      "<svg viewBox=\"0 0 900 \(height)\" role=\"img\" font-size=\"13\" font-family=\"system-ui,sans-serif\">"
      + "<desc>\(XML.escaped(bars.map { "\($0.label): \($0.value) \(unit), \($0.part) \(part)" }.joined(separator: "; ")))</desc>\n"
    for (index, bar) in bars.enumerated() {
      let y = index * step
      // A bar of something is never so short that it looks like nothing.
      let wide = bar.value == 0 ? 0 : max(2, width * bar.value / most)
      let dark = bar.part == 0 ? 0 : max(2, width * bar.part / most)
      svg +=
        "<text x=\"\(left - 8)\" y=\"\(y + 15)\" text-anchor=\"end\">\(XML.escaped(Self.shortened(bar.label)))</text>"
        + "<rect x=\"\(left)\" y=\"\(y + 3)\" width=\"\(wide)\" height=\"16\" fill=\"#aed6f1\"/>"
        + "<rect x=\"\(left)\" y=\"\(y + 3)\" width=\"\(dark)\" height=\"16\" fill=\"#922b21\"/>"
        + "<text x=\"\(left + wide + 6)\" y=\"\(y + 15)\">\(bar.value)\(bar.part > 0 ? " (\(bar.part))" : "")</text>\n"
    }
    let legend = step * bars.count + 12
    return svg
      + "<rect x=\"\(left)\" y=\"\(legend)\" width=\"12\" height=\"12\" fill=\"#aed6f1\"/><text x=\"\(left + 18)\" y=\"\(legend + 11)\">\(unit)</text>"
      + "<rect x=\"\(left + 120)\" y=\"\(legend)\" width=\"12\" height=\"12\" fill=\"#922b21\"/><text x=\"\(left + 138)\" y=\"\(legend + 11)\">(\(part))</text></svg>"
  }

  private static func shortened(_ label: String) -> String {
    let shown = HTML.visible(label)
    return shown.count <= 32 ? shown : "\(shown.prefix(31))…"
  }
}
