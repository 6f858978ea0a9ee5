import Hashing
import SystemPackage

/// The list versions in force, together: what a fingerprint is compared with.
///
/// Immutable, so a scan that began with one blocklist ends with it, whatever is imported meanwhile.
public struct Blocklist: Sendable {
  /// A list in force and how it is to be asked.
  public struct Member: Sendable {
    public let list: HashList
    public let action: ListAction
    /// Bits within which a perceptual hash matches: 0…63.
    public let distanceInBits: Int
    /// Entries whose near matches are shown and do not count.
    public let quarantined: Set<String>

    /// Further off, pictures that have nothing in common begin to match.
    public static let distances = 0...63

    public init(
      list: HashList, action: ListAction = .block, distanceInBits: Int = PerceptualHash.matchDistance,
      quarantined: Set<String> = []
    ) {
      self.list = list
      self.quarantined = quarantined
      self.action = action
      self.distanceInBits = distanceInBits
    }
  }

  public let members: [Member]
  public let policy: MatchPolicy
  private let negativeLists: Set<ListVersion>

  public init(_ members: [Member]) {
    self.members = members.filter { $0.action != .off }
    negativeLists = Set(self.members.filter { $0.action == .negative }.map(\.list.version))
    policy = MatchPolicy(actions: Dictionary(self.members.map { ($0.list.version, $0.action) }) { first, _ in first })
  }

  /// The versions that every finding names.
  public var versions: [ListVersion] { members.map(\.list.version) }

  /// The digests that some list can be asked for.
  public var digestAlgorithms: Set<DigestAlgorithm> {
    members.reduce(into: []) { $0.formUnion($1.list.digestAlgorithms) }
  }

  /// Whether some list holds perceptual hashes, of pictures or of videos.
  public var hasPerceptualHashes: Bool {
    members.contains { $0.list.count(of: .pdq) > 0 || $0.list.count(of: .vpdq) > 0 }
  }

  /// Begins to look for listed videos.
  public func makeVideoSearch() -> VideoSearch { VideoSearch(members) }

  /// Finds every entry that a content meets, the strongest grade first, each once.
  ///
  /// - Parameter fingerprint: An MD5 or SHA-1 match is reported as `legacy-exact` also where SHA-256 matches another entry. Its
  ///   picture is asked for as it stands; ``matches(near:)`` asks for turned and mirrored forms too.
  /// - Throws: ``MatchingError`` when a list is damaged: then nothing is known about the content.
  public func matches(for fingerprint: Fingerprint) throws(MatchingError) -> [Match] {
    var matches: [Match] = []
    // Strongest first, so that an entry met by several of its hashes is named by the best of them.
    for digest in fingerprint.digests.sorted(by: { $0.algorithm > $1.algorithm }) where !digest.isOfEmptyContent {
      for member in members {
        for match in try member.list.matches(for: digest) { matches.addNew(match) }
      }
    }
    guard let hash = fingerprint.perceptualHash else { return matches }
    for match in try self.matches(near: [hash]) { matches.addNew(match) }
    var search = makeVideoSearch()
    try search.add([[hash]])
    for match in try search.matches() { matches.addNew(match) }
    return discounted(matches)
  }

  /// Finds the listed pictures that a picture looks like, each once.
  ///
  /// - Parameter hashes: The upright hash, then others of the same picture, turned and mirrored. Nothing is found for a
  ///   picture of low quality.
  /// - Throws: ``MatchingError`` when a list is damaged.
  public func matches(near hashes: [PerceptualHash]) throws(MatchingError) -> [Match] {
    // A flat picture's bits are noise: it would match other flat pictures and nothing else.
    guard let hash = hashes.first, hash.quality ?? 100 >= PerceptualHash.leastQuality else { return [] }
    var matches: [Match] = []
    for member in members {
      for match in try member.list.matches(near: hashes, within: member.distanceInBits) {
        matches.addNew(match.discounted(member.quarantined.contains(match.entry) ? .quarantined : nil))
      }
    }
    return discounted(matches)
  }

  /// The matches of one picture, near ones without weight where it is, or looks like, one on a negative list.
  private func discounted(_ matches: [Match]) -> [Match] {
    guard matches.contains(where: { negativeLists.contains($0.list) }) else { return matches }
    return matches.map { negativeLists.contains($0.list) ? $0 : $0.discounted(.negativeList) }
  }

  /// The matches of several contents, in their order; what is waited for in one list is fetched for all of them at once.
  ///
  /// - Throws: ``MatchingError`` when a list is damaged.
  public func matches(for fingerprints: [Fingerprint]) throws(MatchingError) -> [[Match]] {
    let digests = fingerprints.flatMap(\.digests)
    for member in members { member.list.prefetch(digests) }
    var all: [[Match]] = []
    for fingerprint in fingerprints { all.append(try matches(for: fingerprint)) }
    return all
  }
}

extension [Match] {
  /// Adds a match, unless its entry was met before.
  fileprivate mutating func addNew(_ match: Match) {
    if !contains(where: { $0.list == match.list && $0.entry == match.entry }) { append(match) }
  }
}

extension Match {
  /// The same with a reason why it does not count, where it is a near match that has none yet.
  fileprivate func discounted(_ discount: NearMatch.Discount?) -> Match {
    var match = self
    if match.near?.discount == nil { match.near?.discount = discount }
    return match
  }
}
