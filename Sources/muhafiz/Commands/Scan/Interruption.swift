import Dispatch
import Glibc

/// Ends a scan in good order at the first ^C, and at once at the second.
final class Interruption {
  private let sources: [any DispatchSourceSignal]

  init(onScreen: Bool = false, _ stop: @escaping @Sendable () -> Void) {
    sources = [SIGINT, SIGTERM, SIGHUP].map { number in
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: .global(qos: .userInitiated))
      nonisolated(unsafe) var isSecond = false  // Events of one source come one after the other.
      source.setEventHandler {
        if isSecond {
          if onScreen { standardError(ProgressLine.leavingScreen) }
          _exit(ExitStatus.interrupted)
        }
        isSecond = true
        complain("stopping after the items in hand; again to stop at once")
        stop()
      }
      source.activate()
      return source
    }
  }

  deinit { for source in sources { source.cancel() } }
}
