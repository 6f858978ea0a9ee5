import ArgumentParser
import Decoding
import Scanning

/// What one content may cost. Whatever meets a limit is reported with it as the reason, and never as clear.
struct LimitOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Pixels of one picture.", valueName: "count")) var limitPixels: Int?
  @Option(help: ArgumentHelp("Seconds for one picture.", valueName: "seconds")) var limitSeconds: Double?
  @Option(help: ArgumentHelp("Archives within archives, the outermost counted. Default 4.", valueName: "count"))
  var limitDepth: Int?
  @Option(help: ArgumentHelp("Members of one archive. Default 100000.", valueName: "count")) var limitEntries: Int?
  @Option(help: ArgumentHelp("Bytes out of one archive. Default 2 GiB.", valueName: "bytes")) var limitBytes: Int64?
  @Option(help: ArgumentHelp("Bytes out of each byte of an archive. Default 200.", valueName: "count")) var limitRatio: Int64?
  @Option(help: ArgumentHelp("Seconds for reading one archive. Default 60.", valueName: "seconds"))
  var limitArchiveSeconds: Double?

  @Option(help: ArgumentHelp("Bytes of holes in one sparse file. Default 16 GiB.", valueName: "bytes"))
  var limitHoles: Int64?

  @Flag(
    help: "Look at all of every video, also where its verdict stands before, and where it is longer than a quarter of an hour.")
  var fullVideo = false

  @Flag(help: "Decode without a sandbox: whatever takes a decoder over can do what you can.") var unsafeNoSandbox =
    false

  /// Decoders under these limits.
  ///
  /// - Parameter startsNow: `false` where they may never be needed.
  func decoderPool(size: Int, startsNow: Bool = true) throws -> DecoderPool {
    if unsafeNoSandbox { complain("warning: decoders run WITHOUT A SANDBOX, as --unsafe-no-sandbox asks") }
    return try DecoderPool(
      size: size, limits: decodingLimits(), sandbox: unsafeNoSandbox ? .none : .required, startsNow: startsNow)
  }

  /// The options with the limits that are theirs.
  func limiting(_ options: ScanOptions) throws -> ScanOptions {
    guard let limitHoles else { return options }
    guard limitHoles >= 0 else { throw UsageError("--limit-holes is \(limitHoles); a limit is not less than 0") }
    var options = options
    options.holesInBytes = limitHoles
    return options
  }

  /// What changes the result of a scan, as words: `pixels=1000`.
  func facts() throws -> [String] { Self.facts(of: try decodingLimits()) }

  private static func facts(of limits: Any) -> [String] {
    Mirror(reflecting: limits).children.flatMap { child in
      let inner = child.value is ArchiveLimits ? facts(of: child.value).map { "archive-\($0)" } : []
      return inner.isEmpty ? ["\(child.label ?? "")=\(child.value)"] : inner
    }
  }

  /// The defaults, with what was asked for in their place.
  private func decodingLimits() throws -> DecodingLimits {
    var limits = DecodingLimits()
    try take("limit-pixels", limitPixels) { limits.pixels = $0 }
    try take("limit-seconds", limitSeconds) { limits.time = .seconds(min($0, 1e9)) }
    try take("limit-depth", limitDepth) { limits.archive.depth = $0 }
    try take("limit-entries", limitEntries) { limits.archive.entries = $0 }
    try take("limit-bytes", limitBytes) { limits.archive.outputInBytes = $0 }
    try take("limit-ratio", limitRatio) { limits.archive.ratio = $0 }
    try take("limit-archive-seconds", limitArchiveSeconds) { limits.archive.time = .seconds(min($0, 1e9)) }
    return limits
  }
}

/// Hands over the value of an option, if it was given.
///
/// - Throws: `UsageError` unless it is more than 0.
func take<Value: Comparable & Numeric>(_ name: String, _ value: Value?, _ set: (Value) -> Void) throws {
  guard let value else { return }
  guard value > 0 else { throw UsageError("--\(name) is \(value); it must be more than 0") }
  set(value)
}
