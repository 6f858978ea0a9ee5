import Decoding
import Foundation
import Hashing
import Matching
import SystemPackage
import TestSupport
import Testing

@testable import Scanning

/// A site of hundreds of pages through the whole scanner: what is planted on it is found, and asked for once.
struct SiteScanTests {
  private static let pages = 240
  private static let shared = Result {
    let site = try TestSite(pages: pages)
    let (items, summary) = try scan(site)
    return (site, items, summary)
  }
  private static let hasWget = FileManager.default.isExecutableFile(atPath: "/usr/bin/wget")

  /// Those pages that no other page leads to.
  private static func roots(_ site: TestSite) -> [TestSite.Description.Page] {
    let inner = Set(site.description.pages.flatMap(\.planted).map(\.url))
    return site.description.pages.filter { !inner.contains($0.url) }
  }

  /// A list with the digests of all pictures on the site.
  private static func blocklist(in folder: TemporaryDirectory) throws -> Blocklist {
    let pictures = Corpus.packageRoot.appending(path: "testdata/pictures")
    let names = try FileManager.default.contentsOfDirectory(atPath: pictures.path).filter { $0.hasSuffix(".jpg") }
    let path = folder.path("pictures.hashlist")
    try buildList(
      names.enumerated().map { number, name in
        let bytes = try Data(contentsOf: pictures.appending(path: name))
        let digest = try bytes.withUnsafeBytes { try Digest.sha256(of: $0) }
        return ListEntry(id: name, recordNumber: number + 1, digests: [digest])
      }, at: path)
    return Blocklist([.init(list: try HashList(opening: FilePath(path)))])
  }

  private static func policy(_ site: TestSite) throws -> FetchPolicy {
    let origin = try WebURL(site.description.origin)
    var policy = FetchPolicy()
    policy.addresses = AddressPolicy(
      allowing: [AddressPolicy.Endpoint(address: IPAddress("127.0.0.1")!, port: origin.port)], ports: [origin.port])
    policy.retries = 0
    policy.deadline = .seconds(5)
    policy.mostBodyBytes = 1 << 20
    policy.mostPerHost = 16
    return policy
  }

  private static func scan(_ site: TestSite) throws -> (items: [ScannedItem], summary: ScanSummary) {
    let decoders = try DecoderPool(size: 2, decoder: FilePath(builtProgram("muhafiz-decoder")))
    let scanner = WebScanner(
      blocklist: try blocklist(in: site.folder), options: ScanOptions(workers: 2), policy: try policy(site),
      decoders: decoders)
    nonisolated(unsafe) var items: [ScannedItem] = []  // Delivered one at a time.
    let summary = try scanner.scan(roots(site).map { URLMention(exactly: $0.url) }) { items.append($0) }
    return (items, summary)
  }

  @Test func everythingPlantedIsFoundAndNothingIsAskedForTwice() throws {
    let (site, items, summary) = try Self.shared.get()
    #expect(summary.counts.found == items.count && !summary.isInterrupted)

    func url(_ item: ScannedItem) -> String { if case .url(let url) = item.place { url } else { "" } }
    var byURL: [String: [ScannedItem]] = [:]
    for item in items { byURL[url(item), default: []].append(item) }
    var found = 0
    for page in site.description.pages {
      for planted in page.planted {
        guard !planted.place.isEmpty else { continue }
        // What is written into a page itself is a part of it.
        let isInline = planted.url.hasPrefix("data:")
        let candidates = byURL[isInline ? page.url : planted.url] ?? []
        let item = candidates.first { item in
          guard let reference = item.reference else { return false }
          return reference.page.description == page.url
            && "\(reference.element) \(reference.attribute)".trimmed == planted.place
        }
        guard let item else {
          let seen = candidates.map { "\($0.state) \(String(describing: $0.reference))" }
          Issue.record("\(page.url): \(planted) is not found: \(seen)")
          continue
        }
        found += 1
        #expect(item.state == .hashed && item.chain.last?.status == 200 && item.chain.last?.digest != nil)
        #expect(item.chain.first?.url.description == (isInline ? page.url : planted.url))
        let isPage = site.description.pages.contains { $0.url == planted.url }
        #expect(isPage || item.verdict == .block, "\(planted): \(item.state) \(String(describing: item.verdict))")
      }
    }
    let videos = items.filter { $0.member == "video 1" }
    #expect(Set(videos.map { url($0).split(separator: "/").last! }) == ["i.m3u8", "film.mpd"])
    #expect(videos.allSatisfy { $0.state == .hashed })

    let requests = try site.requests()
    #expect(Set(requests).count == requests.count, "asked for twice")
    // What the hostile page refers to: each an item with its reason, and none of them held up the rest.
    for (path, start) in [
      ("404.jpg", "status:"), ("500.jpg", "status:"), ("slow.jpg", "timed-out:"), ("endless.jpg", "too-large:"),
      ("bomb.jpg", "too-large:"), ("loop.jpg", "bad-redirect:"), ("cut.jpg", "unreachable:"),
    ] {
      let item = byURL["\(site.description.origin)/e/\(path)"]?.first
      guard case .error(let reason)? = item?.state else {
        Issue.record("\(path): \(String(describing: item?.state))"); continue
      }
      // On a busy machine the time may be up before the bytes are.
      let isSlow = start == "too-large:" && reason.hasPrefix("timed-out:")
      #expect(reason.hasPrefix(start) || isSlow, "\(path): \(reason)")
    }
    #expect(found > 600)
    print("site: \(found) planted contents found with page, element and chain; \(requests.count) requests, each once")
  }

  @Test(.enabled(if: hasWget, "wget is not installed"))
  func nothingIsMissedThatWgetFetches() throws {
    // Two sites that differ in the port alone.
    let (site, theirs) = (try Self.shared.get().0, try TestSite(pages: Self.pages))
    let list = theirs.folder.url.appending(path: "urls")
    try Data(Self.roots(theirs).filter { !$0.hostile }.map(\.url).joined(separator: "\n").utf8).write(to: list)
    _ = try run(
      "/usr/bin/wget",
      [
        "--quiet", "--page-requisites", "--execute", "robots=off", "--no-directories", "--delete-after", "--tries=1",
        "--timeout=10", "--directory-prefix", theirs.folder.path("wget"), "--input-file", list.path,
      ])
    func fetched(_ site: TestSite) throws -> Set<String> {
      Set(try site.requests().filter { $0.hasPrefix("GET media ") || $0.hasPrefix("GET page ") })
    }
    let (wget, ours) = (try fetched(theirs), try fetched(site))
    #expect(wget.count > 300 && wget.subtracting(ours).isEmpty, "\(wget.subtracting(ours).sorted().prefix(5))")
    print("site: wget asked for \(wget.count) pages and contents, we for \(ours.count), none of its missing")
  }
}
