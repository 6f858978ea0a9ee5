/// What one picture may cost. Whichever limit it meets is the reason in its answer.
public struct DecodingLimits: Sendable, Equatable {
  /// Pixels of the picture as its header claims them, checked before anything is allocated. Default 2²⁸.
  public var pixels = 1 << 28

  /// Pixels that a picture may be wide or high, whatever its pixels in all: what is kept of its rows while they are filtered
  /// grows with their length alone. The decoder has the same number, as `MEDIA_MOST_SIDE`.
  package static let mostSideInPixels: UInt32 = 1 << 22

  /// Bytes of the file. Default 256 MiB.
  public var inputInBytes = 256 << 20

  /// Time on the wall for one picture, then its worker is killed. Default 10 s.
  public var time: Duration = .seconds(10)

  /// Address space of a worker: libraries, the input, the plane at four bytes a pixel, and what the decoders allocate.
  /// Default 2 GiB, which leaves about 600 MiB for the last; a progressive JPEG takes 3 to 6 bytes a pixel of it.
  public var workerMemoryInBytes = 2 << 30

  /// Pictures after which a worker is replaced, so that one that was taken over does not answer for the rest of a scan.
  /// Default 1000.
  public var picturesPerWorker = 1000

  /// JPEG only: shrink to an eighth, a quarter or half while decoding, as far as both sides keep this many pixels; 0 decodes
  /// at full size. Default 1024, which takes two thirds of the time for photos of 4 to 33 megapixels. Their hashes are then
  /// 0 to 6 bits away from the reference's, 2 in the median; at full size 0 to 4, and 0.
  public var smallestSideInPixels = 1024

  /// What one archive may cost.
  public var archive = ArchiveLimits()

  /// What one disk image may cost.
  public var disk = DiskLimits()

  /// What one page may cost.
  public var page = PageLimits()

  /// Frames of one video that are hashed. Default 10 000: a frame a second of nearly three hours.
  public var frames = 10_000

  /// Time that the decoder takes for one video. Default 600 s.
  public var videoTime: Duration = .seconds(600)

  /// The defaults named at each limit.
  public init() {}

  /// Size of a plane of ``pixels`` colour samples.
  var outputInBytes: Int { pixels * MemoryLayout<Float>.size }

  /// - Throws: ``DecodingError/Code/limitsDisagree`` where a worker could not even hold its input and output.
  func check() throws(DecodingError) {
    let most = 1 << 32  // pixels and bytes; keeps every sum below within Int
    guard (1...most).contains(pixels), (1...most).contains(inputInBytes), smallestSideInPixels >= 0,
      smallestSideInPixels <= Int(Int32.max), time > .zero, picturesPerWorker >= 1,
      archive.depth >= 1, archive.entries >= 1, archive.outputInBytes >= 1, archive.ratio >= 1, archive.time > .zero,
      disk.entries >= 1, disk.ratio >= 1, disk.freeInBytes >= 1, disk.time > .zero, disk.timeWithoutNews > .zero,
      disk.crashes >= 0,
      page.references >= 1, page.segments >= 1, page.sizeInBytes >= 1, page.time > .zero,
      frames >= 1, videoTime > .zero
    else { throw DecodingError(.limitsDisagree, "a decoding limit is out of range") }
    let needed = inputInBytes + outputInBytes + Self.librariesInBytes
    guard workerMemoryInBytes >= needed else {
      throw DecodingError(
        .limitsDisagree, "decoding limits need \(needed) bytes of worker memory, \(workerMemoryInBytes) are allowed")
    }
  }

  private static let librariesInBytes = 192 << 20  // measured: see the address space in /proc/PID/status of a worker
}
