/// What a worker says while it works on a request that has many results: an archive's members, a video's frames, a page's
/// references.
///
/// Each event is one packet. The worker waits for an answer where shared memory changes hands: after `input`, `segments`,
/// `bytes`, `frame` and `inline`. The last word is a `DecodeReply`. A parent that has heard enough ends the worker.
/// All numbers are
/// little-endian. The parent believes none of it.
///
/// ```
/// event    OFFSET  SIZE  MEANING
///               0     4  "mfzE"
///               4     4  kind, see `Kind`
///               8     8  first number: offset or time; of a reference the start of its byte range, or its bandwidth
///              16     8  second number: count; of a reference the end of its byte range, or its level
///              24     4  width of the plane, status of an end
///              28     4  height of the plane
///              32     4  flags: 1 samples are floats, 2 frames before it are left out; of a reference
///                        its role, and 256 in a frame, 512 encrypted,
///                        1024 cut, 2048 with a byte range
///              36     4  bytes of text, at most 8192
///              40     …  text: a member's path, or a reason; of a reference the element, what of it, what is said beside it and the
///                        URL, with a byte of zero between them
///
/// answer   OFFSET  SIZE  MEANING
///               0     4  "mfzA"
///               4     4  1: of the member, or of the archive in a disk image, no more bytes are wanted; of the video no more
///                        frames; 2: of the video samples
///               8     8  bytes put into the input, after an event of kind `input` or `segments`; else 0
/// ```
package struct StreamEvent: Equatable, Sendable {
  static let mark: UInt32 = 0x457a_666d  // "mfzE"
  static let headSizeInBytes = 40
  package static let mostTextInBytes = 8192
  package static let mostSizeInBytes = headSizeInBytes + mostTextInBytes

  package enum Kind: UInt32, Sendable {
    /// Wants bytes of the file: offset and count, put at the start of the input.
    case input = 1
    /// A member begins: text is its path.
    case file
    /// A member without bytes of its own: its kind is in `status`, text is its path.
    case link
    /// So many bytes of the member lie at the start of the output.
    case bytes
    /// The member ends: status, and a reason as text.
    case end
    /// The member that has just ended is an archive and is read next; its members follow.
    case opened
    /// The archive opened last is read: status, and a reason as text.
    case closed
    /// A frame of a video lies in the output: time in milliseconds.
    case frame
    /// A page refers to something; see ``RawReference``.
    case reference
    /// The same of something within the page, of which so many bytes lie at the start of the output.
    case inline
    /// Wants the sizes of the files that the input is made of, eight bytes each.
    case segments
    /// Where the next member of a disk image lies, see ``MemberOrigin``.
    case origin
    /// A disk image is open: bytes of its medium.
    case medium
    /// A digest that the image itself gives of the medium: text, in hexadecimal.
    case storedDigest

    package var isAnswered: Bool { [.input, .segments, .bytes, .frame, .inline].contains(self) }
  }

  package var kind: Kind
  package var first: UInt64 = 0
  package var second: UInt64 = 0
  package var width: UInt32 = 0
  package var height: UInt32 = 0
  package var flags: UInt32 = 0
  package var text: [UInt8] = []

  package static let isFloat: UInt32 = 1
  package static let othersAreLeftOut: UInt32 = 2

  /// The status of an `end` or `closed`, as a reply would have it; the kind of a `link`.
  package var status: UInt32 {
    get { width }
    set { width = newValue }
  }

  package init(_ kind: Kind) {
    self.kind = kind
  }

  package init?(packet: UnsafeRawBufferPointer) {
    guard packet.count >= Self.headSizeInBytes, packet.integer(at: 0) == Self.mark,
      let kind = Kind(rawValue: packet.integer(at: 4)),
      packet.count == Self.headSizeInBytes + Int(packet.integer(at: 36) as UInt32)
    else { return nil }
    self.kind = kind
    first = packet.integer(at: 8)
    second = packet.integer(at: 16)
    width = packet.integer(at: 24)
    height = packet.integer(at: 28)
    flags = packet.integer(at: 32)
    text = Array(packet[Self.headSizeInBytes...])
  }

  /// The packet; text beyond the most is cut.
  package var packet: [UInt8] {
    let text = text.prefix(Self.mostTextInBytes)
    var packet = [UInt8](repeating: 0, count: Self.headSizeInBytes + text.count)
    packet.withUnsafeMutableBytes { bytes in
      bytes.put(Self.mark, at: 0)
      bytes.put(kind.rawValue, at: 4)
      bytes.put(first, at: 8)
      bytes.put(second, at: 16)
      bytes.put(width, at: 24)
      bytes.put(height, at: 28)
      bytes.put(flags, at: 32)
      bytes.put(UInt32(text.count), at: 36)
      UnsafeMutableRawBufferPointer(rebasing: bytes[Self.headSizeInBytes...]).copyBytes(from: text)
    }
    return packet
  }
}

/// The parent's answer to an event: go on.
package struct StreamAnswer: Equatable, Sendable {
  package static let sizeInBytes = 16
  static let mark: UInt32 = 0x417a_666d  // "mfzA"

  /// What is wanted of the rest.
  package enum Demand: UInt32, Sendable {
    case all, refused, samples
  }

  package var count: UInt64
  package var demand: Demand

  package init(count: UInt64 = 0, demand: Demand = .all) {
    self.count = count
    self.demand = demand
  }

  package init?(packet: UnsafeRawBufferPointer) {
    guard packet.count == Self.sizeInBytes, packet.integer(at: 0) == Self.mark,
      let demand = Demand(rawValue: packet.integer(at: 4))
    else { return nil }
    self.demand = demand
    count = packet.integer(at: 8)
  }

  package var packet: [UInt8] {
    var packet = [UInt8](repeating: 0, count: Self.sizeInBytes)
    packet.withUnsafeMutableBytes { bytes in
      bytes.put(Self.mark, at: 0)
      bytes.put(demand.rawValue, at: 4)
      bytes.put(count, at: 8)
    }
    return packet
  }
}
