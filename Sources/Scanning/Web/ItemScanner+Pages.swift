import Decoding
import Hashing
import Matching

extension ItemScanner {
  /// Takes what was fetched to its end, and begins what it refers to.
  ///
  /// - Returns: The items; `nil` where the scan was stopped before.
  mutating func visit(
    _ fetched: Fetched, _ target: WebTarget, _ run: WebRun, _ fetcher: Fetcher, mostBytes: Int
  ) throws -> [ScannedItem]? {
    let place = ContentLocation.Place.url(target.url.description)
    switch fetched.body {
    case .failure(let failure) where failure.code == .stopped: return nil
    case .failure(let failure):
      if let piece = target.piece { return try visit(fetched, piece, fetcher, run.sealing) }
      // What is fetched elsewhere in the run is no gap in it.
      let state: ItemState = failure.code == .elsewhere ? .skipped(failure.description) : .error(failure.description)
      return [ScannedItem(at: place, state: state).fetched(by: fetched.chain, from: target.reference)]
    case .success(let body):
      defer { fetcher.release(body) }
      target.budget?.take(body.count)
      if let piece = target.piece { return try visit(fetched, piece, fetcher, run.sealing) }
      var items = try body.withUnsafeBytes { try scan($0, at: place) }
      let chain = fetched.chain(endingIn: items[0])
      for index in items.indices { items[index] = items[index].fetched(by: chain, from: target.reference) }
      guard let page = try read(fetched, body, target) else {
        try run.sealing?.keep(body, fetched.sealed, as: &items)
        return items
      }
      items[0].mediaType = page.format.rawValue
      items[0].contents = .read
      if let failure = page.references.failure { items[0].missMembers(failure.reason) }
      for inline in page.references.inline {
        let reference = PageReference(fetched.url, inline.raw, inline.order)
        let found = try inline.bytes.withUnsafeBytes { try scan($0, at: place, member: "data \(inline.order)") }
        items += found.map { $0.fetched(by: chain, from: reference) }
      }
      try run.sealing?.keep(body, fetched.sealed, as: &items)
      let refused = try begin(page.references, of: target, at: fetched.url, run, fetcher, mostBytes: mostBytes)
      return items + refused
    }
  }

  /// Has a decoder read a body that is a page.
  ///
  /// - Returns: `nil` where it is none, or is not to be read.
  private func read(_ fetched: Fetched, _ body: [UInt8], _ target: WebTarget) throws -> (
    format: PageFormat, references: PageReferences
  )? {
    guard let decoders, body.withUnsafeBytes({ MediaType.sniff($0) }) == nil else { return nil }
    let type = fetched.header("content-type")
    let format = body.withUnsafeBytes { bytes in
      PageFormat.tell(mediaType: type, head: UnsafeRawBufferPointer(rebasing: bytes.prefix(2048)))
    }
    guard let format, target.isRead(as: format) else { return nil }
    let references = try decoders.withLease { lease in
      try body.withUnsafeBytes {
        try PageReferences.read($0, as: format, contentType: type, at: fetched.url, with: &lease)
      }
    }
    return (format, references)
  }

