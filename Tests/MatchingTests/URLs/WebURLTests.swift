import Testing

@testable import Matching

/// Vectors for one URL: what it is in canonical form, or why it is refused.
private struct Vector: CustomTestStringConvertible, Sendable {
  let text: String
  let expected: String

  init(_ text: String, _ expected: String) {
    self.text = text
    self.expected = expected
  }

  var testDescription: String { text.debugDescription }

  static func outcome(_ read: () throws -> WebURL) -> String {
    do { return try read().description } catch let refusal as URLRefusal { return refusal.code } catch {
      return "\(error)"
    }
  }
}

struct WebURLTests {
  @Test(arguments: [
    Vector("http://host.example", "http://host.example/"),
    Vector("HTTP://HOST.Example:80/A?b#c", "http://host.example/A?b"),
    Vector("https://host.example:443", "https://host.example/"),
    Vector("https://host.example:80/", "https://host.example:80/"),
    Vector("http://host.example:/", "http://host.example/"),
    Vector("http://host.example:00080/", "http://host.example/"),
    Vector("http://host.example./x", "http://host.example/x"),
    Vector("  http://host.example/x\n", "http://host.example/x"),
    Vector("http://host.example/a/./b/../c", "http://host.example/a/c"),
    Vector("http://host.example/../../x", "http://host.example/x"),
    Vector("http://host.example/a/%2e%2E/b", "http://host.example/b"),
    Vector("http://host.example/a/.%2e", "http://host.example/"),
    Vector("http://host.example/a//b", "http://host.example/a//b"),
    Vector("http://host.example/%7euser%zz", "http://host.example/%7Euser%zz"),
    Vector(
      "http://host.example/تصویر?q=لاہور",
      "http://host.example/%D8%AA%D8%B5%D9%88%DB%8C%D8%B1?q=%D9%84%D8%A7%DB%81%D9%88%D8%B1"),
    Vector("http://host.example?q='", "http://host.example/?q=%27"),
    Vector("http://host.example/?", "http://host.example/?"),
    Vector("http://r3---sn_a.example/", "http://r3---sn_a.example/"),
    Vector("http://bücher.example/", "http://xn--bcher-kva.example/"),
    Vector("http://BÜCHER.example/", "http://xn--bcher-kva.example/"),
    Vector("http://xn--bcher-kva.example/", "http://xn--bcher-kva.example/"),
    Vector("http://faß.example/", "http://xn--fa-hia.example/"),
    Vector("http://مثال.إختبار/", "http://xn--mgbh0fb.xn--kgbechtv/"),
    Vector("http://host。example/", "http://host.example/"),
    Vector("http://ｈｏｓｔ.example/", "http://host.example/"),
  ])
  private func spellingsOfOnePageAreEqual(_ vector: Vector) {
    #expect(Vector.outcome { try WebURL(vector.text) } == vector.expected)
  }

  /// Every form that the URL Standard reads becomes the plain one, which the address policy then judges.
  @Test(arguments: [
    Vector("http://127.0.0.1", "127.0.0.1"), Vector("http://2130706433", "127.0.0.1"),
    Vector("http://0x7f000001", "127.0.0.1"), Vector("http://0x7F.0.0.1", "127.0.0.1"),
    Vector("http://0177.0.0.1", "127.0.0.1"), Vector("http://017700000001", "127.0.0.1"),
    Vector("http://127.1", "127.0.0.1"), Vector("http://127.0.1", "127.0.0.1"),
    Vector("http://0x7f.1", "127.0.0.1"), Vector("http://127.0.0.1.", "127.0.0.1"),
    Vector("http://0", "0.0.0.0"), Vector("http://0x", "0.0.0.0"), Vector("http://00000000.0", "0.0.0.0"),
    Vector("http://１２７.０.０.１", "127.0.0.1"), Vector("http://127。0。0。1", "127.0.0.1"),
    Vector("http://①②⑦.⓪.⓪.①", "127.0.0.1"), Vector("http://4294967295", "255.255.255.255"),
    Vector("http://0xA9FEA9FE", "169.254.169.254"), Vector("http://169.16689662", "169.254.169.254"),
    Vector("http://[::1]", "[::1]"), Vector("http://[0:0:0:0:0:0:0:1]", "[::1]"),
    Vector("http://[::FFFF:127.0.0.1]", "[::ffff:7f00:1]"), Vector("http://[::ffff:7f00:1]", "[::ffff:7f00:1]"),
    Vector("http://[64:ff9b::10.0.0.1]", "[64:ff9b::a00:1]"), Vector("http://[2001:DB8::]", "[2001:db8::]"),
    Vector("http://[1:0:0:2:0:0:0:3]", "[1:0:0:2::3]"), Vector("http://[1:0:2:0:3:0:4:0]", "[1:0:2:0:3:0:4:0]"),
    Vector("http://[1:2:3:4:5:6:7::]", "[1:2:3:4:5:6:7:0]"),
  ])
  private func addressesHaveOneForm(_ vector: Vector) {
    #expect(Vector.outcome { try WebURL(vector.text) } == "http://\(vector.expected)/")
  }

