/// What one page, playlist or manifest may cost. Whichever limit it meets is the reason in its answer.
public struct PageLimits: Sendable, Equatable {
  /// References of a page of HTML or CSS. Default 2000.
  public var references = 2000

  /// Tracks and segments of a playlist or manifest. Default 100 000: a film of three hours in some ten forms.
  public var segments = 100_000

  /// Bytes; what lies beyond is not read. Default 8 MiB.
  public var sizeInBytes = 8 << 20

  /// Time that the decoder takes. Default 10 s.
  public var time: Duration = .seconds(10)

  /// The defaults named at each limit.
  public init() {}
}
