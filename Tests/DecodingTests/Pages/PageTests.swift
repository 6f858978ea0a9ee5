import Decoding
import Foundation
import TestSupport
import Testing

/// Everything that a page refers to comes out of the decoder, with where it stands.
struct PageTests {
  @Test(
    arguments: [
      ("<img src=a.jpg>", ["img src a.jpg"]),
      (
        "<img srcset='a.jpg 1x, b.jpg 2x,c.jpg' src=d>",
        ["img srcset a.jpg 1x", "img srcset b.jpg 2x", "img srcset c.jpg", "img src d"]
      ),
      ("<img data-src=a data-srcset='b 640w'>", ["img data-src a", "img data-srcset b 640w"]),
      ("<div data-bg=a data-x=b.png data-y=c>", ["div data-bg a", "div data-x b.png"]),
      ("<picture><source srcset='a.avif 2x'><img src=b></picture>", ["source srcset a.avif 2x", "img src b"]),
      (
        "<video src=a poster=b><source src=c><track src=d.vtt></video>",
        ["video src a", "video poster b", "source src c"]
      ),
      ("<audio src=a></audio>", ["audio src a"]),
      ("<object data=a></object><embed src=b>", ["object data a", "embed src b"]),
      ("<iframe src=a></iframe><frame src=b>", ["iframe src a", "frame src b"]),
      ("<iframe srcdoc='<img src=&quot;a&quot;>'></iframe>", ["img src a"]),
      ("<input type=image src=a>", ["input src a"]),
      ("<link rel='shortcut icon' href=a><link rel=image_src href=b>", ["link icon a", "link image_src b"]),
      ("<link rel=preload as=image href=a imagesrcset='b 2x'>", ["link preload a", "link imagesrcset b 2x"]),
      ("<link rel=preload as=script href=a.js>", []), ("<link rel=stylesheet href=a>", ["link stylesheet a"]),
      (
        "<meta property=og:image content=a><meta property=og:image:secure_url content=b>",
        ["meta og:image a", "meta og:image:secure_url b"]
      ),
      (
        "<meta name=twitter:image content=a><meta name='twitter:player:stream' content=b>",
        ["meta twitter:image a", "meta twitter:player:stream b"]
      ),
      ("<meta property=og:video content=a><meta name=description content='no link'>", ["meta og:video a"]),
      ("<meta http-equiv=refresh content='3; URL=\"a b\"'>", ["meta refresh a b"]),
      ("<base href=/b/>", ["base href /b/"]),
      ("<p style='background: url( \"a.png\" )'>", ["p style a.png"]), ("<td background=a>", ["td background a"]),
      (
        "<style>@import 'a.css'; b{background:url(c.png)} @font-face{src:url(d.woff2)}</style>",
        ["style @import a.css", "style c.png"]
      ),
      ("<svg><image xlink:href=a /><image href=b /></svg>", ["image xlink:href a", "image href b"]),
      ("<a href='a.JPG?x=1.html#y'><a href=b.html><area href=c.mp4>", ["a href a.JPG?x=1.html#y", "area href c.mp4"]),
      ("<noscript><img src=a></noscript><template><img src=b></template>", ["img src a", "img src b"]),
      ("<textarea><img src=a></textarea>", ["img src a"]), ("<script>document.write('<img src=a>')</script>", []),
      ("<!--><img src=a>-->", ["img src a"]), ("</br><img src=a>", ["img src a"]), ("<img/src=a>", ["img src a"]),
      ("<img src=' a&period;jpg\n'>", ["img src a.jpg"]), ("<img src=''><img src='#x'>", []), ("no markup", []),
      ("", []),
      (
        """
        <script type="application/ld+json">{"@type":"VideoObject","name":"x","contentUrl":"a.mp4","thumbnailUrl":["b","c.jpg"],
        "image":{"@type":"ImageObject","url":"https:\\/\\/d/e\\u0041"},"embedUrl":"f","author":{"url":"g"}}</script>
        """,
        [
          "script contentUrl a.mp4", "script thumbnailUrl c.jpg", "script url https://d/eA", "script embedUrl f",
        ]
      ),
    ])
  func everyReferenceIsFoundInItsOrder(html: String, expected: [String]) throws {
    let page = try Page(html)
    #expect(page.lines == expected)
    #expect(page.failure == nil)
  }

  @Test func rolesTellWhatIsToBeDone() throws {
    let page = try Page(
      "<base href=/><img src=a><a href=b.jpg><iframe src=c></iframe><meta http-equiv=refresh content='0;d'><link rel=stylesheet href=e>"
        + "<iframe srcdoc='<img src=f>'></iframe><img src='data:image/png;base64,AAEC'>")
    #expect(page.references.map(\.role) == [.base, .media, .link, .frame, .redirect, .styleSheet, .media, .inline])
    #expect(page.references.map(\.isWithinFrame) == [false, false, false, false, false, false, true, false])
  }

