import Foundation
import Hashing
import SystemPackage
import TestSupport
import Testing

@testable import Matching

struct ListUpdateTests {
  private let scratch = try! TemporaryDirectory()
  private var catalog: ListCatalog { ListCatalog(home: FilePath(scratch.url.path)) }

  private func update(_ mode: ListUpdate.Mode = .replace, _ change: (inout ListUpdate) -> Void = { _ in }) -> ListUpdate {
    var update = ListUpdate(name: "national", source: "s", created: newYear)
    update.mode = mode
    change(&update)
    return update
  }

  private func entry(_ text: String, _ contributor: String? = nil, _ label: String? = nil) throws -> ListEntry {
    ListEntry(
      id: text, recordNumber: 1, digests: [try digest(.sha256, text)], perceptualHashes: [try picture(text)],
      contributor: contributor, category: label.map { Category(scheme: "S", label: $0) })
  }

  private func entries(of text: String) throws -> [String] {
    let list = try #require(try catalog.loadBlocklist().members.first).list
    return try list.matches(for: digest(.sha256, text)).map(\.entry)
  }

  @Test func addingKeepsWhatWasThereAndNamesWhoSaysSo() throws {
    _ = try catalog.update(update()) { builder in
      for (text, who) in [("a", "one"), ("b", "one"), ("c", "two")] { try builder.add(entry(text, who, "1")) }
    }
    let added = try catalog.update(update(.add)) { builder in
      // "b" again by the same contributor says nothing new; "c" by another one does, and contradicts the first.
      for (text, who) in [("b", "one"), ("d", "three")] { try builder.add(entry(text, who, "1")) }
      try builder.add(
        ListEntry(
          id: "c2", recordNumber: 3, digests: [digest(.sha256, "c")], contributor: "one", category: .init(scheme: "S", label: "2")
        ))
    }
    #expect(added.counts == HashListCounts(accepted: 8, duplicates: 3, entries: 6))
    #expect(added.difference.map { [$0.added, $0.removed, $0.kept] } == [2, 0, 6])
    #expect(added.list.information.base == "2026-01-01.1" && added.list.information.conflicts == 1)
    try added.list.verify()
    for text in ["a", "b", "d"] { #expect(try entries(of: text) == [text]) }
    #expect(try entries(of: "c") == ["c", "c2"])
    #expect(try added.list.matches(near: [picture("c")], within: 0).map(\.entry) == ["c"])
    #expect(Set(try added.list.attributions().map(\.contributor)) == ["one", "two", "three"])
    // A further entry goes on from version to version.
    let again = try catalog.update(update(.add)) { try $0.add(entry("e")) }
    #expect(try entries(of: "c") == ["c", "c2"])
    try again.list.verify()
  }

  @Test func removingTakesOutWhatIsNamedAndNothingElse() throws {
    _ = try catalog.update(update()) { builder in for text in ["a", "b", "c"] { try builder.add(entry(text)) } }
    let removed = try catalog.update(update(.remove)) { builder in
      for text in ["b", "unknown"] { try builder.remove(entry(text)) }
    }
    #expect(removed.difference?.removed == 2 && removed.counts.accepted == 4)
    try removed.list.verify()
    #expect(try entries(of: "a") == ["a"] && entries(of: "b") == [] && entries(of: "c") == ["c"])
    #expect(try removed.list.matches(near: [picture("b")], within: 0).isEmpty)
    // All of them, and then something again.
    let none = try catalog.update(update(.remove)) { builder in for text in ["a", "c"] { try builder.remove(entry(text)) } }
    #expect(none.list.hashCount == 0)
    try none.list.verify()
    _ = try catalog.update(update(.add)) { try $0.add(entry("b")) }
    #expect(try entries(of: "b") == ["b"])
  }

  @Test func whatIsRemovedAndAddedInOneUpdateStays() throws {
    _ = try catalog.update(update()) { try $0.add(entry("a", "old")) }
    _ = try catalog.update(update(.add)) { builder in
      try builder.remove(entry("a"))
      try builder.add(entry("a", "new"))
    }
    let list = try #require(try catalog.loadBlocklist().members.first).list
    #expect(try list.matches(for: digest(.sha256, "a")).map(\.contributor) == ["new"])
  }

  @Test func anEntryIsWithdrawnByItsNameAndContributor() throws {
    _ = try catalog.update(update()) { builder in
      for (text, who) in [("a", "one"), ("b", "one"), ("c", "two")] { try builder.add(entry(text, who)) }
      try builder.add(ListEntry(id: "other", recordNumber: 9, digests: [digest(.sha256, "a")], contributor: "two"))
    }
    let now = try catalog.update(update(.add)) { builder in
      for (id, who) in [("a", "one"), ("b", "two"), ("c", "two"), ("none", "one")] {
        try builder.remove(ListEntry(id: id, recordNumber: 1, contributor: who))
      }
    }
    try now.list.verify()
    // Of "a" the other contributor's word stands; "b" was somebody else's to withdraw.
    #expect(try entries(of: "a") == ["other"] && entries(of: "b") == ["b"] && entries(of: "c") == [])
    #expect(now.difference.map { [$0.added, $0.removed] } == [0, 3])
  }

  @Test func thereMustBeSomethingToAddTo() throws {
    for mode in [ListUpdate.Mode.add, .remove] {
      #expect(throws: MatchingError(.noListInForce, "")) { try catalog.update(update(mode)) { _ in } }
    }
  }

  @Test func aVersionThatChangesTooMuchIsHeldUntilSomebodyPutsItInForce() throws {
    func fill(_ range: Range<Int>) -> (inout HashListBuilder) throws -> Void {
      { builder in for n in range { try builder.add(ListEntry(recordNumber: n + 1, digests: [digest(.sha256, "t\(n)")])) } }
    }
    _ = try catalog.update(update(), fill: fill(0..<1000))
    let half = try catalog.update(update(), fill: fill(0..<500))
    #expect(!half.isHeld)
    let gone = try catalog.update(update(), fill: fill(0..<249))
    #expect(gone.isHeld && gone.difference?.removed == 251)
    #expect(try catalog.loadBlocklist().versions.map(\.version) == ["2026-01-01.2"])
    _ = try catalog.activate(gone.list.version)
    #expect(try catalog.loadBlocklist().versions == [gone.list.version])
    #expect(try !catalog.update(update { $0.isConfirmed = true }, fill: fill(0..<2000)).isHeld)
    #expect(try !catalog.update(update { $0.holdAbove = 5 }, fill: fill(1000..<9000)).isHeld)
    // Few hashes are nobody's business, whatever share they are.
    var small = ListUpdate(name: "small", source: "s", created: newYear)
    small.holdAbove = 0
    _ = try catalog.update(small, fill: fill(0..<10))
    #expect(try !catalog.update(small, fill: fill(50..<149)).isHeld)
    #expect(try catalog.update(small, fill: fill(150..<250)).isHeld)
  }

  @Test func oldVersionsAreKeptAsManyAsAskedFor() throws {
    for _ in 0..<3 { _ = try catalog.update(update()) { try $0.add(entry("a")) } }
    let kept = try catalog.update(update { $0.keep = 2 }) { try $0.add(entry("a")) }
    #expect(kept.removedVersions == ["2026-01-01.1", "2026-01-01.2"])
    #expect(try catalog.versions(of: "national").map(\.information.version) == ["2026-01-01.3", "2026-01-01.4"])
    // From now on without being asked again, and never the one in force.
    _ = try catalog.activate(ListVersion(name: "national", version: "2026-01-01.3"))
    let next = try catalog.update(update()) { try $0.add(entry("a")) }
    #expect(next.removedVersions == ["2026-01-01.3"])
    #expect(try catalog.configure("national", action: nil, distanceInBits: 10, keep: 1).keep == 1)
    #expect(try catalog.update(update()) { try $0.add(entry("a")) }.removedVersions.count == 2)
  }

  @Test func aDifferenceNamesEachHashOnce() throws {
    let (old, _) = try makeList(["a", "b", "c"].map { try entry($0) }, in: scratch, name: "old")
    let (new, _) = try makeList(["b", "c", "d", "e"].map { try entry($0) } + [entry("b", "other")], in: scratch, name: "new")
    var named: [Bool: Set<String>] = [:]
    let difference = try ListDifference(from: old, to: new) { hash, isAdded in
      #expect(hash.bytes.count == 32)
      named[isAdded, default: []].insert("\(hash.algorithm) \(hash.entry.displayName)")
    }
    #expect(difference.counts == [.sha256: .init(added: 2, removed: 1, kept: 2), .pdq: .init(added: 2, removed: 1, kept: 2)])
    #expect(named == [true: ["sha256 d", "sha256 e", "pdq d", "pdq e"], false: ["sha256 a", "pdq a"]])
    #expect(abs(difference.share - 4.0 / 6) < 0.001)
    let same = try ListDifference(from: new, to: new)
    #expect(same.added == 0 && same.removed == 0 && same.share == 0)
  }
}

struct ListGovernanceTests {
  private let scratch = try! TemporaryDirectory()

