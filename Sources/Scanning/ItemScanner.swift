import Decoding
import Foundation
import Glibc
import Hashing
import Matching
import SystemPackage

/// One worker's way from an open file to findings: digests, perceptual hash, matches, verdict, in one pass over the bytes;
/// then the members of an archive in the same way.
///
/// A worker keeps its digester and buffer from item to item.
struct ItemScanner: ~Copyable {
  private let blocklist: Blocklist
  private let control: ScanControl
  private let options: ScanOptions
  private var digester: Digester
  let decoders: DecoderPool?
  private let buffer: UnsafeMutableRawBufferPointer

  private static let bufferSize = 1 << 18
  /// Pages of one TIFF file.
  private static let mostPages = 1000

  /// - Parameter decoders: `nil` where nothing is decoded.
  init(blocklist: Blocklist, options: ScanOptions, decoders: DecoderPool?, control: ScanControl) throws {
    digester = try Digester(options.digests.union(blocklist.digestAlgorithms).union([.sha256]))
    self.blocklist = blocklist
    self.control = control
    self.options = options
    self.decoders = decoders
    buffer = .allocate(byteCount: Self.bufferSize, alignment: 4096)
  }

  deinit { buffer.deallocate() }

  /// Takes a file to its end.
  ///
  /// - Returns: The item, and behind it the members where it is an archive, in the archive's order.
  /// - Throws: What ends the scan: a damaged list, no decoder to be had, OpenSSL failing. Anything about the item itself
  ///   is an answer.
  mutating func scan(_ file: WalkedFile, at path: FilePath) throws -> [ScannedItem] {
    control.began(path)
    let descriptor: FileDescriptor
    switch file.open() {
    case .failure(let failure): return [ScannedItem(at: .file(path), state: .error(failure.reason))]
    case .success(let opened): descriptor = opened
    }
    if file.holesInBytes(upTo: options.holesInBytes) > options.holesInBytes {
      let reason = "limit: \(options.holesInBytes) bytes of holes in a sparse file"
      var item = ScannedItem(at: .file(path), state: .unhashable(reason))
      item.sizeInBytes = file.sizeInBytes
      return [item]
    }
    // The file is closed with the object.
    defer { withExtendedLifetime(file) {} }
    guard let decoders else {
      let content = try digest(descriptor) { _ in }
      return [try item(at: .file(path), nil, content, Look(videos: blocklist.makeVideoSearch())).stamped(descriptor)]
    }
    return try decoders.withLease { lease in
      let content = try digest(descriptor) { try lease.append($0) }
      let source = ByteSource(sizeInBytes: content.sizeInBytes) { [control] offset, buffer in
        let count = try descriptor.read(fromAbsoluteOffset: offset, into: buffer)
        control.pace(count)
        return count
      }
      var items = try items(of: content, at: .file(path), nil, source, file: descriptor, decoders, &lease)
      items[0] = items[0].stamped(descriptor)
      return items
    }
  }

  /// Takes a content that lies in memory to its end.
  ///
  /// - Returns: As for a file.
  mutating func scan(_ bytes: UnsafeRawBufferPointer, at place: ContentLocation.Place, member: String? = nil) throws
    -> [ScannedItem]
  {
    guard let decoders else {
      let content = try digest(bytes) { _ in }
      return [try item(at: place, member, content, Look(videos: blocklist.makeVideoSearch()))]
    }
    return try decoders.withLease { lease in
      let content = try digest(bytes) { try lease.append($0) }
      let source = ByteSource(sizeInBytes: content.sizeInBytes) { offset, buffer in
        let rest = bytes[min(Int(clamping: offset), bytes.count)...].prefix(buffer.count)
        buffer.copyBytes(from: rest)
        return rest.count
      }
      return try items(of: content, at: place, member, source, decoders, &lease)
    }
  }

  /// The item of a content that was digested, and the members where it is an archive or a disk image.
  ///
  /// - Parameter file: Where the content is a file, which may be a disk image.
  private mutating func items(
    of content: Content, at place: ContentLocation.Place, _ member: String?, _ source: ByteSource,
    file: FileDescriptor? = nil, _ decoders: DecoderPool, _ lease: inout DecoderLease
  ) throws -> [ScannedItem] {
    var item = try item(at: place, member, content, look(content, source, &lease))
    if let disk = options.diskImages, let type = content.mediaType, type.isDiskImage, let file {
      return try readDisk(item, type, disk, file, decoders, &lease)
    }
    guard options.archives, item.state == .hashed, let type = content.mediaType, type.isArchive else {
      let pictures = try picturesWithin(&item, content, &lease)
      return [item] + pictures
    }
    return try decoders.withArchiveLease { archive in
      try readMembers(of: item, nil, &lease) { try archive.readArchive(type, from: source, $0) }
    }
  }