  @Test func dataURLsAreContentsOfTheirOwn() throws {
    let page = try Page(
      "<img src='data:image/png;base64,iVBO Rw0K\nGgo='><img src=\"data:image/svg+xml,%3Csvg/%3E\">"
        + "<p style='background:url(data:image/gif;base64,R0lGODlh)'><iframe src='data:text/html,<img src=a>'></iframe>"
    )
    #expect(
      page.inline == [[0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a], Array("<svg/>".utf8), Array("GIF89a".utf8)])
    #expect(
      page.references.map(\.descriptor) == ["image/png", "image/svg+xml", "image/gif", ""] && page.urls.last == "a"
        && page.urls[0].hasPrefix("data:image/png"))
    let picture = try [UInt8](Data(contentsOf: Corpus.packageRoot.appending(path: "testdata/pictures/dunes.jpg")))
    let whole = try Page("<img src='data:image/jpeg;base64,\(Data(picture).base64EncodedString())'>")
    #expect(whole.inline == [picture] && whole.failure == nil)
  }

  @Test func xhtmlIsReadByItsElements() throws {
    let page = try Page("<html:script/><html:img src='a'/><title/><img src='b'/>", as: .xhtml)
    #expect(page.urls == ["a", "b"])
  }

  @Test func styleSheetsNameTheirPictures() throws {
    let css = """
      @charset "utf-8"; @import url("a.css") screen; /* url(no) */ .b { background: URL(c.png), image-set("d.png" 1x, url(e.png) 2x);
      content: "url(no)" } .f { background: \\75 rl( g\\.png ) } .h { src: url('i.woff') } .j { background: url("k
      """
    let page = try Page(css, as: .css)
    #expect(page.urls == ["a.css", "c.png", "d.png", "e.png", "g.png", "k"])
    #expect(page.references.first?.role == .styleSheet && page.failure == nil)
  }

  @Test(
    arguments: [
      ("a", ["a "]), ("a 1x", ["a 1x"]), (" a , b 2x ", ["a ", "b 2x"]), ("a,b", ["a,b "]), ("a, b", ["a ", "b "]),
      ("a,,, b", ["a ", "b "]),
      (",,a", ["a "]), ("a 1x,b 2x", ["a 1x", "b 2x"]), ("a (1,2) 1x, b", ["a (1,2) 1x", "b "]),
      ("a 1x 2h", ["a 1x 2h"]), ("", []),
      (",", []), ("data:x,y 1x, b", ["data:x,y 1x", "b "]),
    ])
  func srcsetIsSplitAsByTheStandard(text: String, expected: [String]) {
    #expect(Srcset.candidates(in: text).map { "\($0.url) \($0.descriptor)" } == expected)
  }

  @Test func everyLimitIsNamed() throws {
    var limits = DecodingLimits()
    limits.page.references = 3
    limits.page.sizeInBytes = 100
    let pool = try DecoderPool(size: 1, limits: limits)
    #expect(try Page("<img src=a><img src=b><img src=c>", from: pool).failure == nil)
    let many = try Page("<img src=a><img src=b><img src=c><img src=d>", from: pool)
    #expect(many.urls == ["a", "b", "c"] && many.failure?.reason == "limit: more than 3 references")
    let long = try Page("<img src=a>" + String(repeating: " ", count: 100) + "<img src=b>", from: pool)
    #expect(long.urls == ["a"] && long.failure?.reason == "limit: only the first 100 bytes of the page were read")
    let frames = try Page("<iframe srcdoc='<iframe srcdoc=a></iframe><img src=b>'></iframe><img src=c>")
    #expect(frames.urls == ["b", "c"] && frames.failure?.reason == "limit: a page within a page within the page")
    let url = try Page("<img src='\(String(repeating: "a", count: 7001))'><img src=b>")
    #expect(url.references.map(\.isTooLong) == [true, false] && url.urls[0].utf8.count == 7000)
    let deep = try Page("<script type=application/ld+json>\(String(repeating: "[", count: 300))</script><img src=a>")
    #expect(deep.urls == ["a"] && deep.failure?.code == .limit)
  }

  @Test func formatsAreToldByTheirBytesFirst() {
    func tell(_ text: String, _ type: String? = nil) -> PageFormat? {
      Array(text.utf8).withUnsafeBytes { PageFormat.tell(mediaType: type, head: $0) }
    }
    #expect(tell("#EXTM3U\n", "text/plain") == .hls && tell("\u{feff}#EXTM3U") == .hls)
    #expect(tell("<?xml version='1.0'?><MPD>", "text/xml") == .dash)
    #expect(tell("x", "text/html; charset=x") == .html && tell(" <!DOCTYPE html>", "application/octet-stream") == .html)
    #expect(tell("x", "application/xhtml+xml") == .xhtml && tell("x", "Text/CSS") == .css)
    #expect(tell("x") == nil && tell("", "image/png") == nil && tell("a < b <img", "text/plain") == nil)
  }
}