  @Test(arguments: [
    Vector("", "no-scheme"), Vector("host.example", "no-scheme"), Vector("//host.example/", "no-scheme"),
    Vector("/etc/passwd", "no-scheme"), Vector("file:///etc/passwd", "scheme"),
    Vector("gopher://host.example/", "scheme"),
    Vector("ftp://host.example/", "scheme"), Vector("dict://host.example:11211/", "scheme"),
    Vector("javascript:alert(1)", "scheme"), Vector("data:text/plain,x", "scheme"),
    Vector("ws://host.example/", "scheme"),
    Vector("view-source:http://host.example/", "scheme"), Vector("jar:http://host.example!/", "scheme"),
    Vector("localhost:80/", "scheme"), Vector("http:host.example", "no-host"), Vector("http:/host.example", "no-host"),
    Vector("http:///host.example", "no-host"), Vector("http://", "no-host"), Vector("http://?q", "no-host"),
    Vector("http://#f", "no-host"), Vector("http://:80/", "no-host"), Vector("http:\\\\host.example\\x", "backslash"),
    Vector("http://host.example\\@evil.example/", "backslash"), Vector("http://host.example/\\evil", "backslash"),
    Vector("http://user@host.example/", "credentials"), Vector("http://user:pass@host.example/", "credentials"),
    Vector("http://@host.example/", "credentials"), Vector("http://good.example@127.0.0.1/", "credentials"),
    Vector("http://good.example:80@127.0.0.1/", "credentials"), Vector("http://a@b@c.example/", "credentials"),
    Vector("http://good.example:80:81/", "port"), Vector("http://[::1]@host.example/", "credentials"),
    Vector("http://ho st.example/", "space-or-control"), Vector("http://host.example/a b", "space-or-control"),
    Vector("http://host.example/\u{0}", "space-or-control"), Vector("http://host\t.example/", "space-or-control"),
    Vector("http://host.example/\r\nHost: evil", "space-or-control"),
    Vector("http://host.example/\u{3000}x", "space-or-control"),
    Vector("http://host.example/\u{202E}gpj.exe", "hidden-mark"), Vector("http://ho\u{200B}st.example/", "hidden-mark"),
    Vector("http://ho\u{AD}st.example/", "hidden-mark"), Vector("http://host.example/\u{FFFD}", "broken-text"),
    Vector("http://127%2e0.0.1/", "escaped-host"), Vector("http://%31%32%37.0.0.1/", "escaped-host"),
    Vector("http://host.example%00.evil.example/", "escaped-host"),
    Vector("http://host.example%2f@evil.example/", "credentials"),
    Vector("http://ho!st.example/", "host-character"), Vector("http://host.example;evil.example/", "host-character"),
    Vector("http://host,evil/", "host-character"), Vector("http://a..b.example/", "host-length"),
    Vector("http://.host.example/", "host-length"), Vector("http://./", "host-length"),
    Vector("http://host.example../", "host-length"),
    Vector("http://\(String(repeating: "a", count: 64)).example/", "host-length"),
    Vector("http://\(String(repeating: "a.", count: 127))example/", "host-length"),
    Vector("http://xn--a.example/", "international-host"), Vector("http://xn--/", "international-host"),
    Vector("http://אa.example/", "international-host"),
    Vector("http://host.example\u{2044}evil.example/", "international-host"),
    Vector("http://256.1.1.1/", "address"), Vector("http://1.2.3.4.5/", "address"),
    Vector("http://4294967296/", "address"),
    Vector("http://0x100000000/", "address"), Vector("http://127.0.0.08/", "address"), Vector("http://a.1/", "address"),
    Vector("http://1.2.3.0xg/", "1.2.3.0xg"), Vector("http://[::1/", "address"), Vector("http://[::1]x/", "address"),
    Vector("http://[]/", "address"), Vector("http://[1::2::3]/", "address"),
    Vector("http://[1:2:3:4:5:6:7]/", "address"),
    Vector("http://[1:2:3:4:5:6:7:8:9]/", "address"), Vector("http://[:1]/", "address"),
    Vector("http://[12345::]/", "address"),
    Vector("http://[::127.0.0.1.5]/", "address"), Vector("http://[::0127.0.0.1]/", "address"),
    Vector("http://[v1.x]/", "address"), Vector("http://[1::2:]/", "address"),
    Vector("http://[fe80::1%25eth0]/", "zone"),
    Vector("http://[fe80::1%eth0]/", "zone"), Vector("http://host.example:0/", "port"),
    Vector("http://host.example:65536/", "port"),
    Vector("http://host.example:-1/", "port"), Vector("http://host.example:+80/", "port"),
    Vector("http://host.example:8o/", "port"),
    Vector("http://host.example:80a/", "port"),
    Vector("http://host.example/\(String(repeating: "a", count: 8192))", "too-long"),
    Vector("http://host.example/\(String(repeating: "ü", count: 2000))", "too-long"),
  ])
  private func whatParsersReadDifferentlyIsRefused(_ vector: Vector) {
    let outcome = Vector.outcome { try WebURL(vector.text) }
    #expect(outcome == vector.expected || outcome == "http://\(vector.expected)/")
  }

