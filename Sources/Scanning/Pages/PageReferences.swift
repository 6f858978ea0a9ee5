import Decoding
import Matching

/// What a page refers to, with whole URLs, in the order of the page, and each URL once.
struct PageReferences {
  /// A URL on the page, or what was meant as one.
  struct Reference {
    /// As on the page.
    let raw: RawReference
    /// Place among all that the page says, from 0.
    let order: Int
    /// The whole URL; or why nobody fetches it.
    let url: Result<WebURL, URLRefusal>
    /// What is to be done with it: where the page names a URL twice, a page or a style sheet rather than a picture.
    fileprivate(set) var role: RawReference.Role
  }

  /// A content within the page: a `data:` URL.
  struct Inline {
    let raw: RawReference
    let order: Int
    let bytes: [UInt8]
  }

  /// Pictures, pages, style sheets and playlists to fetch, and those that are refused.
  private(set) var references: [Reference] = []

  private(set) var inline: [Inline] = []

  /// The tracks of a playlist or a manifest.
  private(set) var tracks: [StreamTrack] = []

  /// Why some of the page was not read, or not all that it refers to is here; `nil` where all of it is.
  private(set) var failure: Unhashable?

  /// References that were read, double ones and bases included.
  private var count = 0
  private var places: [WebURL: Int] = [:]
  /// What is relative is relative to the last of them.
  private var bases: [WebURL]

  /// Has a decoder read a page.
  ///
  /// - Parameters:
  ///   - body: The page, decompressed.
  ///   - contentType: The header; `nil` where there is none.
  ///   - url: Where the body came from in the end.
  ///   - lease: Forgets what was appended to it.
  /// - Throws: ``DecodingError`` when no worker could be had.
  static func read(
    _ body: UnsafeRawBufferPointer, as format: PageFormat, contentType: String?, at url: WebURL,
    with lease: inout DecoderLease
  ) throws -> PageReferences {
    var page = PageReferences(at: url)
    try lease.reset()
    try lease.append(body)
    page.failure = try lease.readReferences(format, charset: contentType) { page.take($0, bytes: $1) }
    try lease.reset()
    return page
  }

  init(at url: WebURL) { bases = [url] }

  /// Takes the next reference of the page.
  mutating func take(_ raw: RawReference, bytes: UnsafeRawBufferPointer) {
    defer { count += 1 }
    switch raw.role {
    case .base: takeBase(raw)
    case .track: tracks.append(StreamTrack(raw))
    case .segment, .initialization:
      if tracks.isEmpty { tracks.append(StreamTrack(raw)) }
      tracks[tracks.count - 1].add(raw, at: resolve(raw))
    case .inline:
      if raw.isTooLong {
        failure = failure ?? Unhashable(.limit, "limit: bytes of a data: URL")
      } else {
        inline.append(Inline(raw: raw, order: count, bytes: Array(bytes)))
      }
    case .media, .link, .frame, .redirect, .styleSheet, .playlist: takeReference(raw)
    }
  }

  /// A page has one base, the first; a manifest one of each level. An empty one says: the same as above.
  private mutating func takeBase(_ raw: RawReference) {
    let isManifest = raw.element == "baseurl"
    let level = Int(raw.level) + 1
    guard isManifest || bases.count == 1 else { return }
    if bases.count > level { bases.removeSubrange(level...) }
    // A base that is no URL is passed over, as browsers do.
    let above = bases[bases.count - 1]
    let base = raw.url.isEmpty ? above : (try? above.resolve(raw.url)) ?? above
    while bases.count <= level { bases.append(base) }
  }

  private func resolve(_ raw: RawReference) -> Result<WebURL, URLRefusal> {
    if raw.isTooLong { return .failure(.tooLong) }
    // Without a URL of its own, the base is meant.
    if raw.url.isEmpty { return .success(bases[bases.count - 1]) }
    return Result { () throws(URLRefusal) in try bases[bases.count - 1].resolve(raw.url) }
  }

  private mutating func takeReference(_ raw: RawReference) {
    let url = resolve(raw)
    switch url {
    case .success(let resolved):
      if let place = places[resolved] {
        if raw.role.isRead && !references[place].role.isRead { references[place].role = raw.role }
        return
      }
      places[resolved] = references.count
    // Names no content: an empty frame, or a program.
    case .failure(.scheme("about")), .failure(.scheme("javascript")): return
    case .failure: break
    }
    references.append(Reference(raw: raw, order: count, url: url, role: raw.role))
  }
}

extension RawReference.Role {
  /// Whether what it names is read for further references.
  var isRead: Bool {
    switch self {
    case .frame, .redirect, .styleSheet, .playlist: true
    case .media, .link, .base, .track, .segment, .initialization, .inline: false
    }
  }
}
