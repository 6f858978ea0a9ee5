import Glibc
import Hashing
import Synchronization
import SystemPackage

/// One place in the pool: memory that lives as long as the pool, and a worker that is replaced when it ends.
///
/// `@unchecked Sendable`: the pool hands a slot to one lease at a time, under its lock and semaphore.
final class DecoderSlot: @unchecked Sendable {
  let limits: DecodingLimits
  private let server: ForkServer
  let mode: WorkerMode
  let input: SharedMemory
  let output: SharedMemory
  var worker: WorkerProcess?
  private var decodedSinceStart = 0
  private(set) var appendedInBytes = 0
  /// Time that the worker has taken so far in the conversation, or took in the last.
  var spent = Duration.zero

  init(_ server: ForkServer, mode: WorkerMode, limits: DecodingLimits) throws(DecodingError) {
    self.server = server
    self.mode = mode
    self.limits = limits
    input = try SharedMemory(sizeInBytes: limits.inputInBytes + WireProtocol.paddingInBytes)
    output = try SharedMemory(sizeInBytes: limits.outputInBytes)
  }

  func append(_ bytes: UnsafeRawBufferPointer) throws(DecodingError) {
    if appendedInBytes + bytes.count <= limits.inputInBytes { try input.write(bytes, at: appendedInBytes) }
    appendedInBytes += bytes.count
  }

  var isOverfull: Bool { appendedInBytes > limits.inputInBytes }

  func reset() throws(DecodingError) {
    appendedInBytes = 0
    try input.release()
    try output.release()
  }

  /// The worker that is in use, ready to be asked; a new one where there is none.
  @discardableResult
  func runningWorker() throws(DecodingError) -> WorkerProcess {
    if let worker { return worker }
    let started = try start()
    _ = try started.hello(mode)
    worker = started
    decodedSinceStart = 0
    return started
  }

  /// Starts a process, which then gets ready by itself.
  func start() throws(DecodingError) -> WorkerProcess {
    try WorkerProcess(
      from: server, input: input, output: output, memoryInBytes: limits.workerMemoryInBytes, mode: mode)
  }

  func decode<R>(
    _ type: MediaType, page: Int, smallestSide: Int?, _ body: (DecodedPicture) throws -> R
  ) throws -> Result<R, Unhashable> {
    guard type.isDecodable, let format = type.format else {
      return .failure(Unhashable(.unsupported, "\(type.rawValue) is not decoded"))
    }
    if let limit = try padInput() { return .failure(limit) }
    let side = UInt32(clamping: smallestSide ?? limits.smallestSideInPixels)
    let request = DecodeRequest(
      format: format, inputSize: UInt64(appendedInBytes), mostPixels: UInt64(limits.pixels), smallestSide: side,
      picture: UInt32(clamping: page))
    switch try ask(request) {
    case .failure(let unhashable): return .failure(unhashable)
    case .success(let reply): return .success(try body(picture(reply)))
    }
  }

  private nonisolated(unsafe) static let padding: UnsafeRawBufferPointer = {
    let zeros = UnsafeMutableRawBufferPointer.allocate(byteCount: WireProtocol.paddingInBytes, alignment: 16)
    zeros.initializeMemory(as: UInt8.self, repeating: 0)
    return UnsafeRawBufferPointer(zeros)
  }()

  /// Ends the appended file with zeros, unless it is too long for the input.
  func padInput() throws(DecodingError) -> Unhashable? {
    guard appendedInBytes <= limits.inputInBytes else {
      return Unhashable(.limit, "limit: \(appendedInBytes) bytes, at most \(limits.inputInBytes)")
    }
    try input.write(Self.padding, at: appendedInBytes)
    return nil
  }

  /// See ``DecoderLease/decodeFrames(_:from:detail:isAgain:_:)``.
  func decodeFrames(
    _ type: MediaType, from source: ByteSource?, _ detail: FrameDetail, isAgain: Bool,
    _ body: (DecodedFrame) throws -> FrameDemand
  ) throws -> Unhashable? {
    if isAgain {
      return try Self.oneAtATime.withLock { _ in try decodeFrames(type, from: source, detail, isAgain: false, body) }
    }
    guard let format = type.framesFormat else { return Unhashable(.unsupported, "\(type.rawValue) has no frames") }
    if source == nil, let limit = try padInput() { return limit }
    let size = source?.sizeInBytes ?? Int64(appendedInBytes)
    var request = DecodeRequest(
      format: format, inputSize: UInt64(clamping: size), mostPixels: UInt64(limits.pixels), smallestSide: 0)
    request.most = UInt64(limits.frames)
    request.detail = detail
    request.isPulled = source != nil
    // Between two frames lies a second of film.
    return try converse(request, source, each: limits.time * 3, total: limits.videoTime) { event in
      guard event.kind == .frame, isPlausible(event.width, event.height) else {
        return .end(Unhashable(.crashed, "decoder crashed: it breaks the protocol"))
      }
      let luma = try plane(event.width, event.height, isFloat: event.flags & StreamEvent.isFloat != 0)
      let leftOut = event.flags & StreamEvent.othersAreLeftOut != 0
      let frame = DecodedFrame(luma: luma, seconds: Double(event.first) / 1000, othersAreLeftOut: leftOut)
      return switch try body(frame) {
      case .more: .goOn
      case .samples: .samples
      case .enough: .leave
      }
    }
  }

