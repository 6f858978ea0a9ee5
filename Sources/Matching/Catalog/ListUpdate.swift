import Foundation
import Hashing

/// What to make a new version of a list from, and what to do with it.
public struct ListUpdate: Sendable {
  /// How a partner's file relates to the version before.
  public enum Mode: String, Sendable, CaseIterable {
    /// The file is the whole list.
    case replace
    /// The file has what is new; everything else stays.
    case add
    /// The file has what is no longer listed.
    case remove
  }

  public var name: String
  public var mode = Mode.replace
  /// `nil` for the date and a number that is free.
  public var version: String?
  /// The partner's file, by name only.
  public var source: String
  public var created: Date
  /// `nil` for what the version before has, or `block`.
  public var action: ListAction?
  /// Bits; `nil` likewise, or ``PerceptualHash/matchDistance``.
  public var distanceInBits: Int?
  /// Versions to keep on disk, at least 1; `nil` likewise, or all.
  public var keep: Int?
  /// Memory for sorting.
  public var memoryInBytes = HashListBuilder.usualMemory
  /// The share of the version before, 0 and up, that may be added or removed without anybody confirming it.
  public var holdAbove = 0.5
  /// Put it in force however much it changes.
  public var isConfirmed = false
  /// Signs the list file.
  public var signingKey: SigningKey?

  /// Below so many hashes added or removed nobody needs to confirm.
  public static let leastHeld = 100

  public init(name: String, source: String, created: Date) {
    self.name = name
    self.source = source
    self.created = created
  }
}

/// A version that was written.
public struct UpdatedList: Sendable {
  public let list: HashList
  public let counts: HashListCounts
  /// To the version that was in force; `nil` where there was none.
  public let difference: ListDifference?
  /// Whether the version waits on disk for somebody to confirm it, while the one before stays in force.
  public let isHeld: Bool
  /// Versions that were taken off the disk.
  public let removedVersions: [String]
}
