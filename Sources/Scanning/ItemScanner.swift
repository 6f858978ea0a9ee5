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
  /// Items in hand at once.
  public var workers: Int

  public init(digests: Set<DigestAlgorithm> = [], perceptual: Bool = true, workers: Int) {
    self.digests = digests
    self.perceptual = perceptual
    self.workers = max(1, workers)
  }
}

/// One worker's way from an open file to a finding: digests, perceptual hash, matches, verdict, in one pass over the bytes.
///
/// A worker keeps its digester, buffer and decoder from item to item.
struct ItemScanner: ~Copyable {
  private let blocklist: Blocklist
  private let control: ScanControl
  private var digester: Digester
  private let decoders: DecoderPool?
  private let buffer: UnsafeMutableRawBufferPointer

  private static let bufferSize = 1 << 18

  /// - Parameter decoders: `nil` where pictures are not hashed perceptually.
  init(blocklist: Blocklist, options: ScanOptions, decoders: DecoderPool?, control: ScanControl) throws {
    digester = try Digester(options.digests.union(blocklist.digestAlgorithms).union([.sha256]))
    self.blocklist = blocklist
    self.control = control
    self.decoders = decoders
    buffer = .allocate(byteCount: Self.bufferSize, alignment: 4096)
  }

  deinit { buffer.deallocate() }

  /// Takes one item of a walk to its end and closes its file.
  ///
  /// - Throws: What ends the scan: a damaged list, no decoder to be had, OpenSSL failing. Anything about the item itself
  ///   is an answer.
  mutating func scan(_ path: FilePath, _ entry: DirectoryWalk.Entry) throws -> ScannedItem {
    switch entry {
    case .skipped(let reason): return ScannedItem(path: path, state: .skipped(reason))
    case .error(let reason): return ScannedItem(path: path, state: .error(reason))
    case .unopened: preconditionFailure("a scan's walk opens files")
    case .file(let descriptor, _):
      defer { close(descriptor.rawValue) }
      control.began(path)
      guard let decoders else { return try item(at: path, try digest(descriptor) { _ in }, .notDue) }
      return try decoders.withLease { lease in
        // The decoder gets the bytes of a picture while they are read; of anything else it gets none.
        let content = try digest(descriptor) { try lease.append($0) }
        return try item(at: path, content, perceptual(content.mediaType, &lease))
      }
    }
  }

  /// What one pass over an item's bytes gives.
  private struct Content {
    var sizeInBytes: Int64 = 0
    var mediaType: MediaType?
    var digests: [Digest] = []
    /// Why the pass did not come to its end.
    var failure: Errno?
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
        let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<count])
        if content.sizeInBytes == 0 { content.mediaType = MediaType.sniff(bytes) }
        try digester.update(bytes)
        if content.mediaType?.isDecodable == true { try copy(bytes) }
        content.sizeInBytes += Int64(count)
        control.read(count)
      }
      content.digests = try digester.finish()
    } catch let error as Errno {
      content.failure = error
    }
    return content
  }

  private func perceptual(_ type: MediaType?, _ lease: inout DecoderLease) throws -> Perceptual {
    guard let type, type.isPicture || type.isVideo else { return .notDue }
    // Turned and mirrored forms are queries; without a list to ask nobody needs them.
    let wantsTurned = blocklist.hasPerceptualHashes
    let hashes = try lease.decode(type) { wantsTurned ? PDQ.dihedralHashes($0.luma) : [PDQ.hash($0.luma)] }
    switch hashes {
    case .success(let hashes): return .hashes(hashes)
    case .failure(let unhashable): return .unhashable(unhashable.reason)
    }
  }

  private func item(at path: FilePath, _ content: Content, _ perceptual: Perceptual) throws -> ScannedItem {
    if let failure = content.failure {
      var item = ScannedItem(path: path, state: .error(failure.reason))
      item.sizeInBytes = content.sizeInBytes
      return item
    }
    var item = ScannedItem(path: path, state: .hashed)
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
