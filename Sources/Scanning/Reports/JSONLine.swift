/// One line of NDJSON, its members in the order they were added.
///
/// Foundation's encoder orders members by name or not at all; a report is read by people too and has its digest taken,
/// so the order is part of the format.
public struct JSONLine: Sendable {
  private var text: [UInt8] = [UInt8(ascii: "{")]

  /// Begins a line of NDJSON version 1.
  public init(type: String) {
    add("v", 1)
    add("type", type)
  }

  private init() {}

  public mutating func add(_ name: String, _ value: String?) {
    guard let value else { return }
    begin(name)
    quote(value)
  }

  public mutating func add(_ name: String, _ value: Int64?) {
    guard let value else { return }
    begin(name)
    text += String(value).utf8
  }

  public mutating func add(_ name: String, _ value: Int?) { add(name, value.map(Int64.init)) }

  /// A number with three digits after the point.
  public mutating func add(_ name: String, thousandths value: Double) {
    begin(name)
    let thousandths = Int64((value * 1000).rounded())
    let fraction = String(thousandths % 1000)
    text += "\(thousandths / 1000).\(String(repeating: "0", count: 3 - fraction.count))\(fraction)".utf8
  }

  /// A list of objects, each filled by `fill`.
  public mutating func add<Element>(_ name: String, _ elements: [Element], fill: (Element, inout JSONLine) -> Void) {
    begin(name)
    text.append(UInt8(ascii: "["))
    for (index, element) in elements.enumerated() {
      if index > 0 { text.append(UInt8(ascii: ",")) }
      var object = JSONLine()
      fill(element, &object)
      text += object.text
      text.append(UInt8(ascii: "}"))
    }
    text.append(UInt8(ascii: "]"))
  }

  /// The line with its line feed.
  public var bytes: [UInt8] { text + [UInt8(ascii: "}"), UInt8(ascii: "\n")] }

  private mutating func begin(_ name: String) {
    if text.count > 1 { text.append(UInt8(ascii: ",")) }
    quote(name)
    text.append(UInt8(ascii: ":"))
  }

  private mutating func quote(_ value: String) {
    text.append(UInt8(ascii: "\""))
    defer { text.append(UInt8(ascii: "\"")) }
    if value.utf8.allSatisfy({ (0x20...0x7E).contains($0) && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }) {
      text += value.utf8
      return
    }
    for scalar in value.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\"".utf8
      case "\\": text += "\\\\".utf8
      case "\n": text += "\\n".utf8
      case "\r": text += "\\r".utf8
      case "\t": text += "\\t".utf8
      case _ where scalar.properties.generalCategory == .control || scalar.isBidiControl || scalar.isLineSeparator:
        // Valid JSON either way; escaped, a line on a terminal shows what it says.
        let digits = String(scalar.value, radix: 16)
        text += "\\u\(String(repeating: "0", count: 4 - digits.count))\(digits)".utf8
      default: text += String(scalar).utf8
      }
    }
  }
}

extension Unicode.Scalar {
  /// Whether the scalar changes the direction of the text around it, and so what a reader takes it to say.
  public var isBidiControl: Bool {
    switch value {
    case 0x061C, 0x200E, 0x200F, 0x202A...0x202E, 0x2066...0x2069: true
    default: false
    }
  }

  fileprivate var isLineSeparator: Bool { value == 0x2028 || value == 0x2029 }
}
