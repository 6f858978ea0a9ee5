import CSandbox
import Synchronization
import SystemPackage

/// Whether workers must be locked in.
public enum SandboxPolicy: Sendable {
  /// A worker that is not locked in never serves, and no pool is made where a way out was found.
  case required
  /// Workers are not locked in at all: whatever takes one over can do what the user can. Said aloud, or not at all.
  case none
}

/// How far a worker is locked in.
public struct SandboxReport: Sendable, Equatable {
  /// Whether the seccomp filter is in force; only ``SandboxPolicy/none`` goes without.
  public let isFiltered: Bool

  /// Whether workers are in a network namespace of their own, without any interface.
  public let hasOwnNetwork: Bool

  /// Landlock's ABI version; 0 where the kernel has none: the filter alone then keeps files and network away.
  public let landlockABI: Int

  /// System calls that the seccomp filter allows; any other kills the worker.
  public let allowedSystemCalls: Int

  /// Address space of a worker.
  public let memoryInBytes: Int

  /// Ways out that were tried at the start and refused, by name: `open`, `connect`, `fork`…
  public let refusedEscapes: [String]

  /// Those of them that work on this machine without a sandbox, so that the refusal proves something.
  public let provenEscapes: [String]

  init(hello: WorkerHello, escapes: EscapeReport?, limits: DecodingLimits) {
    isFiltered = hello.isFiltered
    hasOwnNetwork = hello.hasOwnNetwork
    landlockABI = Int(hello.landlockABI)
    allowedSystemCalls = Int(hello.allowedSystemCalls)
    memoryInBytes = limits.workerMemoryInBytes
    refusedEscapes = escapes.map { SandboxTest.names($0.refused) } ?? []
    provenEscapes = escapes.map { SandboxTest.names($0.refused & $0.possible) } ?? []
  }
}

/// Tries to break out of the sandbox, in processes that are locked in exactly as a worker is.
enum SandboxTest {
  /// The program is one file to a process's end: it is tested once.
  private static let passed = Mutex<[FilePath: EscapeReport]>([:])

  /// - Throws: ``DecodingError/Code/sandboxLeaks`` where a way out is open, or where nothing could be proven.
  static func run(_ server: ForkServer, _ limits: DecodingLimits) throws(DecodingError) -> EscapeReport {
    try passed.withLock { passed throws(DecodingError) in
      if let report = passed[server.program] { return report }
      let memory = try SharedMemory(sizeInBytes: 4096)
      let process = try WorkerProcess(
        from: server, input: memory, output: memory, memoryInBytes: limits.workerMemoryInBytes, mode: .escapes)
      let report = try process.escapeReport()
      try check(report)
      passed[server.program] = report
      return report
    }
  }

  static func check(_ report: EscapeReport) throws(DecodingError) {
    let all: UInt32 = 1 << UInt32(SANDBOX_ESCAPES) - 1
    guard report.count == UInt32(SANDBOX_ESCAPES), report.refused == all else {
      let open = names(all & ~report.refused).joined(separator: ", ")
      throw DecodingError(.sandboxLeaks, "a decoder could break out of its sandbox: \(open)")
    }
    // What fails outside too proves nothing when it fails inside.
    guard report.possible & all != 0 else {
      throw DecodingError(.sandboxLeaks, "no way out of the sandbox works outside of it either: nothing was proven")
    }
  }

  static func names(_ escapes: UInt32) -> [String] {
    (0..<UInt32(SANDBOX_ESCAPES)).filter { escapes & 1 << $0 != 0 }.map {
      String(cString: sandbox_escape_name(CInt($0)))
    }
  }
}