  /// Begins what a page refers to.
  ///
  /// - Returns: Items of what is not to be fetched.
  private func begin(
    _ page: PageReferences, of target: WebTarget, at url: WebURL, _ run: WebRun, _ fetcher: Fetcher, mostBytes: Int
  ) throws -> [ScannedItem] {
    var items: [ScannedItem] = []
    var requests: [FetchRequest] = []
    defer { fetcher.fetch(requests) }
    let budget = target.budget ?? PageBudget(most: WebScanner.mostPageBytes)
    func start(
      _ next: WebURL, _ reference: PageReference?, _ role: RawReference.Role, _ piece: StreamAssembly.Piece? = nil
    ) throws {
      let target = WebTarget(
        url: next, root: target.root, reference: reference, role: role, depth: target.depth + 1, budget: budget,
        piece: piece)
      if let request = try run.begin(target, isClaimed: piece == nil) { requests.append(request) }
    }
    let playlists = Set(StreamChoice.smallest.playlists(of: page).map(\.order))
    for reference in page.references where reference.role != .playlist || playlists.contains(reference.order) {
      let place = PageReference(url, reference.raw, reference.order)
      switch reference.url {
      case .failure(let refusal):
        let refused = FetchFailure(.refused, refusal.description)
        let item = ScannedItem(at: .url(reference.raw.url), state: .error(refused.description))
        items.append(item.fetched(by: [], from: place))
      case .success(let next):
        guard let state = target.refusal(of: reference) else {
          try start(next, place, reference.role)
          continue
        }
        items.append(ScannedItem(at: .url(next.description), state: state).fetched(by: [], from: place))
      }
    }
    for (number, track) in StreamChoice.smallest.tracks(of: page).enumerated() {
      let place = ContentLocation.Place.url(target.url.description)
      let member = "video \(number + 1)"
      if let failure = track.failure, failure.code != .limit {
        let item = ScannedItem(at: place, member: member, state: .unhashable(failure.reason))
        items.append(item.fetched(by: [], from: target.reference))
      } else if track.failure == nil, let whole = track.singleFile {
        try start(whole, PageReference(url, track.raw, number), .media)
      } else {
        let assembly = StreamAssembly(
          place, member: member, reference: target.reference, gap: track.failure?.reason,
          pieces: track.pieces.count, mostBytes: mostBytes)
        for (number, piece) in track.pieces.enumerated() {
          guard case .success(let next) = piece.url else { continue }
          try start(
            next, target.reference, .segment,
            StreamAssembly.Piece(assembly: assembly, number: number, byteRange: piece.byteRange))
        }
      }
    }
    return items
  }

  /// Takes a piece of a video; the last one brings the whole.
  private mutating func visit(
    _ fetched: Fetched, _ piece: StreamAssembly.Piece, _ fetcher: Fetcher, _ sealing: SealedFolder?
  ) throws -> [ScannedItem] {
    let assembly = piece.assembly
    guard let (body, chain) = assembly.put(fetched, as: piece, within: fetcher) else { return [] }
    var items: [ScannedItem]
    switch body {
    case .failure(let failure):
      items = [ScannedItem(at: assembly.place, member: assembly.member, state: .error(failure.reason))]
    case .success(let body):
      defer { fetcher.letGo(body.count) }
      items = try body.withUnsafeBytes { try scan($0, at: assembly.place, member: assembly.member) }
      if let gap = assembly.gap { items[0].missMembers(gap) }
      // Its pieces come in any order, and what is sealed is the video.
      try sealing?.keep(body, nil, as: &items)
    }
    return items.map { $0.fetched(by: chain, from: assembly.reference) }
  }
}

extension SealedFolder {
  /// Keeps a body if something in it is on a list.
  ///
  /// - Parameter sealed: The body as it was sealed while it came; `nil` for one that came another way.
  fileprivate func keep(_ body: [UInt8], _ sealed: SealedContent?, as items: inout [ScannedItem]) throws {
    guard items.contains(where: { $0.verdict == .block || $0.verdict == .review }) else { return }
    let name = try body.withUnsafeBytes { bytes in
      if let sealed { return try sealed.keep(bytes) }
      let content = begin()
      content.append(bytes)
      return try content.keep(bytes)
    }
    for index in items.indices { items[index].sealedName = name }
  }
}

extension ScannedItem {
  fileprivate func fetched(by chain: [FetchHop], from reference: PageReference?) -> ScannedItem {
    var item = self
    item.chain = chain
    item.reference = reference
    return item
  }
}

extension Fetched {
  /// The chain, with the digest of the content at its end.
  fileprivate func chain(endingIn item: ScannedItem) -> [FetchHop] {
    var chain = chain
    chain[chain.count - 1].digest = item.fingerprint?.digests.first { $0.algorithm == .sha256 }
    return chain
  }
}

extension PageReference {
  fileprivate init(_ page: WebURL, _ raw: RawReference, _ order: Int) {
    self.init(page: page, element: raw.element, attribute: raw.attribute, order: order)
  }
}
