import Decoding
import Matching

/// A video in pieces, as a playlist or a manifest lists them.
///
/// The first pieces and the segments one behind the other are a file that a decoder reads.
struct StreamTrack {
  struct Piece {
    let url: Result<WebURL, URLRefusal>
    /// `nil` for all of what is at the URL.
    let byteRange: Range<UInt64>?
    let isEncrypted: Bool
  }

  /// As in the playlist: bandwidth, size, period, media type.
  let raw: RawReference

  /// What is to be fetched, in this order.
  private(set) var pieces: [Piece] = []

  init(_ raw: RawReference) { self.raw = raw }

  mutating func add(_ segment: RawReference, at url: Result<WebURL, URLRefusal>) {
    let isEncrypted = raw.isEncrypted || segment.isEncrypted
    pieces.append(Piece(url: url, byteRange: segment.byteRange, isEncrypted: isEncrypted))
  }

  /// Why the track cannot be hashed, or not all of it; `nil` where it can.
  var failure: Unhashable? {
    if pieces.contains(where: \.isEncrypted) { return Unhashable(.encrypted, "encrypted") }
    for piece in pieces {
      if case .failure(let refusal) = piece.url { return Unhashable(.broken, "a segment is refused: \(refusal)") }
    }
    return isLive
      ? Unhashable(.limit, "limit: a live stream, of which only the segments that are listed now were read") : nil
  }

  /// Whether segments are still to come.
  var isLive: Bool { raw.descriptor == "live" }

  /// The file whose ranges all pieces are, where there is one: it is fetched whole.
  var singleFile: WebURL? {
    guard case .success(let first)? = pieces.first?.url else { return nil }
    let isOneFile = pieces.allSatisfy { piece in
      if case .success(let url) = piece.url { return url == first && (piece.byteRange != nil || pieces.count == 1) }
      return false
    }
    return isOneFile ? first : nil
  }

  /// Whether it shows anything: not sound, text or other data alone.
  var hasPictures: Bool {
    let type = raw.descriptor.lowercased()
    return !["audio", "text", "application"].contains { type.hasPrefix($0) }
  }
}

/// Which of several forms of one video are fetched.
enum StreamChoice {
  /// The one with the fewest bits that still shows enough to be recognised: 240 lines, or the largest there is.
  case smallest
  case all

  /// Lines of a picture at least: perceptual hashes of smaller ones are less sure.
  static let enoughHeight: UInt32 = 240

  /// Bits a second that stand for them where no size is said.
  static let enoughBandwidth: UInt64 = 250_000

  /// The tracks to fetch: of each period one or all, and all of those that nobody compares.
  func tracks(of page: PageReferences) -> [StreamTrack] {
    let shown = page.tracks.filter(\.hasPictures)
    if self == .all { return shown }
    var chosen: [StreamTrack] = []
    for period in Set(shown.map(\.raw.level)).sorted() {
      let forms = shown.filter { $0.raw.level == period }
      // Tracks of a playlist follow each other: they are no forms of each other.
      let areForms = forms.allSatisfy { $0.raw.element == "representation" }
      chosen += areForms ? Self.smallest(of: forms, \.raw).map { [$0] } ?? [] : forms
    }
    return chosen
  }

  /// The playlists to fetch of a master playlist: variants, and other views; never sound or text.
  func playlists(of page: PageReferences) -> [PageReferences.Reference] {
    let playlists = page.references.filter { $0.role == .playlist }
    let variants = playlists.filter { $0.raw.element == "ext-x-stream-inf" && !Self.isSound($0.raw) }
    let views = playlists.filter { $0.raw.element == "ext-x-media" && $0.raw.descriptor == "video" }
    if self == .all { return playlists.filter { $0.raw.element != "ext-x-media" && !Self.isSound($0.raw) } + views }
    if let variant = Self.smallest(of: variants, \.raw) { return [variant] + views }
    let keyFrames = playlists.filter { $0.raw.element == "ext-x-i-frame-stream-inf" }
    return (Self.smallest(of: keyFrames, \.raw).map { [$0] } ?? []) + views
  }

  private static func smallest<Form>(of forms: [Form], _ raw: (Form) -> RawReference) -> Form? {
    let enough = forms.filter { form in
      let raw = raw(form)
      return raw.height > 0 ? raw.height >= enoughHeight : raw.bandwidth == 0 || raw.bandwidth >= enoughBandwidth
    }
    if let form = enough.min(by: { raw($0).bandwidth < raw($1).bandwidth }) { return form }
    return forms.max { (raw($0).height, raw($0).bandwidth) < (raw($1).height, raw($1).bandwidth) }
  }

  /// Source: RFC 6381 names of codecs, those of sound.
  private static func isSound(_ raw: RawReference) -> Bool {
    let codecs = raw.descriptor.split(separator: ",").map(\.trimmed)
    let sounds = ["mp4a", "ac-3", "ec-3", "opus", "flac", "mp3", "vorbis"]
    return !codecs.isEmpty && codecs.allSatisfy { codec in sounds.contains { codec.lowercased().hasPrefix($0) } }
  }
}
