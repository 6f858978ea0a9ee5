import ArgumentParser
import Dispatch
import Scanning

/// How long, how fast and in which order a scan reads. None of it changes what is found.
struct PaceOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp("Stop after this time, as 90, 30m or 8h; --resume goes on.", valueName: "time")) var maxDuration: Span?
  @Option(
    help: ArgumentHelp("Read no more than this in a second, as 50M or 1G.", valueName: "bytes")) var ioLimit: ByteRate?
  @Option(help: "Read in the order of path, or of inode: quicker on disks that turn.") var order = ScanOrder.path

  func makeControl() -> ScanControl { ScanControl(bytesPerSecond: ioLimit?.bytesPerSecond) }

  /// Stops the scan when its time is up.
  func watch(_ control: ScanControl) -> (any DispatchSourceTimer)? {
    guard let maxDuration else { return nil }
    let timer = DispatchSource.makeTimerSource(queue: .global(qos: .utility))
    timer.schedule(deadline: .now() + maxDuration.seconds)
    timer.setEventHandler {
      complain("stopping: the time of --max-duration is up")
      control.stop()
    }
    timer.activate()
    return timer
  }
}

extension ScanOrder: ExpressibleByArgument {}

/// Some time: a number of seconds, or of minutes, hours or days with `m`, `h` or `d` behind it.
struct Span: ExpressibleByArgument {
  let seconds: Double

  init?(argument: String) {
    let units: [Character: Double] = ["s": 1, "m": 60, "h": 3600, "d": 86_400]
    guard let (number, unit) = quantity(argument, units), (0.001...1e8).contains(number * unit) else { return nil }
    seconds = number * unit
  }
}

/// Bytes in a second: a number, with `k`, `M` or `G` behind it for thousands, millions or thousands of millions.
struct ByteRate: ExpressibleByArgument {
  let bytesPerSecond: Int64

  init?(argument: String) {
    guard let (number, unit) = quantity(argument, ["k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9]),
      (1...1e15).contains(number * unit)
    else { return nil }
    bytesPerSecond = Int64(number * unit)
  }
}

/// A number and the unit of the letter behind it, if there is one.
private func quantity(_ text: String, _ units: [Character: Double]) -> (number: Double, unit: Double)? {
  guard let last = text.last else { return nil }
  let unit = units[last]
  guard let number = Double(unit == nil ? text : String(text.dropLast())), number.isFinite else { return nil }
  return (number, unit ?? 1)
}