  /// What one pass over an item's bytes gives.
  private struct Content {
    var sizeInBytes: Int64 = 0
    var mediaType: MediaType?
    var digests: [Digest] = []
    /// What lists say of those.
    var matches: [Match] = []
    /// Whether it is, byte for byte, on a known-good list and on none that outweighs it: nobody needs to look at it.
    var isKnownGood = false
    /// Why the pass did not come to its end; an item's state then.
    var failure: ItemState?
  }

  /// What became of the perceptual part.
  private struct Look {
    /// Whether there should be a perceptual hash.
    var isDue = false
    /// Of the whole picture, upright.
    var hash: PerceptualHash?
    var frames: [FrameHash] = []
    var queries: [[PerceptualHash]] = []
    var matches: [Match] = []
    /// Listed videos, by the pages or frames so far.
    var videos: VideoSearch
    var videoStop: VideoStop?
    /// Why something is missing.
    var failure: String?
  }

  /// - Parameter copy: Gets the bytes of content that can be decoded.
  private mutating func digest(_ descriptor: FileDescriptor, copy: (UnsafeRawBufferPointer) throws -> Void) throws
    -> Content
  {
    try digester.reset()
    var content = Content()
    do {
      while true {
        let count = try descriptor.read(into: buffer)
        if count == 0 { break }
        try take(UnsafeRawBufferPointer(rebasing: buffer[..<count]), &content) { type, bytes in
          if type.isDecodable { try copy(bytes) }
        }
        if !options.sourceDigests, options.diskImages != nil, content.mediaType?.isDiskImage == true {
          content.failure = .skipped("source digest not asked for")
          break
        }
        control.read(count)
      }
    } catch let error as Errno {
      content.failure = .error(error.reason)
    }
    try identify(&content)
    return content
  }

  private mutating func digest(_ bytes: UnsafeRawBufferPointer, copy: (UnsafeRawBufferPointer) throws -> Void) throws
    -> Content
  {
    try digester.reset()
    var content = Content()
    if !bytes.isEmpty { try take(bytes, &content) { type, bytes in if type.isDecodable { try copy(bytes) } } }
    control.read(bytes.count)
    try identify(&content)
    return content
  }

  /// Takes the digests of a content whose bytes have come, and asks the lists for them.
  private mutating func identify(_ content: inout Content) throws {
    guard content.failure == nil else { return }
    content.digests = try digester.finish()
    content.matches = try blocklist.matches(for: Fingerprint(sizeInBytes: content.sizeInBytes, digests: content.digests))
    content.isKnownGood =
      blocklist.policy.verdict(for: content.matches) == .known && content.matches.contains { $0.grade == .exact }
  }

  /// Takes the next bytes of a content; its type is told by the first.
  private mutating func take(
    _ bytes: UnsafeRawBufferPointer, _ content: inout Content, copy: (MediaType, UnsafeRawBufferPointer) throws -> Void
  ) throws {
    if content.sizeInBytes == 0 { content.mediaType = MediaType.sniff(bytes) }
    try digester.update(bytes)
    if options.perceptual, let type = content.mediaType { try copy(type, bytes) }
    content.sizeInBytes += Int64(bytes.count)
  }

