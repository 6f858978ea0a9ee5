/// What is said between a pool and its workers.
///
/// A worker is started with three descriptors: 3, one end of a packet socket (`SOCK_SEQPACKET`); 4, memory that the
/// parent fills with a file's bytes; 5, memory that the worker fills with the plane. What it is for and the address space
/// that it may use stand in the `sandbox_call` that it is forked for. The sizes of both memories are those of their files,
/// never change, and are its limits: the input holds ``paddingInBytes`` more than the largest file, the output exactly the
/// largest plane.
///
/// The worker maps both, closes 4 and 5, locks itself in and says hello. Then each request gets one reply. Every
/// packet has its fixed size; integers are little-endian. A packet that breaks these rules ends the worker.
///
/// ```
/// hello    OFFSET  SIZE  MEANING
///               0     4  "mfzH"
///               4     4  1 the seccomp filter is in force, 2 the network namespace is the worker's own
///               8     4  Landlock ABI, 0: there is none
///              12     4  system calls that the filter allows
///
/// request  OFFSET  SIZE  MEANING
///               0     4  "mfzQ"
///               4     4  format, see `DecodeRequest.Format`
///               8     8  bytes in the input
///              16     8  pixels at most
///              24     4  smallest side wanted in pixels, 0: full size
///              28     4  which picture of the file, from 0; of a page, its encoding from 1, 0: not known; of a disk image,
///                        from which member on, from 0
///              32     8  archives within archives at most, the outermost counted; pictures of a video at most; references of a page
///              40     4  1: the input is asked for in pieces, see `StreamEvent.Kind.input`
///              44     4  frames of a video, see `FrameDetail`; of a disk image, see `DiskOptions`
///
/// reply    OFFSET  SIZE  MEANING
///               0     4  "mfzR"
///               4     4  0 decoded, 1 unsupported, 2 broken, 3 limit, 4 out of memory, 5 encrypted
///               8     4  samples: 0 bytes, 1 floats (IEEE 754, the machine's order)
///              12     4  width of the plane, upright
///              16     4  height of the plane
///              20     4  width of the picture at full size, upright
///              24     4  height of the picture
///              28     4  pictures in the file, 0: not said
///              32   200  reason, printable ASCII, filled up with zeros; at least one
/// ```
package enum WireProtocol {
  /// Zeros behind the input: decoders read ahead.
  package static let paddingInBytes = 64
}

/// What a worker is started for.
package enum WorkerMode: UInt32, Sendable {
  /// To decode, locked in.
  case locked = 1
  /// To decode with nothing to hold it, because somebody said so aloud.
  case unlocked
  /// To try every way out, in children that are locked in as a worker is; it then says an ``EscapeReport`` and ends.
  case escapes
}

/// What came of the ways out that were tried, a bit for each.
package struct EscapeReport: Equatable, Sendable {
  package static let sizeInBytes = 16
  static let mark: UInt32 = 0x547a_666d  // "mfzT"

  /// Worked without a sandbox.
  package var possible: UInt32
  /// Were stopped in the sandbox.
  package var refused: UInt32
  package var count: UInt32

  package init(possible: UInt32, refused: UInt32, count: UInt32) {
    self.possible = possible
    self.refused = refused
    self.count = count
  }

  init?(packet: UnsafeRawBufferPointer) {
    guard packet.count == Self.sizeInBytes, packet.integer(at: 0) == Self.mark else { return nil }
    possible = packet.integer(at: 4)
    refused = packet.integer(at: 8)
    count = packet.integer(at: 12)
  }

  package var packet: [UInt8] {
    var packet = [UInt8](repeating: 0, count: Self.sizeInBytes)
    packet.withUnsafeMutableBytes { bytes in
      bytes.put(Self.mark, at: 0)
      bytes.put(possible, at: 4)
      bytes.put(refused, at: 8)
      bytes.put(count, at: 12)
    }
    return packet
  }
}

/// What a worker says first, locked in.
package struct WorkerHello: Equatable, Sendable {
  package static let sizeInBytes = 16
  static let mark: UInt32 = 0x487a_666d  // "mfzH"

  package var isFiltered: Bool
  package var hasOwnNetwork: Bool
  package var landlockABI: UInt32
  package var allowedSystemCalls: UInt32

  package init(isFiltered: Bool, hasOwnNetwork: Bool, landlockABI: UInt32, allowedSystemCalls: UInt32) {
    self.isFiltered = isFiltered
    self.hasOwnNetwork = hasOwnNetwork
    self.landlockABI = landlockABI
    self.allowedSystemCalls = allowedSystemCalls
  }

  package init?(packet: UnsafeRawBufferPointer) {
    guard packet.count == Self.sizeInBytes, packet.integer(at: 0) == Self.mark else { return nil }
    let flags: UInt32 = packet.integer(at: 4)
    isFiltered = flags & 1 != 0
    hasOwnNetwork = flags & 2 != 0
    landlockABI = packet.integer(at: 8)
    allowedSystemCalls = packet.integer(at: 12)
  }

  package func write(to packet: UnsafeMutableRawBufferPointer) {
    packet.put(Self.mark, at: 0)
    packet.put(UInt32((isFiltered ? 1 : 0) | (hasOwnNetwork ? 2 : 0)), at: 4)
    packet.put(landlockABI, at: 8)
    packet.put(allowedSystemCalls, at: 12)
  }
}

