import Decoding
import Testing

/// Start tags are where the HTML standard has them.
struct HTMLTokenizerTests {
  /// Each tag as its name and its attributes: "img src=a alt=".
  private func tags(_ text: String, isXML: Bool = false, readsRawText: Bool = true) -> [String] {
    Array(text.utf8).withUnsafeBufferPointer { bytes in
      var tokenizer = HTMLTokenizer(bytes, isXML: isXML)
      var tags: [String] = []
      while let tag = tokenizer.next(readsRawText: readsRawText) {
        tags.append(
          ([tag.name] + tag.attributes.map { "\(tag.name(of: $0))=\(tag.value(of: $0))" }).joined(separator: " "))
      }
      return tags
    }
  }

  @Test(
    arguments: [
      ("<img src=a>", ["img src=a"]), ("<IMG SRC = 'A' >", ["img src=A"]),
      ("<img/src=\"a\"/alt=x>", ["img src=a alt=x"]),
      ("<img src=a/>", ["img src=a/"]), ("<img\u{c}src=a\n\talt>", ["img src=a alt="]),
      ("<img =a=b src=c>", ["img =a=b src=c"]),
      ("<img \"a=b\" src=c>", ["img \"a=b\" src=c"]), ("<img src=\"a\"alt='b'>", ["img src=a alt=b"]),
      ("<p <img src=a>", ["p <img= src=a"]), ("<img title=\"a>b\" src=c>", ["img title=a>b src=c"]),
      ("<img src=>", ["img src="]),
      ("<img src", []), ("<img src=\"a><p>", []), ("a < b <3 <a>", ["a"]), ("<", []), ("</", []), ("<!", []),
      ("<!-", []),
      ("", []),
      ("</br><a>", ["a"]), ("</p a=\"</b><a>\"><b>", ["b"]), ("</><a>", ["a"]), ("</ a=\"><b>", ["b"]),
      ("<?php \"<a>\" ?><b>", ["b"]),
      ("<!doctype html \"><a>", ["a"]), ("<![CDATA[<a>]]><b>", ["b"]),
    ])
  func tagsEndWhereTheStandardEndsThem(text: String, expected: [String]) {
    #expect(tags(text) == expected)
  }

  @Test(
    arguments: [
      ("<!--><a>-->", ["a"]), ("<!---><a>-->", ["a"]), ("<!----><a>", ["a"]), ("<!-- --!><a>", ["a"]),
      ("<!-- -- ><a>--><b>", ["b"]),
      ("<!--!><a>--><b>", ["b"]), ("<!--a-><b>--><c>", ["c"]), ("<!-- <a>", []), ("<!--<!-- --><a>-->", ["a"]),
      ("<!--->-><a>", ["a"]),
    ])
  func commentsEndWhereTheStandardEndsThem(text: String, expected: [String]) {
    #expect(tags(text) == expected)
  }

  @Test(
    arguments: [
      ("<script>\"<a>\"</script><b>", ["script", "b"]), ("<script></scripts><a></SCRIPT ><b>", ["script", "b"]),
      ("<script><!--<script></script><a>--></script><b>", ["script", "b"]),
      ("<script><!--</script><a>", ["script", "a"]),
      ("<script><!--><script></script><a>", ["script", "a"]), ("<script>", ["script"]),
      ("<script></script", ["script"]),
      ("<style><a></style><b>", ["style", "b"]), ("<title></titl><a></title/><b>", ["title", "b"]),
      ("<textarea><!--</textarea><a>", ["textarea", "a"]),
    ])
  func textElementsEndAtTheirEndTag(text: String, expected: [String]) {
    #expect(tags(text) == expected)
  }

  @Test func inXMLAnElementMayCloseItself() {
    #expect(tags("<script/><a/>", isXML: true) == ["script", "a"])
    #expect(tags("<script/><a/>") == ["script"])
  }

  @Test(
    arguments: [
      ("&amp;", "&"), ("&amp", "&"), ("a&b", "a&b"), ("&period;&sol;&colon;", "./:"), ("?a=1&copy=2", "?a=1&copy=2"),
      ("&copy", "©"),
      ("&copya", "&copya"), ("&notit;", "&notit;"), ("&notin;", "∉"), ("&not;in", "¬in"), ("&#65;&#x42;&#X43", "ABC"),
      ("&#0;&#xD800;&#x110000;&#99999999999;", "\u{fffd}\u{fffd}\u{fffd}\u{fffd}"), ("&#128;&#x9f;", "€Ÿ"),
      ("&#;&#x;&;&", "&#;&#x;&;&"),
      ("&NotEqualTilde;", "\u{2242}\u{338}"), ("&nosuchname;", "&nosuchname;"), ("a\0b", "a\u{fffd}b"),
    ])
  func charactersAreDecodedAsInAttributes(text: String, expected: String) {
    #expect(tags("<a b='\(text)'>") == ["a b=\(expected)"])
  }

  @Test func brokenUTF8NeverHidesATagsEnd() {
    let text: [UInt8] =
      Array("<img src='".utf8) + [0xe2, 0x82] + Array("'><a href=".utf8) + [0xf0] + Array("><b>".utf8)
    text.withUnsafeBufferPointer { bytes in
      var tokenizer = HTMLTokenizer(bytes)
      #expect(tokenizer.next()?.value("src") == "\u{fffd}")
      #expect(tokenizer.next()?.value("href") == "\u{fffd}")
      #expect(tokenizer.next()?.name == "b")
      #expect(tokenizer.next() == nil)
    }
  }

  @Test func ofTwoAttributesOfOneNameTheFirstHolds() {
    Array("<a b=1 B=2>".utf8).withUnsafeBufferPointer { bytes in
      var tokenizer = HTMLTokenizer(bytes)
      #expect(tokenizer.next()?.value("b") == "1")
    }
  }
}
