import Hashing

/// How an entry was met.
public enum MatchGrade: String, Sendable, CaseIterable {
  /// SHA-256 is equal: the same content.
  case exact
  /// MD5 or SHA-1 alone is equal. Collisions can be made on purpose, so a person looks first.
  case legacyExact = "legacy-exact"
  /// The perceptual hash lies within the list's distance. It says "look", never "decide".
  case near
}

/// The kind of hash that met an entry.
public enum MatchAlgorithm: String, Sendable, CaseIterable {
  case md5, sha1, sha256, pdq
  /// The frames of a video.
  case vpdq

  public init(_ algorithm: DigestAlgorithm) {
    switch algorithm {
    case .md5: self = .md5
    case .sha1: self = .sha1
    case .sha256: self = .sha256
    }
  }
}

/// A list and the version of it that was asked.
public struct ListVersion: Sendable, Hashable {
  public let name: String
  public let version: String

  public init(name: String, version: String) {
    self.name = name
    self.version = version
  }
}

/// What a near match rests on.
public struct NearMatch: Sendable, Hashable {
  /// Which of the hashes that were asked met the entry: 0 for the picture as it is, then in the order of ``Dihedral``.
  public let query: Int
  public let queryQuality: UInt8?
  /// `nil` where the list does not say.
  public let listedQuality: UInt8?
  /// How many entries of the list lie within the distance of the picture: many, and it is a common motif.
  public let entriesWithin: Int
  /// Why the match is shown and does not count; `nil` for one that does.
  public var discount: Discount?

  public enum Discount: String, Sendable, CaseIterable {
    /// The picture looks like one on a negative list.
    case negativeList = "negative-list"
    /// The entry met so many pictures that it is to be looked at first.
    case quarantined
  }

  public init(query: Int, queryQuality: UInt8?, listedQuality: UInt8?, entriesWithin: Int) {
    self.query = query
    self.queryQuality = queryQuality
    self.listedQuality = listedQuality
    self.entriesWithin = entriesWithin
  }

  /// How the picture was turned or mirrored to meet the entry.
  public var turn: Dihedral? { Dihedral(rawValue: query) }
}

/// A list entry that a fingerprint met, with everything needed to prove it later.
public struct Match: Sendable, Hashable {
  public let list: ListVersion
  /// What the list calls the entry; see ``ListEntry/displayName``.
  public let entry: String
  public let algorithm: MatchAlgorithm
  public let grade: MatchGrade
  /// Bits that differ; 0 for the exact grades.
  public let distanceInBits: Int
  public let category: Category?
  public let contributor: String?
  /// For the grade `near`.
  public var near: NearMatch?
  /// For the algorithm `vpdq`.
  public let video: VideoMatch?

  public init(
    list: ListVersion, entry: String, algorithm: MatchAlgorithm, grade: MatchGrade, distanceInBits: Int = 0,
    category: Category? = nil, contributor: String? = nil, near: NearMatch? = nil,
    video: VideoMatch? = nil
  ) {
    self.list = list
    self.entry = entry
    self.algorithm = algorithm
    self.grade = grade
    self.distanceInBits = distanceInBits
    self.category = category
    self.contributor = contributor
    self.near = near
    self.video = video
  }
}

/// What the matches of one content add up to.
public enum Verdict: String, Sendable, CaseIterable {
  /// Everything that was due was compared, and nothing matched.
  case clear
  /// On a known-good list.
  case known
  /// A person must look: a near match, or MD5/SHA-1 alone.
  case review
  /// The same content as a listed entry.
  case block
}

extension [Match] {
  /// Adds a match, unless its entry was met as well or better by another hash of the content.
  package mutating func add(_ match: Match) {
    guard let place = firstIndex(where: { $0.list == match.list && $0.entry == match.entry }) else {
      append(match)
      return
    }
    if self[place].grade == .near && match.distanceInBits < self[place].distanceInBits { self[place] = match }
  }
}
