/// Tells of an archive, or of a member of a disk image, once, though it may be read twice: the worker that reads it may be
/// ended by what is not in it, and a second one begins at its start.
///
/// What was told the first time is passed over the second, and must be the same.
struct ArchiveReplay {
  /// The second reading tells something else than the first.
  struct Diverged: Error {}

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
    guard failure?.mayBeAnothers == true else { return failure }
    replay.restart()
    do {
      // One that ends before it has come as far has read something else.
      return try read(&replay) ?? (replay.isWhereToldTo ? nil : failure)
    } catch is Diverged {
      return failure
    }
  }

  /// Whether all that has been read has been told this time, or the time before.
  var isWhereToldTo: Bool { read.events == told.events && read.bytes == told.bytes }

  /// Goes back to where it began.
  mutating func restart() {
    toldTrail = trail.finalize()
    trail = Hasher()
    read = Place()
  }

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
    read = Place(events: read.events + 1)
    if read.events > told.events {
      told = read
      try body(event)
    } else if read.events == told.events {
      guard trail.finalize() == toldTrail else { throw Diverged() }
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
