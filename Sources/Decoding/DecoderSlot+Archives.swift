extension DecoderSlot {
  /// Bytes that a worker may ask for at a time.
  package static let mostPulledInBytes = 1 << 18

  /// See ``DecoderLease/readArchive(_:from:_:)``.
  func readArchive(
    _ type: MediaType, from source: ByteSource, _ body: (ArchiveEvent) throws -> Void
  ) throws -> Unhashable? {
    guard type.isArchive, let format = type.format else {
      return Unhashable(.unsupported, "\(type.rawValue) is no archive")
    }
    var request = DecodeRequest(
      format: format, inputSize: UInt64(clamping: source.sizeInBytes), mostPixels: 0, smallestSide: 0)
    request.most = UInt64(limits.archive.depth)
    request.isPulled = true
    return try ArchiveReplay.readTwiceAtMost { replay in
      var reading = ArchiveReading(meter: ArchiveLimits.Meter(limits.archive, sizeInBytes: source.sizeInBytes))
      return try converse(request, source, each: limits.time, total: limits.archive.time) { event in
        Course(try reading.take(event, self) { try replay.take($0, body) })
      }
    }
  }

  /// See ``DecoderLease/readEmbedded(_:)``.
  func readEmbedded(_ body: (ArchiveEvent) throws -> Void) throws -> Unhashable? {
    if let limit = try padInput() { return limit }
    let size = UInt64(appendedInBytes)
    let request = DecodeRequest(format: .embedded, inputSize: size, mostPixels: UInt64(limits.pixels), smallestSide: 0)
    return try ArchiveReplay.readTwiceAtMost { replay in
      var reading = ArchiveReading(meter: ArchiveLimits.Meter(limits.archive, sizeInBytes: Int64(size)))
      return try converse(request, nil, each: limits.time, total: limits.time, isSameContent: true) { event in
        Course(try reading.take(event, self) { try replay.take($0, body) })
      }
    }
  }

  /// What is to become of a conversation after an event.
  enum Course {
    case goOn
    /// No more bytes of the member, or frames of the video, are wanted.
    case leave
    /// Of the rest of the video, samples are.
    case samples
    /// The worker is to be ended.
    case end(Unhashable)

    init(_ reason: Unhashable?) { self = reason.map(Course.end) ?? .goOn }
  }

  /// Has a worker tell of a content with many results.
  ///
  /// - Parameters:
  ///   - source: `nil` where the whole file has been appended.
  ///   - each: Time that the worker may take for one event.
  ///   - total: Time that the worker may take; what is done with its events is not counted.
  ///   - isSameContent: Whether the worker has been asked for the content before, so that it counts once.
  ///   - take: Gets each event but those that ask for input. An error ends the worker.
  /// - Returns: The reason of whichever came first: `take`, a limit, or the worker's own.
  func converse(
    _ request: DecodeRequest, _ source: ByteSource?, each: Duration, total: Duration, isSameContent: Bool = false,
    _ take: (StreamEvent) throws -> Course
  ) throws -> Unhashable? {
    let worker = try isSameContent ? runningWorker() : freshWorker()
    spent = .zero
    /// Passes the turn to the worker, and counts how long it keeps it.
    func turn(_ exchange: (Duration) -> WorkerProcess.Answer) -> WorkerProcess.Answer {
      let start = ContinuousClock.now
      let answer = exchange(min(each, max(total - spent, .milliseconds(1))))
      spent += ContinuousClock.now - start
      return answer
    }
    do {
      var answer = turn { worker.ask(request, time: $0) }
      while case .event(let event) = answer {
        var reply = StreamAnswer()
        if event.kind == .input, let source {
          reply.count = UInt64(try pull(event, source))
        } else if event.kind == .segments, let source {
          reply.count = UInt64(try tellSegments(of: source))
        } else {
          switch try take(event) {
          case .goOn: break
          case .leave: reply.demand = .refused
          case .samples: reply.demand = .samples
          case .end(let reason):
            self.worker = nil
            return reason
          }
        }
        if spent >= total { break }
        answer = turn { worker.goOn(event.kind.isAnswered ? reply : nil, time: $0) }
      }
      if case .reply(let reply) = answer { return unhashable(reply.status, reply.reason) }
      let loss = lose(answer, after: each)
      return spent >= total ? Unhashable(.limit, "limit: \(total.inSeconds)") : loss
    } catch {
      self.worker = nil
      throw error
    }
  }

  /// Puts what a worker asks for at the start of its input.
  private func pull(_ event: StreamEvent, _ source: ByteSource) throws -> Int {
    let most = min(Self.mostPulledInBytes, input.sizeInBytes)
    guard let offset = Int64(exactly: event.first), offset < source.sizeInBytes else { return 0 }
    let count = Int(min(event.second, UInt64(most), UInt64(source.sizeInBytes - offset)))
    return count == 0
      ? 0
      : try withUnsafeTemporaryAllocation(byteCount: count, alignment: 16) { buffer in
        let got = min(try source.read(offset, buffer), count)
        try input.write(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<got]), at: 0)
        return got
      }
  }
}

extension DecoderSlot {
  /// Puts the sizes of a source's files at the start of the worker's input.
  private func tellSegments(of source: ByteSource) throws -> Int {
    let sizes = source.segmentSizesInBytes.map(\.littleEndian)
    return try sizes.withUnsafeBytes { bytes in
      let bytes = UnsafeRawBufferPointer(rebasing: bytes.prefix(input.sizeInBytes))
      try input.write(bytes, at: 0)
      return bytes.count
    }
  }
}

/// Holds a worker to the order of an archive's events, and to the limits.
private struct ArchiveReading {
  var meter: ArchiveLimits.Meter
  private var isInMember = false
  private var hasEnded = false
  private var depth = 1

  init(meter: ArchiveLimits.Meter) {
    self.meter = meter
  }

  /// - Returns: Why the archive is to be read no further.
  mutating func take(_ event: StreamEvent, _ slot: DecoderSlot, _ body: (ArchiveEvent) throws -> Void) throws
    -> Unhashable?
  {
    defer { hasEnded = event.kind == .end }
    switch event.kind {
    case .file where !isInMember:
      if let limit = meter.addEntry() { return limit }
      isInMember = true
      try body(.member(ArchiveMember(kind: .file, name: event.text)))
    case .link where !isInMember:
      if let limit = meter.addEntry() { return limit }
      try body(.member(ArchiveMember(kind: .init(status: event.status), name: event.text)))
    case .bytes where isInMember && event.second <= slot.output.sizeInBytes:
      if let limit = meter.add(Int(event.second)) { return limit }
      try body(.bytes(try slot.output.view(Int(event.second))))
    case .end where isInMember:
      isInMember = false
      try body(.end(event.reason(slot)))
    case .opened where hasEnded:
      depth += 1
      try body(.opened)
    case .closed where depth > 1 && !isInMember:
      depth -= 1
      try body(.closed(event.reason(slot)))
    default:
      return Unhashable(.crashed, "decoder crashed: it breaks the protocol")
    }
    return nil
  }
}

extension StreamEvent {
  /// Why a member or an archive was not read to its end.
  func reason(_ slot: DecoderSlot) -> Unhashable? {
    let letters = text.prefix(DecodeReply.reasonSizeInBytes).map { (0x20...0x7e).contains($0) ? $0 : 0x3f }
    return slot.unhashable(DecodeReply.Status(rawValue: status) ?? .broken, String(decoding: letters, as: UTF8.self))
  }
}
