import Decoding
import Glibc
import Hashing
import Matching
import SystemPackage

/// What a scan does with each item.
public struct ScanOptions: Sendable {
  /// Digests to take besides SHA-256 and those that the lists in force are asked with.
  public var digests: Set<DigestAlgorithm>
  /// Whether pictures are hashed perceptually.
  public var perceptual: Bool
  /// Whether archives are opened, and their members scanned as items of their own.
  public var archives: Bool
  /// Items in hand at once.
  public var workers: Int

  public init(digests: Set<DigestAlgorithm> = [], perceptual: Bool = true, archives: Bool = true, workers: Int) {
    self.digests = digests
    self.perceptual = perceptual
    self.archives = archives
    self.workers = max(1, workers)
  }

  /// Whether anything is to be decoded.
  public var needsDecoders: Bool { perceptual || archives }
}

/// One worker's way from an open file to findings: digests, perceptual hash, matches, verdict, in one pass over the bytes;
/// then the members of an archive in the same way.
///
/// A worker keeps its digester and buffer from item to item.
struct ItemScanner: ~Copyable {
  private let blocklist: Blocklist
  private let control: ScanControl
  private let options: ScanOptions
  private var digester: Digester
  private let decoders: DecoderPool?
  private let buffer: UnsafeMutableRawBufferPointer

  private static let bufferSize = 1 << 18

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

  /// Takes one item of a walk to its end and closes its file.
  ///
  /// - Returns: The item, and behind it the members where it is an archive, in the archive's order.
  /// - Throws: What ends the scan: a damaged list, no decoder to be had, OpenSSL failing. Anything about the item itself
  ///   is an answer.
  mutating func scan(_ path: FilePath, _ entry: DirectoryWalk.Entry) throws -> [ScannedItem] {
    switch entry {
    case .skipped(let reason): return [ScannedItem(path: path, state: .skipped(reason))]
    case .error(let reason): return [ScannedItem(path: path, state: .error(reason))]
    case .unopened: preconditionFailure("a scan's walk opens files")
    case .file(let descriptor, _):
      defer { close(descriptor.rawValue) }
      control.began(path)
      guard let decoders else {
        var content = try digest(descriptor) { _ in }
        return [try item(at: path, nil, &content, .notDue)]
      }
      return try decoders.withLease { lease in
        var content = try digest(descriptor) { try lease.append($0) }
        let file = try item(at: path, nil, &content, perceptual(content, &lease))
        guard options.archives, file.state == .hashed, let type = content.mediaType, type.isArchive else { return [file] }
        return try decoders.withArchiveLease { archive in
          let source = ByteSource(sizeInBytes: content.sizeInBytes) { offset, buffer in
            try descriptor.read(fromAbsoluteOffset: offset, into: buffer)
          }
          return try readMembers(of: file, type, source, &archive, &lease)
        }
      }
    }
  }

  /// What one pass over an item's bytes gives.
  private struct Content {
    var sizeInBytes: Int64 = 0
    var mediaType: MediaType?
    var digests: [Digest] = []
    /// Why the pass did not come to its end; an item's state then.
    var failure: ItemState?
  }

  /// What became of the perceptual part: hashes, the upright one first, or why there are none.
  private enum Perceptual {
    case notDue
    case hashes([PerceptualHash])
    case unhashable(String)
  }

  /// - Parameter copy: Gets the bytes of content that can be decoded.
  private mutating func digest(_ descriptor: FileDescriptor, copy: (UnsafeRawBufferPointer) throws -> Void) throws -> Content {
    try digester.reset()
    var content = Content()
    do {
      while true {
        let count = try descriptor.read(into: buffer)
        if count == 0 { break }
        try take(UnsafeRawBufferPointer(rebasing: buffer[..<count]), &content, copy: copy)
        control.read(count)
      }
    } catch let error as Errno {
      content.failure = .error(error.reason)
    }
    return content
  }

