import Testing

@testable import Matching

struct URLMentionTests {
  /// What is found in a text: canonical URLs, and the codes of refusals.
  private func found(_ text: String) -> [String] {
    URLMention.all(in: text).map { mention in
      switch mention.url {
      case .success(let url): url.description
      case .failure(let refusal): refusal.code
      }
    }
  }

  @Test(arguments: [
    "http://h.example/a.", "http://h.example/a|b", "http://h.example/w,http://x.example/y", "http://h.example/a)",
    "http://h.example/?a[.]b", "http://h.example/a!",
  ])
  func anExactURLIsItself(_ text: String) throws {
    #expect(try URLMention(exactly: text).url.get().description == text)
  }

  @Test(arguments: [
    "http://host.example/x", "hxxp://host.example/x", "hXXp://host[.]example/x", "h**p://host.example/x",
    "http[:]//host(.)example/x", "hxxp[://]host[dot]example/x", "http:\\/\\/host.example\\/x",
    "<http://host.example/x>",
    "\"http://host.example/x\"", "(http://host.example/x)", "[page](http://host.example/x)",
    "**http://host.example/x**",
    "see http://host.example/x.", "see:http://host.example/x, then", "url=http://host.example/x;",
    "http://host.example/x!?",
    "یہ صفحہ http://host.example/x، دیکھیں", "دیکھیں http://host.example/x۔", "\u{2067}http://host.example/x\u{2069}",
    "\u{200F}http://host.example/x\u{200F} متن", "«http://host.example/x»", "seehttp://host.example/x",
    "|http://host.example/x|",
    "host[.]example/x", "(host.example/x)", "http://host.example/x http://HOST.example:80/x#again",
    "\u{FEFF}http://host.example/x\r\n", "`http://host.example/x`", "http://host.example/x\u{2026}",
  ])
  func oneURLIsFoundWhateverIsAroundIt(_ text: String) {
    #expect(found(text) == ["http://host.example/x"])
  }

  @Test func whatBelongsToAURLIsNotCutOff() {
    #expect(found("http://host.example/a_(b)") == ["http://host.example/a_(b)"])
    #expect(found("(http://host.example/a_(b))") == ["http://host.example/a_(b)"])
    #expect(found("http://old.example/http://host.example/") == ["http://old.example/http://host.example/"])
    #expect(found("http://[2001:db8::1]:8080/x") == ["http://[2001:db8::1]:8080/x"])
    #expect(found("hxxps://host[.]example:8443/a?b=[1]") == ["https://host.example:8443/a?b=[1]"])
  }

  @Test(.timeLimit(.minutes(1))) func bracketsWithoutEndTakeNoTime() {
    let tail = String(repeating: ").]}", count: 200_000)
    #expect(found("http://host.example/x" + tail) == ["http://host.example/x"])
    #expect(found("http://host.example/(x" + tail) == ["http://host.example/(x)"])
  }

  @Test func severalInOnePieceAreSeveral() {
    #expect(
      found("http://a.example/,https://b.example/;http://c.example") == [
        "http://a.example/", "https://b.example/", "http://c.example/",
      ])
    #expect(found("[http://a.example/](http://b.example/)") == ["http://a.example/", "http://b.example/"])
  }

  @Test func refusedOnesAreSaidWithTheReason() {
    #expect(found("ftp://host.example/x") == ["scheme"])
    #expect(found("http://good.example\\@bad.example/") == ["backslash"])
    #expect(found("http://user:word@host.example/") == ["credentials"])
    #expect(found("http://host.example/\u{202E}gpj.exe") == ["hidden-mark"])
    #expect(found("http:\\\\host.example\\x") == ["backslash"])
    #expect(found("http://a..b/ http://a..b/") == ["host-length"])
    #expect(URLMention.all(in: "(ftp://host.example/x)")[0].text == "ftp://host.example/x")
  }

  @Test func otherTextIsNoURL() {
    #expect(found("") == [])
    #expect(found("mail clerk@cell.example or clerk@cell[.]example, 10:30, and/or 1.5/2, e.g. this. C:\\x ::") == [])
    #expect(found("://x, http:, https") == [])
    #expect(found("www.host.example") == ["http://www.host.example/"])
  }
}
