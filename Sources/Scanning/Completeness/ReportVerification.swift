import Foundation
import Glibc
import Hashing
import Matching
import SystemPackage

/// Holds a report of a scan against its own digest and counts, and against the evidence.
///
/// Both the report and a walk over the evidence are in order of path, so they are read side by side in little memory.
public struct ReportVerification: ~Copyable {
  /// Something that is not as the report says.
  public enum Difference: Sendable, Equatable {
    /// The report itself: what about it does not add up.
    case report(String)
    case missing(FilePath)
    case new(FilePath)
    case changed(FilePath, what: String)
  }

  /// What was looked at.
  public struct Outcome: Sendable, Equatable {
    public internal(set) var items = 0
    public internal(set) var filesDigested = 0
    public internal(set) var differences = 0
    /// Whether the report has every item: else its digest cannot be taken again, nor can new files be told.
    public internal(set) var hasAllItems = false
    public internal(set) var run = ""
  }

  private let evidence: [FilePath]
  private let control: ScanControl
  private let notice: (Difference) throws -> Void
  private var outcome = Outcome()
  private var lines: ReportLines
  /// The item that comes next, if the report has one.
  private var next: ReportLines.Item?
  private var digester: Digester
  private var counts: [String: Int] = [:]

  /// Verifies a report.
  ///
  /// - Parameters:
  ///   - report: NDJSON version 1, as `muhafiz scan` writes it.
  ///   - evidence: The places of the paths that were scanned, in the same order; empty to look at the report alone.
  ///   - notice: Called for every difference, in order.
  /// - Throws: ``ReportError`` where the file is no such report or has no end; what `notice` throws.
  public static func verify(
    _ report: FilePath, evidence: [FilePath], control: ScanControl = ScanControl(),
    notice: @escaping (Difference) throws -> Void
  ) throws -> Outcome {
    var verification = try ReportVerification(report, evidence, control, notice)
    return try verification.run()
  }

  private init(
    _ report: FilePath, _ evidence: [FilePath], _ control: ScanControl, _ notice: @escaping (Difference) throws -> Void
  ) throws {
    let lines = try ReportLines(opening: report)
    let digester = try Digester([.sha256])
    self.evidence = evidence
    self.control = control
    self.notice = notice
    self.lines = lines
    self.digester = digester
  }

  private mutating func run() throws -> Outcome {
    let begin = try lines.begin()
    outcome.hasAllItems = begin.hasAllItems
    outcome.run = begin.run
    guard evidence.isEmpty || evidence.count == begin.roots.count else {
      throw ReportError("the report is of \(begin.roots.count) paths, and \(evidence.count) are given")
    }
    try advance()
    // The scan walked the paths in this order, and one below another as part of that.
    let walked = DirectoryWalk.disjoint(evidence)
    let roots = zip(begin.roots.map { FilePath($0) }, evidence).filter { walked.contains($0.1) }.sorted {
      $0.0.precedes($1.0)
    }
    for (given, place) in roots { try compare(given, with: place) }
    while let item = next {
      if !evidence.isEmpty && item.member == nil { try note(.missing(item.path)) }
      try advance()
    }
    try checkEnd(lines.end())
    return outcome
  }

  private mutating func note(_ difference: Difference) throws {
    outcome.differences += 1
    try notice(difference)
  }

  /// Goes on to the next item.
  private mutating func advance() throws {
    next = try lines.nextItem()
    guard let next else { return }
    outcome.items += 1
    counts[next.status, default: 0] += 1
    try next.line.withUnsafeBytes { try digester.update($0) }
  }

  private mutating func checkEnd(_ end: ReportLines.End) throws {
    guard outcome.hasAllItems else { return }
    if try digester.finish()[0].hex != end.reportDigest { try note(.report("its items do not have its digest")) }
    for (status, count) in end.counts.sorted(by: { $0.key < $1.key }) where counts[status] ?? 0 != count {
      try note(.report("it counts \(count) \(status), and has \(counts[status] ?? 0)"))
    }
  }

  /// Walks one path's evidence beside the items of the report that are below it.
  private mutating func compare(_ given: FilePath, with place: FilePath) throws {
    var walk = DirectoryWalk([place])
    while let entry = walk.next() {
      let path = entry.path.moved(from: place, to: given)
      while let item = next, item.member != nil || (item.path.starts(with: given) && item.path.precedes(path)) {
        if item.member == nil { try note(.missing(item.path)) }
        try advance()
      }
      guard let item = next, item.path == path else {
        if outcome.hasAllItems { try note(.new(path)) }
        continue
      }
      if let what = try difference(item, entry) { try note(.changed(path, what: what)) }
      try advance()
    }
    while let item = next, item.path.starts(with: given) {
      if item.member == nil { try note(.missing(item.path)) }
      try advance()
    }
  }

  private mutating func difference(_ item: ReportLines.Item, _ entry: DirectoryWalk.Entry) throws -> String? {
    switch entry.kind {
    case .skipped(let reason): return item.status == "skipped" && item.reason == reason ? nil : "it is a \(reason)"
    case .error(let reason): return item.status == "error" ? nil : reason
    case .file(let file):
      guard item.status == "hashed" else { return item.status == "skipped" ? "it is a regular file" : nil }
      if let size = item.size, size != file.sizeInBytes { return "it has \(file.sizeInBytes) bytes, and had \(size)" }
      outcome.filesDigested += 1
      defer { withExtendedLifetime(file) {} }
      do {
        let digest = try SourceDigest.take(of: file.open().get().descriptor, control: control)
        return digest.hex == item.sha256 ? nil : "its SHA-256 is another"
      } catch let failure as WalkedFile.Failure { return failure.reason } catch let error as Errno {
        return error.reason
      }
    }
  }
}

extension FilePath {
  /// The same place below another root.
  fileprivate func moved(from root: FilePath, to other: FilePath) -> FilePath {
    var rest = self
    guard rest.removePrefix(root) else { return self }
    return rest.isEmpty ? other : other.appending(rest.components)
  }
}
