import CSandbox
import Glibc
import Synchronization
import SystemPackage

/// What workers are forked from.
///
/// It is `muhafiz-decoder` once it has loaded its libraries, which takes a tenth of a second: a worker then starts in a few
/// milliseconds, and shares their memory with the others. It reads no byte of a content. It ends with this object, with the
/// last worker's, or with this program; its workers end with it.
///
/// All workers of one server are alike in what a process draws by lot at its start: the addresses of its code, the canary of
/// its stack.
final class ForkServer: Sendable {
  let program: FilePath
  private let running = Mutex<ServerProcess?>(nil)

  private static let servers = Mutex<[FilePath: WeakServer]>([:])

  private struct WeakServer {
    weak var server: ForkServer?
  }

  /// The server of a program: one for all pools.
  static func of(_ program: FilePath) -> ForkServer {
    servers.withLock { servers in
      if let server = servers[program]?.server { return server }
      let server = ForkServer(program)
      servers[program] = WeakServer(server: server)
      return server
    }
  }

  private init(_ program: FilePath) { self.program = program }

  /// Forks a worker.
  ///
  /// - Parameter socket: The worker's end; stays the caller's.
  /// - Returns: The worker, and the process that is its parent and knows how it ends.
  func start(
    _ mode: WorkerMode, memoryInBytes: Int, socket: CInt, input: SharedMemory, output: SharedMemory
  ) throws(DecodingError) -> (worker: pid_t, parent: ServerProcess) {
    let call = sandbox_call(
      what: UInt32(SANDBOX_START), mode: mode.rawValue, memory: UInt64(memoryInBytes), process: 0, is_killed: 0)
    return try running.withLock { running throws(DecodingError) in
      var problem = ""
      // One that somebody has ended in the meantime is started again.
      for _ in 0..<2 {
        let server = if let running { running } else { try ServerProcess(program) }
        running = server
        switch server.ask(call, [socket, input.descriptor, output.descriptor]) {
        case .success(let worker): return (worker, server)
        case .failure(let error):
          problem = "\(describe(error.errno))\(error.end.map { ", \($0)" } ?? "")"
          if error.end != nil { running = nil }
        }
      }
      throw DecodingError(.workerNotStarted, "\(program) starts no worker: \(problem)")
    }
  }
}

/// One process that workers are forked from.
final class ServerProcess: Sendable {
  private let process: pid_t
  /// The socket to it; `nil` once it is of no more use.
  private let socket: Mutex<CInt?>

  /// Time for an answer, of the first of which the libraries are loaded; milliseconds on an idle machine.
  private static let mostMilliseconds: CInt = 20_000

  struct Failure: Error {
    let errno: CInt
    /// How the process ended, where that is what went wrong.
    let end: String?
  }

  fileprivate init(_ program: FilePath) throws(DecodingError) {
    var pair: [CInt] = [-1, -1]
    guard sandbox_make_sockets(&pair) == 0 else {
      throw DecodingError(.workerNotStarted, "cannot make sockets: \(describe(errno))")
    }
    var process: pid_t = 0
    var arguments: [UnsafeMutablePointer<CChar>?] =
      ["muhafiz-decoder", String(getpid())].map { (word: String) in strdup(word) } + [nil]
    let error = sandbox_spawn(program.string, &arguments, pair[1], &process)
    for argument in arguments { free(argument) }
    close(pair[1])
    guard error == 0 else {
      close(pair[0])
      throw DecodingError(.workerNotStarted, "cannot start \(program): \(describe(error))")
    }
    self.process = process
    socket = Mutex(pair[0])
  }

  deinit {
    socket.withLock { socket in if socket != nil { _ = end(&socket) } }
  }

  fileprivate func ask(_ call: sandbox_call, _ descriptors: [CInt]?) -> Result<CInt, Failure> {
    socket.withLock { socket in
      guard let open = socket else { return .failure(Failure(errno: EPIPE, end: "ended before")) }
      var call = call
      var answer = sandbox_answer()
      let error = sandbox_ask(open, &call, descriptors, Self.mostMilliseconds, &answer)
      // An answer that comes too late would be taken for that to the next call.
      if error != 0 { return .failure(Failure(errno: error, end: end(&socket))) }
      return answer.error == 0 ? .success(answer.value) : .failure(Failure(errno: answer.error, end: nil))
    }
  }

  /// Ends the process, if it has not ended by itself, and with it its workers.
  private func end(_ socket: inout CInt?) -> String {
    if let open = socket.take() { close(open) }
    var status: CInt = 0
    var waited: pid_t = 0
    for attempt in 0..<50 where waited == 0 {
      waited = waitpid(process, &status, WNOHANG)
      if waited == 0 { usleep(attempt < 10 ? 200 : 2000) }
    }
    if waited == 0 {
      kill(process, SIGKILL)
      repeat { waited = waitpid(process, &status, 0) } while waited < 0 && errno == EINTR
    }
    return waited == process ? describeEnd(status) : "end unknown"
  }

  /// Waits for a worker's end.
  ///
  /// - Parameter isKilled: Whether it is made to end. One that hung up ends by itself, and its own end is the news; one that
  ///   does not within half a second is made to.
  /// - Returns: How it ended; `nil` where the server has ended before it.
  func end(of worker: pid_t, isKilled: Bool) -> String? {
    for attempt in 0..<2000 {
      let call = sandbox_call(
        what: UInt32(SANDBOX_END), mode: 0, memory: 0, process: worker, is_killed: isKilled || attempt >= 50 ? 1 : 0)
      switch ask(call, nil) {
      case .success(let status): return describeEnd(status)
      case .failure(let failure):
        guard failure.end == nil, failure.errno == EAGAIN else { return nil }
        usleep(attempt < 10 ? 200 : 10_000)
      }
    }
    return nil
  }
}

/// "signal 11" or "exit status 3".
private func describeEnd(_ status: CInt) -> String {
  let signal = status & 0x7f
  if signal == SIGSYS { return "signal \(signal), a system call that the sandbox forbids" }
  return signal != 0 ? "signal \(signal)" : "exit status \(status >> 8 & 0xff)"
}
