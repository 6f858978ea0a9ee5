/// A JSON object on one line, its members in the order they were added.
///
/// Foundation's encoder orders members by name or not at all. Reports and the ledger's entries are read by people too, and
/// have their digests taken, so order and escapes are part of their formats.
public struct JSONLine: Sendable {
  /// The members, with a comma between two.
  private var members: [UInt8] = []

  /// An object without members yet.
  public init() {}

  /// Begins a line of NDJSON version 1.
  public init(type: String) {
    add("v", 1)
    add("type", type)
  }

  public var isEmpty: Bool { members.isEmpty }

  /// The object.
  public var object: [UInt8] { object(followedBy: []) }

  /// The object with a line feed.
  public var bytes: [UInt8] { object(followedBy: [UInt8(ascii: "\n")]) }

  private func object(followedBy end: [UInt8]) -> [UInt8] {
    var object: [UInt8] = []
    object.reserveCapacity(members.count + 2 + end.count)
    object.append(UInt8(ascii: "{"))
    object += members
    object.append(UInt8(ascii: "}"))
    object += end
    return object
  }

  /// Adds text; nothing for `nil`.
  public mutating func add(_ name: String, _ value: String?) {
    guard let value else { return }
    begin(name)
    Self.quote(value, into: &members)
  }

  public mutating func add(_ name: String, _ value: Int64?) {
    guard let value else { return }
    begin(name)
    members += String(value).utf8
  }

  public mutating func add(_ name: String, _ value: Int?) { add(name, value.map(Int64.init)) }

  public mutating func add(_ name: String, _ value: Bool) {
    begin(name)
    members += (value ? "true" : "false").utf8
  }

  /// Adds a member that is known to have no value.
  public mutating func addNull(_ name: String) {
    begin(name)
    members += "null".utf8
  }

  /// A number with three digits after the point.
  public mutating func add(_ name: String, thousandths value: Double) {
    begin(name)
    let thousandths = max(0, Int64(exactly: (value * 1000).rounded()) ?? .max)
    let fraction = String(thousandths % 1000)
    members += "\(thousandths / 1000).\(String(repeating: "0", count: 3 - fraction.count))\(fraction)".utf8
  }

  /// A list of text; nothing for an empty one.
  public mutating func add(_ name: String, _ values: [String]) {
    if values.isEmpty { return }
    list(name, values) { Self.quote($0, into: &$1) }
  }

  public mutating func add(_ name: String, _ object: JSONLine) {
    begin(name)
    members += object.object
  }

  /// A list of objects, each filled by `fill`.
  public mutating func add<Element>(_ name: String, _ elements: [Element], fill: (Element, inout JSONLine) -> Void) {
    list(name, elements) { element, bytes in
      var object = JSONLine()
      fill(element, &object)
      bytes += object.object
    }
  }

  /// Adds the members of another object.
  public mutating func add(membersOf other: JSONLine) {
    if !isEmpty && !other.isEmpty { members.append(UInt8(ascii: ",")) }
    members += other.members
  }

  private mutating func list<Element>(
    _ name: String, _ elements: [Element], write: (Element, inout [UInt8]) -> Void
  ) {
    begin(name)
    members.append(UInt8(ascii: "["))
    for (index, element) in elements.enumerated() {
      if index > 0 { members.append(UInt8(ascii: ",")) }
      write(element, &members)
    }
    members.append(UInt8(ascii: "]"))
  }

  private mutating func begin(_ name: String) {
    if !isEmpty { members.append(UInt8(ascii: ",")) }
    Self.quote(name, into: &members)
    members.append(UInt8(ascii: ":"))
  }

  private static func quote(_ value: String, into bytes: inout [UInt8]) {
    bytes.append(UInt8(ascii: "\""))
    defer { bytes.append(UInt8(ascii: "\"")) }
    var value = value
    let isPlain = value.withUTF8 { text in
      for byte in text where byte < 0x20 || byte > 0x7E || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
        return false
      }
      bytes.append(contentsOf: text)
      return true
    }
    if isPlain { return }
    for scalar in value.unicodeScalars {
      switch scalar {
      case "\"": bytes += "\\\"".utf8
      case "\\": bytes += "\\\\".utf8
      case "\n": bytes += "\\n".utf8
      case "\r": bytes += "\\r".utf8
      case "\t": bytes += "\\t".utf8
      case _ where scalar.properties.generalCategory == .control || scalar.isBidiControl || scalar.isLineSeparator:
        // Valid JSON either way; escaped, a line on a terminal shows what it says.
        let digits = String(scalar.value, radix: 16)
        bytes += "\\u\(String(repeating: "0", count: 4 - digits.count))\(digits)".utf8
      default: bytes += String(scalar).utf8
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
