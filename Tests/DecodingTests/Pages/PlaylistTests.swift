import Decoding
import Testing

/// Playlists and manifests list every track and segment, and what they keep back is said.
struct PlaylistTests {
  private func hls(_ lines: String...) throws -> Page {
    try Page((["#EXTM3U"] + lines).joined(separator: "\n"), as: .hls)
  }

  @Test func aMasterPlaylistNamesItsVariants() throws {
    let page = try hls(
      "#EXT-X-STREAM-INF:BANDWIDTH=800000,RESOLUTION=640x360,CODECS=\"avc1.4d401e,mp4a.40.2\"", "low/index.m3u8",
      "#EXT-X-STREAM-INF:BANDWIDTH=2000000", "# a comment", "high.m3u8",
      "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"x, y\",URI=\"sound.m3u8\"",
      "#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,NAME=\"c\"",
      "#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=90000,URI=\"i.m3u8\"")
    #expect(page.urls == ["low/index.m3u8", "high.m3u8", "sound.m3u8", "i.m3u8"])
    #expect(page.references.allSatisfy { $0.role == .playlist })
    #expect(page.references.map(\.bandwidth) == [800_000, 2_000_000, 0, 90_000])
    #expect(page.references[0].width == 640 && page.references[0].height == 360)
    #expect(page.references[0].descriptor == "avc1.4d401e,mp4a.40.2" && page.references[2].descriptor == "audio")
    #expect(page.failure == nil)
  }

  @Test func aMediaPlaylistNamesItsSegmentsInOrder() throws {
    let page = try hls(
      "#EXT-X-MAP:URI=\"init.mp4\",BYTERANGE=\"560@0\"", "#EXTINF:6,", "#EXT-X-BYTERANGE:100@560", "main.mp4",
      "#EXTINF:6,",
      "#EXT-X-BYTERANGE:50", "main.mp4", "#EXT-X-KEY:METHOD=AES-128,URI=\"key\"", "#EXTINF:6,", "secret.ts",
      "#EXT-X-KEY:METHOD=NONE",
      "#EXTINF:6,", "open.ts\r", "#EXT-X-ENDLIST")
    #expect(page.references.map(\.role) == [.track, .initialization, .segment, .segment, .segment, .segment])
    #expect(page.urls == ["", "init.mp4", "main.mp4", "main.mp4", "secret.ts", "open.ts"])
    #expect(page.references.map(\.byteRange) == [nil, 0..<560, 560..<660, 660..<710, nil, nil])
    #expect(page.references.map(\.isEncrypted) == [false, false, false, false, true, false])
    #expect(page.references[0].descriptor.isEmpty && page.failure == nil)
    #expect(try hls("#EXTINF:1,", "a.ts").references[0].descriptor == "live")
  }