  private func list(_ name: String, _ hash: PerceptualHash, _ digests: [Digest] = []) throws -> HashList {
    try makeList(
      [ListEntry(id: "\(name)-1", recordNumber: 1, digests: digests, perceptualHashes: [hash])], in: scratch, name: name
    ).list
  }

  @Test func aNegativeListTakesTheWeightFromNearMatchesAndNotFromExactOnes() throws {
    let (hash, key) = (try picture("logo", quality: 80), try digest(.sha256, "logo"))
    let blocked = Blocklist.Member(list: try list("blocked", hash, [key]))
    let negative = Blocklist.Member(list: try list("blank", hash.flipping([1, 2])), action: .negative)
    let blocklist = Blocklist([blocked, negative])
    func verdict(_ digests: [Digest], _ hash: PerceptualHash?) throws -> (Verdict, [NearMatch.Discount?]) {
      let matches = try blocklist.matches(for: Fingerprint(sizeInBytes: 1, digests: digests, perceptualHash: hash))
      return (blocklist.policy.verdict(for: matches), matches.map { $0.near?.discount })
    }
    #expect(try verdict([], hash) == (.clear, [.negativeList, nil]))
    #expect(try verdict([key], hash).0 == .block)
    #expect(try verdict([key], nil) == (.block, [nil]))
    // Near the listed picture and not near the blank one.
    let apart = Blocklist([blocked, .init(list: try list("far", try picture("other")), action: .negative)])
    let matches = try apart.matches(for: Fingerprint(sizeInBytes: 1, digests: [], perceptualHash: hash))
    #expect(apart.policy.verdict(for: matches) == .review)
  }

