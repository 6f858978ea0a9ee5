/// How much one picture may cost. A limit that is hit is named in the result.
public struct DecodingLimits: Sendable, Equatable {
  /// Width × height of the encoded picture. The default lets the largest cameras through.
  public var pixels = 1 << 28

  /// Length of the encoded picture.
  public var bytes = 1 << 28

  /// Time for one picture, by the clock.
  public var seconds = 10

  /// Address space of a decoder: must hold four bytes for each of ``pixels``, and as many again while one is interlaced.
  public var memory = 3 << 30

  /// A JPEG may be decoded at half, a quarter or an eighth of its size while both sides keep this many pixels: 0 for never.
  ///
  /// libjpeg then leaves out most of the inverse transform, and averages as PDQ's own filter would next.
  public var leastSide = 1024

  public init() {}
}

/// Why a picture has no luma plane. An answer about the picture, not a failure of the program.
public struct DecodingError: Error, Equatable, Sendable, CustomStringConvertible {
  public enum Code: Sendable {
    /// No decoder for this kind of content.
    case unsupported
    /// The data is not a whole picture.
    case broken
    /// More than ``DecodingLimits`` allows.
    case limit
    /// The decoder died on it.
    case crashed
    /// The decoder was stopped after ``DecodingLimits/seconds``.
    case timedOut
  }

  public let code: Code
  /// One line for the report, without control characters.
  public let reason: String
  public var description: String { reason }

  public init(_ code: Code, _ reason: String) {
    self.code = code
    self.reason = reason
  }

  public static func == (left: Self, right: Self) -> Bool { left.code == right.code }
}

/// No decoder can be had: nothing can be said about any picture.
public struct DecoderFailure: Error, Sendable, CustomStringConvertible {
  public let description: String
  public let hint: String?

  public init(_ description: String, hint: String? = nil) {
    self.description = description
    self.hint = hint
  }
}
