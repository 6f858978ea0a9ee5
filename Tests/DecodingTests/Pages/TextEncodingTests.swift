import Decoding
import Foundation
import TestSupport
import Testing

/// The character set of a page is found, and no page is misread for want of it.
struct TextEncodingTests {
  /// Each with the word as its bytes, by the tables of the Encoding standard.
  @Test(
    arguments: [
      ("utf-8", "سلام", Array("سلام".utf8)), ("windows-1256", "سلام", [0xd3, 0xe1, 0xc7, 0xe3]),
      ("iso-8859-6", "سلام", [0xd3, 0xe4, 0xc7, 0xe5]), ("windows-1252", "€é", [0x80, 0xe9]), ("latin1", "é", [0xe9]),
      ("koi8-r", "мир", [0xcd, 0xc9, 0xd2]), ("windows-1251", "мир", [0xec, 0xe8, 0xf0]),
      ("gb2312", "中文", [0xd6, 0xd0, 0xce, 0xc4]),
      ("gb18030", "\u{1f642}", [0x95, 0x30, 0x85, 0x32]), ("big5", "中文", [0xa4, 0xa4, 0xa4, 0xe5]),
      ("shift_jis", "表示", [0x95, 0x5c, 0x8e, 0xa6]), ("euc-jp", "表", [0xc9, 0xbd]), ("euc-kr", "한", [0xc7, 0xd1]),
      ("iso-2022-jp", "表", [0x1b, 0x24, 0x42, 0x49, 0x3d, 0x1b, 0x28, 0x42]), ("utf-16le", "s", [0x73, 0]),
    ])
  func everyKindOfCharacterSetIsRead(label: String, word: String, bytes: [UInt8]) throws {
    let wide = label == "utf-16le"
    func text(_ text: String) -> [UInt8] { wide ? text.utf8.flatMap { [$0, 0] } : Array(text.utf8) }
    let page = try Page(text("<img src='") + bytes + text(".jpg'>"), charset: "text/html; Charset=\"\(label)\"")
    #expect(page.urls == [word + ".jpg"])
    #expect(page.failure == nil)
    if wide { return }
    let own = try Page(Array("<meta charset=\(label)><img src='".utf8) + bytes + Array(".jpg'>".utf8))
    #expect(own.urls == [word + ".jpg"])
  }

  @Test func marksHaveMoreSayThanTheServerAndTheServerMoreThanThePage() throws {
    let page = Array("<meta charset=koi8-r><img src=\u{e9}>".utf8)
    #expect(try Page(page, charset: "utf-8").urls == ["\u{e9}"])
    #expect(try Page([0xef, 0xbb, 0xbf] + page, charset: "big5").urls == ["\u{e9}"])
    let zero: UInt8 = 0
    let big: [UInt8] = [0xfe, 0xff] + Array("<img src=a>".utf8).flatMap { [zero, $0] }
    #expect(try Page(big, charset: "utf-8").urls == ["a"])
    let little: [UInt8] = [0xff, 0xfe] + Array("<img src=a>".utf8).flatMap { [$0, zero] }
    #expect(try Page(little).urls == ["a"])
  }

  @Test func aPageThatSaysNothingIsReadAsUTF8WhereItIsAndAsWesternElse() throws {
    #expect(try Page(Array("<img src=\u{e9}>".utf8)).urls == ["\u{e9}"])
    #expect(try Page(Array("<img src=".utf8) + [0xe9, 0x3e]).urls == ["\u{e9}"])
    #expect(try Page(Array("<img src=".utf8) + [0xe9, 0x3e], charset: "no-such-set").urls == ["\u{e9}"])
    let content = "<meta http-equiv=Content-Type content='text/html; charset=windows-1256'><img src="
    #expect(try Page(Array(content.utf8) + [0xd3, 0x3e]).urls == ["\u{633}"])
    #expect(
      try Page(Array("<?xml version='1.0' encoding='koi8-r'?><img src='".utf8) + [0xcd, 0x27, 0x3e], as: .xhtml).urls
        == ["м"])
    // A page that can say so is not written in units of two bytes.
    #expect(try Page(Array("<meta charset=utf-16><img src=a>".utf8)).urls == ["a"])
  }

  @Test func bytesThatMeanNothingCostNothingElse() throws {
    let page = try Page(
      Array("<img src='".utf8) + [0x81, 0x27, 0xff, 0xff] + Array(" ><img src=b>".utf8), charset: "shift_jis")
    #expect(page.urls.last == "b" && page.failure == nil)
    #expect(try Page(Array("<img src=a>".utf8) + [0x94, 0x39], charset: "gb18030").urls == ["a"])
  }
}
