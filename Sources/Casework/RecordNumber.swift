/// A number that people call something in the record by: a letter, a hyphen and six digits or more.
public protocol RecordNumber: Sendable, Hashable, Comparable, CustomStringConvertible {
  /// The letter.
  static var prefix: String { get }
  /// 1 or more.
  var value: Int64 { get }
  init(_ value: Int64)
}

extension RecordNumber {
  /// Reads `C-000012`, `c-12` or `12`; `nil` for anything else.
  public init?(_ text: String) {
    let letter = Self.prefix.lowercased() + "-"
    let digits = text.lowercased().hasPrefix(letter) ? text.dropFirst(letter.count) : text[...]
    guard !digits.isEmpty, digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
      let value = Int64(digits), value > 0
    else { return nil }
    self.init(value)
  }

  public var description: String {
    let digits = String(value)
    return "\(Self.prefix)-" + String(repeating: "0", count: max(0, 6 - digits.count)) + digits
  }

  public static func < (left: Self, right: Self) -> Bool { left.value < right.value }
}

/// The number of a case: `C-000012`.
public struct CaseNumber: RecordNumber {
  public static let prefix = "C"
  public let value: Int64
  public init(_ value: Int64) { self.value = value }
}

/// The number of a takedown: `T-000003`.
public struct TakedownNumber: RecordNumber {
  public static let prefix = "T"
  public let value: Int64
  public init(_ value: Int64) { self.value = value }
}

/// The number of a report: `R-000007`.
public struct ReportNumber: RecordNumber {
  public static let prefix = "R"
  public let value: Int64
  public init(_ value: Int64) { self.value = value }
}
