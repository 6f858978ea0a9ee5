/// What the earlier sessions of a scan found, in the order in which the walk comes by.
///
/// Each session wrote its records in the order of the walk, so the sessions are merged as they are read; of one path the
/// latest counts. Memory is a frame of each session, however much was scanned.
struct JournalHistory: ~Copyable {
  /// Oldest first.
  private var sessions: [Session]
  private var last: JournalRecord.Key?

  /// One file, and the record of it that comes next.
  private final class Session {
    var file: JournalFile
    var next: JournalRecord?

    init(_ file: consuming JournalFile) throws {
      self.file = file
      try advance()
    }

    func advance() throws {
      repeat { next = try file.next() } while next?.isWorthAnotherLook == true
    }
  }

  /// - Parameter files: Oldest first.
  init(_ files: [() throws -> JournalFile]) throws {
    sessions = []
    for open in files { sessions.append(try Session(try open())) }
  }

  /// The next record before a path, or at it: a record before it is of something that the walk does not meet any more.
  ///
  /// - Parameter limit: `nil` for all that are left.
  mutating func next(upTo limit: JournalRecord.Key?) throws -> JournalRecord? {
    while let first = sessions.compactMap(\.next?.key).min() {
      if let limit, limit < first { return nil }
      var found: JournalRecord?
      for session in sessions where session.next?.key == first {
        found = session.next
        try session.advance()
      }
      // A tree that changed under the walk may have led it back; nothing is reported twice.
      if let last, !(last < first) { continue }
      last = first
      return found
    }
    return nil
  }
}
