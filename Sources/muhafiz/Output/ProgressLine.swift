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

/// Says on standard error how far a scan is: in one line, twice a second, where somebody sees it; on the whole screen
/// where that is asked for; and in one line whenever the program gets the signal USR1.
final class ProgressLine: @unchecked Sendable {  // What changes is touched on `queue` alone.
  private enum Form {
    case line, lines, screen
  }

  private let queue = DispatchQueue(label: "progress", qos: .utility)
  private let form: Form?
  private let control: ScanControl
  private let heading: String
  private let total = TreeCount()
  private let begun = ContinuousClock.now
  private var rate = ProgressRate()
  private var hasEnded = false
  private var sources: [any DispatchSourceProtocol] = []

  init(_ mode: ProgressMode, fullScreen: Bool, heading: String, roots: [FilePath], control: ScanControl) {
    self.control = control
    self.heading = heading
    let isTerminal = isatty(STDERR_FILENO) == 1
    form = mode == .never || mode == .auto && !isTerminal ? nil : isTerminal ? (fullScreen ? .screen : .line) : .lines
    _ = rate.add(0)
    signal(SIGUSR1, SIG_IGN)
    let asked = DispatchSource.makeSignalSource(signal: SIGUSR1, queue: queue)
    asked.setEventHandler { [self] in standardError("\(text().line(width: 200))\n") }
    asked.activate()
    sources.append(asked)
    guard let form else { return }
    DispatchQueue.global(qos: .utility).async { [self] in total.count(roots, measures: true) { control.isStopped } }
    // The alternative screen, without a cursor: what was there comes back at the end.
    if form == .screen { standardError("\u{1B}[?1049h\u{1B}[?25l") }
    let timer = DispatchSource.makeTimerSource(queue: queue)
    timer.schedule(deadline: .now() + (form == .screen ? 0.1 : 0.5), repeating: form == .lines ? 5 : 0.5)
    timer.setEventHandler { [self] in show(form) }
    timer.activate()
    sources.append(timer)
  }

  /// What makes a terminal show again what it showed before.
  static let leavingScreen = "\u{1B}[?25h\u{1B}[?1049l"

  /// Leaves the terminal as it was.
  func end() {
    queue.sync {
      if hasEnded { return }
      hasEnded = true
      for source in sources { source.cancel() }
      switch form {
      case .line: standardError("\r\u{1B}[K")
      case .screen: standardError(Self.leavingScreen)
      case .lines, nil: break
      }
    }
  }

  private func text() -> ProgressText {
    let progress = control.progress
    return ProgressText(progress: progress, total: total.total, bytesPerSecond: rate.add(progress.bytesRead))
  }

  private func show(_ form: Form) {
    if hasEnded { return }
    let width = Self.width
    switch form {
    case .line: standardError("\r\u{1B}[K" + text().line(width: width))
    case .lines: standardError(text().line(width: width) + "\n")
    case .screen:
      let seconds = (ContinuousClock.now - begun) / .seconds(1)
      let lines = text().screen(heading: heading, seconds: seconds, width: width)
      standardError("\u{1B}[H" + lines.map { $0 + "\u{1B}[K\r\n" }.joined() + "\u{1B}[J")
    }
  }

  /// Columns of the terminal; 100 where there is none to ask.
  private static var width: Int {
    var size = winsize()
    return ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 ? Int(size.ws_col) - 1 : 100
  }
}