  @Test func aQuarantinedEntryIsShownAndDoesNotCount() throws {
    let catalog = ListCatalog(home: FilePath(scratch.url.path))
    let hash = try picture("common", quality: 80)
    _ = try catalog.update(ListUpdate(name: "l", source: "s", created: newYear)) {
      try $0.add(ListEntry(id: "e", recordNumber: 1, perceptualHashes: [hash]))
    }
    func verdict() throws -> (Int, Verdict) {
      let blocklist = try catalog.loadBlocklist()
      let matches = try blocklist.matches(for: Fingerprint(sizeInBytes: 1, digests: [], perceptualHash: hash))
      return (matches.count, blocklist.policy.verdict(for: matches))
    }
    #expect(try verdict() == (1, .review))
    #expect(try catalog.quarantine(["e"], of: "l").quarantined == ["e"])
    #expect(try verdict() == (1, .clear))
    // The next version is asked in the same way.
    _ = try catalog.update(ListUpdate(name: "l", source: "s", created: newYear)) {
      try $0.add(ListEntry(id: "e", recordNumber: 1, perceptualHashes: [hash]))
    }
    #expect(try verdict() == (1, .clear))
    #expect(try catalog.quarantine(["e"], of: "l", release: true).quarantined == nil)
    #expect(try verdict() == (1, .review))
    #expect(throws: MatchingError(.noListInForce, "")) { try catalog.quarantine(["e"], of: "none") }
  }

  @Test func aNearMatchSaysWhatItRestsOn() throws {
    let hash = try picture("p", quality: 77)
    let near = ListEntry(id: "near", recordNumber: 2, perceptualHashes: [hash.flipping([3])])
    let (list, _) = try makeList([ListEntry(id: "same", recordNumber: 1, perceptualHashes: [hash]), near], in: scratch)
    let queries = [PerceptualHash(words: try picture("q").words, quality: 60), PerceptualHash(words: hash.words, quality: 61)]
    let matches = try list.matches(near: queries, within: 31)
    #expect(matches.map(\.near) == [1, 1].map { NearMatch(query: $0, queryQuality: 61, listedQuality: 77, entriesWithin: 2) })
    #expect(matches.first?.near?.turn == .rotate90)
  }
}

struct ListSignatureTests {
  private let scratch = try! TemporaryDirectory()
  private var catalog: ListCatalog { ListCatalog(home: FilePath(scratch.url.path)) }

  /// Keys as an operator makes them.
  private func makeKey(_ name: String) throws -> (private: FilePath, publicPEM: String)? {
    let path = scratch.path("\(name).pem")
    let made = try run("/usr/bin/env", ["openssl", "genpkey", "-algorithm", "ed25519", "-out", path])
    guard made.exitCode == 0 else {
      print("skipped: signatures, for want of the openssl program")
      return nil
    }
    return (FilePath(path), try run("/usr/bin/env", ["openssl", "pkey", "-in", path, "-pubout"]).text)
  }

  private func add(_ text: String, signedWith key: FilePath?) throws -> ListVersion {
    var update = ListUpdate(name: "l", source: "s", created: newYear)
    update.signingKey = try key.map { try SigningKey($0) }
    return try catalog.update(update) { try $0.add(ListEntry(recordNumber: 1, digests: [digest(.md5, text)])) }.list.version
  }

