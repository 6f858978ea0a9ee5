import Dispatch
import Synchronization
import SystemPackage

/// Sandboxed worker processes that decode pictures, lent to one thread each.
///
/// A picture that crashes or hangs its worker costs that picture: the answer names what happened, and the
/// next picture gets a new worker. Workers end with the pool, and with the process if that dies.
///
/// ```swift
/// let pool = try DecoderPool(size: 2)
/// let hash = try pool.withLease { lease in
///   try lease.append(bytes)
///   return try lease.decode(.jpeg) { PDQ.hash($0.luma) }
/// }
/// ```
public final class DecoderPool: Sendable {
  private let pictures: DecoderBank
  private let archives: DecoderBank
  private let server: ForkServer
  private let limits: DecodingLimits
  private let policy: SandboxPolicy
  /// `nil` until the pool has started.
  private let report = Mutex<SandboxReport?>(nil)

  /// Makes a pool, tests its sandbox and starts its first worker; the others start when they are first needed.
  ///
  /// - Parameters:
  ///   - size: Workers at most, from 1: as many threads can hold a lease at a time, further ones wait.
  ///   - limits: What one picture may cost.
  ///   - decoder: The program; `nil` looks at `$MUHAFIZ_DECODER`, then for `muhafiz-decoder` beside the running
  ///     program, then in `../libexec/muhafiz` from there.
  ///   - sandbox: ``SandboxPolicy/required`` unless somebody said otherwise aloud.
  ///   - startsNow: `false` to do without a start until the first lease: for a scan that may never need one.
  /// - Throws: ``DecodingError``: the program is missing, does not start, cannot lock itself in, or found a way out.
  public init(
    size: Int, limits: DecodingLimits = .init(), decoder: FilePath? = nil, sandbox policy: SandboxPolicy = .required,
    startsNow: Bool = true
  ) throws(DecodingError) {
    precondition(size >= 1, "a pool has at least one worker")
    try limits.check()
    let mode: WorkerMode = policy == .required ? .locked : .unlocked
    let program = if let decoder { decoder } else { try DecoderProgram.find() }
    server = ForkServer.of(program)
    var slots: [DecoderSlot] = []
    for _ in 0..<2 * size { slots.append(try DecoderSlot(server, mode: mode, limits: limits)) }
    pictures = DecoderBank(Array(slots[..<size]))
    archives = DecoderBank(Array(slots[size...]))
    self.limits = limits
    self.policy = policy
    if startsNow { _ = try start() }
  }

  /// What the first worker did to lock itself in. All are the same program under the same limits.
  public var sandbox: SandboxReport { get throws(DecodingError) { try start() } }

  /// Tests the sandbox and starts a worker, unless that was done.
  private func start() throws(DecodingError) -> SandboxReport {
    try report.withLock { report throws(DecodingError) in
      if let report { return report }
      let started = try pictures.lendSlot { slot throws(DecodingError) in
        let starting = try slot.start()
        let escapes = policy == .required ? try SandboxTest.run(server, limits) : nil
        let hello = try starting.hello(slot.mode)
        slot.worker = starting
        return SandboxReport(hello: hello, escapes: escapes, limits: limits)
      }
      report = started
      return started
    }
  }

  /// Lends a worker for the call; waits while all are lent. Any thread may call; calls must not be nested, since a
  /// pool of one would wait for itself.
  ///
  /// - Parameter body: Gets a lease with no bytes appended.
  /// - Throws: ``DecodingError`` when memory cannot be given back; what `body` throws.
  public func withLease<R>(_ body: (inout DecoderLease) throws -> R) throws -> R {
    _ = try start()
    return try pictures.lend(body)
  }

  /// Lends a further worker, for an archive whose members go through the lease that the caller holds already. There are as
  /// many as of the others, so whoever holds one of those never waits in a ring. They start when they are first needed.
  public func withArchiveLease<R>(_ body: (inout DecoderLease) throws -> R) throws -> R {
    _ = try start()
    return try archives.lend(body)
  }
}

/// Some of a pool's workers, lent one at a time.
private final class DecoderBank: Sendable {
  private let free: DispatchSemaphore
  private let idle: Mutex<[DecoderSlot]>

  /// - Parameter slots: The last is lent first.
  init(_ slots: sending [DecoderSlot]) {
    free = DispatchSemaphore(value: slots.count)
    idle = Mutex(slots)
  }

  func lend<R>(_ body: (inout DecoderLease) throws -> R) throws -> R {
    try lendSlot { slot in
      try slot.reset()
      var lease = DecoderLease(slot: slot)
      let result = try body(&lease)
      try slot.reset()
      return result
    }
  }

  func lendSlot<R, Failure>(_ body: (DecoderSlot) throws(Failure) -> R) throws(Failure) -> R {
    free.wait()
    let slot = idle.withLock { $0.removeLast() }
    defer {
      idle.withLock { $0.append(slot) }
      free.signal()
    }
    return try body(slot)
  }
}
