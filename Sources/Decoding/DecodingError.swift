/// Why a picture has no plane: an answer about its bytes, equal by code.
///
/// It never means that the machine failed: see ``DecodingError``.
public struct Unhashable: Error, Sendable, Equatable, CustomStringConvertible {
  /// What happened.
  public enum Code: String, Sendable {
    /// A type, or a feature of a type, that is not decoded.
    case unsupported
    /// The decoder library gives up, or the data end before the last row has come, even where the library would paint
    /// the rest gray. Damage that it only warns about is accepted, and so is a JPEG that lacks its end marker alone.
    case broken
    /// One of ``DecodingLimits`` was met.
    case limit
    /// The worker died on it.
    case crashed
    /// The bytes are there and cannot be read without a key.
    case encrypted
    /// The worker took longer than ``DecodingLimits/time`` and was killed.
    case timedOut
  }

  public let code: Code

  /// For a reader: printable ASCII, under 250 bytes; names the limit, the library's message or the signal.
  public let reason: String

  public init(_ code: Code, _ reason: String) {
    self.code = code
    self.reason = reason
  }

  public static func == (one: Unhashable, other: Unhashable) -> Bool { one.code == other.code }

  /// Whether something else than the content may be to blame: its neighbours, for memory or for time, or whoever ended the
  /// decoder. It is tried once more.
  public var mayBeAnothers: Bool { code == .crashed || code == .timedOut }

  public var description: String { reason }
}

/// A failure to decode anything at all: it says nothing about a picture. Equal by code.
public struct DecodingError: Error, Sendable, Equatable, CustomStringConvertible {
  /// What happened.
  public enum Code: String, Sendable {
    /// There is no `muhafiz-decoder` where it is looked for.
    case decoderMissing
    /// A worker could not be started, or ended before its hello.
    case workerNotStarted
    /// A worker started and could not lock itself in; it was ended.
    case workerNotSandboxed
    /// A way out of the sandbox was tried at the start, and it was open.
    case sandboxLeaks
    /// Shared memory could not be made, mapped or filled.
    case memory
    /// ``DecodingLimits`` contradict each other.
    case limitsDisagree
  }

  public let code: Code

  /// For a reader, with what to do where that is known.
  public let reason: String

  public init(_ code: Code, _ reason: String) {
    self.code = code
    self.reason = reason
  }

  public static func == (one: DecodingError, other: DecodingError) -> Bool { one.code == other.code }

  public var description: String { reason }
}
