// What muhafiz and its decoder say to each other, over a socket that keeps messages apart. Pictures and planes do not go
// through it: they are in two memory files that both have mapped. Both sides are of one build, so numbers are in the
// machine's own byte order; the version guards against a decoder left over from another build.

/// Sizes that both sides agree on.
package enum Wire {
  package static let version: UInt32 = 1

  /// Bytes of each memory file that the decoder keeps mapped; what is larger is mapped for one request.
  package static let keptMapped = 16 << 20
}

/// The decoder's first message: it is in its sandbox and ready.
///
///     OFFSET  SIZE  MEANING
///     0       4     version of this protocol
///     4       4     1 when the seccomp filter is on
///     8       4     system calls that the filter lets through
///     12      4     Landlock version in force, 0 for none
package struct WireHello: BitwiseCopyable, Sendable {
  package var version: UInt32 = Wire.version
  package var seccomp: UInt32 = 0
  package var systemCalls: UInt32 = 0
  package var landlockABI: UInt32 = 0

  package init() {}
}

/// Asks for one picture, which lies at the beginning of the input file.
///
///     OFFSET  SIZE  MEANING
///     0       4     decoder: 1 JPEG, 2 PNG, 3 WebP, 4 GIF, 5 BMP
///     4       4     shortest side that a JPEG may be shrunk to while it is decoded, 0 for no shrinking
///     8       8     bytes of the picture
///     16      8     pixels at most
///     24      8     bytes of the output file
///     32      4     seconds until the decoder ends itself
///     36      4     zero
package struct WireRequest: BitwiseCopyable, Sendable {
  package var decoder: UInt32
  package var leastSide: UInt32
  package var size: UInt64
  package var mostPixels: UInt64
  package var outputSize: UInt64
  package var seconds: UInt32
  private var reserved: UInt32 = 0

  package init(
    decoder: UInt32, leastSide: UInt32, size: UInt64, mostPixels: UInt64, outputSize: UInt64, seconds: UInt32
  ) {
    self.decoder = decoder
    self.leastSide = leastSide
    self.size = size
    self.mostPixels = mostPixels
    self.outputSize = outputSize
    self.seconds = seconds
  }
}

/// Answers a request; the plane, if there is one, lies at the beginning of the output file.
///
///     OFFSET  SIZE  MEANING
///     0       4     0 decoded, 1 broken, 2 limit, 3 unsupported
///     4       4     width of the plane
///     8       4     height
///     12      4     bytes of a sample: 1 for 0…255, 4 for Float
///     16      160   why not: ASCII, ended by a zero
package struct WireReply: BitwiseCopyable, Sendable {
  package typealias Words = (
    UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64,
    UInt64, UInt64, UInt64, UInt64, UInt64, UInt64
  )
  package var status: UInt32 = 0
  package var width: UInt32 = 0
  package var height: UInt32 = 0
  package var sampleSize: UInt32 = 0
  package var message: Words = (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)

  package init() {}

  /// The message as text. A decoder that was taken over may send anything: only printable ASCII is believed.
  package var text: String {
    withUnsafeBytes(of: message) { bytes in
      String(decoding: bytes.prefix { $0 != 0 }.map { (0x20...0x7E).contains($0) ? $0 : UInt8(ascii: "?") }, as: UTF8.self)
    }
  }
}
