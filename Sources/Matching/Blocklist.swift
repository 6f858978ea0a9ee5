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

  /// Whether some list holds perceptual hashes.
  public var hasPerceptualHashes: Bool { members.contains { $0.list.count(of: .pdq) > 0 } }

  /// Finds every entry that a content meets, the strongest grade first, each once.
  ///
  /// - Parameters:
  ///   - fingerprint: An MD5 or SHA-1 match is reported as `legacy-exact` also where SHA-256 matches another entry.
  ///   - turned: Further hashes of the same picture, turned and mirrored; empty for none.
  /// - Throws: ``MatchingError`` when a list is damaged: then nothing is known about the content.
  public func matches(for fingerprint: Fingerprint, turned: [PerceptualHash] = []) throws(MatchingError) -> [Match] {
    var matches: [Match] = []
    func add(_ match: Match) {
      if !matches.contains(where: { $0.list == match.list && $0.entry == match.entry }) { matches.append(match) }
    }
    // Strongest first, so that an entry met by several of its hashes is named by the best of them.
    for digest in fingerprint.digests.sorted(by: { $0.algorithm > $1.algorithm }) where !digest.isOfEmptyContent {
      for member in members {
        try member.list.matches(for: digest).forEach(add)
      }
    }
    // A flat picture's bits are noise: it would match other flat pictures and nothing else.
    if let hash = fingerprint.perceptualHash, hash.quality ?? 100 >= PerceptualHash.leastQuality {
      for member in members {
        for match in try member.list.matches(near: [hash] + turned, within: member.distanceInBits) {
          add(match.discounted(member.quarantined.contains(match.entry) ? .quarantined : nil))
        }
      }
    }
    let isNegative = matches.contains { match in negativeLists.contains(match.list) }
    guard isNegative else { return matches }
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

extension Match {
  /// The same with a reason why it does not count, where it is a near match that has none yet.
  fileprivate func discounted(_ discount: NearMatch.Discount?) -> Match {
    var match = self
    if match.near?.discount == nil { match.near?.discount = discount }
    return match
  }
}
