import Hashing

/// Offsets, sizes and numbers of a hash list file, version 1.
///
/// Normative: `HashListFormat.md`; the section names below are its headings. All numbers are little-endian.
enum HashListLayout {
  // "Header": one block.
  static let magic: [UInt8] = Array("MHLIST\u{1A}\n".utf8)
  static let version: UInt32 = 1
  static let byteOrderMark: UInt32 = 0x0A0B_0C0D
  static let blockShift = 12
  static let blockSize = 1 << blockShift
  static let versionOffset = 8
  static let byteOrderOffset = 12
  static let fileSizeOffset = 16
  static let createdOffset = 24
  static let entryCountOffset = 32
  static let sectionCountOffset = 40
  static let treeOffsetOffset = 48
  static let treeSizeOffset = 56
  static let rootOffset = 64
  static let sectionTableOffset = 128
  static let headerDigestOffset = 4064
  static let sectionSize = 64
  static let createdRange: ClosedRange<Int64> = -62_135_596_800...253_402_300_799  // Years 1 to 9999.
  static let mostSections = (headerDigestOffset - sectionTableOffset) / sectionSize

  // "Hash tree".
  static let nodeSize = 32
  static let nodesPerBlock = blockSize / nodeSize

  /// "Sections": what a section holds.
  enum Kind: UInt32, CaseIterable {
    case records = 1
    case fanOut = 2
    case entryIndexes = 3
    case furtherEntries = 4
    case filter = 5
    case qualities = 6
    case nearSlots = 7
    case nearStarts = 8
    case nearRecords = 9
    case entries = 10
    case attributions = 11
    case strings = 12
    case information = 13
    case videoStarts = 14
    case frames = 15
    case entryDetails = 16

    /// Whether there is one section of this kind for each algorithm, or a single one.
    var isPerAlgorithm: Bool { rawValue <= Self.nearRecords.rawValue || self == .videoStarts || self == .frames }

    /// Bytes of one record of a section of this kind.
    func recordSize(_ algorithm: Algorithm) -> Int {
      switch self {
      case .records: algorithm.recordSize
      case .fanOut, .entryIndexes, .nearStarts, .nearRecords: 4
      case .furtherEntries, .nearSlots, .videoStarts: 8
      case .filter: filterBlockSize
      case .entries: entrySize
      case .entryDetails: entryDetailsSize
      case .attributions: attributionSize
      case .frames: frameSize
      case .qualities, .strings, .information: 1
      }
    }
  }

  /// "Algorithms": what kind of hash a section is about; 0 where it is about none.
  enum Algorithm: UInt32, CaseIterable {
    case none = 0
    case md5 = 1
    case sha1 = 2
    case sha256 = 3
    case pdq = 4
    case video = 5
    case videoFrame = 6

    init(_ algorithm: DigestAlgorithm) {
      switch algorithm {
      case .md5: self = .md5
      case .sha1: self = .sha1
      case .sha256: self = .sha256
      }
    }

    var recordSize: Int {
      switch self {
      case .none: 0
      case .md5: 16
      case .sha1: 20
      case .sha256, .pdq, .video, .videoFrame: 32
      }
    }

    /// Whether records are looked up by nearness, and not by a filter and equality.
    var isNear: Bool { self == .pdq || self == .videoFrame }
  }

  // "Entries": one row.
  static let entrySize = 8
  /// "Entry details": one row.
  static let entryDetailsSize = 16
  /// A name's place: its offset in the low bits, its length above them.
  static let nameOffsetBits = 40
  static let longestName = 1 << 24 - 1
  static let noString = UInt64.max
  static let unknownTime = Int64.min
  /// "Attributions": one row of three strings and a count.
  static let attributionSize = 56
  /// "Qualities": the list did not say.
  static let unknownQuality: UInt8 = 255
  /// "Frames": one row, and a frame that nobody counted.
  static let frameSize = 44
  static let noFrameNumber = UInt32.max