  /// Hashes a picture or a video perceptually, and asks the lists.
  ///
  /// - Parameter source: The file; `nil` where it has been appended to the lease.
  private func look(_ content: Content, _ source: ByteSource?, _ lease: inout DecoderLease) throws -> Look {
    var look = Look(videos: blocklist.makeVideoSearch())
    guard options.perceptual, content.failure == nil, !content.isKnownGood, let type = content.mediaType,
      type.isPicture || type.isVideo
    else {
      return look
    }
    look.isDue = true
    if type.isPicture {
      var pages = 1
      var page = 0
      while page < pages {
        let result = try lease.decode(type, page: page) { picture in
          if page == 0 { pages = min(picture.pages, Self.mostPages) }
          return queries(of: picture.luma)
        }
        switch result {
        case .success(let queries):
          if page == 0 { look.hash = queries[0][0] }
          try ask(queries, &look)
        case .failure(let unhashable):
          look.failure = page == 0 ? unhashable.reason : "page \(page + 1): \(unhashable.reason)"
          return look
        }
        page += 1
      }
      if pages == Self.mostPages { look.failure = "limit: \(pages) pages" }
    }
    guard type.hasFrames else {
      if type.isVideo { look.failure = "\(type.rawValue) is not decoded" }
      return look
    }
    if !options.fullVideo && blocklist.policy.verdict(for: content.matches) == .block {
      look.videoStop = .exactMatch
      return look
    }
    do {
      // A picture's bytes are with the decoder already.
      try lookAtFrames(type, type.isPicture ? nil : source, &lease, &look)
    } catch let error as Errno {
      look.failure = "the video cannot be read: \(error.reason)"
    }
    // A picture of one frame does not move.
    if type.isPicture && look.frames.count < 2 { look.frames = [] }
    return look
  }

  /// Looks at key frames first: where they show that a listed video is there, the rest would show nothing heavier.
  private func lookAtFrames(
    _ type: MediaType, _ source: ByteSource?, _ lease: inout DecoderLease, _ look: inout Look
  ) throws {
    let before = look
    func read(_ detail: FrameDetail) throws -> Bool {
      look = before
      var isPart = false
      let failure = try lease.decodeFrames(type, from: source, detail: detail) { frame in
        let queries = queries(of: frame.luma)
        look.frames.append(FrameHash(seconds: frame.seconds, hash: queries[0][0]))
        try ask(queries, &look)
        isPart = frame.othersAreLeftOut
      }
      look.failure = failure?.reason
      return isPart
    }
    if options.fullVideo || !blocklist.hasPerceptualHashes {
      _ = try read(options.fullVideo ? .full : .usual)
    } else if try read(.keyFrames) {
      let whole = try look.videos.matches().filter { $0.video?.kind == .whole }
      if look.failure == nil && blocklist.policy.verdict(for: whole) == .review {
        look.videoStop = .listedVideo
      } else {
        _ = try read(.usual)
      }
    }
  }

  /// The hashes that a picture is looked for with: of the whole, and of what is within plain borders.
  ///
  /// Turned and mirrored forms are queries; without a list to ask nobody needs them, nor what is within borders.
  ///
  /// - Returns: One or two groups, in each the upright hash first.
  private func queries(of luma: LumaPlane) -> [[PerceptualHash]] {
    guard blocklist.hasPerceptualHashes || options.keepsQueries else { return [[PDQ.hash(luma)]] }
    let whole = PDQ.dihedralHashes(luma)
    guard let region = luma.regionWithinPlainBorders() else { return [whole] }
    return [whole, luma.withCopy(of: region, PDQ.dihedralHashes)]
  }

  /// Asks for one picture or frame.
  private func ask(_ queries: [[PerceptualHash]], _ look: inout Look) throws {
    if options.keepsQueries { look.queries += queries }
    for hashes in queries {
      for match in try blocklist.matches(near: hashes) { look.matches.add(match) }
    }
    try look.videos.add(queries)
  }

  private func item(
    at place: ContentLocation.Place, _ member: String?, _ content: Content, _ look: Look
  ) throws -> ScannedItem {
    if let failure = content.failure {
      var item = ScannedItem(at: place, member: member, state: failure)
      item.sizeInBytes = content.sizeInBytes
      return item
    }
    var item = ScannedItem(at: place, member: member, state: .hashed)
    item.sizeInBytes = content.sizeInBytes
    item.mediaType = content.mediaType?.rawValue
    var fingerprint = Fingerprint(sizeInBytes: content.sizeInBytes, digests: content.digests)
    item.matches = content.matches
    for match in look.matches + (try look.videos.matches()) { item.matches.add(match) }
    if look.isDue { item.perceptual = look.failure.map { .unhashable($0) } ?? .hashed }
    fingerprint.perceptualHash = look.hash
    item.frames = look.frames
    item.videoStop = look.videoStop
    item.queries = look.queries
    item.verdict = blocklist.policy.verdict(for: item.matches)
    // Not hashed must never look like no match.
    if item.verdict == .clear && item.isIncomplete { item.verdict = nil }
    item.fingerprint = fingerprint
    return item
  }
}

