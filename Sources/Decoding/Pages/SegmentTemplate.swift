/// The names of a track's segments, by a pattern. Source: ISO/IEC 23009-1, 5.3.9.4 "Template-based Segment URL construction".
struct SegmentTemplate {
  /// What is put into the pattern for a track.
  struct Names {
    let representation: String
    let bandwidth: UInt64
  }

  private var media: String?
  private var firstName: String?
  private var startNumber: UInt64 = 1
  private var endNumber: UInt64?
  private var timescale: UInt64 = 1
  private var duration: UInt64?
  private var timeline: [(time: UInt64?, duration: UInt64, repeats: Int)] = []
  private var hasTimeline = false

  /// - Parameter inherited: The template of a level above, whose attributes hold where there are none.
  init(_ attributes: [String: String], over inherited: SegmentTemplate?) {
    if let inherited { self = inherited }
    media = attributes["media"] ?? media
    firstName = attributes["initialization"] ?? firstName
    startNumber = attributes["startNumber"].flatMap { UInt64($0) } ?? startNumber
    endNumber = attributes["endNumber"].flatMap { UInt64($0) } ?? endNumber
    timescale = max(1, attributes["timescale"].flatMap { UInt64($0) } ?? timescale)
    duration = attributes["duration"].flatMap { UInt64($0) } ?? duration
  }

  /// Takes an element `S` of the timeline: so many segments of one length.
  mutating func add(_ attributes: [String: String]) throws(Unhashable) {
    hasTimeline = true
    guard let length = attributes["d"].flatMap({ UInt64($0) }), length > 0 else {
      throw Unhashable(.broken, "the manifest's timeline has a segment without a length")
    }
    timeline.append((attributes["t"].flatMap { UInt64($0) }, length, attributes["r"].flatMap { Int($0) } ?? 0))
  }

  func initialization(_ names: Names) throws(Unhashable) -> String? {
    try firstName.map { name throws(Unhashable) in try Self.fill(name, names, number: 0, time: 0) }
  }

  /// - Parameters:
  ///   - seconds: How long the period is; `nil` where nobody says.
  ///   - take: Gets each segment's name in turn, and may end them by an error.
  func segments(
    _ names: Names, seconds: Double?, _ take: (String) throws(Unhashable) -> Void
  ) throws(Unhashable) {
    guard let media else { throw Unhashable(.broken, "the manifest's template has no names for segments") }
    var number = startNumber
    func add(_ time: UInt64) throws(Unhashable) {
      try take(try Self.fill(media, names, number: number, time: time))
      let (next, overflows) = number.addingReportingOverflow(1)
      guard !overflows else { throw Unhashable(.broken, "the manifest's segments have no numbers") }
      number = next
    }
    guard hasTimeline else {
      guard let count = count(seconds) else { throw Self.isEndless }
      for place in 0..<count { try add(place.multipliedReportingOverflow(by: duration ?? 0).partialValue) }
      return
    }
    var time: UInt64 = 0
    for (place, entry) in timeline.enumerated() {
      time = entry.time ?? time
      let next = place + 1 < timeline.count ? timeline[place + 1].time : ticks(seconds)
      for _ in 0..<(try Self.count(entry, at: time, next: next)) {
        try add(time)
        time = time.addingReportingOverflow(entry.duration).partialValue
      }
    }
  }

  private static let isEndless = Unhashable(.unsupported, "the manifest does not say how many segments there are")

  /// How many segments an entry of the timeline stands for.
  ///
  /// - Parameter next: The time at which it ends, which a count of −1 asks for.
  private static func count(
    _ entry: (time: UInt64?, duration: UInt64, repeats: Int), at time: UInt64, next: UInt64?
  ) throws(Unhashable) -> UInt64 {
    if entry.repeats >= 0 { return UInt64(entry.repeats) + 1 }
    guard let next else { throw isEndless }
    return next > time ? (next - time - 1) / entry.duration + 1 : 0
  }

  private func ticks(_ seconds: Double?) -> UInt64? {
    seconds.flatMap { UInt64(exactly: ($0 * Double(timescale)).rounded()) }
  }

  /// How many segments of one length a period has.
  private func count(_ seconds: Double?) -> UInt64? {
    if let endNumber {
      return endNumber >= startNumber ? (endNumber - startNumber).addingReportingOverflow(1).partialValue : 0
    }
    guard let duration, duration > 0, let seconds, seconds >= 0 else { return nil }
    // A rest of the clock's is no segment.
    return UInt64(exactly: (seconds * Double(timescale) / Double(duration) - 1e-6).rounded(.up))
  }

  /// Puts numbers and names in the places that dollar signs enclose: `seg-$Number%05d$.m4s`.
  static func fill(_ pattern: String, _ names: Names, number: UInt64, time: UInt64) throws(Unhashable) -> String {
    let parts = pattern.split(separator: "$", omittingEmptySubsequences: false)
    guard parts.count % 2 == 1 else { throw Unhashable(.broken, "the manifest's template lacks a dollar sign") }
    var filled = ""
    for (place, part) in parts.enumerated() {
      guard filled.utf8.count <= RawReference.mostURLInBytes else {
        throw Unhashable(.limit, "limit: a segment's name of more than \(RawReference.mostURLInBytes) bytes")
      }
      if place % 2 == 0 {
        filled += part
        continue
      }
      let words = part.split(separator: "%", maxSplits: 1, omittingEmptySubsequences: false)
      let width = words.count == 2 ? try width(words[1]) : 1
      func digits(_ value: UInt64) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
      }
      switch words[0] {
      case "": filled += "$"
      case "RepresentationID": filled += names.representation
      case "Bandwidth": filled += digits(names.bandwidth)
      case "Number": filled += digits(number)
      case "Time": filled += digits(time)
      default: throw Unhashable(.unsupported, "the manifest's template has a place of an unknown name")
      }
    }
    return filled
  }

  /// Of `0NNd`.
  private static func width(_ format: Substring) throws(Unhashable) -> Int {
    guard format.hasPrefix("0"), format.hasSuffix("d"), format.count >= 2, format.count <= 4,
      let width = Int(format.dropFirst().dropLast()), width <= 32
    else { throw Unhashable(.broken, "the manifest's template has a width that is none") }
    return width
  }
}
