import Hashing

/// One member of an archive or of a disk image, or of an archive within it, as the decoder tells of it.
public struct ArchiveMember: Sendable, Equatable {
  public enum Kind: Sendable, Equatable {
    /// Has bytes, which follow.
    case file
    /// Has none: it names a file elsewhere.
    case symbolicLink
    /// Has none: it is another name of a member before it.
    case hardLink
    /// A device, FIFO or socket.
    case special
    /// Has none: a deleted file of which no content is left.
    case lost
    /// Has none of its own: a deleted name whose metadata belong to another file now.
    case reallocated
    /// Has none: a volume without a file system, and with nothing but zeros in it.
    case empty

    /// The number in an event.
    package init(status: UInt32) { self = Self.numbered[Int(min(status, UInt32(Self.numbered.count) - 1))] }

    package var status: UInt32 { UInt32(Self.numbered.firstIndex(of: self) ?? Self.numbered.count - 1) }

    private static let numbered: [Kind] = [.symbolicLink, .hardLink, .lost, .reallocated, .empty, .special]
  }

  public let kind: Kind

  /// Path within the outermost archive; names of archives within it are components: `inner.zip/a.jpg`.
  ///
  /// It is what the archive says, `..` included, and nothing is ever written there. Bytes that are no UTF-8 are `\xNN`.
  public let path: String

  /// Where it lies, for members of a disk image itself.
  public let origin: MemberOrigin?

  init(kind: Kind, name: [UInt8], origin: MemberOrigin? = nil) {
    self.kind = kind
    self.origin = origin
    path = String(validating: name, as: UTF8.self) ?? Self.escaped(name)
  }

  private static func escaped(_ name: [UInt8]) -> String {
    name.map { byte in
      (0x20...0x7e).contains(byte)
        ? String(UnicodeScalar(byte)) : "\\x" + String(UInt16(byte) + 0x100, radix: 16).dropFirst()
    }.joined()
  }
}

/// What happens while an archive or a disk image is read, in order.
public enum ArchiveEvent {
  /// A member begins.
  case member(ArchiveMember)
  /// The next bytes of the member; valid within the call.
  case bytes(UnsafeRawBufferPointer)
  /// The member ends; with a reason where not all of its bytes could be had.
  case end(Unhashable?)
  /// The member that has just ended is an archive itself; what follows is in it.
  case opened
  /// The archive that was opened last has been read; with a reason where not to its end.
  case closed(Unhashable?)
  /// What the image itself says of the medium's bytes.
  case storedDigest(Digest)
}

/// What one archive may cost, archives within it included. Whichever limit it meets is the reason in its answer.
public struct ArchiveLimits: Sendable, Equatable {
  /// Archives within archives, the outermost counted. Default 4.
  public var depth = 4

  /// Members, of any kind. Default 100 000.
  public var entries = 100_000

  /// Bytes of all members together. Default 2 GiB.
  public var outputInBytes: Int64 = 2 << 30

  /// Bytes that come out for each byte of the file, once more than ``ratioFreeInBytes`` have. Default 200.
  public var ratio: Int64 = 200

  /// Bytes that may come out of any file: a page of zeros is no bomb. Default 16 MiB.
  public var ratioFreeInBytes: Int64 = 16 << 20

  /// Time that the decoder takes, not counting what is done with the members. Default 60 s.
  public var time: Duration = .seconds(60)

  /// The defaults named at each limit.
  public init() {}

  /// Counts what one archive has cost so far.
  struct Meter {
    let limits: ArchiveLimits
    let sizeInBytes: Int64
    var entries = 0
    var outputInBytes: Int64 = 0

    init(_ limits: ArchiveLimits, sizeInBytes: Int64) {
      self.limits = limits
      self.sizeInBytes = sizeInBytes
    }

    mutating func addEntry() -> Unhashable? {
      entries += 1
      return entries > limits.entries
        ? Unhashable(.limit, "limit: more than \(limits.entries) members in the archive") : nil
    }

    mutating func add(_ bytes: Int) -> Unhashable? {
      outputInBytes += Int64(bytes)
      if outputInBytes > limits.outputInBytes {
        return Unhashable(.limit, "limit: more than \(limits.outputInBytes) bytes out of the archive")
      }
      if outputInBytes > limits.ratioFreeInBytes && outputInBytes / limits.ratio >= max(1, sizeInBytes) {
        return Unhashable(.limit, "limit: more than \(limits.ratio) bytes out of each byte of the archive")
      }
      return nil
    }
  }
}

/// Bytes of a file that a decoder asks for as it needs them.
public struct ByteSource {
  public let sizeInBytes: Int64
  /// Of the files that it is made of, one after the other.
  let segmentSizesInBytes: [Int64]
  /// Fills the buffer from an offset; returns how many bytes there are, fewer only at the end.
  let read: (_ offset: Int64, _ buffer: UnsafeMutableRawBufferPointer) throws -> Int

  /// Reads some bytes from an offset on; none at the end.
  public func bytes(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    try read(offset, buffer)
  }

  /// - Parameter segments: Sizes of the files that the source is made of; they add up to its size. `nil` for one file.
  public init(
    sizeInBytes: Int64, segments: [Int64]? = nil,
    read: @escaping (_ offset: Int64, _ buffer: UnsafeMutableRawBufferPointer) throws -> Int
  ) {
    self.sizeInBytes = sizeInBytes
    segmentSizesInBytes = segments ?? [sizeInBytes]
    self.read = read
  }
}
