import Hashing
import Matching

/// A record that was refused.
public struct Rejection: Sendable, Equatable, CustomStringConvertible {
  /// Line or record in the file, from 1.
  public let recordNumber: Int
  public let reason: String
  /// `line` or `record`: what the number counts.
  let recordName: String
  public var description: String { "\(recordName) \(recordNumber): \(reason)" }
}

/// What reading a file came to. Duplicates are counted where entries are sorted, by the hash list builder.
public struct ImportReport: Sendable {
  public internal(set) var format: ListFormat
  /// Entries handed on.
  public internal(set) var entries = 0
  /// Records refused, and hashes refused out of records that hold others.
  public internal(set) var rejected = 0
  /// The first of them, at most ``mostRejections``.
  public internal(set) var firstRejections: [Rejection] = []
  /// Entries that the partner has withdrawn: they are not handed on as entries.
  public internal(set) var withdrawn = 0
  /// Hashes of kinds that nothing here compares, such as PhotoDNA, by kind; at most ``mostKinds`` kinds.
  public internal(set) var leftOut: [String: Int] = [:]
  /// What else must be known, such as hashes that were left out.
  public internal(set) var warnings: [String] = []

  public static let mostRejections = 20
  static let mostKinds = 20
}

/// Where parsers put what they find.
struct RecordSink {
  let options: ImportOptions
  let fileName: String
  var report: ImportReport
  let take: (ListEntry) throws -> Void
  /// Gets digests that are all their records say; answers `false` where they are entries as any others.
  let takeDigests: ([NumberedDigest]) throws -> Bool
  let withdraw: (ListEntry) throws -> Void
  /// Digests that wait for some company.
  private var digests: [NumberedDigest] = []

  private static let mostWaiting = 4096

  init(
    options: ImportOptions, fileName: String, report: ImportReport, take: @escaping (ListEntry) throws -> Void,
    takeDigests: @escaping ([NumberedDigest]) throws -> Bool, withdraw: @escaping (ListEntry) throws -> Void
  ) {
    self.options = options
    self.fileName = fileName
    self.report = report
    self.take = take
    self.takeDigests = takeDigests
    self.withdraw = withdraw
  }

  mutating func add(_ entry: ListEntry) throws {
    try flush()
    report.entries += 1
    try take(entry)
  }

  /// Hands on what waits, so that entries arrive in the order of the file.
  mutating func flush() throws {
    if digests.isEmpty { return }
    report.entries += digests.count
    if try !takeDigests(digests) {
      for numbered in digests {
        try take(ListEntry(recordNumber: numbered.recordNumber, digests: [numbered.digest], contributor: options.contributor))
      }
    }
    digests.removeAll(keepingCapacity: true)
  }

  /// Takes an entry of one hash, or refuses it.
  mutating func add(_ hash: HashText, number: Int, id: String? = nil) throws {
    let id = id?.isEmpty == false ? id : nil
    // Made in one go each: this is where most lines pass, and an entry that changes is copied.
    switch hash {
    case .digest(let digest):
      if id == nil {
        digests.append(NumberedDigest(digest, recordNumber: number))
        if digests.count == Self.mostWaiting { try flush() }
        return
      }
      try add(ListEntry(id: id, recordNumber: number, digests: [digest], contributor: options.contributor))
    case .perceptual(let hash):
      try add(ListEntry(id: id, recordNumber: number, perceptualHashes: [hash], contributor: options.contributor))
    case .refused(let refusal): try reject(number, refusal.description)
    }
  }

  /// Takes an entry of several hashes; those that are refused are left out of it.
  ///
  /// - Parameter hasOtherKinds: Whether the record has hashes that were left out besides.
  mutating func add(_ hashes: [HashText], to entry: ListEntry, hasOtherKinds: Bool = false) throws {
    guard !hashes.isEmpty else {
      return try reject(
        entry.recordNumber,
        hasOtherKinds ? "only hashes of kinds that are not compared here" : "no hash in the record")
    }
    let entry = try with(hashes, entry)
    if entry.hasHashes { try add(entry) }
  }

  /// Takes note that a partner has withdrawn an entry, named by its id, its hashes or both.
  mutating func withdraw(_ hashes: [HashText], of entry: ListEntry) throws {
    try flush()
    let entry = try with(hashes, entry)
    report.withdrawn += 1
    try withdraw(entry)
  }

  private mutating func with(_ hashes: [HashText], _ entry: ListEntry) throws -> ListEntry {
    var entry = entry
    for hash in hashes {
      switch hash {
      case .digest(let digest): entry.digests.append(digest)
      case .perceptual(let hash): entry.perceptualHashes.append(hash)
      case .refused(let refusal): try reject(entry.recordNumber, refusal.description)
      }
    }
    return entry
  }

  /// Refuses a record, or one hash of it.
  mutating func reject(_ number: Int, _ reason: @autoclosure () -> String) throws {
    report.rejected += 1
    let isKept = report.firstRejections.count < ImportReport.mostRejections
    guard isKept || options.strict else { return }
    let rejection = Rejection(recordNumber: number, reason: reason(), recordName: report.format.recordName)
    if options.strict {
      throw ExchangeError(
        .rejectedRecord, "\(fileName): \(rejection)",
        hint: "nothing was imported; without --strict such records are left out")
    }
    report.firstRejections.append(rejection)
  }

  /// Counts a hash of a kind that nothing here compares.
  mutating func leaveOut(_ kind: String) {
    let shown = String(
      kind.lowercased().filter { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_" || $0 == "-") }.prefix(24))
    let isNew = report.leftOut[shown] == nil
    report.leftOut[isNew && report.leftOut.count >= ImportReport.mostKinds - 1 ? "other" : shown, default: 0] += 1
  }

  mutating func warn(_ text: String) {
    if report.warnings.count < ImportReport.mostRejections { report.warnings.append(text) }
  }

  /// Says in the report's warnings what was counted on the way.
  mutating func summarize() {
    for (kind, count) in report.leftOut.sorted(by: { $0.key < $1.key }) {
      report.warnings.append("left out, as nothing here compares them: \(count) hashes of kind \(kind)")
    }
    if report.withdrawn > 0 {
      report.warnings.append("withdrawn by the partner: \(report.withdrawn) entries, which are not taken")
    }
  }
}