  /// Takes the next bytes of a content; its type is told by the first.
  private mutating func take(
    _ bytes: UnsafeRawBufferPointer, _ content: inout Content, copy: (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    if content.sizeInBytes == 0 { content.mediaType = MediaType.sniff(bytes) }
    try digester.update(bytes)
    if options.perceptual && content.mediaType?.isDecodable == true { try copy(bytes) }
    content.sizeInBytes += Int64(bytes.count)
  }

  private func perceptual(_ content: Content, _ lease: inout DecoderLease) throws -> Perceptual {
    guard options.perceptual, content.failure == nil, let type = content.mediaType, type.isPicture || type.isVideo else {
      return .notDue
    }
    // Turned and mirrored forms are queries; without a list to ask nobody needs them.
    let wantsTurned = blocklist.hasPerceptualHashes
    let hashes = try lease.decode(type) { wantsTurned ? PDQ.dihedralHashes($0.luma) : [PDQ.hash($0.luma)] }
    switch hashes {
    case .success(let hashes): return .hashes(hashes)
    case .failure(let unhashable): return .unhashable(unhashable.reason)
    }
  }

  private mutating func item(
    at path: FilePath, _ member: String?, _ content: inout Content, _ perceptual: Perceptual
  ) throws -> ScannedItem {
    if let failure = content.failure {
      var item = ScannedItem(path: path, member: member, state: failure)
      item.sizeInBytes = content.sizeInBytes
      return item
    }
    content.digests = try digester.finish()
    var item = ScannedItem(path: path, member: member, state: .hashed)
    item.sizeInBytes = content.sizeInBytes
    item.mediaType = content.mediaType?.rawValue
    var fingerprint = Fingerprint(sizeInBytes: content.sizeInBytes, digests: content.digests)
    var turned: [PerceptualHash] = []
    switch perceptual {
    case .notDue: break
    case .unhashable(let reason): item.perceptual = .unhashable(reason)
    case .hashes(let hashes):
      item.perceptual = .hashed
      fingerprint.perceptualHash = hashes.first
      turned = Array(hashes.dropFirst())
    }
    item.matches = try blocklist.matches(for: fingerprint, turned: turned)
    item.verdict = blocklist.policy.verdict(for: item.matches)
    // Not hashed must never look like no match.
    if item.verdict == .clear && item.isIncomplete { item.verdict = nil }
    item.fingerprint = fingerprint
    return item
  }
}

extension ItemScanner {
  /// Reads an archive and the archives within it.
  ///
  /// - Returns: The archive's own item, with what became of its contents, and its members.
  private mutating func readMembers(
    of file: ScannedItem, _ type: MediaType, _ source: ByteSource, _ archive: inout DecoderLease, _ lease: inout DecoderLease
  ) throws -> [ScannedItem] {
    var items = [file]
    /// Places of the archives that are being read, the innermost last.
    var open = [0]
    var member: String?
    var content = Content()
    /// Ends the member that is being read.
    func end(_ failure: Unhashable?) throws {
      guard let path = member else { return }
      content.failure = failure.map { .unhashable($0.reason) }
      items.append(try item(at: file.path, path, &content, perceptual(content, &lease)))
      member = nil
    }
    items[0].contents = .read
    var failure: Unhashable?
    do {
      failure = try archive.readArchive(type, from: source) { event in
        switch event {
        case .member(let next):
          guard let reason = next.kind.reasonToSkip else {
            member = next.path
            content = Content()
            try digester.reset()
            try lease.reset()
            return
          }
          items.append(ScannedItem(path: file.path, member: next.path, state: .skipped(reason)))
        case .bytes(let bytes): try take(bytes, &content) { try lease.append($0) }
        case .end(let reason): try end(reason)
        case .opened:
          open.append(items.count - 1)
          items[items.count - 1].contents = .read
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
    }
  }
}
