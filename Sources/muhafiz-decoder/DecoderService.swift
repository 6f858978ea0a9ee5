import CMedia
import CSandbox
import Decoding
import Glibc

/// The decoder's side of the conversation that `WireProtocol.swift` describes.
struct DecoderService {
  /// The beginnings of the two shared memories, mapped for good.
  private let input: UnsafeMutableRawPointer
  private let output: UnsafeMutableRawPointer

  /// Maps what stays mapped; `nil` when started by hand, without the descriptors.
  init?() {
    guard let input = Mapping.map(Int32(CS_INPUT), Wire.keptMapped, PROT_READ),
      let output = Mapping.map(Int32(CS_OUTPUT), Wire.keptMapped, PROT_READ | PROT_WRITE)
    else { return nil }
    self.input = input
    self.output = output
  }

  /// Answers requests until the other end is closed.
  func run(_ report: cs_report) {
    var hello = WireHello()
    hello.seccomp = report.seccomp
    hello.systemCalls = report.system_calls
    hello.landlockABI = report.landlock_abi
    guard answer(hello) else { return }
    var request = WireRequest(decoder: 0, leastSide: 0, size: 0, mostPixels: 0, outputSize: 0, seconds: 0)
    while withUnsafeMutableBytes(of: &request, { recv(Int32(CS_SOCKET), $0.baseAddress, $0.count, 0) == $0.count }) {
      // Should the parent be gone or stuck, nobody else ends a decoder that hangs.
      alarm(request.seconds)
      let reply = decode(request)
      alarm(0)
      guard answer(reply) else { return }
    }
  }

  private func answer<Message: BitwiseCopyable>(_ message: Message) -> Bool {
    withUnsafeBytes(of: message) {
      send(Int32(CS_SOCKET), $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) == $0.count
    }
  }

  private func decode(_ request: WireRequest) -> WireReply {
    var reply = WireReply()
    let size = Int(request.size)
    var source = Mapping(Int32(CS_INPUT), size, PROT_READ, kept: input)
    defer { source.unmap() }
    var plane = PlaneRoom(kept: output, size: Int(request.outputSize))
    defer { plane.mapping?.unmap() }
    var picture = cm_picture()
    picture.most_pixels = request.mostPixels
    picture.least_side = request.leastSide
    picture.allocate = { context, size in
      context!.assumingMemoryBound(to: PlaneRoom.self).pointee.allocate(size)
    }
    guard let start = source.start?.assumingMemoryBound(to: UInt8.self) else {
      reply.status = UInt32(CM_LIMIT)
      return reply
    }
    let status = withUnsafeMutablePointer(to: &plane) { room in
      picture.context = UnsafeMutableRawPointer(room)
      return switch request.decoder {
      case 1: cm_decode_jpeg(start, size, &picture)
      case 2: cm_decode_png(start, size, &picture)
      case 3: cm_decode_webp(start, size, &picture)
      case 4: cm_decode_gif(start, size, &picture)
      case 5: cm_decode_bmp(start, size, &picture)
      default: Int32(CM_UNSUPPORTED)
      }
    }
    reply.status = UInt32(status)
    reply.width = picture.width
    reply.height = picture.height
    reply.sampleSize = picture.sample_size
    withUnsafeMutableBytes(of: &reply.message) { target in
      withUnsafeBytes(of: &picture.message) { target.copyMemory(from: $0) }
    }
    return reply
  }
}

/// Where a decoder may put its plane: the part of the output that stays mapped, or more of it for one picture.
private struct PlaneRoom {
  let kept: UnsafeMutableRawPointer
  let size: Int
  var mapping: Mapping?

  mutating func allocate(_ count: Int) -> UnsafeMutableRawPointer? {
    guard count <= size else { return nil }
    let mapping = Mapping(Int32(CS_OUTPUT), count, PROT_READ | PROT_WRITE, kept: kept)
    self.mapping = mapping
    return mapping.start
  }
}

/// The beginning of a shared memory, mapped for one request unless it lies within what is kept mapped.
private struct Mapping {
  let start: UnsafeMutableRawPointer?
  private let size: Int
  private let isKept: Bool

  init(_ descriptor: Int32, _ size: Int, _ protection: Int32, kept: UnsafeMutableRawPointer) {
    self.size = size
    isKept = size <= Wire.keptMapped
    start = isKept ? kept : Self.map(descriptor, size, protection)
  }

  mutating func unmap() {
    if let start, !isKept { munmap(start, size) }
  }

  static func map(_ descriptor: Int32, _ size: Int, _ protection: Int32) -> UnsafeMutableRawPointer? {
    guard let start = mmap(nil, size, protection, MAP_SHARED, descriptor, 0), start != MAP_FAILED else { return nil }
    return start
  }
}
