import Foundation
import Hashing

/// A category in a contributor's own scheme. Numbers and letters mean different things in different
/// schemes, so neither half is ever shown or compared alone.
public struct Category: Sendable, Hashable {
  public let scheme: String
  public let label: String

  public init(scheme: String, label: String) {
    self.scheme = scheme
    self.label = label
  }
}

/// One content that a partner has put on a hash list: its hashes, and who says what of it.
public struct ListEntry: Sendable, Hashable {
  /// The contributor's own name for the entry; `nil` where the list gives none.
  public var id: String?

  /// Line or record in the source file, counted from 1. Names the entry where `id` cannot.
  public var recordNumber: Int

  public var digests: [Digest]
  public var perceptualHashes: [PerceptualHash]
  /// The frames of the content, where it is a video.
  public var video: VideoHash?
  public var contributor: String?
  public var category: Category?
  /// When the contributor listed the entry or last changed it, if the list says so; to the second.
  public var listedAt: Date?

  public init(
    id: String? = nil, recordNumber: Int, digests: [Digest] = [], perceptualHashes: [PerceptualHash] = [],
    video: VideoHash? = nil, contributor: String? = nil, category: Category? = nil, listedAt: Date? = nil
  ) {
    self.id = id
    self.recordNumber = recordNumber
    self.digests = digests
    self.perceptualHashes = perceptualHashes
    self.video = video
    self.contributor = contributor
    self.category = category
    self.listedAt = listedAt
  }

  /// Whether there is anything to look a content up by.
  public var hasHashes: Bool { !digests.isEmpty || !perceptualHashes.isEmpty || video != nil }

  /// What a report calls the entry: its `id`, or `#` and the record number.
  public var displayName: String { id ?? "#\(recordNumber)" }
}
