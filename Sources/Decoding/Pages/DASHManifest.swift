/// A manifest of MPEG-DASH, built from the elements of its XML, and told as tracks and their segments.
///
/// Source: ISO/IEC 23009-1, 5.3.9 "Segments and Segment Information".
package struct DASHManifest {
  private var presentation = Level()
  private var periods: [Period] = []
  /// The elements that are open, the outermost first.
  private var open: [Element] = []
  private var text: [UInt8] = []
  private var refusal: Unhashable?

  /// What is inherited from a level to those within it.
  private struct Level {
    var bases: [String] = []
    var template: SegmentTemplate?
    var list: SegmentList?
    var attributes: [String: String] = [:]
    var isEncrypted = false
  }

  private struct Period {
    var start: Double?
    var duration: Double?
    var bases: [String] = []
    var tracks: [Track] = []
  }

  private struct Track {
    var set: Level
    var representation: Level
  }

  private struct SegmentList {
    var initialization: (url: String, range: String?)?
    var segments: [(url: String, range: String?)] = []
  }

  private struct Element {
    let name: String
    var level = Level()
  }

  /// Elements within elements at most; manifests have seven.
  private static let mostDepth = 32

  package init() {}

  // MARK: Building

  /// Takes a start tag: names without their prefixes.
  ///
  /// - Throws: A limit, or what is not supported.
  package mutating func start(_ name: String, _ attributes: [String: String]) throws(Unhashable) {
    guard open.count < Self.mostDepth else {
      throw Unhashable(.limit, "limit: a manifest of more than \(Self.mostDepth) levels")
    }
    if open.isEmpty && name != "MPD" { throw Unhashable(.broken, "no manifest: it lacks MPD") }
    // Source: XLink 1.1; the rest of the manifest would be in another file.
    if attributes["href"] != nil { refusal = Unhashable(.unsupported, "the manifest has parts in other files (xlink)") }
    var element = Element(name: name)
    element.level.attributes = attributes
    text = []
    switch name {
    case "MPD": presentation.attributes = attributes
    case "Period":
      periods.append(
        Period(start: attributes["start"].flatMap(Self.seconds), duration: attributes["duration"].flatMap(Self.seconds))
      )
    case "ContentProtection": if let owner = open.indices.last { open[owner].level.isEncrypted = true }
    case "SegmentTemplate":
      if let owner = open.indices.last {
        open[owner].level.template = SegmentTemplate(attributes, over: inheritedTemplate())
      }
    case "S":
      // MPD, Period, …, SegmentTemplate, SegmentTimeline, S
      if open.count >= 3, open[open.count - 2].name == "SegmentTemplate" {
        try open[open.count - 3].level.template?.add(attributes)
      }
    case "SegmentList": if let owner = open.indices.last { open[owner].level.list = inheritedList() ?? SegmentList() }
    case "Initialization":
      if open.last?.name == "SegmentList", open.count >= 2 {
        open[open.count - 2].level.list?.initialization = (attributes["sourceURL"] ?? "", attributes["range"])
      }
    case "SegmentURL":
      if open.last?.name == "SegmentList", open.count >= 2 {
        open[open.count - 2].level.list?.segments.append((attributes["media"] ?? "", attributes["mediaRange"]))
      }
    default: break
    }
    open.append(element)
  }

  package mutating func characters(_ bytes: some Collection<UInt8>) {
    if open.last?.name == "BaseURL", text.count + bytes.count <= RawReference.mostURLInBytes { text += bytes }
  }

  package mutating func end() {
    guard let element = open.popLast() else { return }
    switch element.name {
    case "BaseURL":
      let url = String(decoding: text, as: UTF8.self).trimmed
      guard let owner = open.indices.last else { return }
      switch open[owner].name {
      case "MPD": presentation.bases.append(url)
      case "Period": periods[periods.count - 1].bases.append(url)
      default: open[owner].level.bases.append(url)
      }
    case "Representation":
      guard let set = open.last, set.name == "AdaptationSet", !periods.isEmpty else { return }
      var inherited = set.level
      if let period = open.dropLast().last?.level {
        inherited.template = inherited.template ?? period.template
        inherited.list = inherited.list ?? period.list
      }
      periods[periods.count - 1].tracks.append(Track(set: inherited, representation: element.level))
    default: break
    }
  }

  private func inheritedTemplate() -> SegmentTemplate? {
    open.dropLast().reversed().lazy.compactMap(\.level.template).first
  }

  private func inheritedList() -> SegmentList? { open.dropLast().reversed().lazy.compactMap(\.level.list).first }

  // MARK: Telling

  /// Tells bases, tracks and segments, period by period.
  ///
  /// - Throws: That there is no manifest, what is not supported, or a limit.
  package func finish(into sink: ReferenceSink) throws(Unhashable) {
    if let refusal { sink.note(refusal) }
    if periods.isEmpty && refusal == nil { throw Unhashable(.broken, "a manifest without periods") }
    try base(presentation.bases, level: 0, sink)
    for (number, period) in periods.enumerated() {
      try base(period.bases, level: 1, sink)
      for track in period.tracks {
        try base(track.set.bases, level: 2, sink)
        try base(track.representation.bases, level: 3, sink)
        try tell(track, of: number, sink)
      }
    }
  }

  /// The first of several places; an empty one takes back that of the track before.
  private func base(_ urls: [String], level: UInt32, _ sink: ReferenceSink) throws(Unhashable) {
    var reference = RawReference(.base, "baseurl", "", urls.first ?? "")
    reference.level = level
    try sink.add(reference)
  }

  private func tell(_ track: Track, of period: Int, _ sink: ReferenceSink) throws(Unhashable) {
    func attribute(_ name: String) -> String? { track.representation.attributes[name] ?? track.set.attributes[name] }
    var reference = RawReference(.track, "representation", "", "")
    reference.level = UInt32(clamping: period)
    reference.bandwidth = attribute("bandwidth").flatMap { UInt64($0) } ?? 0
    reference.width = attribute("width").flatMap { UInt32($0) } ?? 0
    reference.height = attribute("height").flatMap { UInt32($0) } ?? 0
    reference.descriptor = attribute("mimeType") ?? attribute("contentType") ?? ""
    reference.isEncrypted = track.set.isEncrypted || track.representation.isEncrypted
    try sink.add(reference)

    func add(_ role: RawReference.Role, _ attribute: String, _ url: String, _ range: String?) throws(Unhashable) {
      var segment = RawReference(role, "representation", attribute, url)
      segment.isEncrypted = reference.isEncrypted
      segment.byteRange = try range.map(Self.byteRange)
      try sink.add(segment)
    }
    if let template = track.representation.template ?? track.set.template {
      let names = SegmentTemplate.Names(
        representation: attribute("id") ?? "", bandwidth: reference.bandwidth)
      let duration = duration(ofPeriod: period)
      if let first = try template.initialization(names) { try add(.initialization, "initialization", first, nil) }
      try template.segments(names, seconds: duration) { url throws(Unhashable) in try add(.segment, "media", url, nil) }
    } else if let list = track.representation.list ?? track.set.list {
      if let first = list.initialization { try add(.initialization, "sourceURL", first.url, first.range) }
      for segment in list.segments { try add(.segment, "media", segment.url, segment.range) }
    } else {
      // One file, with its index inside.
      try add(.segment, "baseurl", "", nil)
    }
  }

  private func duration(ofPeriod number: Int) -> Double? {
    let period = periods[number]
    if let duration = period.duration { return duration }
    let start = period.start ?? 0
    if number + 1 < periods.count { return periods[number + 1].start.map { $0 - start } }
    return presentation.attributes["mediaPresentationDuration"].flatMap(Self.seconds).map { $0 - start }
  }

  /// `FIRST-LAST`, both included.
  private static func byteRange(_ text: String) throws(Unhashable) -> Range<UInt64> {
    let ends = text.split(separator: "-", omittingEmptySubsequences: false).map { UInt64($0.trimmed) }
    guard ends.count == 2, let first = ends[0], let last = ends[1], first <= last, last < .max else {
      throw Unhashable(.broken, "a byte range of the manifest is none")
    }
    return first..<last + 1
  }

  /// `PT1H2M3.5S`, days in front of the `T`; `nil` with years or months. Source: XML Schema, "duration".
  package static func seconds(_ text: String) -> Double? {
    guard text.hasPrefix("P") else { return nil }
    var (total, number, isTime) = (0.0, "", false)
    for character in text.dropFirst() {
      switch character {
      case "T": isTime = true
      case "0"..."9", ".": number.append(character)
      case "D", "H", "M", "S":
        let unit: Double? =
          switch (character, isTime) {
          case ("D", false): 86_400
          case ("H", true): 3600
          case ("M", true): 60
          case ("S", true): 1
          default: nil
          }
        guard let unit, let count = Double(number) else { return nil }
        total += count * unit
        number = ""
      default: return nil
      }
    }
    return number.isEmpty && total.isFinite ? total : nil
  }
}
