/// What the earlier sessions of a scan found, in the order in which the walk comes by.
///
/// Each session wrote its records in the order of the walk, so the sessions are merged as they are read; of one path the
/// latest counts. Memory is a frame of each session, however much was scanned.
struct JournalHistory: ~Copyable {
  /// What is known of one path.
  struct Found {
    /// The only record, or the first of several: ``JournalHistory/nextPart()`` has the others.
    let record: JournalRecord
    /// Whether all its records are there, and another look would find nothing more.
    let isFinal: Bool
  }

  /// Oldest first.
  private var sessions: [Session]
  private var last: JournalRecord.Key?
  /// The session that has further records of the path that was asked for last.
  private var current: Session?

  /// One file, and the record of it that comes next.
  private final class Session {
    private var file: JournalFile
    private let open: () throws -> JournalFile
    private(set) var next: JournalRecord?
    /// Paths with several records, by whether those are final; `nil` until one is met.
    private var severals: [JournalRecord.Key: Bool]?

    init(_ open: @escaping () throws -> JournalFile) throws {
      file = try open()
      self.open = open
      try advance()
    }

    /// Goes to the next record that is worth something by itself, or is one of several.
    func advance() throws {
      let before = next
      repeat {
        next = try file.next()
        if let next, !next.isLast || before.map({ !$0.isLast && $0.key == next.key }) == true { return }
      } while next?.isWorthAnotherLook == true
    }

    func skip(_ key: JournalRecord.Key) throws { while next?.key == key { try advance() } }

    func isFinal(_ record: JournalRecord) throws -> Bool {
      if record.isLast { return !record.mayBeFoundInFull }
      if severals == nil { severals = try readAhead() }
      return severals?[record.key] == true
    }

    /// Reads the whole file once: whether a path's records are final is not known at the first of them.
    private func readAhead() throws -> [JournalRecord.Key: Bool] {
      var severals: [JournalRecord.Key: Bool] = [:]
      var file = try open()
      var first: JournalRecord.Key?
      var isFinal = true
      while let record = try file.next() {
        if first != record.key {
          first = record.key
          isFinal = true
          if record.isLast { continue }
        }
        if record.isWorthAnotherLook || record.mayBeFoundInFull { isFinal = false }
        severals[record.key] = record.isLast && isFinal
      }
      return severals
    }
  }

  /// - Parameter files: Oldest first.
  init(_ files: [() throws -> JournalFile]) throws {
    sessions = []
    for open in files { sessions.append(try Session(open)) }
  }

  /// What is known of the next path before a path, or at it: one before it is something that the walk does not meet any
  /// more.
  ///
  /// - Parameter limit: `nil` for all that are left.
  mutating func next(upTo limit: JournalRecord.Key?) throws -> Found? {
    try skipParts()
    while let first = sessions.compactMap(\.next?.key).min() {
      if let limit, limit < first { return nil }
      // A tree that changed under the walk may have led it back; nothing is reported twice.
      let isNew = last.map { $0 < first } ?? true
      var found: Found?
      for session in sessions {
        guard let record = session.next, record.key == first else { continue }
        try current?.skip(first)
        found = Found(record: record, isFinal: try session.isFinal(record))
        current = session
        try session.advance()
      }
      if !isNew {
        try skipParts()
        continue
      }
      last = first
      return found
    }
    return nil
  }

  /// The next record of the path that ``next(upTo:)`` came to; `nil` behind the last that there is.
  mutating func nextPart() throws -> JournalRecord? {
    guard let current, let part = current.next, part.key == last else { return nil }
    try current.advance()
    return part
  }

  /// Passes over what is left of the path that ``next(upTo:)`` came to.
  private mutating func skipParts() throws {
    if let last { try current?.skip(last) }
    current = nil
  }
}
