import Decoding
import Hashing
import Matching
import SystemPackage

extension ItemScanner {
  /// Takes the pictures that lie within the file of a picture: a thumbnail need not show what the picture does.
  ///
  /// - Parameters:
  ///   - item: Of the picture, whose bytes have been appended to the lease; learns what could not be read.
  ///   - budget: Pictures and bytes that may come yet, of those within pictures within the picture too.
  /// - Returns: Their items, members of the picture.
  mutating func picturesWithin(
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

  /// Members of a disk image that are kept before they are handed on.
  private static let mostMembers = 512

  /// Reads the files of a disk image.
  ///
  /// - Returns: The files on it that were not handed on, and the image's own item, with what became of its contents.
  mutating func readDisk(
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
  mutating func readMembers(
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