  @Test func otherBoxesInFrontBeginAnotherTrack() throws {
    let page = try hls(
      "#EXT-X-MAP:URI=\"a\"", "1.m4s", "#EXT-X-MAP:URI=\"b\"", "2.m4s", "#EXT-X-DISCONTINUITY", "3.m4s")
    #expect(
      page.references.map(\.role) == [.track, .initialization, .segment, .track, .initialization, .segment, .segment])
  }

  @Test func whatIsNoPlaylistOrNotUnderstoodIsSaid() throws {
    #expect(try Page("a.ts", as: .hls).failure?.code == .broken)
    #expect(try Page("", as: .hls).failure?.code == .broken)
    #expect(try hls("#EXT-X-BYTERANGE:1@18446744073709551615", "a").failure?.code == .broken)
    #expect(try hls("#EXT-X-DEFINE:NAME=\"a\",VALUE=\"b\"", "{$a}").failure?.code == .unsupported)
    #expect(try hls().references.isEmpty && hls().failure == nil)
  }

  private func dash(_ body: String, duration: String = "PT10S") throws -> Page {
    try Page(
      "<?xml version='1.0'?><MPD xmlns='urn:mpeg:dash:schema:mpd:2011' mediaPresentationDuration='\(duration)'>\(body)</MPD>",
      as: .dash)
  }

  private func segments(_ page: Page) -> [String] {
    page.references.filter { $0.role == .segment || $0.role == .initialization }.map(\.url)
  }

  @Test func templatesNameEverySegment() throws {
    let page = try dash(
      """
      <BaseURL>media/</BaseURL><Period><AdaptationSet mimeType='video/mp4'><SegmentTemplate timescale='1000' duration='4000'
      media='$RepresentationID$/$Number%03d$-$Bandwidth$$$.m4s' initialization='$RepresentationID$/init.mp4'/>
      <Representation id='a' bandwidth='9' width='320' height='240'/><Representation id='b' bandwidth='7'><BaseURL>b/</BaseURL></Representation>
      </AdaptationSet></Period>
      """)
    #expect(
      segments(page) == [
        "a/init.mp4", "a/001-9$.m4s", "a/002-9$.m4s", "a/003-9$.m4s", "b/init.mp4", "b/001-7$.m4s", "b/002-7$.m4s",
        "b/003-7$.m4s",
      ])
    let tracks = page.references.filter { $0.role == .track }
    #expect(tracks.map(\.bandwidth) == [9, 7] && tracks.map(\.height) == [240, 0])
    #expect(tracks.allSatisfy { $0.descriptor == "video/mp4" && !$0.isEncrypted })
    let bases = page.references.filter { $0.role == .base }
    #expect(bases.map(\.level) == [0, 1, 2, 3, 2, 3] && bases.map(\.url) == ["media/", "", "", "", "", "b/"])
    #expect(page.failure == nil)
  }

  @Test func timelinesTellTimesAndRepeats() throws {
    let page = try dash(
      """
      <Period duration='PT8S'><AdaptationSet><Representation id='a'><SegmentTemplate media='$Time$' timescale='2' startNumber='5'>
      <SegmentTimeline><S t='4' d='2' r='1'/><S d='3'/><S t='12' d='2' r='-1'/></SegmentTimeline></SegmentTemplate></Representation></AdaptationSet></Period>
      """)
    #expect(segments(page) == ["4", "6", "8", "12", "14"])
    #expect(page.failure == nil)
  }

  @Test func listsAndSingleFilesAreSegmentsToo() throws {
    let page = try dash(
      """
      <Period><AdaptationSet><Representation><SegmentList><Initialization sourceURL='i' range='0-9'/><SegmentURL media='a'/><SegmentURL media='b' mediaRange='5-5'/>
      </SegmentList></Representation><Representation><BaseURL>film.mp4</BaseURL><SegmentBase indexRange='0-1'/></Representation>
      <Representation><ContentProtection/><BaseURL>secret.mp4</BaseURL></Representation></AdaptationSet></Period>
      """)
    #expect(segments(page) == ["i", "a", "b", "", ""])
    #expect(page.references.compactMap(\.byteRange) == [0..<10, 5..<6])
    #expect(page.references.filter { $0.role == .track }.map(\.isEncrypted) == [false, false, true])
    #expect(page.failure == nil)
  }

  @Test func periodsFollowEachOther() throws {
    let period =
      "<AdaptationSet><Representation id='a'><SegmentTemplate media='$Number$' duration='4'/></Representation></AdaptationSet>"
    let page = try dash(
      "<Period start='PT0S'>\(period)</Period><Period start='PT4S'>\(period)</Period>", duration: "PT12S")
    #expect(segments(page) == ["1", "1", "2"])
    #expect(page.references.filter { $0.role == .track }.map(\.level) == [0, 1])
  }

  @Test(
    arguments: [
      (
        "<Period><AdaptationSet><Representation><SegmentTemplate media='$Number$' duration='1' timescale='99999999999'/></Representation></AdaptationSet></Period>",
        Unhashable.Code.limit
      ),
      (
        "<Period><AdaptationSet><Representation><SegmentTemplate media='$Number'/></Representation></AdaptationSet></Period>",
        .unsupported
      ),
      (
        "<Period><AdaptationSet><Representation><SegmentTemplate media='$Number' endNumber='3'/></Representation></AdaptationSet></Period>",
        .broken
      ),
      (
        "<Period><AdaptationSet><Representation><SegmentTemplate media='$Number%09999999d$' endNumber='3'/></Representation></AdaptationSet></Period>",
        .broken
      ),
      ("<Period xmlns:xlink='http://www.w3.org/1999/xlink' xlink:href='other.xml'/>", .unsupported),
      (
        "<Period><AdaptationSet><Representation><SegmentTemplate media='a'><SegmentTimeline><S d='0'/></SegmentTimeline></SegmentTemplate></Representation></AdaptationSet></Period>",
        .broken
      ),
      ("", .broken), ("<Period>", .broken), (String(repeating: "<a>", count: 100), .limit),
    ])
  func whatAManifestKeepsBackIsSaid(body: String, expected: Unhashable.Code) throws {
    #expect(try dash(body).failure?.code == expected)
  }

  @Test func entitiesAndOtherFilesAreRefused() throws {
    let bomb =
      "<!DOCTYPE MPD [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;'>]><MPD><Period>&b;</Period></MPD>"
    #expect(try Page(bomb, as: .dash).failure?.reason == "the manifest has a document type")
    #expect(try Page("<html></html>", as: .dash).failure?.code == .broken)
    #expect(try Page([0, 1, 2], as: .dash).failure?.code == .broken)
  }

  @Test func durationsAreThoseOfXMLSchema() {
    #expect(DASHManifest.seconds("PT1H2M3.5S") == 3723.5 && DASHManifest.seconds("P1DT1S") == 86_401)
    for text in ["", "P1M", "PT", "1S", "PT1", "PTxS", "P1YT1S"] {
      #expect(DASHManifest.seconds(text) == (text == "PT" ? 0 : nil), "\(text)")
    }
  }
}
