import Foundation
import Hashing
import Matching
import SystemPackage
import TestSupport
import Testing

@testable import Casework

struct KeptItemTests {
  @Test func groupsOfHashesComeBackAsTheyWere() throws {
    var generator = SeededGenerator(seed: 61)
    func hash(_ quality: UInt8?) -> PerceptualHash { PerceptualHash(words: generator.hash().words, quality: quality) }
    for groups in [[], [[hash(nil)]], [[hash(0), hash(100)], [hash(50)]], [(0..<8).map { hash(UInt8($0)) }]] {
      let bytes = PerceptualQueries.bytes(groups)
      #expect(bytes.withUnsafeBytes { PerceptualQueries.groups($0) } == groups)
      // Cut short anywhere within a group, or with a group of none, it is nothing.
      for end in bytes.indices.dropFirst() where end % 33 != 1 || groups.count == 1 {
        let cut = Array(bytes[..<end])
        let isWhole = groups.count > 1 && end == 1 + groups[0].count * 33
        #expect((cut.withUnsafeBytes { PerceptualQueries.groups($0) } == nil) == !isWhole, "\(end) bytes")
      }
      #expect((bytes + [0]).withUnsafeBytes { PerceptualQueries.groups($0) } == nil)
    }
  }

  @Test func aContentIsKeptOnceAndGainsWhatALaterLookAdds() throws {
    let home = try TestHome()
    try home.beginRun("r1")
    try home.beginRun("r2")
    let finding = home.finding(5, at: .file(FilePath("a.jpg")))
    var bare = finding.fingerprint
    bare.perceptualHash = nil
    func item(_ name: String, _ fingerprint: Fingerprint, _ queries: [[PerceptualHash]]) -> KeptItem {
      KeptItem(
        location: ContentLocation(place: .file(FilePath(name)), exhibit: "EX-1"), fingerprint: fingerprint,
        mediaType: "image/jpeg", queries: queries)
    }
    try home.store.keep([item("a.jpg", bare, []), item("b.jpg", bare, [])], run: "r1")
    let hash = finding.fingerprint.perceptualHash!
    try home.store.keep([item("a.jpg", finding.fingerprint, [[hash]])], run: "r2")
    let contents = try home.store.keptContents(after: 0, limit: 10)
    #expect(contents.count == 1 && contents[0].fingerprint == finding.fingerprint && contents[0].queries == [[hash]])
    let places = try home.store.places(of: contents[0])
    #expect(Set(places.map(\.run)) == ["r1", "r2"] && places.count == 2)
    #expect(try home.store.keptContents(after: 0, on: "EX-2", limit: 10).isEmpty)
    #expect(try home.store.keptContents(after: contents[0].id, limit: 10).isEmpty)
    #expect(throws: CaseworkError(.unusableData, "")) { try home.store.keep([], run: "none") }
  }

  @Test func whoeverActsIsRecordedOnceForEachAccount() throws {
    let home = try TestHome()
    for (name, account) in [("a", "root"), ("a", "root"), ("a", "clerk"), ("b", "root")] {
      try home.store.signIn(name, account: account, at: home.now)
    }
    #expect(try home.store.entryCount() == 3)
    #expect(try home.ledger.verify().isSound)
  }
}
