import Hashing

/// Something in the ledger that is not as it was recorded and signed.
public struct LedgerFault: Sendable, Equatable, CustomStringConvertible {
  public enum Kind: String, Sendable, CaseIterable {
    /// An entry's bytes are not those that its hash in the tiles was made of.
    case entryChanged = "entry-changed"
    case entryMissing = "entry-missing"
    /// An entry does not follow the one that it says it follows.
    case historyBroken = "history-broken"
    /// A case or a takedown stands elsewhere than its last entry says.
    case recordDiffers = "record-differs"
    /// A tile is not what the entries make it.
    case tileDamaged = "tile-damaged"
    /// A checkpoint is not signed with the ledger's key, or was changed after.
    case checkpointInvalid = "checkpoint-invalid"
    /// A checkpoint was signed over more entries than there are.
    case cutShort = "cut-short"
    /// A checkpoint was signed over other entries than those that are here.
    case rewritten
  }

  public let kind: Kind
  /// Which entries it is about, as nearly as can be told.
  public let entries: Range<Int64>?
  public let description: String
}

/// What reading a ledger from end to end has shown.
public struct LedgerVerification: Sendable {
  /// Entries that were read.
  public internal(set) var size: Int64 = 0
  public internal(set) var root = TreeHasher.empty
  /// Entries under the checkpoint in the folder; those after it are not signed yet.
  public internal(set) var signed: Int64 = 0
  /// Checkpoints that were compared, wherever they are kept.
  public internal(set) var checkpoints = 0
  /// The first faults of each kind.
  public internal(set) var faults: [LedgerFault] = []
  /// All faults, also those not among ``faults``.
  public internal(set) var faultCount = 0
  /// Places whose checkpoints could not be read.
  public internal(set) var unreadable: [String] = []

  public var isSound: Bool { faultCount == 0 }

  /// Kept for each kind; a ledger that was written anew has a fault in every entry.
  static let kept = 10

  mutating func add(_ kind: LedgerFault.Kind, _ entries: Range<Int64>?, _ description: String) {
    faultCount += 1
    if faults.count(where: { $0.kind == kind }) < Self.kept {
      faults.append(LedgerFault(kind: kind, entries: entries, description: description))
    }
  }
}
