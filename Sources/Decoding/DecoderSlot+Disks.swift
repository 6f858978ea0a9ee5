import Hashing
import SystemPackage

extension DecoderSlot {
  /// See ``DecoderLease/readDisk(_:from:_:_:)``.
  func readDisk(
    _ type: MediaType, from source: ByteSource, _ options: DiskOptions, _ body: (ArchiveEvent) throws -> Void
  ) throws -> Unhashable? {
    guard let format = type.diskFormat else { return Unhashable(.unsupported, "\(type.rawValue) is no disk image") }
    var reading = DiskReading(limits, format, sizeInBytes: source.sizeInBytes)
    // A sector that cannot be read costs what lies on it, and not the rest of the disk.
    let patient = ByteSource(sizeInBytes: source.sizeInBytes, segments: source.segmentSizesInBytes) { offset, buffer in
      do { return try source.read(offset, buffer) } catch let error as Errno {
        reading.sourceFailure = error
        return 0
      }
    }
    var toldDigests: Set<Digest> = []
    /// As it was before the member that began last.
    var begun = reading
    /// Reads on from the member that follows those that are done.
    func read(_ replay: inout ArchiveReplay) throws -> Unhashable? {
      var request = DecodeRequest(
        format: format, inputSize: UInt64(clamping: source.sizeInBytes), mostPixels: 0, smallestSide: 0,
        picture: UInt32(clamping: reading.membersDone))
      request.most = UInt64(limits.archive.depth)
      request.isPulled = true
      request.disk = options
      return try converse(request, patient, each: limits.disk.timeWithoutNews, total: limits.disk.time) { event in
        if reading.isMember(event) {
          begun = reading
          // What lies before it will not be read again.
          if replay.isWhereToldTo { replay = ArchiveReplay() }
        }
        return try reading.take(event, self) { event in
          if case .storedDigest(let digest) = event, !toldDigests.insert(digest).inserted { return }
          try replay.take(event, body)
        }
      }
    }
    for _ in 0...limits.disk.crashes {
      let before = reading.membersDone
      var replay = ArchiveReplay()
      guard var failure = try read(&replay) else { return nil }
      var tried = -1
      // The member in hand again, and on.
      while failure.mayBeAnothers, begun.membersDone != tried {
        tried = begun.membersDone
        let state = reading
        reading = begun
        guard let next = try replay.readAgain(failure, read) else { return nil }
        // What has been told of it stays open where it was.
        if !replay.isWhereToldTo { reading = state }
        failure = next
      }
      try reading.abandon(failure, body)
      // What ended a decoder is behind us: the next one goes on there.
      guard failure.mayBeAnothers, reading.membersDone > before else { return failure }
    }
    return Unhashable(.limit, "limit: the decoder crashed \(limits.disk.crashes) times on the disk image")
  }
}

/// Holds a worker to the order of a disk image's events, and to the limits; archives in the image have their own.
private struct DiskReading {
  private let limits: DecodingLimits
  /// Whether the medium is not the source byte for byte, and only the worker knows how long it is.
  private let isMediumInside: Bool
  private var meter: DiskLimits.Meter
  /// Of the archive in the image that is being read.
  private var archive: ArchiveLimits.Meter?
  private var archiveBegan = Duration.zero
  /// Members of the image itself that have come to their end.
  private(set) var membersDone = 0
  /// What last kept bytes of the medium back, since the member began.
  var sourceFailure: Errno?

  private var origin: MemberOrigin?
  private var isInMember = false
  private var memberSizeInBytes: Int64 = 0
  private var hasEnded = false
  /// Archives that are open, and those of them that were told of.
  private var depth = 0
  private var depthTold = 0
  /// Whether the member that is being read was told of.
  private var isTold = false
  /// Why the member, or the outermost open archive, is of no further interest.
  private var limit: Unhashable?

  init(_ limits: DecodingLimits, _ format: DecodeRequest.Format, sizeInBytes: Int64) {
    self.limits = limits
    isMediumInside = format == .ewf
    meter = DiskLimits.Meter(limits.disk, sizeInBytes: sizeInBytes)
  }

