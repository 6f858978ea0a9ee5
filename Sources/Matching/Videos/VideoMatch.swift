import Hashing

/// How far a content and a listed video are the same: what a match by vPDQ rests on.
///
/// Frames that tell nothing are not counted; see ``FrameHash/isComparable``.
public struct VideoMatch: Sendable, Hashable {
  /// What the shares say.
  public enum Kind: String, Sendable, CaseIterable {
    /// The content has the listed video in it: ``VideoHash/matchShare`` of the listed frames at least were found.
    case whole
    /// The content is a part of the listed video: so many of its own frames were found in that.
    case clip
    /// Some frame of the content looks like one of the listed video.
    case frame
  }

  /// Frames of the listed video, and how many of them the content has.
  public let listedFrames: Int
  public let listedFound: Int
  /// Frames of the content, and how many of them the listed video has.
  public let queryFrames: Int
  public let queryFound: Int

  public init(listedFrames: Int, listedFound: Int, queryFrames: Int, queryFound: Int) {
    self.listedFrames = listedFrames
    self.listedFound = listedFound
    self.queryFrames = queryFrames
    self.queryFound = queryFound
  }

  /// Shares in percent, rounded down: 0…100.
  public var listedPercent: Int { listedFound * 100 / max(1, listedFrames) }
  public var queryPercent: Int { queryFound * 100 / max(1, queryFrames) }

  public var kind: Kind {
    if Double(listedFound) >= VideoHash.matchShare * Double(listedFrames) { return .whole }
    // One picture is no clip.
    return queryFrames > 1 && Double(queryFound) >= VideoHash.matchShare * Double(queryFrames) ? .clip : .frame
  }
}
