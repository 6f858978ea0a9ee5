import TestSupport
import Testing

@testable import Exchange

/// JSON and XML, cut anywhere, broken and hostile.
struct StreamReaderTests {
  private static let json = """
    {"@odata.context":"x/2.0.xml/US/$metadata#Media","value":[{"MediaID":1,"MD5":"\(md5)","Tags":["a\\n\\u0041",true,null,-1.5e2,{}]},
    {"MediaID":"2","SHA1":"\(sha1)"}]}
    """
  private static let xml = """
    <?xml version="1.0"?><queryResult xmlns="x"><images><image><member id='1'>A</member><id>e1</id><fingerprints>
    <md5>\(md5)</md5></fingerprints></image></images></queryResult>
    """

  @Test func everyTruncationIsRefused() throws {
    for text in [Self.json, Self.xml] {
      let bytes = Array(text.utf8)
      let format = try read(bytes).report.format
      for length in 0..<bytes.count {
        #expect(throws: ExchangeError(.malformed, ""), "\(length)") {
          try read(bytes[..<length]) { $0.format = format }
        }
      }
    }
  }

  @Test func everyPieceSizeReadsTheSame() throws {
    // Beyond the first 64 KiB, which are read at once to tell the format.
    let padding = String(repeating: " ", count: 66_000)
    for (text, place) in [(Self.json, "\"value\""), (Self.xml, "<images>")] {
      let padded = text.replacing(place, with: padding + place)
      let whole = try read(padded).entries
      #expect(!whole.isEmpty)
      for size in [16, 17, 61, 4096] { #expect(try read(padded, pieceSize: size).entries == whole) }
    }
  }

  @Test func brokenJSONIsRefused() {
    let nested = String(repeating: "[", count: 100_000)
    for text in [
      "{}x", "{\"value\":[}", "{\"value\":[{},]}", "{\"value\" []}", "{value:[]}", "{\"value\":[nul]}",
      "{\"value\":[1e]}", "{\"value\":\(nested)",
      "{\"x\":\"\\q\"}", "{\"x\":\"\\ud800\\x\"}", "{\"x\":\"\\u12g4\"}", "{\"x\":\"\n\"}", "{\"x\" : 1 2}", "[]",
      "{\"value\":[{\"MD5\":\"\(String(repeating: "a", count: 70_000))\"}]}",
      "{\"x\":\(String(repeating: "1", count: 100))}",
    ] {
      #expect(throws: ExchangeError(.malformed, ""), "\(text.prefix(40))") { try read(text) { $0.format = .vics } }
    }
  }

  @Test func brokenOrDangerousXMLIsRefused() {
    let nested = String(repeating: "<a>", count: 100_000)
    let attributes = (0..<100).map { " a\($0)='1'" }.joined()
    for inside in [
      "<images>", "</images>", "<image></images>", "&unknown;", "&#0;", "&#xD800;", "&#99999999999;", "&", "<a b=1/>",
      "<a b>", "<a b='<'/>",
      "<a &/>", "< a/>", "<a/ >", "<!DOCTYPE x>", "<![CDATA[", "<!-- ", "<? ", nested, "<a\(attributes)/>",
      String(repeating: "t", count: 70_000), "<a b='\(String(repeating: "t", count: 70_000))'/>",
    ] {
      #expect(throws: ExchangeError(.malformed, ""), "\(inside.prefix(40))") {
        try read("<queryResult>\(inside)</queryResult>") { $0.format = .ncmec }
      }
    }
    let bomb =
      "<?xml version=\"1.0\"?><!DOCTYPE q [<!ENTITY a \"aaaa\"><!ENTITY b SYSTEM \"file:///etc/hostname\">]><queryResult>&a;&b;</queryResult>"
    #expect(throws: ExchangeError(.malformed, "")) { try read(bomb) }
    for text in ["", "<other/>", "x<queryResult/>", "<queryResult/>x", "<queryResult/><image/>", "&amp;<queryResult/>"] {
      #expect(throws: ExchangeError(.malformed, ""), "\(text)") { try read(text) { $0.format = .ncmec } }
    }
    #expect(throws: ExchangeError(.wrongEncoding, "")) {
      try read("<?xml version='1.0' encoding='ISO-8859-1'?><queryResult/>")
    }
  }

  @Test func hostileBytesNeverTrap() {
    var generator = SeededGenerator(seed: 3)
    let samples: [(ListFormat, [UInt8])] = [
      (.vics, Array(Self.json.utf8)), (.ncmec, Array(Self.xml.utf8)),
      (
        .stix,
        Array("{\"type\":\"indicator\",\"pattern\":\"[file:hashes.'MD5' = '\(md5)'] OR [file:hashes.MD5 = 'x']\"}".utf8)
      ),
      (.misp, Array("{\"Attribute\":[{\"type\":\"filename|md5\",\"value\":\"a|\(md5)\"}]}".utf8)),
    ]
    for round in 0..<2000 {
      var (format, bytes) = samples[round % samples.count]
      for _ in 0..<Int.random(in: 1...6, using: &generator) {
        let index = Int.random(in: 0..<bytes.count, using: &generator)
        switch Int.random(in: 0...2, using: &generator) {
        case 0: bytes[index] = UInt8.random(in: 0...255, using: &generator)
        case 1: bytes.insert("<>&;'\"\\/[]{}:,!=-?".utf8.randomElement(using: &generator)!, at: index)
        default: bytes.removeSubrange(index..<min(bytes.count - 1, index + 3))
        }
      }
      do { _ = try read(bytes) { $0.format = format } } catch { #expect(error is ExchangeError) }
    }
  }
}
