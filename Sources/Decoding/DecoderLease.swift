import Glibc
import Hashing
import SystemPackage

/// A worker and its shared memory, borrowed by one thread.
///
/// For each file: `append` its bytes as they are read, `decode` once their type is known, `reset` before the next.
public struct DecoderLease: ~Copyable {
  private let slot: DecoderSlot

  init(slot: DecoderSlot) {
    self.slot = slot
  }

  /// Copies bytes of the file into the worker's memory, behind those before.
  ///
  /// Bytes over ``DecodingLimits/inputInBytes`` are counted and not kept: `decode` then answers with the limit.
  ///
  /// - Throws: ``DecodingError/Code/memory`` when the machine has no memory for them.
  public mutating func append(_ bytes: UnsafeRawBufferPointer) throws(DecodingError) { try slot.append(bytes) }

  /// Whether more was appended than is kept.
  public var isOverfull: Bool { slot.isOverfull }

  /// Forgets the file, and gives its memory back where it was a big one.
  public mutating func reset() throws(DecodingError) { try slot.reset() }

  /// Decodes a picture of the appended file.
  ///
  /// - Parameters:
  ///   - type: What ``MediaType/sniff(_:)`` made of the file's first bytes.
  ///   - page: Which picture, from 0; TIFF has several.
  ///   - smallestSide: In pixels, in place of ``DecodingLimits/smallestSideInPixels``.
  ///   - body: Reads the plane, which is valid within the call. A worker that was taken over can write anything there,
  ///     floats that are not numbers included, even during the call.
  /// - Returns: What `body` returns, or why there is no plane. The bytes stay, so a file may be decoded twice.
  /// - Throws: ``DecodingError`` when no worker could be had; what `body` throws.
  public mutating func decode<R>(
    _ type: MediaType, page: Int = 0, smallestSide: Int? = nil, _ body: (DecodedPicture) throws -> R
  ) throws -> Result<R, Unhashable> {
    try slot.decode(type, page: page, smallestSide: smallestSide, body)
  }

  /// Reads an archive from first to last, and the archives within it. Once more where the worker ended on the way; what has
  /// been told is not told again.
  ///
  /// - Parameters:
  ///   - type: What ``MediaType/sniff(_:)`` made of the file's first bytes.
  ///   - source: The file; its bytes are asked for, so it may be of any size. Nothing is appended to the lease.
  ///   - body: Gets each event. An error from it, or from the source, ends the reading and is thrown on.
  /// - Returns: Why the archive was not read to its end, the innermost open member and archives with it; else `nil`.
  /// - Throws: ``DecodingError`` when no worker could be had; what `body` and `source` throw.
  public mutating func readArchive(
    _ type: MediaType, from source: ByteSource, _ body: (ArchiveEvent) throws -> Void
  ) throws -> Unhashable? {
    try slot.readArchive(type, from: source, body)
  }

  /// Reads the pictures within the appended file of a picture: `exif-thumbnail`, `preview`, `mpf` …, as members of an archive.
  ///
  /// - Returns: Why not all were read; else `nil`.
  /// - Throws: ``DecodingError`` when no worker could be had; what `body` throws.
  public mutating func readEmbedded(_ body: (ArchiveEvent) throws -> Void) throws -> Unhashable? {
    try slot.readEmbedded(body)
  }

  /// Reads a disk image: the files of its volumes, deleted ones and what can be carved where asked for.
  ///
  /// Members come as those of an archive do, in the order of the file system's folders, and with their ``MemberOrigin``.
  /// Their paths begin with `vol1/`, `vol2/` …: the volumes in their order on the medium, one where it is not divided;
  /// `vol0/` is space outside of them. Named streams are members, `name:stream`. A deleted file that shares its name with
  /// another one of the folder has its metadata address behind it, `name@1234`. Archives are opened in their place. A
  /// folder or a volume that cannot be read is a member that ends with a reason. A member on which a decoder crashes ends
  /// with that, and a further decoder goes on behind it.
  ///
  /// - Parameters:
  ///   - type: One with ``MediaType/isDiskImage``.
  ///   - source: The image, its segments one after the other. An `Errno` from it costs what lies there and no more.
  ///   - body: Gets each event. An error from it ends the reading and is thrown on.
  /// - Returns: Why the image was not read to its end; else `nil`.
  /// - Throws: ``DecodingError`` when no worker could be had; what `body` throws.
  public mutating func readDisk(
    _ type: MediaType, from source: ByteSource, _ options: DiskOptions, _ body: (ArchiveEvent) throws -> Void
  ) throws -> Unhashable? {
    try slot.readDisk(type, from: source, options, body)
  }

