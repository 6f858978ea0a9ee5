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
  var digester: Digester
  let decoders: DecoderPool?
  let looks: LookCache?
  private let buffer: UnsafeMutableRawBufferPointer

  private static let bufferSize = 1 << 18

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

  mutating func digest(
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
  mutating func identify(_ content: inout Content) throws {
    if content.failure == nil { try identify(&content, digester.finish()) }
  }

  private func identify(_ content: inout Content, _ digests: [Digest]) throws {
    content.digests = digests
    content.matches = try blocklist.matches(for: Fingerprint(sizeInBytes: content.sizeInBytes, digests: content.digests))
    content.isKnownGood =
      blocklist.policy.verdict(for: content.matches) == .known && content.matches.contains { $0.grade == .exact }
  }

  /// Takes the next bytes of a content, which are digested already; its type is told by the first.
  func take(
    _ bytes: UnsafeRawBufferPointer, _ content: inout Content, copy: (MediaType, UnsafeRawBufferPointer) throws -> Void
  ) throws {
    if content.sizeInBytes == 0 { content.mediaType = MediaType.sniff(bytes) }
    if options.perceptual, let type = content.mediaType { try copy(type, bytes) }
    content.sizeInBytes += Int64(bytes.count)
  }

  func item(
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

extension [ScannedItem] {
  /// The items of a file, its own with the time at which the file was last changed.
  fileprivate func stamped(_ modified: timespec) -> [ScannedItem] {
    var items = self
    let own = items.firstIndex { $0.member == nil }!
    items[own].modifiedAt = Date(timeIntervalSince1970: Double(modified.tv_sec) + Double(modified.tv_nsec) / 1e9)
    return items
  }
}
