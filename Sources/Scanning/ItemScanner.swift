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
      guard let decoders else { return try scan(path, descriptor, lease: nil) }
      return try decoders.withLease { lease in try scan(path, descriptor, lease: lease) }
    }
  }

  private mutating func scan(_ path: FilePath, _ descriptor: FileDescriptor, lease: DecoderLease?) throws -> ScannedItem {
    try digester.reset()
    var mediaType: MediaType?
    var size: Int64 = 0
    var picture = false
    do {
      while true {
        let count = try descriptor.read(into: buffer)
        if count == 0 { break }
        let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<count])
        if size == 0 {
          mediaType = MediaType.sniff(bytes)
          picture = lease != nil && mediaType?.isDecodable == true
          if picture { try lease!.begin() }
        }
        try digester.update(bytes)
        if picture { try lease!.append(bytes) }
        size += Int64(count)
        control.read(count)
      }
    } catch let error as Errno {
      var item = ScannedItem(path: path, state: .error(error.reason))
      item.sizeInBytes = size
      return item
    }
    var item = ScannedItem(path: path, state: .hashed)
    item.sizeInBytes = size
    item.mediaType = mediaType?.rawValue
    var fingerprint = Fingerprint(sizeInBytes: size, digests: try digester.finish())
    var turned: [PerceptualHash] = []
    if let mediaType, let lease, mediaType.isPicture || mediaType.isVideo {
      do {
        guard mediaType.isDecodable else { throw DecodingError(.unsupported, "no decoder for \(mediaType.rawValue)") }
        // Turned and mirrored forms are queries; without a list to ask nobody needs them.
        let hash = blocklist.hasPerceptualHashes ? PDQ.dihedralHashes : { [PDQ.hash($0)] }
        let hashes = try lease.decode(mediaType, hash)
        fingerprint.perceptualHash = hashes[0]
        turned = Array(hashes.dropFirst())
        item.perceptual = .hashed
      } catch let error as DecodingError {
        item.perceptual = .unhashable(error.reason)
      }
    }
    item.matches = try blocklist.matches(for: fingerprint, turned: turned)
    item.verdict = blocklist.policy.verdict(for: item.matches)
    // Not hashed must never look like no match.
    if item.verdict == .clear && item.isIncomplete { item.verdict = nil }
    item.fingerprint = fingerprint
    return item
  }
}
