import Decoding
import Testing

struct WireProtocolTests {
  private func packet(_ size: Int, _ write: (UnsafeMutableRawBufferPointer) -> Void) -> [UInt8] {
    var bytes = [UInt8](repeating: 0xaa, count: size)
    bytes.withUnsafeMutableBytes(write)
    return bytes
  }

  @Test func requestKeepsItsLayout() {
    let request = DecodeRequest(format: .webp, inputSize: 0x0102_0304_0506, mostPixels: 7, smallestSide: 8)
    let bytes = packet(DecodeRequest.sizeInBytes, request.write)
    #expect(
      bytes == Array("mfzQ".utf8) + [
        3, 0, 0, 0, 6, 5, 4, 3, 2, 1, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0,
      ])
    #expect(bytes.withUnsafeBytes(DecodeRequest.init) == request)
  }

  @Test func helloKeepsItsLayout() {
    let hello = WorkerHello(isFiltered: true, landlockABI: 7, allowedSystemCalls: 22)
    let bytes = packet(WorkerHello.sizeInBytes, hello.write)
    #expect(bytes == Array("mfzH".utf8) + [1, 0, 0, 0, 7, 0, 0, 0, 22, 0, 0, 0])
    #expect(bytes.withUnsafeBytes(WorkerHello.init) == hello)
  }

  @Test func replyCutsItsReasonAndReadsOnlyPrintableASCII() {
    var reply = DecodeReply(status: .broken)
    reply.reason = String(repeating: "x", count: 500)
    var bytes = packet(DecodeReply.sizeInBytes, reply.write)
    #expect(bytes.withUnsafeBytes(DecodeReply.init)?.reason.count == 199)
    bytes[32] = 0x1b
    bytes[33] = 0xff
    #expect(bytes.withUnsafeBytes(DecodeReply.init)?.reason.hasPrefix("??x") == true)
  }

  @Test func packetsOfAnotherSizeMarkOrValueAreRefused() {
    let request = DecodeRequest(format: .png, inputSize: 1, mostPixels: 1, smallestSide: 0)
    let bytes = packet(DecodeRequest.sizeInBytes, request.write)
    #expect((bytes + [0]).withUnsafeBytes(DecodeRequest.init) == nil)
    #expect(bytes.dropLast().withUnsafeBytes(DecodeRequest.init) == nil)
    for at in [0, 4] {
      var changed = bytes
      changed[at] ^= 0x40
      #expect(changed.withUnsafeBytes(DecodeRequest.init) == nil)
    }
    #expect([UInt8](repeating: 0, count: 232).withUnsafeBytes(DecodeReply.init) == nil)
  }
}
