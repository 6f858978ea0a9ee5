import Glibc
import Hashing
import SystemPackage

/// A worker and its shared memory, borrowed by one thread.
///
/// For each file: `append` its bytes as they are read, `decode` once their type is known, `reset` before the next.
public struct DecoderLease: ~Copyable {
  private let slot: DecoderSlot

  init(slot: DecoderSlot) {
    self.slot = slot
  }

  /// Copies bytes of the file into the worker's memory, behind those before.
  ///
  /// Bytes over ``DecodingLimits/inputInBytes`` are counted and not kept: `decode` then answers with the limit.
  ///
  /// - Throws: ``DecodingError/Code/memory`` when the machine has no memory for them.
  public mutating func append(_ bytes: UnsafeRawBufferPointer) throws(DecodingError) { try slot.append(bytes) }

  /// Forgets the file, and gives its memory back where it was a big one.
  public mutating func reset() throws(DecodingError) { try slot.reset() }

  /// Decodes the first picture of the appended file.
  ///
  /// - Parameters:
  ///   - type: What ``MediaType/sniff(_:)`` made of the file's first bytes.
  ///   - smallestSide: In pixels, in place of ``DecodingLimits/smallestSideInPixels``.
  ///   - body: Reads the plane, which is valid within the call. A worker that was taken over can write anything there,
  ///     floats that are not numbers included, even during the call.
  /// - Returns: What `body` returns, or why there is no plane. The bytes stay, so a file may be decoded twice.
  /// - Throws: ``DecodingError`` when no worker could be had; what `body` throws.
  public mutating func decode<R>(
    _ type: MediaType, smallestSide: Int? = nil, _ body: (DecodedPicture) throws -> R
  ) throws -> Result<R, Unhashable> {
    try slot.decode(type, smallestSide: smallestSide, body)
  }

  /// The worker's process now, `nil` where it ended and no picture has needed another one since.
  package var process: CInt? { slot.worker?.process }
}

/// One decoded picture, upright.
public struct DecodedPicture {
  /// The samples, in shared memory; never kept.
  public let luma: LumaPlane

  /// Size at full resolution; the plane is smaller where a JPEG was shrunk while decoding.
  public let width: Int
  public let height: Int
}

/// One place in the pool: memory that lives as long as the pool, and a worker that is replaced when it ends.
///
/// `@unchecked Sendable`: the pool hands a slot to one lease at a time, under its lock and semaphore.
final class DecoderSlot: @unchecked Sendable {
  private let limits: DecodingLimits
  private let decoder: FilePath
  private let input: SharedMemory
  private let output: SharedMemory
  private(set) var worker: WorkerProcess?
  private var decodedSinceStart = 0
  private var appendedInBytes = 0

  init(decoder: FilePath, limits: DecodingLimits) throws(DecodingError) {
    self.decoder = decoder
    self.limits = limits
    input = try SharedMemory(sizeInBytes: limits.inputInBytes + WireProtocol.paddingInBytes)
    output = try SharedMemory(sizeInBytes: limits.outputInBytes)
  }

  func append(_ bytes: UnsafeRawBufferPointer) throws(DecodingError) {
    if appendedInBytes + bytes.count <= limits.inputInBytes { try input.write(bytes, at: appendedInBytes) }
    appendedInBytes += bytes.count
  }

  func reset() throws(DecodingError) {
    appendedInBytes = 0
    try input.release()
    try output.release()
  }

  @discardableResult
  func runningWorker() throws(DecodingError) -> WorkerProcess {
    if let worker { return worker }
    let started = try WorkerProcess(
      decoder: decoder, input: input, output: output, memoryInBytes: limits.workerMemoryInBytes)
    worker = started
    decodedSinceStart = 0
    return started
  }

  func decode<R>(
    _ type: MediaType, smallestSide: Int?, _ body: (DecodedPicture) throws -> R
  ) throws -> Result<R, Unhashable> {
    guard let format = type.format else {
      return .failure(Unhashable(.unsupported, "\(type.rawValue) is not decoded"))
    }
    guard appendedInBytes <= limits.inputInBytes else {
      return .failure(
        Unhashable(.limit, "limit: \(appendedInBytes) bytes, at most \(limits.inputInBytes)"))
    }
    let side = UInt32(clamping: smallestSide ?? limits.smallestSideInPixels)
    let padding = [UInt8](repeating: 0, count: WireProtocol.paddingInBytes)
    try padding.withUnsafeBytes { try input.write($0, at: appendedInBytes) }
    let request = DecodeRequest(
      format: format, inputSize: UInt64(appendedInBytes), mostPixels: UInt64(limits.pixels), smallestSide: side)
    switch try ask(request) {
    case .failure(let unhashable): return .failure(unhashable)
    case .success(let reply): return .success(try body(picture(reply)))
    }
  }

  private func ask(_ request: DecodeRequest) throws(DecodingError) -> Result<DecodeReply, Unhashable> {
    if decodedSinceStart == limits.picturesPerWorker { worker = nil }
    let answer = try runningWorker().ask(request, time: limits.time)
    decodedSinceStart += 1
    guard case .reply(let reply) = answer else {
      worker = nil
      output.used(output.sizeInBytes)  // how far it came is not known
      if case .ended(let end) = answer { return .failure(Unhashable(.crashed, "decoder crashed: \(end)")) }
      return .failure(Unhashable(.timedOut, "decoder hung: stopped after \(inSeconds(limits.time))"))
    }
    switch reply.status {
    case .decoded where isPlausible(reply): return .success(reply)
    case .decoded:
      worker = nil
      return .failure(Unhashable(.crashed, "decoder crashed: it claims an impossible plane"))
    case .unsupported: return refused(.unsupported, reply.reason)
    case .broken: return refused(.broken, reply.reason)
    case .limit: return refused(.limit, reply.reason)
    case .memory:
      return refused(.limit, "limit: the decoder needs more memory than \(limits.workerMemoryInBytes) bytes")
    }
  }

  /// "10 s", "0.3 s".
  private func inSeconds(_ time: Duration) -> String {
    let (seconds, attoseconds) = time.components
    let tenths = attoseconds / 100_000_000_000_000_000
    return tenths == 0 ? "\(seconds) s" : "\(seconds).\(tenths) s"
  }

  private func refused(_ code: Unhashable.Code, _ reason: String) -> Result<DecodeReply, Unhashable> {
    output.used(output.sizeInBytes)
    return .failure(Unhashable(code, reason))
  }

  private func isPlausible(_ reply: DecodeReply) -> Bool {
    // Two factors of 32 bits do not overflow 64 unsigned ones.
    let pixels = UInt64(reply.width) * UInt64(reply.height)
    return pixels >= 1 && pixels <= UInt64(limits.pixels)
      && reply.pictureWidth >= 1 && reply.pictureHeight >= 1
  }

  private func picture(_ reply: DecodeReply) throws(DecodingError) -> DecodedPicture {
    let (width, height) = (Int(reply.width), Int(reply.height))
    let view = try output.view(width * height * (reply.isFloat ? MemoryLayout<Float>.size : 1))
    let samples: LumaPlane.Samples =
      if reply.isFloat {
        .floats(view.assumingMemoryBound(to: Float.self))
      } else {
        .bytes(view.assumingMemoryBound(to: UInt8.self))
      }
    return DecodedPicture(
      luma: LumaPlane(width: width, height: height, samples: samples), width: Int(reply.pictureWidth),
      height: Int(reply.pictureHeight))
  }
}