  /// "Fan-out": a bucket holds at most about this many records. So few that the eight about the first guess have what is
  /// looked for in 24 of 25 cases, and so many that the table takes a quarter of a byte for each.
  static let recordsPerBucket = 32
  static let mostFanOutBits = 24
  // "Filter".
  static let filterBlockSize = 32
  static let filterBitsPerRecord = 12
  /// "Limits": records and entries are numbered with 32 bits.
  static let mostRecords = Int(UInt32.max)

  /// The first number of bits at which buckets are as small as they should be.
  static func fanOutBits(recordCount: Int) -> Int {
    var bits = 0
    while bits < mostFanOutBits && recordCount >> bits > recordsPerBucket { bits += 1 }
    return bits
  }

  /// The bucket of a record: its first `bits` bits, 0…24 of them.
  @inline(__always)
  static func bucket(of record: UnsafeRawPointer, bits: Int) -> Int {
    let leading = UInt32(bigEndian: record.loadUnaligned(as: UInt32.self))
    return Int((UInt64(leading) << UInt64(bits)) >> 32)
  }

  static func blocks(_ size: Int) -> Int { (size + blockSize - 1) / blockSize }
}

/// One row of the section table.
struct HashListSection: Equatable {
  let kind: HashListLayout.Kind
  let algorithm: HashListLayout.Algorithm
  let recordSize: Int
  let fanOutBits: Int
  var offset = 0
  var size = 0

  var count: Int { size / recordSize }

  func write(to row: UnsafeMutableRawBufferPointer) {
    row.store(kind.rawValue, at: 0)
    row.store(algorithm.rawValue, at: 4)
    row.store(UInt32(recordSize), at: 8)
    row.store(UInt32(fanOutBits), at: 12)
    row.store(UInt64(offset), at: 16)
    row.store(UInt64(size), at: 24)
    row.store(UInt64(count), at: 32)
  }

  /// Reads a row; `nil` when it holds a kind, an algorithm or a size that version 1 does not have.
  init?(_ row: UnsafeRawBufferPointer) {
    guard let kind = HashListLayout.Kind(rawValue: row.load(UInt32.self, at: 0)),
      let algorithm = HashListLayout.Algorithm(rawValue: row.load(UInt32.self, at: 4)),
      let offset = Int(exactly: row.load(UInt64.self, at: 16)), let size = Int(exactly: row.load(UInt64.self, at: 24))
    else { return nil }
    self.init(kind, algorithm, fanOutBits: Int(row.load(UInt32.self, at: 12)))
    self.offset = offset
    self.size = size
    guard kind.isPerAlgorithm == (algorithm != .none), kind == .fanOut || fanOutBits == 0,
      recordSize == row.load(UInt32.self, at: 8), size % recordSize == 0,
      UInt64(count) == row.load(UInt64.self, at: 32)
    else { return nil }
  }

  /// A section that the writer will find a place for.
  init(_ kind: HashListLayout.Kind, _ algorithm: HashListLayout.Algorithm = .none, fanOutBits: Int = 0) {
    self.kind = kind
    self.algorithm = algorithm
    self.fanOutBits = fanOutBits
    recordSize = kind.recordSize(algorithm)
  }
}

extension UnsafeRawBufferPointer {
  /// A little-endian number at any offset.
  func load<Number: FixedWidthInteger & BitwiseCopyable>(_: Number.Type, at offset: Int) -> Number {
    Number(littleEndian: loadUnaligned(fromByteOffset: offset, as: Number.self))
  }

  /// Part of the buffer, from `offset` on.
  func slice(_ offset: Int, _ count: Int) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: self[offset..<offset + count])
  }
}

extension UnsafeMutableRawBufferPointer {
  func store<Number: FixedWidthInteger & BitwiseCopyable>(_ number: Number, at offset: Int) {
    storeBytes(of: number.littleEndian, toByteOffset: offset, as: Number.self)
  }
}
