/// How the characters of a page are written as bytes.
///
/// Source: Encoding standard, "Names and labels". The C library converts; where its tables and the standard's differ, by a
/// few characters that hardly anyone uses, its tables hold.
package struct TextEncoding: Equatable, Sendable {
  /// Place in ``all``.
  package let number: UInt32

  /// Name for the C library's `iconv`; empty where none is needed.
  package var converter: String { Self.all[Int(number)].converter }

  package static let utf8 = TextEncoding(row: 0)
  package static let utf16LittleEndian = TextEncoding(row: 1)
  package static let utf16BigEndian = TextEncoding(row: 2)
  package static let windows1252 = TextEncoding(row: 3)

  private init(row: UInt32) { number = row }

  /// - Returns: `nil` for a number beyond the table.
  package init?(number: UInt32) {
    guard number < Self.all.count else { return nil }
    self.number = number
  }

  /// Finds an encoding by what a header or a page calls it.
  package init?(label: some StringProtocol) {
    let label = label.trimmed.lowercased()
    guard let number = Self.all.firstIndex(where: { $0.labels.contains(Substring(label)) }) else { return nil }
    self.number = UInt32(number)
  }

  /// Finds the encoding in a header `Content-Type`, or in what a page has in its place.
  package init?(mediaType: String) {
    guard let start = mediaType.lowercased().range(of: "charset") else { return nil }
    let rest = mediaType[start.upperBound...].drop { $0 == " " }
    guard rest.first == "=" else { return nil }
    let value = rest.dropFirst().drop { $0 == " " }
    let quote = value.first.flatMap { $0 == "\"" || $0 == "'" ? $0 : nil }
    let label =
      quote.map { quote in value.dropFirst().prefix { $0 != quote } } ?? value.prefix { $0 != ";" && $0 != " " }
    self.init(label: label)
  }

  /// The encoding that a mark at the start of the bytes tells.
  package init?(mark bytes: UnsafeRawBufferPointer) {
    if bytes.starts(with: [0xef, 0xbb, 0xbf]) {
      self = .utf8
    } else if bytes.starts(with: [0xff, 0xfe]) {
      self = .utf16LittleEndian
    } else if bytes.starts(with: [0xfe, 0xff]) {
      self = .utf16BigEndian
    } else {
      return nil
    }
  }

  /// What a page says of its own encoding, in its XML declaration or a `meta` element. Source: HTML standard, "Prescan".
  package init?(page head: UnsafeRawBufferPointer) {
    let bytes = head.assumingMemoryBound(to: UInt8.self)
    var tokenizer = HTMLTokenizer(bytes)
    if bytes.starts(with: "<?xml".utf8) {
      let declaration = bytes.prefix { $0 != UInt8(ascii: ">") }.map { $0 == UInt8(ascii: "?") ? 0x20 : $0 }
      let label = Array("<xml ".utf8 + declaration.dropFirst(5) + ">".utf8).withUnsafeBufferPointer { text in
        var tokenizer = HTMLTokenizer(text)
        return tokenizer.next()?.value("encoding")
      }
      if let own = label.flatMap({ TextEncoding(label: $0) }) {
        self = own
        return
      }
    }
    while let tag = tokenizer.next() {
      guard tag.name == "meta" else { continue }
      let isContentType = tag.value("http-equiv")?.trimmed.lowercased() == "content-type"
      let own =
        tag.value("charset").flatMap { TextEncoding(label: $0) }
        ?? (isContentType ? tag.value("content").flatMap { TextEncoding(mediaType: $0) } : nil)
      if let own {
        self = own
        return
      }
    }
    return nil
  }

  /// What a style sheet says of its own encoding in its first bytes. Source: CSS Syntax, "The input byte stream".
  package init?(styleSheet head: UnsafeRawBufferPointer) {
    let rule = Array("@charset \"".utf8)
    guard head.starts(with: rule) else { return nil }
    self.init(label: String(decoding: head.dropFirst(rule.count).prefix { $0 != UInt8(ascii: "\"") }, as: UTF8.self))
  }

  /// The first characters of a text behind white space, as far as they are ASCII: others are left out.
  package static func textStart(of head: UnsafeRawBufferPointer) -> [UInt8] {
    let mark = TextEncoding(mark: head)
    let text = head.prefix(2048).dropFirst(mark == nil ? 0 : mark == .utf8 ? 3 : 2)
    return Array(text.filter { $0 != 0 && $0 < 0x80 }.drop(while: isSpace))
  }

  private static let all: [(converter: String, labels: [Substring])] = [
    ("", "utf-8 utf8 unicode-1-1-utf-8"), ("", "utf-16le utf-16"), ("", "utf-16be"),
    (
      "CP1252",
      "windows-1252 cp1252 x-cp1252 iso-8859-1 iso8859-1 iso88591 iso_8859-1 iso_8859-1:1987 latin1 l1 ascii us-ascii "
        + "ansi_x3.4-1968 cp819 ibm819 iso-ir-100 csisolatin1 x-user-defined"
    ),
    ("CP1256", "windows-1256 cp1256 x-cp1256"), ("CP1250", "windows-1250 cp1250 x-cp1250"),
    ("CP1251", "windows-1251 cp1251 x-cp1251"), ("CP1253", "windows-1253 cp1253 x-cp1253"),
    (
      "CP1254",
      "windows-1254 cp1254 x-cp1254 iso-8859-9 iso8859-9 iso88599 iso_8859-9 iso_8859-9:1989 latin5 l5 iso-ir-148 csisolatin5"
    ),
    ("CP1255", "windows-1255 cp1255 x-cp1255"), ("CP1257", "windows-1257 cp1257 x-cp1257"),
    ("CP1258", "windows-1258 cp1258 x-cp1258"),
    ("CP874", "windows-874 dos-874 iso-8859-11 iso8859-11 iso885911 tis-620"),
    ("IBM866", "ibm866 cp866 866 csibm866"),
    ("ISO-8859-2", "iso-8859-2 iso8859-2 iso88592 iso_8859-2 iso_8859-2:1987 latin2 l2 iso-ir-101 csisolatin2"),
    ("ISO-8859-3", "iso-8859-3 iso8859-3 iso88593 iso_8859-3 iso_8859-3:1988 latin3 l3 iso-ir-109 csisolatin3"),
    ("ISO-8859-4", "iso-8859-4 iso8859-4 iso88594 iso_8859-4 iso_8859-4:1988 latin4 l4 iso-ir-110 csisolatin4"),
    (
      "ISO-8859-5",
      "iso-8859-5 iso8859-5 iso88595 iso_8859-5 iso_8859-5:1988 cyrillic iso-ir-144 csisolatincyrillic"
    ),
    (
      "ISO-8859-6",
      "iso-8859-6 iso8859-6 iso88596 iso_8859-6 iso_8859-6:1987 iso-8859-6-e iso-8859-6-i arabic asmo-708 ecma-114 "
        + "iso-ir-127 csiso88596e csiso88596i csisolatinarabic"
    ),
    (
      "ISO-8859-7",
      "iso-8859-7 iso8859-7 iso88597 iso_8859-7 iso_8859-7:1987 greek greek8 ecma-118 elot_928 iso-ir-126 csisolatingreek "
        + "sun_eu_greek"
    ),
    (
      "ISO-8859-8",
      "iso-8859-8 iso8859-8 iso88598 iso_8859-8 iso_8859-8:1988 iso-8859-8-e iso-8859-8-i hebrew visual logical iso-ir-138 "
        + "csiso88598e csiso88598i csisolatinhebrew"
    ),
    ("ISO-8859-10", "iso-8859-10 iso8859-10 iso885910 latin6 l6 iso-ir-157 csisolatin6"),
    ("ISO-8859-13", "iso-8859-13 iso8859-13 iso885913"), ("ISO-8859-14", "iso-8859-14 iso8859-14 iso885914"),
    ("ISO-8859-15", "iso-8859-15 iso8859-15 iso885915 iso_8859-15 l9 csisolatin9"), ("ISO-8859-16", "iso-8859-16"),
    ("KOI8-R", "koi8-r koi8 koi koi8_r cskoi8r"), ("KOI8-U", "koi8-u koi8-ru"),
    ("MACINTOSH", "macintosh mac x-mac-roman csmacintosh"), ("MAC-CYRILLIC", "x-mac-cyrillic x-mac-ukrainian"),
    ("GB18030", "gb18030 gbk gb2312 gb_2312 gb_2312-80 chinese x-gbk csgb2312 csiso58gb231280 iso-ir-58"),
    ("BIG5-HKSCS", "big5 big5-hkscs cn-big5 csbig5 x-x-big5"), ("EUC-JP-MS", "euc-jp x-euc-jp cseucpkdfmtjapanese"),
    ("ISO-2022-JP", "iso-2022-jp csiso2022jp"),
    ("CP932", "shift_jis shift-jis sjis x-sjis ms932 ms_kanji windows-31j csshiftjis"),
    (
      "UHC",
      "euc-kr korean ks_c_5601-1987 ks_c_5601-1989 ksc5601 ksc_5601 windows-949 cseuckr csksc56011987 iso-ir-149"
    ),
  ].map { ($0.0, $0.1.split(separator: " ")) }

  /// Names of every converter, once each.
  package static var converters: [String] { all.map(\.converter).filter { !$0.isEmpty } }
}

extension String {
  /// Where a word of ASCII letters first stands.
  fileprivate func range(of word: String) -> Range<Index>? {
    var at = startIndex
    while at < endIndex {
      let rest = self[at...]
      if rest.hasPrefix(word) { return at..<index(at, offsetBy: word.count) }
      at = index(after: at)
    }
    return nil
  }
}