  /// Decodes frames of a video, or of a picture that moves: one a second, and where scenes begin.
  ///
  /// - Parameters:
  ///   - type: One with ``MediaType/hasFrames``.
  ///   - source: The file, of any size; `nil` where it has been appended.
  ///   - detail: How much of a film is decoded.
  ///   - isAgain: Whether an answer that ``Unhashable/mayBeAnothers`` came before: nothing else is tried again meanwhile.
  ///   - body: Reads each frame, which is valid within the call, as in ``decode(_:page:smallestSide:_:)``, and says whether
  ///     to go on.
  /// - Returns: Why the video was not decoded to its end; frames may have come before that. `nil` too, without any frame,
  ///   for a file of sound alone.
  /// - Throws: ``DecodingError`` when no worker could be had; what `body` and `source` throw.
  public mutating func decodeFrames(
    _ type: MediaType, from source: ByteSource? = nil, detail: FrameDetail = .usual, isAgain: Bool = false,
    _ body: (DecodedFrame) throws -> FrameDemand
  ) throws -> Unhashable? {
    try slot.decodeFrames(type, from: source, detail, isAgain: isAgain, body)
  }

  /// Reads what the appended page, playlist or manifest refers to.
  ///
  /// - Parameters:
  ///   - format: What ``PageFormat/tell(mediaType:head:)`` made of it.
  ///   - charset: Of the header `Content-Type`, or that header itself; `nil` where there is none. Marks at the start of the
  ///     page have more say, what the page says of itself has less.
  ///   - body: Gets each reference in the order of the page, and the bytes of one that is
  ///     ``RawReference/Role/inline``, which are valid within the call.
  /// - Returns: Why the page was not read to its end, or not in full; else `nil`. References may have come before that, so
  ///   a page without media is one where none came and this is `nil`.
  /// - Throws: ``DecodingError`` when no worker could be had; what `body` throws.
  public mutating func readReferences(
    _ format: PageFormat, charset: String? = nil, _ body: (RawReference, UnsafeRawBufferPointer) throws -> Void
  ) throws -> Unhashable? {
    try slot.readReferences(format, charset: charset, body)
  }

  /// The worker's process now, `nil` where it ended and no picture has needed another one since.
  package var process: CInt? { slot.worker?.process }
}

/// One decoded picture, upright.
public struct DecodedPicture {
  /// The samples, in shared memory; never kept.
  public let luma: LumaPlane

  /// Size at full resolution; the plane is smaller where a JPEG was shrunk while decoding.
  public let width: Int
  public let height: Int

  /// Pictures in the file, from 1.
  public let pages: Int
}

/// One frame of a video, as it is stored: a turn that the container asks for is not made.
public struct DecodedFrame {
  /// The samples, in shared memory; never kept.
  public let luma: LumaPlane

  /// Time from the video's start.
  public let seconds: Double

  /// Whether frames before this one are left out, because samples were wanted.
  public let othersAreLeftOut: Bool
}

/// Which frames are wanted after one that has been looked at.
public enum FrameDemand: Sendable {
  case more, enough
  /// Of the rest of the film those seconds' frames that take least decoding, behind its key frames: three at least, and no
  /// half of the film and no quarter of a minute without one. Where its index has no key frames for that it is as ``more``.
  /// Such frames have ``DecodedFrame/othersAreLeftOut``. When no frame comes any more, some may have been left out too.
  case samples
}

/// How much of a film is decoded, to find a frame a second and where scenes begin.
public enum FrameDetail: UInt32, Sendable {
  /// Each second's frame and those that others are made from: a scene is seen to begin a few frames late at most. Of films
  /// of more than a quarter of an hour key frames alone.
  case usual = 0
  /// Everything.
  case full
}
