import CSandbox
import Glibc
import Synchronization
import SystemPackage

/// The process that workers are forked from.
///
/// It is `muhafiz-decoder` once it has loaded its libraries, which takes a tenth of a second: a worker then starts in a few
/// milliseconds, and shares their memory with the others. It sees no byte of a content. It ends with this object, with the
/// last worker's, or with this program; its workers end with it.
///
/// All workers of one server have their code at the same addresses.
final class ForkServer: Sendable {
  private let program: FilePath
  private let running = Mutex<Running?>(nil)

  private static let servers = Mutex<[FilePath: WeakServer]>([:])
  /// Time to load the libraries; milliseconds on an idle machine.
  private static let mostMilliseconds: CInt = 20_000

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
  func start(
    _ mode: WorkerMode, memoryInBytes: Int, socket: CInt, input: SharedMemory, output: SharedMemory
  ) throws(DecodingError) -> pid_t {
    let call = sandbox_call(
      what: UInt32(SANDBOX_START), mode: mode.rawValue, memory: UInt64(memoryInBytes), process: 0, is_killed: 0)
    return try running.withLock { running throws(DecodingError) in
      var problem: CInt = 0
      // One that somebody has ended in the meantime is started again.
      for _ in 0..<2 {
        if running == nil { running = try Running(program) }
        switch running!.ask(call, [socket, input.descriptor, output.descriptor]) {
        case .success(let process): return process
        case .failure(let error):
          problem = error.errno
          if error.isOver { running = nil }
        }
      }
      throw DecodingError(.workerNotStarted, "\(program) starts no worker: \(describe(problem))")
    }
  }

  /// Waits for a worker's end.
  ///
  /// - Parameter isKilled: Whether it is made to end.
  /// - Returns: How it ended, as wait(2) says it; `nil` where the server has ended before it.
  func end(_ process: pid_t, isKilled: Bool) -> CInt? {
    let call = sandbox_call(what: UInt32(SANDBOX_END), mode: 0, memory: 0, process: process, is_killed: isKilled ? 1 : 0)
    return running.withLock { running in
      guard case .success(let status)? = running?.ask(call, nil) else { return nil }
      return status
    }
  }

  private struct Failure: Error {
    let errno: CInt
    /// Whether the server is of no more use.
    let isOver: Bool
  }

  /// The process and the socket to it.
  private final class Running: Sendable {
    private let process: pid_t
    private let socket: CInt

    init(_ program: FilePath) throws(DecodingError) {
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
      socket = pair[0]
    }

    func ask(_ call: sandbox_call, _ descriptors: [CInt]?) -> Result<CInt, Failure> {
      var call = call
      var answer = sandbox_answer()
      let error = sandbox_ask(socket, &call, descriptors, ForkServer.mostMilliseconds, &answer)
      if error != 0 { return .failure(Failure(errno: error, isOver: true)) }
      return answer.error == 0 ? .success(answer.value) : .failure(Failure(errno: answer.error, isOver: false))
    }

    deinit {
      close(socket)
      kill(process, SIGKILL)
      var status: CInt = 0
      while waitpid(process, &status, 0) < 0, errno == EINTR {}
    }
  }
}
