import Foundation
import Scanning
import SystemPackage

/// How far a scan is, in words.
struct ProgressText {
  let progress: ScanControl.Progress
  /// All there is, once it has been counted.
  let total: (items: Int, bytes: Int64)?
  /// What is being read in a second.
  let bytesPerSecond: Double

  var files: String { "\(progress.items.grouped)\(total.map { " of \($0.items.grouped)" } ?? "") files" }

  var bytes: String { "\(progress.bytes.asBytes)\(total.map { " of \($0.bytes.asBytes)" } ?? "")" }

  var rate: String { "\(Int64(bytesPerSecond).asBytes)/s" }

  /// `nil` while it cannot be told.
  var timeLeft: String? {
    guard let total, bytesPerSecond > 1 else { return nil }
    return Self.clock(Int(min(Double(max(0, total.bytes - progress.bytes)) / bytesPerSecond, 1e7))) + " left"
  }

  private static func clock(_ seconds: Int) -> String {
    "\(seconds / 3600):\(String(format: "%02d:%02d", seconds / 60 % 60, seconds % 60))"
  }

  var findings: String { "\(progress.findings.grouped) findings" }

  /// All of it, and as much of the path as there is room for.
  func line(width: Int) -> String {
    let parts = [files, bytes, rate, timeLeft, findings].compactMap(\.self).joined(separator: "  ")
    let room = max(10, width - parts.count - 3)
    return parts + "  " + (progress.path?.forTerminal.last(room) ?? "")
  }

  /// A screen of so many lines and columns.
  func screen(heading: String, seconds: Double, width: Int) -> [String] {
    let share = total.map { $0.bytes > 0 ? min(1, Double(progress.bytes) / Double($0.bytes)) : 1 }
    let bar = max(10, width - 8)
    let filled = Int((share ?? 0) * Double(bar))
    var lines = [heading, ""]
    lines.append("  " + String(repeating: "█", count: filled) + String(repeating: "░", count: bar - filled))
    lines.append("")
    let elapsed = Self.clock(Int(seconds))
    let facts: [(String, String)] = [
      ("files", files), ("bytes", bytes), ("rate", rate),
      ("time", "\(elapsed) so far, \(timeLeft ?? "counting what is left")"),
      ("findings", "\(progress.findings.grouped)"), ("now", progress.path?.forTerminal.last(max(10, width - 14)) ?? ""),
    ]
    lines += facts.map { "  \($0.padded(10))\($1)" }
    lines += ["", "  ^C stops after the items in hand; --resume goes on"]
    return lines.map { String($0.prefix(max(10, width))) }
  }
}

/// What was read in the last seconds, without what need not be read.
struct ProgressRate {
  private var samples: [(time: ContinuousClock.Instant, bytes: Int64)] = []
  private static let window = Duration.seconds(20)

  mutating func add(_ bytes: Int64, at time: ContinuousClock.Instant = .now) -> Double {
    samples.append((time, bytes))
    while samples.count > 2, time - samples[1].time > Self.window { samples.removeFirst() }
    let seconds = (time - samples[0].time) / .seconds(1)
    return seconds > 0 ? Double(bytes - samples[0].bytes) / seconds : 0
  }
}
