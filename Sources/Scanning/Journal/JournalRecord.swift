import Glibc
import Hashing
import Matching
import SystemPackage

/// What a scan came to at one path of the walk: an item, and behind it the members where it is an archive.
///
/// Of a disk image, which may have millions of members, there are several, one behind the other: its members as they
/// come, and in the last the item itself.
struct JournalRecord: Sendable {
  /// The place in order of the given path that led here, and the path: what records are sorted by.
  let key: Key
  /// What the file was when it was scanned; `nil` where the file system did not say.
  let stamp: FileStamp?
  /// As they were found, before near matches of flooding entries lose their weight: that is done as they are reported.
  let items: [ScannedItem]
  /// Whether no more records of the path follow.
  var isLast = true

  struct Key: Sendable, Hashable, Comparable {
    let root: Int
    let path: FilePath

    static func < (one: Self, other: Self) -> Bool {
      if one.root != other.root { return one.root < other.root }
      return one.path.precedes(other.path)
    }
  }

  /// Whether something is missing that another look may find: of an archive, say, on a medium that was pulled out. What
  /// met a limit would meet it again.
  var mayBeFoundInFull: Bool {
    items.contains { $0.isIncomplete && $0.reason?.hasPrefix("limit: ") != true }
  }

  /// Whether nothing was learned that another look might not put right.
  var isWorthAnotherLook: Bool {
    if stamp == nil { return true }
    if case .error = items.first(where: { $0.member == nil })?.state { return true }
    return false
  }

  /// Where the rest of a disk image is not known, and it is no longer there.
  static func cutOff(_ key: Key) -> JournalRecord {
    let item = ScannedItem(at: .file(key.path), state: .error("is gone, and was not read to its end"))
    return JournalRecord(key: key, stamp: nil, items: [item])
  }
}