  private func ask(_ request: DecodeRequest) throws(DecodingError) -> Result<DecodeReply, Unhashable> {
    let answer = try askOnce(request)
    guard case .failure(let first) = answer, first.mayBeAnothers else { return answer }
    // While nothing else is tried again.
    return try Self.oneAtATime.withLock { _ throws(DecodingError) in try askOnce(request) }
  }

  private static let oneAtATime = Mutex(())

  private func askOnce(_ request: DecodeRequest) throws(DecodingError) -> Result<DecodeReply, Unhashable> {
    let answer = try freshWorker().ask(request, time: limits.time)
    guard case .reply(let reply) = answer else { return .failure(lose(answer, after: limits.time)) }
    if reply.status == .decoded && !isPlausible(reply) {
      worker = nil
      return .failure(Unhashable(.crashed, "decoder crashed: it claims an impossible plane"))
    }
    if let unhashable = unhashable(reply.status, reply.reason) {
      output.used(output.sizeInBytes)
      return .failure(unhashable)
    }
    return .success(reply)
  }

  /// A worker that has not had its share of contents yet.
  func freshWorker() throws(DecodingError) -> WorkerProcess {
    if decodedSinceStart == limits.picturesPerWorker { worker = nil }
    let worker = try runningWorker()
    decodedSinceStart += 1
    return worker
  }

  /// Gives up a worker that ended, hung or broke the protocol, and says which.
  func lose(_ answer: WorkerProcess.Answer, after time: Duration) -> Unhashable {
    worker = nil
    output.used(output.sizeInBytes)  // how far it came is not known
    switch answer {
    case .ended(let end): return Unhashable(.crashed, "decoder crashed: \(end)")
    case .timedOut: return Unhashable(.timedOut, "decoder hung: stopped after \(time.inSeconds)")
    case .reply, .event: return Unhashable(.crashed, "decoder crashed: it answers what was not asked")
    }
  }

  /// What a status other than `decoded` says of the content.
  func unhashable(_ status: DecodeReply.Status, _ reason: String) -> Unhashable? {
    switch status {
    case .decoded: nil
    case .unsupported: Unhashable(.unsupported, reason)
    case .broken: Unhashable(.broken, reason)
    case .limit: Unhashable(.limit, reason)
    case .memory: Unhashable(.limit, "limit: the decoder needs more memory than \(limits.workerMemoryInBytes) bytes")
    case .encrypted: Unhashable(.encrypted, "encrypted")
    }
  }

  private func isPlausible(_ reply: DecodeReply) -> Bool {
    isPlausible(reply.width, reply.height) && reply.pictureWidth >= 1 && reply.pictureHeight >= 1
  }

  private func picture(_ reply: DecodeReply) throws(DecodingError) -> DecodedPicture {
    DecodedPicture(
      luma: try plane(reply.width, reply.height, isFloat: reply.isFloat), width: Int(reply.pictureWidth),
      height: Int(reply.pictureHeight), pages: max(1, Int(reply.pictures)))
  }

  func isPlausible(_ width: UInt32, _ height: UInt32) -> Bool {
    // Two factors of 32 bits do not overflow 64 unsigned ones.
    let pixels = UInt64(width) * UInt64(height)
    return pixels >= 1 && pixels <= UInt64(limits.pixels) && max(width, height) <= DecodingLimits.mostSideInPixels
  }

  /// The plane in the output, of a plausible size.
  func plane(_ width: UInt32, _ height: UInt32, isFloat: Bool) throws(DecodingError) -> LumaPlane {
    let (width, height) = (Int(width), Int(height))
    let view = try output.view(width * height * (isFloat ? MemoryLayout<Float>.size : 1))
    let samples: LumaPlane.Samples =
      if isFloat {
        .floats(view.assumingMemoryBound(to: Float.self))
      } else {
        .bytes(view.assumingMemoryBound(to: UInt8.self))
      }
    return LumaPlane(width: width, height: height, samples: samples)
  }
}

extension Duration {
  /// "10 s", "0.3 s".
  var inSeconds: String {
    let (seconds, attoseconds) = components
    let tenths = attoseconds / 100_000_000_000_000_000
    return tenths == 0 ? "\(seconds) s" : "\(seconds).\(tenths) s"
  }
}
