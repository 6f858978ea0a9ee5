import ArgumentParser
import Exchange
import Foundation
import Hashing
import Matching
import Scanning
import SystemPackage

/// The forms in which a scan is reported.
enum ReportFormat: String, CaseIterable, ExpressibleByArgument {
  case text, ndjson, csv
}

/// What a report says before its items.
struct ScanHeading {
  let run: String
  let begunAt: Date
  let tool: String
  let blocklist: Blocklist
  let canaries: String
  /// How often the scan was cut off and went on.
  let earlierSessions: Int

  /// The `begin` line of NDJSON version 1.
  var line: JSONLine {
    var line = JSONLine(type: "begin")
    line.add("run", run)
    line.add("time", begunAt.formatted(.iso8601))
    line.add("tool", tool)
    line.add("lists", blocklist.members) { member, object in
      object.add("name", member.list.version.name)
      object.add("version", member.list.version.version)
      object.add("entries", member.list.entryCount)
      object.add("sha256", member.list.digest.hex)
      object.add("action", member.action.rawValue)
    }
    line.add("canaries", canaries)
    if earlierSessions > 0 { line.add("resumed", earlierSessions) }
    return line
  }
}

/// How a scan ended, as its summary says it.
struct ScanEnding {
  let summary: ScanSummary
  let seconds: Double
  let canaries: String
  /// Items counted on another way than the scan's; `nil` where it was stopped before.
  var entriesCounted: Int?
  /// Of the image or device that was scanned, where that was asked for.
  var sourceBefore: Digest?
  var sourceAfter: Digest?

  static let passed = "passed"

  /// Whether the canaries came through at the end too.
  var isValid: Bool { canaries == Self.passed }

  /// Whether everything that was due was read and compared, nothing was missed, and the medium is as it was.
  var isComplete: Bool {
    summary.counts.isComplete && (entriesCounted ?? 0) <= summary.counts.entries && sourceAfter == sourceBefore
  }

  var exit: Int32 {
    isValid
      ? ExitStatus.of(
        hasMatch: summary.counts.hasMatch, isComplete: isComplete, isInterrupted: summary.isInterrupted)
      : ExitStatus.internalError
  }

  /// The `summary` line of NDJSON version 1.
  var line: JSONLine {
    let counts = summary.counts
    var line = JSONLine(type: "summary")
    line.add("found", counts.found)
    line.add("hashed", counts.hashed)
    line.add("unhashable", counts.unhashable)
    line.add("skipped", counts.skipped)
    line.add("errors", counts.errors)
    line.add("bytes", counts.bytes)
    line.add("block", counts.block)
    line.add("review", counts.review)
    line.add("known", counts.known)
    line.add("perceptual_unhashable", counts.withoutPerceptualHash)
    line.add("contents_incomplete", counts.withoutAllMembers)
    line.add("entries", counts.entries)
    line.add("entries_counted", entriesCounted)
    line.add("source_sha256_after", sourceAfter?.hex)
    line.add("seconds", thousandths: seconds)
    line.add("exit", Int(exit))
    line.add("report_sha256", summary.reportDigest.hex)
    line.add("canaries", canaries)
    if summary.isInterrupted { line.add("interrupted", "true") }
    if let resumption = summary.resumption {
      line.add("done_before", resumption.taken)
      line.add("changed_since", resumption.changed)
      line.add("gone_since", resumption.gone)
    }
    return line
  }
}

/// Writes a scan's report while it runs.
final class ScanReporter {
  private let format: ReportFormat
  private let all: Bool
  private let writer: ResultWriter

  init(_ format: ReportFormat, all: Bool, writer: ResultWriter) {
    self.format = format
    self.all = all
    self.writer = writer
  }

  func begin(_ manifest: ScanManifest) throws {
    switch format {
    case .ndjson:
      try writer.write(manifest.line.bytes)
      // Whoever reads along learns at once that the scan is under way.
      try writer.flush()
    case .csv: try writer.write(line: CSVReport.header)
    case .text: break
    }
  }

  func add(_ item: ScannedItem) throws {
    guard all || item.isRemarkable else { return }
    switch format {
    case .ndjson: try writer.write(ItemLine.of(item).bytes)
    case .csv: for row in CSVReport.rows(of: item) { try writer.write(line: row) }
    case .text: for line in Self.text(of: item) { try writer.write(line: line) }
    }
  }

  func end(_ ending: ScanEnding) throws {
    switch format {
    case .ndjson: try writer.write(ending.line.bytes)
    case .csv: break
    case .text: for line in Self.text(of: ending) { try writer.write(line: line) }
    }
    try writer.finish()
  }

  private static func text(of item: ScannedItem) -> [String] {
    let path = item.placeForTerminal
    var way: [String] = []
    if let reference = item.reference {
      way.append("         on \(reference.page), \(reference.element.forTerminal) \(reference.attribute.forTerminal)")
    }
    if item.chain.count > 1 {
      way.append("         over " + item.chain.dropFirst().map(\.url.description).joined(separator: " → "))
    }
    if let reason = item.state.reason {
      return ["\(item.state.name.uppercased().padded(9))\(path): \(reason.forTerminal)"] + way
    }
    var lines = ["\((item.verdict?.rawValue ?? "partly").uppercased().padded(9))\(path)"] + way
    lines += item.matches.map { "         \($0.sentence)" }
    switch item.videoStop {
    case .exactMatch: lines.append("         its frames were not looked at, for a digest decides; --full-video looks at all")
    case .listedVideo:
      lines.append("         \(item.frames.count.grouped) frames were looked at, which decide; --full-video looks at all")
    case nil: break
    }
    if case .unhashable(let reason) = item.perceptual {
      lines.append("         no perceptual hash: \(reason.forTerminal)")
    }
    if case .incomplete(let reason) = item.contents { lines.append("         members missing: \(reason.forTerminal)") }
    return lines
  }

  private static func text(of ending: ScanEnding) -> [String] {
    let counts = ending.summary.counts
    let rate = Int64(Double(counts.bytes) / max(ending.seconds, 0.001))
    var lines = [
      "",
      "\(counts.found.grouped) items: \(counts.hashed.grouped) hashed, \(counts.unhashable.grouped) unhashable, "
        + "\(counts.skipped.grouped) skipped, \(counts.errors.grouped) errors",
      "\(counts.bytes.asBytes) in \(String(format: "%.1f", ending.seconds)) s, \(rate.asBytes)/s",
      "matches: \(counts.block.grouped) block, \(counts.review.grouped) review, \(counts.known.grouped) known",
    ]
    if counts.withoutPerceptualHash > 0 {
      lines.append(
        "\(counts.withoutPerceptualHash.grouped) pictures or videos have no perceptual hash and were compared by digest only")
    }
    if counts.withoutAllMembers > 0 {
      lines.append("\(counts.withoutAllMembers.grouped) archives were not read to their end")
    }
    if let counted = ending.entriesCounted, counted != counts.entries {
      lines.append("counted again there are \(counted.grouped) names in the folders; the scan met \(counts.entries.grouped)")
    }
    if ending.summary.isInterrupted {
      lines.append("INTERRUPTED: what is above is true, and not all")
    } else if !counts.isComplete {
      lines.append("INCOMPLETE: some items could not be read or compared in full; they are listed above")
    } else if !ending.isComplete {
      lines.append("INCOMPLETE: something was missed, or changed under the scan")
    }
    if !ending.isValid { lines.append("INVALID: the canaries \(ending.canaries); do not rely on this scan") }
    lines.append("report sha256 \(ending.summary.reportDigest.hex)")
    return lines
  }
}
