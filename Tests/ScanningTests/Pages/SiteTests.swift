import Decoding
import Foundation
import Matching
import TestSupport
import Testing

@testable import Scanning

/// On a site of hundreds of pages nothing that was planted is missed, and nothing that another program finds.
@Suite(.serialized)
struct SiteTests {
  private static let site = Result { try TestSite(pages: 240) }
  private static let pool = Result { try DecoderPool(size: 1) }
  private static let hasWget = FileManager.default.isExecutableFile(atPath: "/usr/bin/wget")

  private func read(_ page: TestSite.Description.Page, _ site: TestSite) throws -> PageReferences {
    let url = try WebURL(page.url)
    let body = try site.body(of: page)
    return try Self.pool.get().withLease { lease in
      try body.withUnsafeBytes { bytes in
        let format = try #require(PageFormat.tell(mediaType: page.type, head: bytes))
        return try PageReferences.read(bytes, as: format, contentType: page.type, at: url, with: &lease)
      }
    }
  }

  @Test func everythingPlantedIsFoundWithItsElement() throws {
    let site = try Self.site.get()
    var found = 0
    for page in site.description.pages {
      let read = try read(page, site)
      #expect(read.failure == nil, "\(page.url): \(read.failure?.reason ?? "")")
      var places: [String: Set<String>] = [:]
      for reference in read.references {
        guard case .success(let url) = reference.url else { continue }
        places[url.description, default: []].insert("\(reference.raw.element) \(reference.raw.attribute)".trimmed)
      }
      for content in read.inline {
        places[content.raw.url, default: []].insert("\(content.raw.element) \(content.raw.attribute)")
      }
      for piece in read.tracks.flatMap(\.pieces) { places[try piece.url.get().description, default: []].insert("") }
      for planted in page.planted {
        #expect(places[planted.url]?.contains(planted.place) == true, "\(page.url): \(planted): \(places)")
        found += 1
      }
    }
    #expect(site.description.pages.count > 240 && found > 600)
    print("site: \(site.description.pages.count) pages, \(found) planted contents, all referenced")
  }

  @Test(.enabled(if: hasWget, "wget is not installed"))
  func nothingIsMissedThatWgetFinds() throws {
    let site = try Self.site.get()
    let pages = site.description.pages.filter { !$0.hostile }
    let list = site.folder.url.appending(path: "urls")
    try Data(pages.map(\.url).joined(separator: "\n").utf8).write(to: list)
    _ = try run(
      "/usr/bin/wget",
      [
        "--quiet", "--page-requisites", "--execute", "robots=off", "--no-directories", "--delete-after", "--tries=1",
        "--timeout=10", "--directory-prefix", site.folder.path("wget"), "--input-file", list.path,
      ])
    let media = Set(
      try site.requests().filter { $0.hasPrefix("GET media ") && !$0.contains("/redirected/") }.map { $0.dropFirst(10) }
    )
    var ours: Set<Substring> = []
    for page in pages {
      let read = try read(page, site)
      let urls = read.references.map(\.url) + read.tracks.flatMap(\.pieces).map(\.url)
      for case .success(let url) in urls { ours.insert(url.target[...]) }
    }
    #expect(media.count > 100, "wget has fetched something")
    #expect(media.subtracting(ours).isEmpty, "\(media.subtracting(ours).sorted().prefix(5))")
    print("site: wget fetched \(media.count) contents; ours are \(ours.count), none of its missing")
  }
}