  /// Whether an event is the begin of a member of the image itself.
  func isMember(_ event: StreamEvent) -> Bool {
    (event.kind == .file || event.kind == .link) && depth == 0 && !isInMember
  }

  mutating func take(_ event: StreamEvent, _ slot: DecoderSlot, _ body: (ArchiveEvent) throws -> Void) throws
    -> DecoderSlot.Course
  {
    defer { hasEnded = event.kind == .end }
    switch event.kind {
    case .medium where depth == 0 && !isInMember:
      if isMediumInside { meter.sizeInBytes = Int64(clamping: event.first) }
    case .origin where depth == 0 && !isInMember:
      origin = MemberOrigin(event, sizeInBytes: meter.sizeInBytes)
    case .storedDigest where depth == 0 && !isInMember:
      let hex = String(decoding: event.text, as: UTF8.self)
      if let digest = Digest(.md5, hex: hex) ?? Digest(.sha1, hex: hex) { try body(.storedDigest(digest)) }
    case .file where !isInMember, .link where !isInMember:
      if let limit = meter.addEntry() { return .end(limit) }
      try begin(event, slot, body)
    case .bytes where isInMember && event.second <= slot.output.sizeInBytes:
      if let limit = meter.add(Int(event.second)) { return .end(limit) }
      memberSizeInBytes += Int64(event.second)
      if limit == nil { limit = archive?.add(Int(event.second)) ?? meter.check(member: memberSizeInBytes) }
      if limit != nil { return .leave }
      try body(.bytes(try slot.output.view(Int(event.second))))
    case .end where isInMember:
      try endMember(event.reason(slot), body)
    case .opened where hasEnded:
      depth += 1
      if depth == 1 {
        archive = ArchiveLimits.Meter(limits.archive, sizeInBytes: memberSizeInBytes)
        archiveBegan = slot.spent
      }
      if limit == nil {
        depthTold = depth
        try body(.opened)
      }
    case .closed where depth > 0 && !isInMember:
      try close(event.reason(slot), body)
    default: return .end(Unhashable(.crashed, "decoder crashed: it breaks the protocol"))
    }
    return .goOn
  }

  private mutating func begin(
    _ event: StreamEvent, _ slot: DecoderSlot, _ body: (ArchiveEvent) throws -> Void
  ) throws {
    if limit == nil { limit = archive?.addEntry() }
    if archive != nil && limit == nil && slot.spent - archiveBegan > limits.archive.time {
      limit = Unhashable(.limit, "limit: \(limits.archive.time.inSeconds)")
    }
    let isFile = event.kind == .file
    isTold = limit == nil
    isInMember = isFile
    memberSizeInBytes = 0
    sourceFailure = nil
    if isTold {
      let kind = isFile ? .file : ArchiveMember.Kind(status: event.status)
      try body(.member(ArchiveMember(kind: kind, name: event.text, origin: origin)))
    }
    origin = nil
    if !isFile && depth == 0 { membersDone += 1 }
  }

  private mutating func endMember(_ reason: Unhashable?, _ body: (ArchiveEvent) throws -> Void) throws {
    isInMember = false
    var reason = limit ?? reason
    if let error = sourceFailure, let said = reason {
      reason = Unhashable(said.code, "the medium cannot be read: \(describe(error.rawValue))")
    }
    if isTold { try body(.end(reason)) }
    if depth == 0 {
      membersDone += 1
      limit = nil
    }
  }

  private mutating func close(_ reason: Unhashable?, _ body: (ArchiveEvent) throws -> Void) throws {
    if depth == depthTold {
      depthTold -= 1
      try body(.closed(limit ?? reason))
    }
    depth -= 1
    if depth == 0 { (limit, archive) = (nil, nil) }
  }

  /// Ends what is open, since no more will come of it.
  mutating func abandon(_ failure: Unhashable, _ body: (ArchiveEvent) throws -> Void) throws {
    if isInMember { try endMember(failure, body) }
    while depth > 0 { try close(failure, body) }
    origin = nil
  }
}
