import Hashing

/// Notices entries whose near matches are too many to be true, and takes the weight from them.
///
/// One listed hash that half of all pictures look like, put there by mistake or to do harm, would bury every real match
/// under its own. Past the limit its near matches are still shown and no longer count; its exact matches always do.
public struct FloodBreaker: Sendable {
  /// Near matches of one entry that nobody needs to wonder about.
  public static let leastMatches = 50
  /// The share of the pictures compared so far that one entry may meet.
  public static let mostShare = 0.02

  /// An entry that was quarantined, and when.
  public struct Trip: Sendable, Hashable {
    public let list: ListVersion
    public let entry: String
    public let matches: Int
    public let pictures: Int
  }

  private struct Key: Hashable {
    let list: ListVersion
    let entry: String
  }

  private var pictures = 0
  private var counts: [Key: Int] = [:]
  public private(set) var trips: [Trip] = []
  private var tripped: Set<Key> = []

  public init() {}

  /// Takes the matches of the next content.
  ///
  /// - Parameter isPicture: Whether it was compared by a perceptual hash.
  /// - Returns: The same matches, near ones of flooding entries discounted.
  public mutating func pass(_ matches: [Match], isPicture: Bool) -> [Match] {
    if isPicture { pictures += 1 }
    return matches.map { match in
      guard match.grade == .near, match.near?.discount == nil else { return match }
      let key = Key(list: match.list, entry: match.entry)
      let count = counts[key, default: 0] + 1
      counts[key] = count
      if count > Self.leastMatches && Double(count) > Self.mostShare * Double(pictures) && tripped.insert(key).inserted {
        trips.append(Trip(list: match.list, entry: match.entry, matches: count, pictures: pictures))
      }
      var passed = match
      if tripped.contains(key) { passed.near?.discount = .quarantined }
      return passed
    }
  }
}