extension ItemScanner {
  /// Takes the pictures that lie within the file of a picture: a thumbnail need not show what the picture does.
  ///
  /// - Parameters:
  ///   - item: Of the picture, whose bytes have been appended to the lease; learns what could not be read.
  ///   - budget: Pictures and bytes that may come yet, of those within pictures within the picture too.
  /// - Returns: Their items, members of the picture.
  private mutating func picturesWithin(
    _ item: inout ScannedItem, _ content: Content, _ lease: inout DecoderLease
  ) throws -> [ScannedItem] {
    var budget = EmbeddedBudget()
    return try picturesWithin(&item, content, &budget, depth: 1, &lease)
  }

  private mutating func picturesWithin(
    _ item: inout ScannedItem, _ content: Content, _ budget: inout EmbeddedBudget, depth: Int, _ lease: inout DecoderLease
  ) throws -> [ScannedItem] {
    guard options.perceptual, content.failure == nil, !content.isKnownGood, content.mediaType?.mayHoldPictures == true,
      !lease.isOverfull
    else { return [] }
    var found: [(name: String, bytes: [UInt8], failure: Unhashable?)] = []
    let failure = try lease.readEmbedded { event in
      switch event {
      case .member(let member): found.append((member.path, [], nil))
      case .bytes(let bytes):
        if budget.take(bytes: bytes.count) { found[found.count - 1].bytes.append(contentsOf: bytes) }
      case .end(let reason): found[found.count - 1].failure = reason ?? budget.reason
      case .opened, .closed, .storedDigest: break
      }
    }
    if let failure = failure ?? budget.reason { item.missMembers(failure.reason) }
    var items: [ScannedItem] = []
    for picture in found {
      guard budget.takePicture(), depth <= EmbeddedBudget.mostDepth else {
        item.missMembers(EmbeddedBudget.tooMany.reason)
        break
      }
      let path = item.member.map { "\($0)/\(picture.name)" } ?? picture.name
      try lease.reset()
      var content = try picture.bytes.withUnsafeBytes { bytes in try digest(bytes) { try lease.append($0) } }
      content.failure = picture.failure.map { .unhashable($0.reason) }
      var inner = try self.item(at: item.place, path, content, look(content, nil, &lease))
      let further = try picturesWithin(&inner, content, &budget, depth: depth + 1, &lease)
      items.append(inner)
      items += further
    }
    return items
  }

  /// What the pictures within one picture may cost, those within them included.
  private struct EmbeddedBudget {
    static let mostDepth = 4
    private static let mostPictures = 64
    private static let mostBytes = 256 << 20
    static let tooMany = Unhashable(.limit, "limit: \(mostPictures) pictures within a picture, \(mostDepth) deep")

    private var pictures = 0
    private var bytes = 0
    private(set) var reason: Unhashable?

    /// - Returns: Whether they may be kept.
    mutating func take(bytes count: Int) -> Bool {
      bytes += count
      if bytes > Self.mostBytes { reason = Unhashable(.limit, "limit: \(Self.mostBytes) bytes of pictures within a picture") }
      return reason == nil
    }

    mutating func takePicture() -> Bool {
      pictures += 1
      return pictures <= Self.mostPictures
    }
  }

  /// Reads the files of a disk image.
  ///
  /// - Returns: The image's own item, with what became of its contents, and the files on it.
  private mutating func readDisk(
    _ file: ScannedItem, _ type: MediaType, _ options: DiskOptions, _ descriptor: FileDescriptor,
    _ decoders: DecoderPool, _ lease: inout DecoderLease
  ) throws -> [ScannedItem] {
    var file = file
    let segments: ImageSegments
    do { segments = try ImageSegments(at: file.place, descriptor, type) } catch let error as Errno {
      file.missMembers("the disk image cannot be read: \(error.reason)")
      return [file]
    }
    let source = segments.source
    if file.state != .hashed { file.sizeInBytes = source.sizeInBytes }
    var options = options
    // Segments have digests of their own; that of the medium is one that somebody may have written down.
    if self.options.sourceDigests && (type == .ewf || segments.count > 1) { options.insert(.medium) }
    let medium = type == .ewf ? nil : source
    return try decoders.withArchiveLease { disk in
      try readMembers(of: file, medium, &lease) { try disk.readDisk(type, from: source, options, $0) }
    }
  }

