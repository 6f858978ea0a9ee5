/// Tells of an archive, or of a member of a disk image, once, though it may be read twice: the worker that reads it may be
/// ended by what is not in it, and a second one begins at its start.
///
/// What was told the first time is passed over the second, and must be the same.
struct ArchiveReplay {
  /// The second reading tells something else than the first.
  private struct Diverged: Error {}

  /// Where a reading is: events, and bytes of a member since the last.
  private struct Place {
    var events = 0
    var bytes = 0
  }

  private var told = Place()
  private var read = Place()
  /// What the events said, so far and up to where they have been told.
  private var trail = Hasher()
  private var toldTrail: Int?

  /// Reads an archive, and once more where its worker ended.
  ///
  /// - Parameter read: Reads it from its start, and has each event taken.
  /// - Returns: Why the archive was not read to its end.
  static func readTwiceAtMost(_ read: (inout ArchiveReplay) throws -> Unhashable?) throws -> Unhashable? {
    var replay = ArchiveReplay()
    let failure = try read(&replay)
    return failure?.mayBeAnothers == true ? try replay.readAgain(failure, read) : failure
  }

  /// Reads again, from where this began, what ended a worker.
  ///
  /// - Returns: What the second reading returns; `failure` where it has come less far, or has read something else.
  mutating func readAgain(_ failure: Unhashable?, _ read: (inout ArchiveReplay) throws -> Unhashable?) throws -> Unhashable? {
    toldTrail = trail.finalize()
    trail = Hasher()
    self.read = Place()
    do {
      let answer = try read(&self)
      if isWhereToldTo { return answer }
    } catch is Diverged {}
    return failure
  }

  /// Whether all that has been read has been told this time, or the time before.
  var isWhereToldTo: Bool { read.events == told.events && read.bytes == told.bytes }

  /// Tells of an event, unless that was done.
  mutating func take(_ event: ArchiveEvent, _ body: (ArchiveEvent) throws -> Void) throws {
    // What an image says of its medium stands before its members.
    if case .storedDigest = event { return try body(event) }
    if case .bytes(let bytes) = event {
      read.bytes += bytes.count
      guard read.events == told.events, read.bytes > told.bytes else { return }
      let fresh = min(bytes.count, read.bytes - told.bytes)
      told.bytes = read.bytes
      return try body(.bytes(UnsafeRawBufferPointer(rebasing: bytes.suffix(fresh))))
    }
    event.mark(&trail)
    if read.events + 1 == told.events && trail.finalize() != toldTrail { throw Diverged() }
    read = Place(events: read.events + 1)
    if read.events > told.events {
      told = read
      try body(event)
    }
  }
}

extension ArchiveEvent {
  /// Leaves what it says of a member.
  fileprivate func mark(_ trail: inout Hasher) {
    switch self {
    case .member(let member):
      trail.combine(0)
      trail.combine(member.path)
    case .bytes, .storedDigest: break
    case .end(let reason):
      trail.combine(1)
      trail.combine(reason?.code)
    case .opened: trail.combine(2)
    case .closed(let reason):
      trail.combine(3)
      trail.combine(reason?.code)
    }
  }
}