  private func trust(_ pem: String) throws {
    try pem.write(toFile: "\(catalog.folder)/TRUSTED", atomically: true, encoding: .utf8)
  }

  @Test func onlyListsSignedByATrustedKeyAreOpenedWhereKeysAreTrusted() throws {
    guard let key = try makeKey("key"), let other = try makeKey("other") else { return }
    let unsigned = try add("a", signedWith: nil)
    _ = try catalog.loadBlocklist()
    try trust(key.publicPEM + other.publicPEM)
    #expect(throws: MatchingError(.unsigned, "")) { try catalog.loadBlocklist() }
    // An unsigned update is refused, and nothing of it is left.
    #expect(throws: MatchingError(.unsigned, "")) { try add("b", signedWith: nil) }
    try FileManager.default.removeItem(atPath: catalog.path(of: unsigned).string)
    try FileManager.default.removeItem(atPath: "\(catalog.folder)/ACTIVE")
    let signed = try add("b", signedWith: key.private)
    #expect(try catalog.loadBlocklist().versions == [signed])
    #expect(try add("c", signedWith: other.private).version == "2026-01-01.2")
    try trust(other.publicPEM)
    #expect(throws: MatchingError(.wrongSignature, "")) { try catalog.open(signed) }
    _ = try catalog.loadBlocklist()
    // A signature of another version, and one that was changed.
    let now = ListVersion(name: "l", version: "2026-01-01.2")
    let path = catalog.signaturePath(of: now).string
    let right = try String(contentsOfFile: path, encoding: .utf8)
    // Its last character but the padding has four bits that no byte has: another text for the same signature.
    let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
    let last = right.index(right.startIndex, offsetBy: 85)
    let place = try #require(digits.firstIndex(of: right[last]))
    let slack = right.replacingCharacters(in: last...last, with: String(digits[place + 1]))
    for wrong in [
      slack, "", "AAAA", String(right.reversed()), right.replacing("A", with: "B"), String(repeating: "A", count: 88),
    ] where wrong != right {
      try wrong.write(toFile: path, atomically: true, encoding: .utf8)
      #expect(throws: MatchingError(.wrongSignature, "")) { try catalog.loadBlocklist() }
    }
    try right.write(toFile: path, atomically: true, encoding: .utf8)
    _ = try catalog.loadBlocklist()
  }

  @Test func theSignatureIsOneThatOpenSSLAccepts() throws {
    guard let key = try makeKey("key") else { return }
    let version = try add("a", signedWith: key.private)
    let list = try catalog.open(version)
    let message = scratch.path("message")
    try Data("muhafiz hash list\nl\n\(version.version)\n\(list.digest.hex)\n".utf8).write(to: URL(filePath: message))
    let text = try String(contentsOfFile: catalog.signaturePath(of: version).string, encoding: .utf8)
    try #require(Data(base64Encoded: text.dropLast().description)).write(to: URL(filePath: scratch.path("signature")))
    try key.publicPEM.write(toFile: scratch.path("public.pem"), atomically: true, encoding: .utf8)
    let result = try run(
      "/usr/bin/env",
      [
        "openssl", "pkeyutl", "-verify", "-pubin", "-inkey", scratch.path("public.pem"), "-rawin", "-in", message, "-sigfile",
        scratch.path("signature"),
      ])
    #expect(result.exitCode == 0, "\(result.text)\(result.errorText)")
  }

  @Test func whatIsNoKeyIsRefused() throws {
    let none = FilePath(scratch.path("none.pem"))
    #expect(throws: MatchingError(.listMissing, "")) { try SigningKey(none) }
    try Data("no key".utf8).write(to: URL(filePath: none.string))
    #expect(throws: MatchingError(.keyUnusable, "")) { try SigningKey(none) }
    _ = try add("a", signedWith: nil)
    try trust("no key")
    #expect(throws: MatchingError(.keyUnusable, "")) { try catalog.loadBlocklist() }
    guard try makeKey("key") != nil else { return }
    let rsa = scratch.path("rsa.pem")
    #expect(try run("/usr/bin/env", ["openssl", "genpkey", "-algorithm", "RSA", "-out", rsa]).exitCode == 0)
    #expect(throws: MatchingError(.keyUnusable, "")) { try SigningKey(FilePath(rsa)) }
    try trust(run("/usr/bin/env", ["openssl", "pkey", "-in", rsa, "-pubout"]).text)
    #expect(throws: MatchingError(.keyUnusable, "")) { try catalog.loadBlocklist() }
  }
}
