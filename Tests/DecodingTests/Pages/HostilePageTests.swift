import Decoding
import TestSupport
import Testing

/// Pages made to break a reader cost a worker neither its life nor its time, and never lose their references silently.
@Suite(.serialized)
struct HostilePageTests {
  private static let end = "<img src=last.jpg>"

  @Test(
    arguments: [
      String(repeating: "<div>", count: 100_000), String(repeating: "<b><i><table>", count: 30_000),
      String(repeating: "</i>", count: 100_000), String(repeating: "<svg><style>", count: 50_000),
      "<p " + (0..<1_000_000).map { "a\($0)" }.joined(separator: " ") + ">",
      "<p " + String(repeating: "src=a ", count: 100_000) + ">",
      String(repeating: "<!--", count: 100_000) + "-->", String(repeating: "\0", count: 300_000),
      String(repeating: "<script><!--<script>", count: 50_000) + "--></script>", String(repeating: "&", count: 200_000),
      "<p style='" + String(repeating: "image-set(", count: 30_000) + "'>",
      "<p style='" + String(repeating: "\\", count: 100_000) + "'>",
      "<p style='" + String(repeating: "/*", count: 100_000) + "'>",
      "<img srcset='" + String(repeating: "(,", count: 100_000) + "'>",
      "<script type=application/ld+json>" + String(repeating: "\"\\u", count: 100_000) + "</script>",
      "<img alt='" + String(repeating: "&CounterClockwiseContourIntegra", count: 10_000) + "'>",
      "<meta http-equiv=refresh content='" + String(repeating: "9", count: 200_000) + "'>",
    ])
  func theReferenceBehindItIsFound(text: String) throws {
    let page = try Page(text + Self.end)
    #expect(page.urls.last == "last.jpg", "\(text.prefix(20)): \(page.failure?.reason ?? "")")
    #expect(page.failure == nil || page.failure?.code == .limit)
  }

  @Test(
    arguments: [
      "<title>", "<textarea>", "<script>", "<!--", "<p a='", "<p a", "<", "<style>", "<iframe srcdoc='",
    ])
  func whatIsNeverClosedEndsWithThePage(text: String) throws {
    let page = try Page("<img src=first.jpg>" + String(repeating: text, count: 100_000))
    #expect(page.urls.first == "first.jpg" && page.failure == nil)
  }

  private static let originals: [(PageFormat, String)] = [
    (
      .html,
      """
      <!DOCTYPE html><html><head><meta charset=utf-8><base href="/a/"><meta property="og:image" content="x.jpg"><style>p{background:url("a.png")}</style>
      <script type="application/ld+json">{"@graph":[{"contentUrl":"v.mp4","image":["\\u0061.jpg"]}]}</script></head><body><!-- c -->
      <img srcset="a.jpg 1x, b.jpg 2x" src='c.jpg'><iframe srcdoc="<img src=&quot;d&quot;>"></iframe><img src="data:image/gif;base64,R0lGODlh">
      <svg><image xlink:href="s.png"/></svg><noscript><img data-src=e></noscript><p style="background:url( f\\.png )"></body></html>
      """
    ),
    (
      .css,
      "@import 'a.css'; /* c */ .b { background: url(c.png), image-set(\"d.png\" 1x) } @media x { a { b: url('e\\66 .png') } }"
    ),
    (
      .hls,
      """
      #EXTM3U
      #EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=2x3,CODECS="a,b"
      v.m3u8
      #EXT-X-MAP:URI="i",BYTERANGE="5@6"
      #EXT-X-BYTERANGE:7@8
      s.ts
      """
    ),
    (
      .dash,
      """
      <?xml version="1.0"?><MPD mediaPresentationDuration="PT9S"><BaseURL>a/</BaseURL><Period><AdaptationSet mimeType="video/mp4"><SegmentTemplate
      media="$Number%05d$-$Time$" initialization="i" timescale="10" duration="20"><SegmentTimeline><S t="0" d="5" r="3"/><S d="9" r="-1"/></SegmentTimeline></SegmentTemplate>
      <Representation id="r" bandwidth="5" width="4" height="3"/></AdaptationSet></Period></MPD>
      """
    ),
  ]

  private func damage(_ page: [UInt8], _ random: inout SeededGenerator) -> [UInt8] {
    var page = page
    for _ in 0..<Int.random(in: 1...12, using: &random) {
      let at = Int.random(in: 0..<page.count, using: &random)
      switch Int.random(in: 0..<5, using: &random) {
      case 0: page[at] = UInt8.random(in: 0...255, using: &random)
      case 1: page[at] = "<>\"'=/&;()#,:{}[]%$-! \0".utf8.randomElement(using: &random) ?? 0
      case 2:
        if page.count > 20 { page.removeSubrange(at..<min(page.count, at + Int.random(in: 0...9, using: &random))) }
      case 3: page.insert(contentsOf: page[at...].prefix(30), at: Int.random(in: 0..<page.count, using: &random))
      default: page[at] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      }
    }
    return page
  }

  @Test func mutatedPagesNeverCostAWorkerItsLifeOrItsTime() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    var random = SeededGenerator(seed: seed)
    let pool = try DecoderPool(size: 1)
    let count = isLongRun ? 20_000 : 600
    let charsets = [nil, "utf-16", "gb18030", "iso-2022-jp", "windows-1256", "big5", "shift_jis"]
    var references = 0
    var worker: CInt?
    for round in 0..<count {
      let (format, text) = Self.originals[round % Self.originals.count]
      let page = try Page(
        damage(Array(text.utf8), &random), as: format, charset: charsets[round % charsets.count], from: pool)
      references += page.references.count
      #expect(page.failure?.code != .crashed && page.failure?.code != .timedOut, "seed \(seed), round \(round)")
      let now = try pool.withLease { $0.process }
      if round % 1000 > 0, round > 0 { #expect(now == worker, "seed \(seed), round \(round): the worker ended") }
      worker = now
    }
    #expect(references > count, "seed \(seed)")
    print("mutated pages: \(count), \(references) references, 0 exits, 0 hangs, seed \(seed)")
  }
}
