import Foundation
import Glibc
import Hashing
import Synchronization
import SystemPackage

/// Decoder processes, kept from picture to picture and replaced when one dies.
///
/// Hostile bytes are parsed there and nowhere else. A crash or a hang costs one picture and is named in its result.
public final class DecoderPool: Sendable {
  public let limits: DecodingLimits
  /// The program that is started.
  public let program: FilePath
  /// What the first decoder said of its sandbox.
  public let sandbox: SandboxReport
  private let idle: Mutex<[DecoderProcess]>

  /// What keeps a decoder in.
  public struct SandboxReport: Sendable, Equatable {
    /// System calls that the seccomp filter lets through; all others end the process.
    public let systemCalls: Int
    /// Landlock version in force; 0 where the kernel has none and seccomp alone keeps files out of reach.
    public let landlockABI: Int
  }

  /// Starts one decoder, to know that it can be done; further ones are started when they are needed.
  ///
  /// - Parameter program: `nil` for `$MUHAFIZ_DECODER`, `muhafiz-decoder` beside this program, or `../libexec/muhafiz`.
  /// - Throws: ``DecoderFailure``.
  public init(limits: DecodingLimits = DecodingLimits(), program: FilePath? = nil) throws {
    self.limits = limits
    self.program = try program ?? Self.find()
    let first = try DecoderProcess(program: self.program, limits: limits)
    sandbox = SandboxReport(systemCalls: Int(first.hello.systemCalls), landlockABI: Int(first.hello.landlockABI))
    idle = Mutex([first])
  }

  /// Lends a decoder for one picture. Any number of threads may do so at once; each gets a process of its own.
  public func withLease<Result>(_ body: (DecoderLease) throws -> Result) throws -> Result {
    let lease = DecoderLease(self)
    defer { lease.giveBack() }
    return try body(lease)
  }

  fileprivate func take() throws -> DecoderProcess {
    try idle.withLock { $0.popLast() } ?? DecoderProcess(program: program, limits: limits)
  }

  fileprivate func put(_ process: DecoderProcess) { idle.withLock { $0.append(process) } }

  /// Numbers of the processes that wait for a picture.
  package var idleProcesses: [pid_t] { idle.withLock { $0.map(\.identifier) } }

  private static func find() throws(DecoderFailure) -> FilePath {
    if let named = ProcessInfo.processInfo.environment["MUHAFIZ_DECODER"], !named.isEmpty { return FilePath(named) }
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
    guard readlink("/proc/self/exe", &buffer, Int(PATH_MAX)) > 0 else {
      throw DecoderFailure("cannot find this program's own folder: \(Errno(rawValue: errno))")
    }
    let folder = FilePath(platformString: buffer).removingLastComponent()
    let places = [
      folder.appending("muhafiz-decoder"), folder.removingLastComponent().appending("libexec/muhafiz/muhafiz-decoder"),
    ]
    for place in places where place.withPlatformString({ access($0, X_OK) }) == 0 { return place }
    throw DecoderFailure(
      "muhafiz-decoder is not beside this program in \(folder)",
      hint: "install it there, or name it in $MUHAFIZ_DECODER; '--no-perceptual' scans without it")
  }
}

/// A decoder lent for one picture: bytes are written to it while they are read for other purposes, then it decodes.
///
/// Belongs to one thread. A process is taken from the pool only when a picture begins.
public final class DecoderLease {
  private let pool: DecoderPool
  private var process: DecoderProcess?
  private var size = 0

  fileprivate init(_ pool: DecoderPool) { self.pool = pool }

  /// Begins a picture.
  ///
  /// - Throws: ``DecoderFailure`` when no decoder can be had.
  public func begin() throws {
    if process == nil { process = try pool.take() }
    size = 0
  }

  /// Takes the next bytes of the picture. What exceeds the limit is not kept, and ``decode(_:_:)`` says so.
  public func append(_ bytes: UnsafeRawBufferPointer) throws {
    guard let process else { preconditionFailure("append before begin") }
    if size + bytes.count <= pool.limits.bytes { try process.write(bytes, at: size) }
    size += bytes.count
  }

  /// Decodes the bytes taken since ``begin()``.
  ///
  /// - Parameter body: Gets the plane, upright; it is a view that does not outlive the call.
  /// - Throws: ``DecodingError`` when the picture has no plane; what `body` throws.
  public func decode<Result>(_ type: MediaType, _ body: (LumaPlane) throws -> Result) throws -> Result {
    guard let process else { preconditionFailure("decode before begin") }
    guard let decoder = type.decoderNumber else { throw DecodingError(.unsupported, "no decoder for \(type.rawValue)") }
    guard size <= pool.limits.bytes else {
      throw DecodingError(.limit, "limit: \(size) bytes, at most \(pool.limits.bytes)")
    }
    defer { if process.isGone { self.process = nil } }
    return try process.decode(decoder, size: size, body)
  }

  fileprivate func giveBack() {
    if let process { pool.put(process) }
    process = nil
  }
}
