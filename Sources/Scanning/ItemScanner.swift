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
  let blocklist: Blocklist
  private let control: ScanControl
  let options: ScanOptions
  private var digester: Digester
  let decoders: DecoderPool?
  let looks: LookCache?
  private let buffer: UnsafeMutableRawBufferPointer

  private static let bufferSize = 1 << 18
  /// Members of a disk image that are kept before they are handed on.
  private static let mostMembers = 512

  /// Takes items while there are more to come.
  typealias Emit = ([ScannedItem]) throws -> Void

  /// - Parameters:
  ///   - decoders: `nil` where nothing is decoded.
  ///   - looks: What all workers of the scan have seen; `nil` to look at each copy of a content anew.
  init(
    blocklist: Blocklist, options: ScanOptions, decoders: DecoderPool?, control: ScanControl, looks: LookCache? = nil
  ) throws {
    digester = try Digester(options.digests(for: blocklist))
    self.blocklist = blocklist
    self.control = control
    self.options = options
    self.decoders = decoders
    self.looks = looks
    buffer = .allocate(byteCount: Self.bufferSize, alignment: 4096)
  }

  deinit { buffer.deallocate() }

  /// Takes a file to its end.
  ///
  /// - Parameters:
  ///   - small: The file, where it was read.
  ///   - emit: Gets members of a disk image while there are more to come.
  /// - Returns: The item, and behind it the members where it is an archive, in the archive's order; of a disk image the
  ///   members, and behind them the item, of which only then all is known.
  /// - Throws: What ends the scan: a damaged list, no decoder to be had, OpenSSL failing. Anything about the item itself
  ///   is an answer.
  mutating func scan(
    _ file: WalkedFile, _ small: SmallFile? = nil, at path: FilePath, emit: @escaping Emit
  ) throws -> [ScannedItem] {
    control.began(path)
    if file.holesInBytes(upTo: options.holesInBytes) > options.holesInBytes {
      let reason = "limit: \(options.holesInBytes) bytes of holes in a sparse file"
      var item = ScannedItem(at: .file(path), state: .unhashable(reason))
      item.sizeInBytes = file.sizeInBytes
      return [item]
    }
    if let small, options.diskImages == nil || MediaType.sniff(small.bytes)?.isDiskImage != true {
      return try scan(small.bytes, small.digests, at: .file(path)).stamped(small.modified)
    }
    let opened: WalkedFile.Opened
    switch file.open() {
    case .failure(let failure): return [ScannedItem(at: .file(path), state: .error(failure.reason))]
    case .success(let open): opened = open
    }
    // The file is closed with the object.
    defer { withExtendedLifetime(file) {} }
    return try scan(at: .file(path), nil, opened.descriptor, emit) { [control] offset, buffer in
      let count = try opened.descriptor.read(fromAbsoluteOffset: offset, into: buffer)
      control.pace(count)
      return count
    } digest: { scanner, copy in
      try scanner.digest(opened, copy: copy)
    }.stamped(opened.modified)
  }

  /// Takes a content that lies in memory to its end.
  ///
  /// - Parameter digests: Its digests, where they are known.
  /// - Returns: As for a file.
  mutating func scan(
    _ bytes: UnsafeRawBufferPointer, _ digests: [Digest]? = nil, at place: ContentLocation.Place, member: String? = nil
  ) throws -> [ScannedItem] {
    try scan(at: place, member, nil, { _ in }) { offset, buffer in
      let rest = bytes[min(Int(clamping: offset), bytes.count)...].prefix(buffer.count)
      buffer.copyBytes(from: rest)
      return rest.count
    } digest: { scanner, copy in
      try scanner.digest(bytes, digests, copy: copy)
    }
  }

  /// Takes a content to its end, however its bytes come.
  ///
  /// - Parameters:
  ///   - file: Where the content is a file, which may be a disk image.
  ///   - emit: Gets the first members of that.
  ///   - read: Reads bytes again, from an offset.
  ///   - digest: Passes over all bytes, and hands on those that can be decoded.
  private mutating func scan(
    at place: ContentLocation.Place, _ member: String?, _ file: FileDescriptor?, _ emit: @escaping Emit,
    read: @escaping (Int64, UnsafeMutableRawBufferPointer) throws -> Int,
    digest: (inout ItemScanner, (UnsafeRawBufferPointer) throws -> Void) throws -> Content
  ) throws -> [ScannedItem] {
    var digested: Content?
    if decoders == nil || !options.perceptual {
      let content = try digest(&self) { _ in }
      if decoders == nil || !isOpened(content, isFile: file != nil) {
        return [try item(at: place, member, content, Look(videos: blocklist.makeVideoSearch()))]
      }
      digested = content
    }
    return try decoders!.withLease { lease in
      let content = try digested ?? digest(&self) { try lease.append($0) }
      let source = ByteSource(sizeInBytes: content.sizeInBytes, read: read)
      return try items(of: content, at: place, member, source, file, emit, decoders!, &lease)
    }
  }

  /// The item of a content that was digested, and the members where it is an archive or a disk image.
  ///
  /// - Parameters:
  ///   - file: Where the content is a file, which may be a disk image.
  ///   - emit: Gets the first members of that.
  private mutating func items(
    of content: Content, at place: ContentLocation.Place, _ member: String?, _ source: ByteSource,
    _ file: FileDescriptor?, _ emit: @escaping Emit, _ decoders: DecoderPool,
    _ lease: inout DecoderLease
  ) throws -> [ScannedItem] {
    var item = try item(at: place, member, content, look(content, source, &lease))
    guard isOpened(content, isFile: file != nil) else {
      let pictures = try picturesWithin(&item, content, &lease)
      return [item] + pictures
    }
    if let disk = options.diskImages, let type = content.mediaType, type.isDiskImage, let file {
      return try readDisk(item, type, disk, file, emit, decoders, &lease)
    }
    let type = content.mediaType!
    return try decoders.withArchiveLease { archive in
      try readMembers(of: item, nil, { _ in }, &lease) { try archive.readArchive(type, from: source, $0) }
    }
  }

  /// Whether there are members to look at: in an archive, or on a disk image that is a file.
  private func isOpened(_ content: Content, isFile: Bool) -> Bool {
    guard let type = content.mediaType else { return false }
    if isFile && options.diskImages != nil && type.isDiskImage { return true }
    return options.archives && content.failure == nil && type.isArchive
  }

  /// What one pass over an item's bytes gives.
  struct Content {
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

  /// - Parameter copy: Gets the bytes of content that can be decoded.
  private mutating func digest(_ file: WalkedFile.Opened, copy: (UnsafeRawBufferPointer) throws -> Void) throws
    -> Content
  {
    try digester.reset()
    var content = Content()
    do {
      while true {
        let count = try file.descriptor.read(into: buffer)
        if count == 0 { break }
        let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<count])
        try digester.update(bytes)
        try take(bytes, &content) { type, bytes in if type.isDecodable { try copy(bytes) } }
        if !options.sourceDigests, options.diskImages != nil, content.mediaType?.isDiskImage == true {
          content.failure = .skipped("source digest not asked for")
          break
        }
        control.read(count)
        // Fewer bytes than there is room for, and all that the file had: its end, without being asked again.
        if count < buffer.count && content.sizeInBytes == file.sizeInBytes { break }
      }
    } catch let error as Errno {
      content.failure = .error(error.reason)
    }
    try identify(&content)
    return content
  }

  private mutating func digest(
    _ bytes: UnsafeRawBufferPointer, _ digests: [Digest]? = nil, copy: (UnsafeRawBufferPointer) throws -> Void
  ) throws -> Content {
    var content = Content()
    if !bytes.isEmpty { try take(bytes, &content) { type, bytes in if type.isDecodable { try copy(bytes) } } }
    control.read(bytes.count)
    if let digests {
      try identify(&content, digests)
    } else {
      try digester.reset()
      try digester.update(bytes)
      try identify(&content)
    }
    return content
  }

  /// Takes the digests of a content whose bytes have come, and asks the lists for them.
  private mutating func identify(_ content: inout Content) throws {
    if content.failure == nil { try identify(&content, digester.finish()) }
  }

  private func identify(_ content: inout Content, _ digests: [Digest]) throws {
    content.digests = digests
    content.matches = try blocklist.matches(for: Fingerprint(sizeInBytes: content.sizeInBytes, digests: content.digests))
    content.isKnownGood =
      blocklist.policy.verdict(for: content.matches) == .known && content.matches.contains { $0.grade == .exact }
  }

  /// Takes the next bytes of a content, which are digested already; its type is told by the first.
  private func take(
    _ bytes: UnsafeRawBufferPointer, _ content: inout Content, copy: (MediaType, UnsafeRawBufferPointer) throws -> Void
  ) throws {
    if content.sizeInBytes == 0 { content.mediaType = MediaType.sniff(bytes) }
    if options.perceptual, let type = content.mediaType { try copy(type, bytes) }
    content.sizeInBytes += Int64(bytes.count)
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
    item.judge(by: blocklist.policy)
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
  /// - Returns: The files on it that were not handed on, and the image's own item, with what became of its contents.
  private mutating func readDisk(
    _ file: ScannedItem, _ type: MediaType, _ options: DiskOptions, _ descriptor: FileDescriptor,
    _ emit: @escaping Emit, _ decoders: DecoderPool, _ lease: inout DecoderLease
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
    let items = try decoders.withArchiveLease { disk in
      try readMembers(of: file, medium, emit, &lease) { try disk.readDisk(type, from: source, options, $0) }
    }
    return Array(items.dropFirst() + items.prefix(1))
  }

  /// Reads an archive or a disk image, and the archives within it.
  ///
  /// - Parameters:
  ///   - medium: What the runs of members lie on; `nil` where it can be read through a decoder only.
  ///   - emit: Gets members of a disk image that nothing will be added to, before there are too many.
  ///   - read: Reads, and hands on every event.
  /// - Returns: The archive's own item, with what became of its contents, and its members.
  private mutating func readMembers(
    of file: ScannedItem, _ medium: ByteSource?, _ emit: @escaping Emit,
    _ lease: inout DecoderLease,
    _ read: ((ArchiveEvent) throws -> Void) throws -> Unhashable?
  ) throws -> [ScannedItem] {
    var items = [file]
    var origin: MemberOrigin?
    var check = MediumCheck()
    let isDisk = file.mediaType.flatMap(MediaType.init)?.isDiskImage == true
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
      try check.end()
      member = nil
    }
    items[0].contents = .read
    var failure: Unhashable?
    do {
      failure = try read { event in
        switch event {
        case .member(let next):
          // Of an archive that is open more may become known; how much it holds has a limit of its own.
          if isDisk && open.count == 1 && items.count > Self.mostMembers {
            try emit(Array(items.dropFirst()))
            items.removeSubrange(1...)
          }
          guard let reason = next.kind.reasonToSkip else {
            member = next.path
            origin = next.origin
            content = Content()
            try check.begin(next.path, isImage: isDisk)
            try digester.reset()
            try lease.reset()
            return
          }
          var item = ScannedItem(at: file.place, member: next.path, state: .skipped(reason))
          item.origin = next.origin
          items.append(item)
        case .bytes(let bytes):
          try check.update(bytes)
          try digester.update(bytes)
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

extension [ScannedItem] {
  /// The items of a file, its own with the time at which the file was last changed.
  fileprivate func stamped(_ modified: timespec) -> [ScannedItem] {
    var items = self
    let own = items.firstIndex { $0.member == nil }!
    items[own].modifiedAt = Date(timeIntervalSince1970: Double(modified.tv_sec) + Double(modified.tv_nsec) / 1e9)
    return items
  }
}
