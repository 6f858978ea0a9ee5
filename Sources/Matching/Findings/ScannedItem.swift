import Foundation
import Hashing
import SystemPackage

/// The one state that every item found ends in. It is about the item's bytes.
public enum ItemState: Sendable, Equatable {
  /// The bytes were read from first to last and digested.
  case hashed
  /// There are bytes, and they cannot be had: an encrypted member, for one.
  case unhashable(String)
  /// Left out by rule: no regular file, or another name of a file that is hashed elsewhere.
  case skipped(String)
  /// Should have been read and could not be.
  case error(String)

  /// The word in NDJSON.
  public var name: String {
    switch self {
    case .hashed: "hashed"
    case .unhashable: "unhashable"
    case .skipped: "skipped"
    case .error: "error"
    }
  }

  public var reason: String? {
    switch self {
    case .hashed: nil
    case .unhashable(let reason), .skipped(let reason), .error(let reason): reason
    }
  }
}

/// What became of the perceptual part of an item whose bytes were hashed.
public enum PerceptualState: Sendable, Equatable {
  /// No picture and no video, or perceptual hashing was not asked for.
  case notDue
  case hashed
  /// The content should have a perceptual hash and has none, for this reason. It was not compared with near entries.
  case unhashable(String)
}

/// What stands before all of a video was looked at.
public enum VideoStop: String, Sendable {
  /// An exact match that blocks.
  case exactMatch = "exact-match"
  /// A listed video is in it, which the frames so far have shown.
  case listedVideo = "listed-video"
}

/// What became of the members of an item that is an archive. They are items of their own.
public enum ContentsState: Sendable, Equatable {
  /// No archive, or archives were not to be opened.
  case notDue
  case read
  /// Some members may be missing, for this reason: a limit, damage, encryption.
  case incomplete(String)
}

/// A digest of a medium, as whoever made the image of it wrote it down.
public struct StoredDigest: Sendable, Equatable {
  public let digest: Digest
  /// Whether the medium, as it was read now, has it.
  public let isRight: Bool

  public init(_ digest: Digest, isRight: Bool) {
    self.digest = digest
    self.isRight = isRight
  }
}

/// What a scan has to say of one item.
public struct ScannedItem: Sendable {
  /// Where it is. A path is as it was reached from the path that the user gave; names need not be UTF-8.
  public package(set) var place: ContentLocation.Place
  /// The path inside the archive at ``place``, if the item is a member of one.
  public var member: String?
  public let state: ItemState
  /// Bytes, as far as they are known.
  public var sizeInBytes: Int64?
  public var mediaType: String?
  /// When the file was last changed, as its file system says; `nil` for what is no file of its own.
  public var modifiedAt: Date?
  public var fingerprint: Fingerprint?
  public var perceptual = PerceptualState.notDue
  public var contents = ContentsState.notDue
  /// Where on the medium it lies, if it is a file on a disk image.
  public var origin: MemberOrigin?
  /// What a disk image says that the digests of its medium are, and whether they are.
  public var storedDigests: [StoredDigest] = []
  /// The frames of a video, or of a picture that moves, that were hashed and compared.
  public var frames: [FrameHash] = []
  /// Why not all of a video was looked at, though more of it would not have made its verdict lighter; `nil` where all was.
  public var videoStop: VideoStop?
  /// All perceptual hashes that the content was looked for with, where the scan was to keep them: groups of one, upright,
  /// or of eight, the others turned and mirrored in the order of ``Dihedral``.
  public var queries: [[PerceptualHash]] = []
  public var matches: [Match] = []
  /// `nil` where nothing matched but not all that was due could be compared: that is not `clear`.
  public var verdict: Verdict?
  /// How the item was fetched, for one at a URL.
  public var chain: [FetchHop] = []
  /// The page that refers to the item; `nil` where it was asked for itself.
  public var reference: PageReference?
  /// The file that has the content sealed, in the folder for such; `nil` where it was not kept.
  public var sealedName: String?

  public init(at place: ContentLocation.Place, member: String? = nil, state: ItemState) {
    self.place = place
    self.member = member
    self.state = state
  }

  /// Gives the verdict on the matches. Not hashed must never look like no match.
  package mutating func judge(by policy: MatchPolicy) {
    verdict = policy.verdict(for: matches)
    if verdict == .clear && (isIncomplete || videoStop != nil) { verdict = nil }
  }

  /// Notes that members are missing. Nothing is clear of which a part was not seen.
  package mutating func missMembers(_ reason: String) {
    contents = .incomplete(reason)
    if verdict == .clear { verdict = nil }
  }

  /// Whether some part of the item that should have been compared was not.
  public var isIncomplete: Bool {
    switch (state, perceptual, contents) {
    case (.error, _, _), (.unhashable, _, _), (.hashed, .unhashable, _), (_, _, .incomplete): true
    case (.skipped, _, _), (.hashed, _, _): false
    }
  }

  /// Why the item, or a part of it that was due, was not hashed.
  public var reason: String? {
    if case .unhashable(let reason) = perceptual { return reason }
    if case .incomplete(let reason) = contents { return reason }
    return state.reason
  }

  /// Whether a person should hear of the item without asking for all of them.
  public var isRemarkable: Bool { !matches.isEmpty || isIncomplete || state.name != "hashed" }
}

/// The counts of a scan. `found = hashed + unhashable + skipped + errors`, always.
public struct ScanCounts: Sendable, Equatable {
  public var found = 0
  /// Items that are no members: names in folders.
  public var entries = 0
  public var hashed = 0
  public var unhashable = 0
  public var skipped = 0
  public var errors = 0
  /// Bytes digested.
  public var bytes: Int64 = 0
  public var block = 0
  public var review = 0
  public var known = 0
  /// Hashed items that should have a perceptual hash and have none.
  public var withoutPerceptualHash = 0
  /// Hashed items that are archives and were not read to their end.
  public var withoutAllMembers = 0

  public init() {}

  package mutating func add(_ item: ScannedItem) {
    found += 1
    if item.member == nil { entries += 1 }
    switch item.state {
    case .hashed:
      hashed += 1
      bytes += item.fingerprint?.sizeInBytes ?? 0
    case .unhashable: unhashable += 1
    case .skipped: skipped += 1
    case .error: errors += 1
    }
    if case .unhashable = item.perceptual { withoutPerceptualHash += 1 }
    if case .incomplete = item.contents { withoutAllMembers += 1 }
    switch item.verdict {
    case .block: block += 1
    case .review: review += 1
    case .known: known += 1
    case .clear, nil: break
    }
  }

  /// Whether everything that was due was read and compared.
  public var isComplete: Bool {
    unhashable == 0 && errors == 0 && withoutPerceptualHash == 0 && withoutAllMembers == 0
  }

  /// Whether something is for a person to act on.
  public var hasMatch: Bool { block + review > 0 }
}