/// One picture to decode.
package struct DecodeRequest: Equatable, Sendable {
  package static let sizeInBytes = 48
  static let mark: UInt32 = 0x517a_666d  // "mfzQ"

  package enum Format: UInt32, Sendable {
    case jpeg = 1
    case png, webp, gif, bmp, tiff, heif, jxl, icon, pnm, targa, jpeg2000, photoshop, cameraRaw
    case zip = 32
    case tar, gzip, bzip2, xz, zstandard, sevenZip, rar, cabinet, iso9660, pdf

    /// Pictures within the file of a picture, told of as members.
    case embedded = 48

    case disk = 56
    case ewf

    case mov = 64
    case matroska, avi, mpegProgram, mpegTransport, asf, flv, ogg, gifFrames, pngFrames, webpFrames

    case html = 96
    case xhtml, css, hls, dash

    package var isArchive: Bool { (Format.zip.rawValue..<Format.embedded.rawValue).contains(rawValue) }
    package var isDisk: Bool { (Format.disk.rawValue..<Format.mov.rawValue).contains(rawValue) }
    package var isVideo: Bool { (Format.mov.rawValue..<Format.html.rawValue).contains(rawValue) }
    package var isPage: Bool { rawValue >= Format.html.rawValue }
  }

  package var format: Format
  package var inputSize: UInt64
  package var mostPixels: UInt64
  package var smallestSide: UInt32
  package var picture: UInt32
  package var most: UInt64 = 0
  package var isPulled = false
  package var detail = FrameDetail.usual
  package var disk: DiskOptions = []

  package init(format: Format, inputSize: UInt64, mostPixels: UInt64, smallestSide: UInt32, picture: UInt32 = 0) {
    self.format = format
    self.inputSize = inputSize
    self.mostPixels = mostPixels
    self.smallestSide = smallestSide
    self.picture = picture
  }

  package init?(packet: UnsafeRawBufferPointer) {
    guard packet.count == Self.sizeInBytes, packet.integer(at: 0) == Self.mark,
      let format = Format(rawValue: packet.integer(at: 4)),
      let detail = FrameDetail(rawValue: format.isDisk ? 0 : packet.integer(at: 44))
    else { return nil }
    self.format = format
    self.detail = detail
    if format.isDisk { disk = DiskOptions(rawValue: packet.integer(at: 44)) }
    inputSize = packet.integer(at: 8)
    mostPixels = packet.integer(at: 16)
    smallestSide = packet.integer(at: 24)
    picture = packet.integer(at: 28)
    most = packet.integer(at: 32)
    isPulled = packet.integer(at: 40) as UInt32 == 1
  }

  package func write(to packet: UnsafeMutableRawBufferPointer) {
    packet.put(Self.mark, at: 0)
    packet.put(format.rawValue, at: 4)
    packet.put(inputSize, at: 8)
    packet.put(mostPixels, at: 16)
    packet.put(smallestSide, at: 24)
    packet.put(picture, at: 28)
    packet.put(most, at: 32)
    packet.put(UInt32(isPulled ? 1 : 0), at: 40)
    packet.put(format.isDisk ? disk.rawValue : detail.rawValue, at: 44)
  }
}

/// What came of it. The parent believes none of it: a worker may have been taken over.
package struct DecodeReply: Equatable, Sendable {
  package static let sizeInBytes = 232
  package static let reasonSizeInBytes = 200
  static let mark: UInt32 = 0x527a_666d  // "mfzR"

  package enum Status: UInt32, Sendable {
    case decoded = 0
    case unsupported, broken, limit, memory, encrypted
  }

  package var status: Status
  package var isFloat = false
  package var width: UInt32 = 0
  package var height: UInt32 = 0
  package var pictureWidth: UInt32 = 0
  package var pictureHeight: UInt32 = 0
  package var pictures: UInt32 = 0
  package var reason = ""

  package init(status: Status) {
    self.status = status
  }

  package init?(packet: UnsafeRawBufferPointer) {
    guard packet.count == Self.sizeInBytes, packet.integer(at: 0) == Self.mark,
      let status = Status(rawValue: packet.integer(at: 4))
    else { return nil }
    self.status = status
    isFloat = packet.integer(at: 8) as UInt32 == 1
    width = packet.integer(at: 12)
    height = packet.integer(at: 16)
    pictureWidth = packet.integer(at: 20)
    pictureHeight = packet.integer(at: 24)
    pictures = packet.integer(at: 28)
    let letters = packet[32...].prefix { $0 != 0 }.map { (0x20...0x7e).contains($0) ? $0 : 0x3f }
    reason = String(decoding: letters, as: Unicode.ASCII.self)
  }

  package func write(to packet: UnsafeMutableRawBufferPointer) {
    packet.put(Self.mark, at: 0)
    packet.put(status.rawValue, at: 4)
    packet.put(UInt32(isFloat ? 1 : 0), at: 8)
    packet.put(width, at: 12)
    packet.put(height, at: 16)
    packet.put(pictureWidth, at: 20)
    packet.put(pictureHeight, at: 24)
    packet.put(pictures, at: 28)
    let letters = UnsafeMutableRawBufferPointer(rebasing: packet[32...])
    letters.initializeMemory(as: UInt8.self, repeating: 0)
    letters.copyBytes(from: reason.utf8.prefix(Self.reasonSizeInBytes - 1))
  }
}

extension UnsafeRawBufferPointer {
  func integer<Integer: FixedWidthInteger>(at offset: Int) -> Integer {
    Integer(littleEndian: loadUnaligned(fromByteOffset: offset, as: Integer.self))
  }
}

extension UnsafeMutableRawBufferPointer {
  func put<Integer: FixedWidthInteger>(_ value: Integer, at offset: Int) {
    storeBytes(of: value.littleEndian, toByteOffset: offset, as: Integer.self)
  }
}
