import Decoding
import Matching
import TestSupport
import Testing

@testable import Scanning

/// References become whole URLs, once each, and the forms of a video are chosen from.
struct PageReferencesTests {
  private func page(
    _ text: String, _ format: PageFormat = .html, at url: String = "https://host.example/a/b.html?q=1"
  ) throws -> PageReferences {
    let url = try WebURL(url)
    return try Self.pool.get().withLease { lease in
      try Array(text.utf8).withUnsafeBytes {
        try PageReferences.read($0, as: format, contentType: nil, at: url, with: &lease)
      }
    }
  }

  private static let pool = Result { try DecoderPool(size: 1) }

  private func urls(_ page: PageReferences) -> [String] {
    page.references.map { reference in
      switch reference.url {
      case .success(let url): url.description
      case .failure(let refusal): refusal.code
      }
    }
  }

  @Test func relativeReferencesAreResolvedInTheirOrder() throws {
    let page = try page(
      "<img src=c.jpg><img src=/d.jpg><img src=../e.jpg><img src=//f.example/g><img src='?h'><img src='i j'>")
    #expect(
      urls(page) == [
        "https://host.example/a/c.jpg", "https://host.example/d.jpg", "https://host.example/e.jpg",
        "https://f.example/g",
        "https://host.example/a/b.html?h", "https://host.example/a/i%20j",
      ])
    #expect(page.references.map(\.order) == Array(0..<6) && page.failure == nil)
  }

  @Test func theFirstBaseHoldsForWhatFollowsIt() throws {
    let page = try page("<img src=a><base href=/x/><img src=b><base href=/y/><img src=c>")
    #expect(urls(page) == ["https://host.example/a/a", "https://host.example/x/b", "https://host.example/x/c"])
    #expect(try urls(self.page("<base href='javascript:1'><img src=b>")) == ["https://host.example/a/b"])
  }

  @Test func eachURLIsThereOnceAndAPageRatherThanAPicture() throws {
    let page = try page(
      "<img src=c.jpg><img src='./c.jpg#x'><a href=c.jpg><iframe src=c.jpg></iframe><img srcset='c.jpg 2x, D.jpg'>")
    #expect(urls(page) == ["https://host.example/a/c.jpg", "https://host.example/a/D.jpg"])
    #expect(
      page.references.map(\.role) == [.frame, .media] && page.references.map(\.raw.attribute) == ["src", "srcset"])
  }

  @Test func whatNobodyFetchesIsKeptWithItsReason() throws {
    let long = String(repeating: "x", count: 7001)
    let page = try page(
      "<img src='ftp://a/b'><iframe src='about:blank'></iframe><iframe src='javascript:x'></iframe><img src='http://u:p@h/'>"
        + "<img src='blob:x'><img src='\(long)'>")
    #expect(urls(page) == ["scheme", "credentials", "scheme", "too-long"])
  }

  @Test func inlineContentsComeWithTheirBytes() throws {
    let page = try page("<img src='data:image/png,abc'><img src=a>")
    #expect(
      page.inline.map(\.bytes) == [Array("abc".utf8)] && page.inline[0].order == 0 && page.references[0].order == 1)
  }

  @Test func whatEndsThePageEarlyIsItsFailure() throws {
    let images = (0..<2001).map { "<img src=\($0)>" }.joined()
    let page = try page(images)
    #expect(page.references.count == 2000 && page.failure?.reason == "limit: more than 2000 references")
    #expect(try self.page("no playlist", .hls).failure?.code == .broken)
  }

  @Test func ofAMasterPlaylistTheSmallestThatIsEnoughIsChosen() throws {
    let page = try page(
      """
      #EXTM3U
      #EXT-X-STREAM-INF:BANDWIDTH=90000,RESOLUTION=256x144
      144.m3u8
      #EXT-X-STREAM-INF:BANDWIDTH=64000,CODECS="mp4a.40.2"
      sound.m3u8
      #EXT-X-STREAM-INF:BANDWIDTH=900000,RESOLUTION=1280x720
      720.m3u8
      #EXT-X-STREAM-INF:BANDWIDTH=400000,RESOLUTION=426x240
      240.m3u8
      #EXT-X-MEDIA:TYPE=AUDIO,URI="en.m3u8"
      #EXT-X-MEDIA:TYPE=VIDEO,URI="other.m3u8"
      #EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI="keys.m3u8"
      """, .hls)
    func names(_ choice: StreamChoice) -> [String] { choice.playlists(of: page).map(\.raw.url) }
    #expect(names(.smallest) == ["240.m3u8", "other.m3u8"])
    #expect(names(.all) == ["144.m3u8", "720.m3u8", "240.m3u8", "keys.m3u8", "other.m3u8"])
    let small = try self.page(
      "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=9,RESOLUTION=4x3\na\n#EXT-X-STREAM-INF:BANDWIDTH=8,RESOLUTION=8x6\nb", .hls)
    #expect(StreamChoice.smallest.playlists(of: small).map(\.raw.url) == ["b"])
  }

  @Test func theSegmentsOfATrackAreInOrderAndWhatHidesThemIsSaid() throws {
    let page = try page(
      "#EXTM3U\n#EXT-X-MAP:URI=\"i.mp4\"\n#EXTINF:1,\n1.m4s\n#EXTINF:1,\nhttps://cdn.example/2.m4s\n#EXT-X-ENDLIST",
      .hls)
    let tracks = StreamChoice.smallest.tracks(of: page)
    #expect(tracks.count == 1 && tracks[0].failure == nil && tracks[0].singleFile == nil)
    #expect(
      try tracks[0].pieces.map { try $0.url.get().description } == [
        "https://host.example/a/i.mp4", "https://host.example/a/1.m4s", "https://cdn.example/2.m4s",
      ])
    let live = try self.page("#EXTM3U\n1.ts", .hls)
    #expect(live.tracks[0].isLive && live.tracks[0].failure?.code == .limit)
    let secret = try self.page("#EXTM3U\n#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"k\"\n1.ts\n#EXT-X-ENDLIST", .hls)
    #expect(secret.tracks[0].failure?.reason == "encrypted")
    let refused = try self.page("#EXTM3U\nfile:///etc/passwd\n#EXT-X-ENDLIST", .hls)
    #expect(refused.tracks[0].failure?.code == .broken)
    let ranges = try self.page(
      "#EXTM3U\n#EXT-X-MAP:URI=\"v.mp4\",BYTERANGE=\"9@0\"\n#EXT-X-BYTERANGE:5@9\nv.mp4\n#EXT-X-ENDLIST", .hls)
    #expect(ranges.tracks[0].singleFile?.description == "https://host.example/a/v.mp4")
  }

  @Test func ofAManifestOneTrackOfEachPeriodIsChosenWithTheBasesOfItsLevels() throws {
    let set = """
      <AdaptationSet mimeType='video/mp4'><BaseURL>v/</BaseURL><SegmentTemplate media='$RepresentationID$-$Number$' duration='5'/>
      <Representation id='big' bandwidth='900' height='720'/><Representation id='small' bandwidth='300' height='360'><BaseURL>s/</BaseURL></Representation>
      <Representation id='tiny' bandwidth='30' height='90'/></AdaptationSet>
      <AdaptationSet mimeType='audio/mp4'><Representation id='sound' bandwidth='1'><BaseURL>sound.mp4</BaseURL></Representation></AdaptationSet>
      """
    let page = try page(
      "<MPD><BaseURL>https://cdn.example/m/</BaseURL><Period duration='PT5S'>\(set)</Period><Period duration='PT5S'><BaseURL>/two/</BaseURL>\(set)</Period></MPD>",
      .dash)
    func urls(_ choice: StreamChoice) throws -> [String] {
      try choice.tracks(of: page).flatMap(\.pieces).map { try $0.url.get().description }
    }
    #expect(try urls(.smallest) == ["https://cdn.example/m/v/s/small-1", "https://cdn.example/two/v/s/small-1"])
    #expect(
      try urls(.all) == [
        "https://cdn.example/m/v/big-1", "https://cdn.example/m/v/s/small-1", "https://cdn.example/m/v/tiny-1",
        "https://cdn.example/two/v/big-1", "https://cdn.example/two/v/s/small-1", "https://cdn.example/two/v/tiny-1",
      ])
    let whole = try self.page(
      "<MPD><Period><AdaptationSet><Representation><BaseURL>film.mp4</BaseURL></Representation></AdaptationSet></Period></MPD>",
      .dash)
    #expect(whole.tracks[0].singleFile?.description == "https://host.example/a/film.mp4")
  }
}
