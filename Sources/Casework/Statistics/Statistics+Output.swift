import Foundation
import Matching

extension Statistics {
  /// For a terminal.
  public var text: String {
    var lines = ["from \(Self.day(from)) until \(Self.day(until)); counts below \(minimumCell) are not shown"]
    for table in tables where !table.rows.isEmpty {
      let width = min(48, table.rows.map(\.label.count).max()!) + 2
      lines.append("")
      lines.append(table.title.uppercased())
      lines.append(String(repeating: " ", count: width) + table.columns.map { Self.right($0) }.joined())
      for row in table.rows {
        let label = row.label.count > width - 2 ? row.label.prefix(width - 3) + "…" : row.label[...]
        lines.append(
          label + String(repeating: " ", count: width - label.count)
            + row.cells.map { Self.right($0.description) }.joined())
      }
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private static func right(_ text: String) -> String { String(repeating: " ", count: max(1, 12 - text.count)) + text }

  /// The day of a time, `2026-01-31`, in UTC.
  private static func day(_ date: Date) -> String { String(LedgerTime.text(date.milliseconds).prefix(10)) }

  /// One line for each cell: table, label, column, value. A spreadsheet reads no cell as a formula.
  public var csv: String {
    var lines = ["table,label,column,value"]
    for table in tables {
      for row in table.rows {
        for (column, cell) in zip(table.columns, row.cells) {
          lines.append(
            [table.title, row.label, column, cell.description].map { $0 == "-" ? $0 : $0.withoutFormula.csvField() }.joined(
              separator: ","))
        }
      }
    }
    return lines.joined(separator: "\r\n") + "\r\n"
  }

  /// A chart of takedowns by month, ordered and removed, with the figures as text for those who do not see it.
  public var svg: String {
    let table = tables.first { $0.title == "takedowns by month" }
    let rows = table?.rows ?? []
    func value(_ cell: Cell) -> Double {
      switch cell {
      case .count(let count): Double(count)
      case .fewerThan(let minimum): Double(minimum) / 2
      default: 0
      }
    }
    let most = max(1, rows.flatMap(\.cells).map(value).max() ?? 1)
    let (left, bottom, height, step) = (60.0, 260.0, 200.0, 64.0)
    let width = left + step * Double(max(1, rows.count)) + 20
    let described = rows.map { "\($0.label): \($0.cells[0]) ordered, \($0.cells[1]) removed" }.joined(separator: "; ")
    var svg = """
      <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(Self.number(width)) 310" role="img" font-family="sans-serif" font-size="12">
      <title>Takedowns by month</title>
      <desc>\(Self.escaped(described.isEmpty ? "none" : described))</desc>
      <rect width="100%" height="100%" fill="#fff"/>
      <text x="\(Self.number(left))" y="24" font-size="15">Takedowns by month: ordered and removed</text>

      """
    for part in 0...4 {
      let y = bottom - height * Double(part) / 4
      svg +=
        "<line x1=\"\(Self.number(left))\" x2=\"\(Self.number(width - 10))\" y1=\"\(Self.number(y))\" y2=\"\(Self.number(y))\" stroke=\"#ccc\"/>\n"
      svg +=
        "<text x=\"\(Self.number(left - 6))\" y=\"\(Self.number(y + 4))\" text-anchor=\"end\">\(Self.number(most * Double(part) / 4))</text>\n"
    }
    for (index, row) in rows.enumerated() {
      let x = left + step * Double(index)
      // Told apart by shade as well as by colour, and named below.
      for (bar, fill) in ["#1b4f72", "#7fb3d5"].enumerated() {
        let tall = height * value(row.cells[bar]) / most
        svg +=
          "<rect x=\"\(Self.number(x + 8 + 24 * Double(bar)))\" y=\"\(Self.number(bottom - tall))\" width=\"22\" height=\"\(Self.number(tall))\" fill=\"\(fill)\"><title>\(Self.escaped("\(row.label): \(row.cells[bar]) \(table!.columns[bar])"))</title></rect>\n"
      }
      svg +=
        "<text x=\"\(Self.number(x + 31))\" y=\"\(Self.number(bottom + 16))\" text-anchor=\"middle\">\(Self.escaped(row.label))</text>\n"
    }
    svg +=
      "<rect x=\"\(Self.number(left))\" y=\"288\" width=\"12\" height=\"12\" fill=\"#1b4f72\"/><text x=\"\(Self.number(left + 18))\" y=\"298\">ordered</text>\n"
    svg +=
      "<rect x=\"\(Self.number(left + 80))\" y=\"288\" width=\"12\" height=\"12\" fill=\"#7fb3d5\"/><text x=\"\(Self.number(left + 98))\" y=\"298\">removed</text>\n"
    return svg + "</svg>\n"
  }

  private static func number(_ value: Double) -> String {
    String(format: value == value.rounded() ? "%.0f" : "%.1f", value)
  }

  private static func escaped(_ text: String) -> String {
    text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;").replacing(
      "\"", with: "&quot;")
  }
}