  @Test(arguments: [
    Vector("", "http://host.example/a/b?q"), Vector("#top", "http://host.example/a/b?q"),
    Vector("?x", "http://host.example/a/b?x"),
    Vector("c", "http://host.example/a/c"), Vector("/c?d", "http://host.example/c?d"),
    Vector("../c", "http://host.example/c"),
    Vector("..", "http://host.example/"), Vector(".", "http://host.example/a/"), Vector("./", "http://host.example/a/"),
    Vector("//other.example/x", "http://other.example/x"), Vector("https://other.example", "https://other.example/"),
    Vector(" my photo.jpg ", "http://host.example/a/my%20photo.jpg"),
    Vector("pho\nto.jpg", "http://host.example/a/photo.jpg"),
    Vector("images\\1.jpg", "http://host.example/a/images/1.jpg"),
    Vector("\\images\\1.jpg", "http://host.example/images/1.jpg"),
    Vector("\\\\other.example/x", "backslash"), Vector("/\\other.example/x", "backslash"),
    Vector("\\/other.example/x", "backslash"),
    Vector("///other.example/x", "no-host"), Vector("http:c", "no-host"), Vector("http:/c", "no-host"),
    Vector("javascript:void(0)", "scheme"),
    Vector("data:image/gif;base64,\(String(repeating: "A", count: 20_000))", "scheme"),
    Vector("file:///etc/passwd", "scheme"), Vector("gopher://host.example", "scheme"),
    Vector("//user@other.example/", "credentials"),
    Vector("http://127.0.0.1\\@other.example/", "backslash"), Vector("1:2", "http://host.example/a/1:2"),
    Vector(String(repeating: "x", count: 8193), "too-long"),
  ])
  private func referencesAreReadAsBrowsersDo(_ vector: Vector) throws {
    let base = try WebURL("http://host.example/a/b?q#f")
    #expect(Vector.outcome { try base.resolve(vector.text) } == vector.expected)
  }

  @Test func bytesOfAHeaderNeedNotBeText() throws {
    let base = try WebURL("https://host.example/")
    #expect(try base.resolve(bytes: [0x2F, 0xE9, 0x2E]).description == "https://host.example/%E9.")
    #expect(throws: URLRefusal.brokenText) { try base.resolve(bytes: Array("http://a".utf8) + [0xE9, 0x2F]) }
  }

  @Test func canonicalFormIsItsOwnCanonicalForm() throws {
    for text in ["http://h.example/%2F%5c?%41'#x", "https://[::2]:8443/a%20b?c", "http://1.1/ü", "http://h.example/a%"] {
      let url = try WebURL(text)
      #expect(try WebURL(url.description) == url)
    }
  }
}
