import ArgumentParser
import Dispatch
import Foundation
import Glibc
import Scanning
import SystemPackage

/// When progress is shown.
enum ProgressMode: String, CaseIterable, ExpressibleByArgument {
  case auto, always, never
}

/// One line on standard error that says how far a scan is, twice a second, and only where somebody sees it.
final class ProgressLine {
  private let timer: any DispatchSourceTimer
  private let isTerminal = isatty(STDERR_FILENO) == 1

  /// - Returns: `nil` where no progress is to be shown.
  init?(_ mode: ProgressMode, roots: [FilePath], control: ScanControl) {
    guard mode == .always || mode == .auto && isatty(STDERR_FILENO) == 1 else { return nil }
    let estimate = TreeCount()
    DispatchQueue.global(qos: .utility).async { estimate.count(roots, measures: true) { control.isStopped } }
    let begun = ContinuousClock.now
    let isTerminal = isTerminal
    timer = DispatchSource.makeTimerSource(queue: .global(qos: .utility))
    timer.schedule(deadline: .now() + 0.5, repeating: isTerminal ? 0.5 : 5)
    timer.setEventHandler {
      let line = Self.line(control.progress, estimate.total, (ContinuousClock.now - begun) / .seconds(1))
      standardError(isTerminal ? "\r\u{1B}[K" + line : line + "\n")
    }
    timer.activate()
  }

  /// Clears the line.
  func end() {
    timer.cancel()
    if isTerminal { standardError("\r\u{1B}[K") }
  }

  private static func line(_ progress: ScanControl.Progress, _ total: (items: Int, bytes: Int64)?, _ seconds: Double) -> String {
    let rate = Double(progress.bytes) / max(seconds, 0.001)
    var parts = ["\(progress.items.grouped)\(total.map { " of \($0.items.grouped)" } ?? "") files"]
    parts.append("\(progress.bytes.asBytes)\(total.map { " of \($0.bytes.asBytes)" } ?? "")")
    parts.append("\(Int64(rate).asBytes)/s")
    if let total, rate > 0 {
      let left = Int(Double(max(0, total.bytes - progress.bytes)) / rate)
      parts.append("\(left / 3600):\(String(format: "%02d:%02d", left / 60 % 60, left % 60)) left")
    }
    parts.append("\(progress.findings.grouped) findings")
    let width = 100 - parts.joined(separator: "  ").count
    return parts.joined(separator: "  ") + "  " + (progress.path?.forTerminal.last(max(10, width)) ?? "")
  }
}
