import CSandbox
import Glibc
import Hashing
import SystemPackage

/// One decoder process and the memory shared with it.
///
/// Not locked: the pool hands a process from its own locked list to one lease, which belongs to one thread.
final class DecoderProcess: @unchecked Sendable {
  let identifier: pid_t
  let hello: WireHello
  private let limits: DecodingLimits
  private let socket: Int32
  private let input: SharedMemory
  private let output: SharedMemory
  /// Set once the process was waited for: its number may be another's by then.
  private(set) var isGone = false

  /// Starts a decoder and waits until it is in its sandbox.
  ///
  /// - Throws: ``DecoderFailure`` when it cannot be started or does not shut itself in.
  init(program: FilePath, limits: DecodingLimits) throws {
    self.limits = limits
    let input = try SharedMemory(name: "muhafiz-input", size: Wire.keptMapped)
    let output = try SharedMemory(name: "muhafiz-output", size: max(Wire.keptMapped, limits.pixels * MemoryLayout<Float>.size))
    var pair: [Int32] = [-1, -1]
    guard socketpair(AF_UNIX, Int32(SOCK_SEQPACKET.rawValue | SOCK_CLOEXEC.rawValue), 0, &pair) == 0 else {
      throw DecoderFailure("cannot make a socket for the decoder: \(Errno(rawValue: errno))")
    }
    var process: pid_t = 0
    let error = program.withPlatformString {
      cs_spawn($0, pair[1], input.descriptor, output.descriptor, &process)
    }
    close(pair[1])
    guard error == 0 else {
      close(pair[0])
      throw DecoderFailure(
        "cannot start the decoder \(program): \(Errno(rawValue: error))",
        hint: "muhafiz-decoder belongs beside muhafiz; $MUHAFIZ_DECODER can name another place")
    }
    (self.input, self.output, socket, identifier) = (input, output, pair[0], process)
    var hello = WireHello()
    let answered = Self.receive(&hello, from: pair[0], timeout: 10)
    self.hello = hello
    guard answered, hello.version == Wire.version, hello.seccomp == 1 else {
      let ending = end(killing: answered || isSilent)
      throw DecoderFailure(
        answered && hello.version != Wire.version
          ? "the decoder \(program) is of another build"
          : "the decoder \(program) did not come up in its sandbox: \(ending)",
        hint: "'muhafiz doctor' says what this machine offers")
    }
  }

  deinit { if !isGone { end() } }

  /// Writes the next bytes of a picture into the shared memory.
  func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws {
    try input.reserve(offset + bytes.count)
    input.write(bytes, at: offset)
  }

  /// Decodes the picture that was written.
  ///
  /// - Parameter body: Gets the plane, which lies in shared memory and is gone when this returns.
  /// - Throws: ``DecodingError`` about the picture. After `crashed` and `timedOut` the process is gone.
  func decode<Result>(_ decoder: UInt32, size: Int, _ body: (LumaPlane) throws -> Result) throws -> Result {
    let request = WireRequest(
      decoder: decoder, leastSide: UInt32(limits.leastSide), size: UInt64(size), mostPixels: UInt64(limits.pixels),
      outputSize: UInt64(output.size), seconds: UInt32(limits.seconds + 1))
    var reply = WireReply()
    let sent = withUnsafeBytes(of: request) { send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
    guard sent == MemoryLayout<WireRequest>.size, Self.receive(&reply, from: socket, timeout: limits.seconds) else {
      throw failure()
    }
    switch reply.status {
    case 0: break
    case 1: throw DecodingError(.broken, reply.text)
    case 2: throw DecodingError(.limit, reply.text)
    default: throw DecodingError(.unsupported, reply.text)
    }
    let (width, height, sampleSize) = (Int(reply.width), Int(reply.height), Int(reply.sampleSize))
    // The decoder may have been taken over by the picture: its word is checked before it is used as a size.
    guard width > 0, height > 0, sampleSize == 1 || sampleSize == 4,
      width.multipliedReportingOverflow(by: height * sampleSize).overflow == false,
      width * height * sampleSize <= output.size
    else {
      end()
      throw DecodingError(.crashed, "decoder answered with an impossible size")
    }
    defer {
      input.release(usedSize: size)
      output.release(usedSize: width * height * sampleSize)
    }
    let bytes = output.bytes(width * height * sampleSize)
    return try body(
      LumaPlane(
        width: width, height: height,
        samples: sampleSize == 1 ? .bytes(bytes.assumingMemoryBound(to: UInt8.self)) : .floats(bytes.assumingMemoryBound(to: Float.self))))
  }

  /// What became of the decoder, after it did not answer.
  private func failure() -> DecodingError {
    let isHung = isSilent
    let ending = end(killing: isHung)
    return isHung || ending == "signal \(SIGALRM)"
      ? DecodingError(.timedOut, "limit: decoder stopped after \(limits.seconds) s")
      : DecodingError(.crashed, "decoder crashed: \(ending)")
  }

  /// Whether the decoder lives and says nothing. Its end of the socket closes only when it dies: the filter lets through
  /// no other way.
  private var isSilent: Bool {
    var poll = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
    return Glibc.poll(&poll, 1, 0) == 0
  }

  /// Waits for the end of the process, after killing it unless it is dying already.
  ///
  /// - Returns: How it ended: `signal 11`, `exit code 70`.
  @discardableResult
  private func end(killing: Bool = true) -> String {
    if killing { kill(identifier, SIGKILL) }
    var status: Int32 = 0
    while waitpid(identifier, &status, 0) < 0 && errno == EINTR {}
    close(socket)
    isGone = true
    return status & 0x7F == 0 ? "exit code \(status >> 8 & 0xFF)" : "signal \(status & 0x7F)"
  }

  /// - Returns: `false` when nothing whole came within `timeout` seconds, or the other end is closed.
  private static func receive<Message: BitwiseCopyable>(_ message: inout Message, from socket: Int32, timeout: Int) -> Bool {
    var poll = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
    var status: Int32
    repeat { status = Glibc.poll(&poll, 1, Int32(timeout) * 1000) } while status < 0 && errno == EINTR
    guard status == 1 else { return false }
    return withUnsafeMutableBytes(of: &message) { recv(socket, $0.baseAddress, $0.count, 0) == $0.count }
  }
}
