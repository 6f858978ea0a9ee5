/// A playlist of HTTP Live Streaming: the variants of a video, or the segments of one.
///
/// Source: RFC 8216. What is not understood is passed over, as its section 6.3.1 asks of a client.
package struct HLSPlaylist {
  private let sink: ReferenceSink
  private var next = RawReference(.playlist, "ext-x-stream-inf", "uri", "")
  /// Whether ``next`` was filled by a tag in front of its URI.
  private var isVariant = false
  private var isEncrypted = false
  private var range: (length: UInt64, offset: UInt64?)?
  /// Where the bytes of the last segment end, and of what.
  private var last: (url: String, end: UInt64)?
  private var hasMap = false
  private var hasTrack = false
  private var isLive = true

  /// Reads a playlist.
  ///
  /// - Parameters:
  ///   - bytes: UTF-8.
  ///   - sink: Gets variants and alternatives as ``RawReference/Role/playlist``, or a ``RawReference/Role/track`` and its
  ///     segments; a track says `live` where segments are still to come.
  /// - Throws: That it is no playlist, uses what is not supported, or a limit.
  package static func read(_ bytes: UnsafeBufferPointer<UInt8>, into sink: ReferenceSink) throws(Unhashable) {
    let text = bytes.starts(with: [0xef, 0xbb, 0xbf]) ? bytes.dropFirst(3) : bytes[...]
    let lines = text.split { $0 == 0x0a || $0 == 0x0d }.lazy.map { String(decoding: $0, as: UTF8.self).trimmed }
    guard lines.first?.hasPrefix("#EXTM3U") == true else { throw Unhashable(.broken, "no playlist: it lacks #EXTM3U") }
    var playlist = HLSPlaylist(sink: sink)
    playlist.isLive = !lines.contains { $0 == "#EXT-X-ENDLIST" }
    for line in lines {
      if line.hasPrefix("#EXT") {
        try playlist.take(tag: line)
      } else if !line.isEmpty, !line.hasPrefix("#") {
        try playlist.take(uri: line)
      }
    }
  }

  private init(sink: ReferenceSink) { self.sink = sink }

  private mutating func take(tag line: String) throws(Unhashable) {
    let name = line.prefix { $0 != ":" }
    let value = line.dropFirst(name.count + 1)
    switch name {
    case "#EXT-X-STREAM-INF":
      next = variant("ext-x-stream-inf", Self.attributes(of: value))
      isVariant = true
    case "#EXT-X-I-FRAME-STREAM-INF":
      let attributes = Self.attributes(of: value)
      var reference = variant("ext-x-i-frame-stream-inf", attributes)
      reference.url = attributes["URI"] ?? ""
      try add(reference)
    case "#EXT-X-MEDIA":
      let attributes = Self.attributes(of: value)
      guard let uri = attributes["URI"] else { return }
      var reference = RawReference(.playlist, "ext-x-media", "uri", uri)
      reference.descriptor = attributes["TYPE"]?.lowercased() ?? ""
      try add(reference)
    case "#EXT-X-KEY":
      isEncrypted = Self.attributes(of: value)["METHOD"] != "NONE"
    case "#EXT-X-BYTERANGE": range = Self.byteRange(value)
    case "#EXT-X-MAP":
      let attributes = Self.attributes(of: value)
      // Other boxes in front: what follows is another video to every decoder.
      if hasMap { hasTrack = false }
      hasMap = true
      var map = try begin(.initialization, "ext-x-map", attributes["URI"] ?? "")
      if let (length, offset) = attributes["BYTERANGE"].flatMap({ Self.byteRange($0[...]) }) {
        map.byteRange = try Self.bytes(from: offset ?? 0, length)
      }
      try add(map)
    case "#EXT-X-DEFINE":
      throw Unhashable(.unsupported, "the playlist has variables")
    default: break
    }
  }

  private mutating func take(uri: String) throws(Unhashable) {
    guard isVariant else { return try addSegment(uri) }
    isVariant = false
    next.url = uri
    try add(next)
  }

  private func variant(_ element: String, _ attributes: [String: String]) -> RawReference {
    var reference = RawReference(.playlist, element, "uri", "")
    reference.bandwidth = attributes["BANDWIDTH"].flatMap { UInt64($0) } ?? 0
    let sides = attributes["RESOLUTION"]?.split(separator: "x").map { UInt32($0) ?? 0 } ?? []
    if sides.count == 2 { (reference.width, reference.height) = (sides[0], sides[1]) }
    reference.descriptor = attributes["CODECS"] ?? ""
    return reference
  }

  private mutating func addSegment(_ uri: String) throws(Unhashable) {
    var segment = try begin(.segment, "extinf", uri)
    if let (length, offset) = range {
      // Without an offset it begins where the one before ends.
      let bytes = try Self.bytes(from: offset ?? (last?.url == uri ? last?.end : nil) ?? 0, length)
      segment.byteRange = bytes
      last = (uri, bytes.upperBound)
    }
    range = nil
    try add(segment)
  }

  /// The first of a track tells of the track.
  private mutating func begin(_ role: RawReference.Role, _ element: String, _ uri: String) throws(Unhashable)
    -> RawReference
  {
    if !hasTrack {
      hasTrack = true
      var track = RawReference(.track, "extm3u", "", "")
      track.descriptor = isLive ? "live" : ""
      try sink.add(track)
    }
    var reference = RawReference(role, element, "uri", uri)
    reference.isEncrypted = isEncrypted
    return reference
  }

  private static func bytes(from start: UInt64, _ length: UInt64) throws(Unhashable) -> Range<UInt64> {
    let (end, overflows) = start.addingReportingOverflow(length)
    guard !overflows, length > 0 else { throw Unhashable(.broken, "a byte range of the playlist is none") }
    return start..<end
  }

  private func add(_ reference: RawReference) throws(Unhashable) {
    if !reference.url.isEmpty { try sink.add(reference) }
  }

  /// `LENGTH` or `LENGTH@OFFSET`.
  private static func byteRange(_ text: Substring) -> (UInt64, UInt64?)? {
    let parts = text.split(separator: "@")
    guard let first = parts.first, let length = UInt64(first.trimmed) else { return nil }
    return (length, parts.count > 1 ? UInt64(parts[1].trimmed) : nil)
  }

  /// `NAME=value,NAME="value, with commas"`.
  package static func attributes(of text: Substring) -> [String: String] {
    var attributes: [String: String] = [:]
    var rest = text.utf8[...]
    while let equals = rest.firstIndex(of: UInt8(ascii: "=")) {
      let name = String(decoding: rest[..<equals], as: UTF8.self).trimmed
      rest = rest[rest.index(after: equals)...]
      let value: Substring.UTF8View.SubSequence
      if rest.first == UInt8(ascii: "\"") {
        rest = rest.dropFirst()
        value = rest.prefix { $0 != UInt8(ascii: "\"") }
        rest = rest[value.endIndex...].drop { $0 != UInt8(ascii: ",") }.dropFirst()
      } else {
        value = rest.prefix { $0 != UInt8(ascii: ",") }
        rest = rest[value.endIndex...].dropFirst()
      }
      attributes[name] = String(decoding: value, as: UTF8.self)
    }
    return attributes
  }
}