  /// Reads an archive or a disk image, and the archives within it.
  ///
  /// - Parameters:
  ///   - medium: What the runs of members lie on; `nil` where it can be read through a decoder only.
  ///   - read: Reads, and hands on every event.
  /// - Returns: The archive's own item, with what became of its contents, and its members.
  private mutating func readMembers(
    of file: ScannedItem, _ medium: ByteSource?, _ lease: inout DecoderLease,
    _ read: ((ArchiveEvent) throws -> Void) throws -> Unhashable?
  ) throws -> [ScannedItem] {
    var items = [file]
    var origin: MemberOrigin?
    var check = MediumCheck()
    /// Places of the archives that are being read, the innermost last.
    var open = [0]
    var member: String?
    var content = Content()
    /// Ends the member that is being read.
    func end(_ failure: Unhashable?) throws {
      guard let path = member else { return }
      content.failure = failure.map { .unhashable($0.reason) }
      try identify(&content)
      // A film that is longer than what a decoder holds is read again from where it lies.
      let source = lease.isOverfull ? medium.flatMap { origin?.source(of: content.sizeInBytes, on: $0) } : nil
      var item = try item(at: file.place, path, content, look(content, source, &lease))
      item.origin = origin
      if options.diskImages != nil, let type = content.mediaType, type.isDiskImage, !check.isMedium(path) {
        item.missMembers("a disk image in here is not opened")
      }
      let pictures = try picturesWithin(&item, content, &lease)
      items.append(item)
      items += pictures
      try check.end(path)
      member = nil
    }
    items[0].contents = .read
    var failure: Unhashable?
    do {
      failure = try read { event in
        switch event {
        case .member(let next):
          guard let reason = next.kind.reasonToSkip else {
            member = next.path
            origin = next.origin
            content = Content()
            try check.begin(next.path, isImage: file.mediaType.flatMap(MediaType.init)?.isDiskImage == true)
            try digester.reset()
            try lease.reset()
            return
          }
          var item = ScannedItem(at: file.place, member: next.path, state: .skipped(reason))
          item.origin = next.origin
          items.append(item)
        case .bytes(let bytes):
          try check.update(bytes)
          try take(bytes, &content) { type, bytes in
            if type.isDecodable || type.hasFrames { try lease.append(bytes) }
          }
        case .end(let reason): try end(reason)
        case .opened:
          open.append(items.count - 1)
          items[items.count - 1].contents = .read
        case .storedDigest(let digest):
          let stored = StoredDigest(digest, isRight: check.digests.contains(digest))
          items[0].storedDigests.append(stored)
          if !stored.isRight { items[0].missMembers("the medium's \(digest.algorithm.name) is not the one stored in the image") }
        case .closed(let reason):
          let place = open.removeLast()
          if let reason { items[place].missMembers(reason.reason) }
        }
      }
    } catch let error as Errno {
      failure = Unhashable(.broken, "the archive cannot be read: \(error.reason)")
    }
    if let failure {
      try end(failure)
      for place in open { items[place].missMembers(failure.reason) }
    }
    return items
  }
}

extension [Match] {
  /// Adds a match, unless its entry was met as well or better by another hash of the content.
  fileprivate mutating func add(_ match: Match) {
    guard let place = firstIndex(where: { $0.list == match.list && $0.entry == match.entry }) else {
      append(match)
      return
    }
    if self[place].grade == .near && match.distanceInBits < self[place].distanceInBits { self[place] = match }
  }
}

extension ArchiveMember.Kind {
  /// What a report says of a member without bytes of its own: the words of the walk over a disk.
  fileprivate var reasonToSkip: String? {
    switch self {
    case .file: nil
    case .symbolicLink: "symbolic-link"
    case .hardLink: "hard-link"
    case .special: "special-file"
    case .lost: "deleted-content-lost"
    case .reallocated: "deleted-and-reallocated"
    case .empty: "empty-volume"
    }
  }
}

extension ScannedItem {
  /// The item with the time at which its file was last changed.
  fileprivate func stamped(_ file: FileDescriptor) -> ScannedItem {
    var status = stat()
    guard fstat(file.rawValue, &status) == 0 else { return self }
    var item = self
    item.modifiedAt = Date(timeIntervalSince1970: Double(status.st_mtim.tv_sec) + Double(status.st_mtim.tv_nsec) / 1e9)
    return item
  }
}
