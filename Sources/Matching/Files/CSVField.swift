extension String {
  /// The text as a field of CSV (RFC 4180): in quotes where it needs them.
  ///
  /// Byte by byte: a mark that combines with a quote or a comma must not hide it.
  ///
  /// - Parameter others: Further ASCII characters that ask for quotes.
  package func csvField(quotedFor others: String = "") -> String {
    let special = Array("\",\r\n".utf8) + Array(others.utf8)
    guard utf8.contains(where: special.contains) else { return self }
    var field = [UInt8(ascii: "\"")]
    for byte in utf8 {
      if byte == UInt8(ascii: "\"") { field.append(byte) }
      field.append(byte)
    }
    field.append(UInt8(ascii: "\""))
    return String(decoding: field, as: UTF8.self)
  }

  /// The text without what would begin another line.
  package var onOneLine: String { String(map { $0.isNewline ? " " : $0 }) }

  /// The text with an apostrophe before it where a spreadsheet would take it for a formula.
  package var withoutFormula: String {
    let isFormula = unicodeScalars.first.map { "=+-@\t\r".unicodeScalars.contains($0) } ?? false
    return isFormula ? "'" + self : self
  }
}
