import Foundation
import Hashing
import SystemPackage

/// The `item` line of NDJSON version 1: one scanned item, one hashed file, or one query.
///
/// Members are only ever added, never changed in meaning. What is not known is left out.
public enum ItemLine {
  /// The line of a scanned item; without verdict and matches where nothing was matched.
  public static func of(_ item: ScannedItem, matching: Bool = true) -> JSONLine {
    var line = JSONLine(type: "item")
    line.add(item.place)
    line.add("member", item.member)
    line.add(item.origin)
    line.add("size", item.sizeInBytes)
    line.add("media_type", item.mediaType)
    line.add("status", item.state.name)
    if case .unhashable = item.perceptual { line.add("perceptual", "unhashable") }
    if case .incomplete = item.contents { line.add("contents", "incomplete") }
    line.add("reason", item.reason)
    if let fingerprint = item.fingerprint { add(fingerprint, to: &line) }
    if !item.storedDigests.isEmpty {
      line.add("stored_digests", item.storedDigests) { stored, object in
        object.add("algorithm", stored.digest.algorithm.name)
        object.add("digest", stored.digest.hex)
        object.add("medium", stored.isRight ? "equal" : "different")
      }
    }
    if !item.frames.isEmpty { line.add("frames", item.frames.count) }
    line.add("video_stopped", item.videoStop?.rawValue)
    if !matching && !item.frames.isEmpty {
      line.add("vpdq", item.frames) { frame, object in
        object.add("seconds", thousandths: frame.seconds)
        object.add("pdq", frame.hash.hex)
        object.add("pdq_quality", frame.hash.quality.map { Int($0) })
      }
    }
    if matching && item.state == .hashed { add(item.matches, item.verdict, to: &line) }
    add(item.chain, item.reference, to: &line)
    line.add("sealed", item.sealedName)
    return line
  }

  /// The line of a finding that was recorded earlier.
  public static func of(_ finding: Finding) -> JSONLine {
    var line = JSONLine(type: "item")
    line.add(finding.location.place)
    line.add("member", finding.location.member)
    line.add("exhibit", finding.location.exhibit)
    line.add(finding.location.origin)
    line.add("size", finding.fingerprint.sizeInBytes)
    line.add("media_type", finding.mediaType)
    line.add("status", ItemState.hashed.name)
    add(finding.fingerprint, to: &line)
    add(finding.matches, finding.verdict, to: &line)
    add(finding.chain, finding.reference, to: &line)
    return line
  }

  /// The line of a query that was made by hand.
  public static func of(query: String, matches: [Match], verdict: Verdict) -> JSONLine {
    var line = JSONLine(type: "item")
    line.add("query", query)
    line.add("status", "hashed")
    add(matches, verdict, to: &line)
    return line
  }

  /// The line of a query that cannot be read.
  public static func of(query: String, error: String) -> JSONLine {
    var line = JSONLine(type: "item")
    line.add("query", query)
    line.add("status", "error")
    line.add("reason", error)
    return line
  }

  private static func add(_ fingerprint: Fingerprint, to line: inout JSONLine) {
    for digest in fingerprint.digests { line.add(digest.algorithm.name, digest.hex) }
    line.add("pdq", fingerprint.perceptualHash?.hex)
    line.add("pdq_quality", fingerprint.perceptualHash?.quality.map { Int($0) })
  }

  private static func add(_ matches: [Match], _ verdict: Verdict?, to line: inout JSONLine) {
    line.add("verdict", verdict?.rawValue)
    line.add("matches", matches) { match, object in
      object.add("list", match.list.name)
      object.add("version", match.list.version)
      object.add("entry", match.entry)
      object.add("algorithm", match.algorithm.rawValue)
      object.add("grade", match.grade.rawValue)
      object.add("distance", match.distanceInBits)
      object.add("category_scheme", match.category?.scheme)
      object.add("category", match.category?.label)
      object.add("contributor", match.contributor)
      if let video = match.video {
        object.add("video", video.kind.rawValue)
        object.add("listed_percent", video.listedPercent)
        object.add("query_percent", video.queryPercent)
      }
      if let near = match.near {
        object.add("turn", near.turn.flatMap { $0 == .original ? nil : "\($0)" })
        object.add("query_quality", near.queryQuality.map(Int.init))
        object.add("listed_quality", near.listedQuality.map(Int.init))
        object.add("entries_within", near.entriesWithin)
        object.add("discount", near.discount?.rawValue)
      }
    }
  }

  /// How a content at a URL was come by.
  private static func add(_ chain: [FetchHop], _ reference: PageReference?, to line: inout JSONLine) {
    if let reference {
      line.add("page", reference.page.description)
      line.add("element", reference.element)
      line.add("attribute", reference.attribute)
      line.add("order", reference.order)
    }
    if chain.isEmpty { return }
    line.add("chain", chain) { hop, object in
      object.add("url", hop.url.description)
      object.add("time", hop.startedAt.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true)))
      object.add("address", hop.address?.description)
      object.add("port", hop.port.map(Int.init))
      object.add("tls", hop.security?.version)
      object.add("certificate_sha256", hop.security?.certificate.hex)
      object.add("status", hop.status)
      if !hop.headers.isEmpty {
        object.add("headers", hop.headers) { header, field in
          field.add("name", header.name)
          field.add("value", header.value)
        }
      }
      object.add("size", hop.sizeInBytes)
      object.add("sha256", hop.digest?.hex)
      object.add("failure", hop.failure?.description)
    }
  }
}

extension JSONLine {
  /// Adds where a file of a disk image lies; a run without an offset is a hole.
  ///
  /// - Parameter mostRuns: Further runs are left out, and that is said.
  public mutating func add(_ origin: MemberOrigin?, mostRuns: Int = .max) {
    guard let origin else { return }
    add("volume", origin.volume)
    add("inode", origin.inode.map { String($0) })
    add("allocation", origin.allocation.rawValue)
    if origin.runs.isEmpty { return }
    add("runs", Array(origin.runs.prefix(mostRuns))) { run, object in
      object.add("offset", run.offset)
      object.add("length", run.length)
    }
    if origin.isFragmentedFurther || origin.runs.count > mostRuns { add("further_runs", "true") }
  }

  /// Adds a place; a path as text where it is UTF-8, else in Base64: nothing of a name is lost.
  public mutating func add(_ place: ContentLocation.Place) {
    switch place {
    case .url(let url): add("url", url)
    case .file(let path):
      if let text = String(validating: path.bytes, as: UTF8.self) {
        add("path", text)
      } else {
        add("path_base64", Data(path.bytes).base64EncodedString())
      }
    }
  }
}
