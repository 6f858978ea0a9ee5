import CSandbox
import Glibc
import SystemPackage

/// One running `muhafiz-decoder`, from its start to its end.
final class WorkerProcess {
  /// How an exchange ended.
  enum Answer {
    case reply(DecodeReply)
    /// It is at work still and waits for an answer.
    case event(StreamEvent)
    /// It ended by itself: in words, "signal 11" or "exit status 3".
    case ended(String)
    case timedOut
  }

  let process: pid_t
  private let parent: ServerProcess
  private let socket: CInt
  private var isOver = false

  /// Time to lock in; milliseconds on an idle machine.
  private static let helloTime: Duration = .seconds(20)

  /// Starts a process and does not wait for it.
  init(
    from server: ForkServer, input: SharedMemory, output: SharedMemory, memoryInBytes: Int, mode: WorkerMode
  ) throws(DecodingError) {
    var pair: [CInt] = [-1, -1]
    guard sandbox_make_sockets(&pair) == 0 else {
      throw DecodingError(.workerNotStarted, "cannot make sockets: \(describe(errno))")
    }
    defer { close(pair[1]) }
    do throws(DecodingError) {
      (process, parent) = try server.start(
        mode, memoryInBytes: memoryInBytes, socket: pair[1], input: input, output: output)
    } catch {
      close(pair[0])
      throw error
    }
    socket = pair[0]
  }

  /// What the worker says of itself once it is ready; waits for that.
  ///
  /// - Parameter mode: The one that it was started in.
  func hello(_ mode: WorkerMode) throws(DecodingError) -> WorkerHello {
    let heard = Self.receive(socket, WorkerHello.sizeInBytes, until: .now + Self.helloTime)
    var hello: WorkerHello?
    if case .packet(let packet) = heard { hello = packet.withUnsafeBytes(WorkerHello.init) }
    guard let hello else {
      throw DecodingError(.workerNotStarted, "a decoder said nothing of use: \(killAndTell())")
    }
    guard hello.isFiltered || mode == .unlocked else {
      end()
      throw DecodingError(.workerNotSandboxed, "a decoder could not install its seccomp filter")
    }
    return hello
  }

  /// What came of the ways out; waits for that, and for the process's end.
  func escapeReport() throws(DecodingError) -> EscapeReport {
    let heard = Self.receive(socket, EscapeReport.sizeInBytes, until: .now + Self.helloTime)
    if case .packet(let packet) = heard, let report = packet.withUnsafeBytes(EscapeReport.init) {
      end()
      return report
    }
    throw DecodingError(.workerNotStarted, "a decoder did not test its sandbox: \(killAndTell())")
  }

  deinit { end() }

  /// Sends a request and waits for what comes of it, at most `time`. After an end or a time-out the process is gone.
  func ask(_ request: DecodeRequest, time: Duration) -> Answer {
    var packet = [UInt8](repeating: 0, count: DecodeRequest.sizeInBytes)
    packet.withUnsafeMutableBytes { request.write(to: $0) }
    return exchange(packet, time: time)
  }

  /// Waits for what comes after an event, as ``ask(_:time:)`` does.
  ///
  /// - Parameter answer: `nil` where the event wants none.
  func goOn(_ answer: StreamAnswer?, time: Duration) -> Answer { exchange(answer?.packet, time: time) }

  private func exchange(_ packet: [UInt8]?, time: Duration) -> Answer {
    let deadline = ContinuousClock.now + time
    // A worker that is gone is noticed when nothing comes back.
    if let packet { while send(socket, packet, packet.count, CInt(MSG_NOSIGNAL)) < 0, errno == EINTR {} }
    switch Self.receive(socket, StreamEvent.mostSizeInBytes, until: deadline) {
    case .packet(let packet):
      if let reply = packet.withUnsafeBytes(DecodeReply.init) { return .reply(reply) }
      if let event = packet.withUnsafeBytes(StreamEvent.init(packet:)) { return .event(event) }
      end()
      return .ended("unreadable reply")
    case .nothing: return .ended(endAndTell())
    case .late:
      end()
      return .timedOut
    }
  }

  /// Kills and reaps.
  func end() {
    if !isOver { _ = killAndTell() }
  }

  private func killAndTell() -> String { endAndTell(isKilled: true) }

  /// Has a process reaped that hung up, and says how it ended.
  private func endAndTell(isKilled: Bool = false) -> String {
    if isOver { return "ended before" }
    isOver = true
    close(socket)
    return parent.end(of: process, isKilled: isKilled) ?? "the server of all decoders has ended"
  }

  private enum Heard {
    case packet([UInt8])
    case nothing
    case late
  }

  private static func receive(_ socket: CInt, _ size: Int, until deadline: ContinuousClock.Instant) -> Heard {
    while true {
      let left = ContinuousClock.now.duration(to: deadline)
      if left <= .zero { return .late }
      let (seconds, attoseconds) = left.components
      let milliseconds = min(seconds, 1_000_000) * 1000 + attoseconds / 1_000_000_000_000_000
      var watched = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
      let ready = poll(&watched, 1, CInt(milliseconds + 1))
      if ready == 0 || (ready < 0 && errno == EINTR) { continue }
      // One byte more than expected: a longer packet is not mistaken for one that fits.
      var packet = [UInt8](repeating: 0, count: size + 1)
      let count = recv(socket, &packet, packet.count, CInt(MSG_DONTWAIT))
      if count < 0, errno == EINTR || errno == EAGAIN { continue }
      if count <= 0 { return .nothing }
      return .packet(Array(packet.prefix(count)))
    }
  }
}
