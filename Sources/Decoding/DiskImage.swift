import Hashing

/// What is asked of a disk image, besides its files.
public struct DiskOptions: OptionSet, Sendable, Hashable {
  public let rawValue: UInt32

  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// Files that were deleted, as far as their metadata still tell where they were.
  public static let deleted = DiskOptions(rawValue: 1)
  /// Pictures and videos in space that no file occupies, found by their structure.
  public static let carved = DiskOptions(rawValue: 2)
  /// All bytes of the medium as its first member, `medium`: for images that are not the medium byte for byte.
  public static let medium = DiskOptions(rawValue: 4)
  /// Members of archives on the disk.
  public static let archives = DiskOptions(rawValue: 8)
}

/// What one disk image may cost, archives in it included. Whichever limit it meets is the reason in its answer.
public struct DiskLimits: Sendable, Equatable {
  /// Members, of any kind. Default 50 million.
  public var entries = 50_000_000

  /// Bytes that come out for each byte of the medium, holes in files and deleted files counted. Default 4.
  public var ratio: Int64 = 4

  /// Bytes that may come out besides, and of any one file beyond the size of the medium. Default 4 GiB.
  public var freeInBytes: Int64 = 4 << 30

  /// Time that the decoder takes, not counting reading the medium nor what is done with the members. Default 24 hours.
  public var time: Duration = .seconds(24 * 3600)

  /// Time that the decoder may take to come forward with anything at all. Default 60 s.
  public var timeWithoutNews: Duration = .seconds(60)

  /// Members that may end a decoder; it begins anew behind each. Default 100.
  public var crashes = 100

  /// The defaults named at each limit.
  public init() {}

  /// Counts what one image has cost so far.
  struct Meter {
    let limits: DiskLimits
    /// Of the medium.
    var sizeInBytes: Int64
    private var entries = 0
    private var outputInBytes: Int64 = 0

    init(_ limits: DiskLimits, sizeInBytes: Int64) {
      self.limits = limits
      self.sizeInBytes = sizeInBytes
    }

    mutating func addEntry() -> Unhashable? {
      entries += 1
      return entries > limits.entries
        ? Unhashable(.limit, "limit: more than \(limits.entries) members in the disk image") : nil
    }

    mutating func add(_ bytes: Int) -> Unhashable? {
      outputInBytes += Int64(bytes)
      if outputInBytes <= limits.freeInBytes { return nil }
      return (outputInBytes - limits.freeInBytes) / limits.ratio > sizeInBytes
        ? Unhashable(.limit, "limit: more than \(limits.ratio) bytes out of each byte of the disk image") : nil
    }

    /// Whether a file is longer than any that the medium can hold, but for holes.
    func check(member size: Int64) -> Unhashable? {
      size - limits.freeInBytes > sizeInBytes
        ? Unhashable(.limit, "limit: a file longer than its disk by \(limits.freeInBytes) bytes") : nil
    }
  }
}

extension MemberOrigin {
  /// Runs that are told of one member.
  package static let mostRuns = StreamEvent.mostTextInBytes / bytesPerRun
  private static let bytesPerRun = 16
  private static let hole = UInt64.max

  /// As an event tells it: the inode is its first number, the volume its width, the allocation its height; flags are 1
  /// for an inode, 2 for more runs; the text is offset and length of each run, an offset of all ones for a hole.
  package var event: StreamEvent {
    var event = StreamEvent(.origin)
    event.first = inode ?? 0
    event.width = UInt32(clamping: volume)
    event.height = UInt32(Allocation.allCases.firstIndex(of: allocation)!)
    event.flags = (inode == nil ? 0 : 1) | (isFragmentedFurther || runs.count > Self.mostRuns ? 2 : 0)
    for run in runs.prefix(Self.mostRuns) {
      for number in [run.offset.map { UInt64($0) } ?? Self.hole, UInt64(run.length)] {
        withUnsafeBytes(of: number.littleEndian) { event.text.append(contentsOf: $0) }
      }
    }
    return event
  }

  /// `nil` where the event is none of the kind, or tells of places outside of a medium of so many bytes.
  package init?(_ event: StreamEvent, sizeInBytes: Int64) {
    guard event.kind == .origin, Int(event.height) < Allocation.allCases.count,
      event.text.count % Self.bytesPerRun == 0
    else { return nil }
    var runs: [Run] = []
    for start in stride(from: 0, to: event.text.count, by: Self.bytesPerRun) {
      let (offset, length) = event.text.withUnsafeBytes { text -> (UInt64, UInt64) in
        (text.integer(at: start), text.integer(at: start + 8))
      }
      guard length <= UInt64(Int64.max) else { return nil }
      if offset == Self.hole {
        runs.append(Run(offset: nil, length: Int64(length)))
      } else {
        guard offset <= UInt64(sizeInBytes), length <= UInt64(sizeInBytes) - offset else { return nil }
        runs.append(Run(offset: Int64(offset), length: Int64(length)))
      }
    }
    self.init(
      volume: Int(event.width), inode: event.flags & 1 == 1 ? event.first : nil,
      allocation: Allocation.allCases[Int(event.height)], runs: runs, isFragmentedFurther: event.flags & 2 == 2)
  }
}
