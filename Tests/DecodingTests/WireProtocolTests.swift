import Decoding
import Testing

struct WireProtocolTests {
  private func packet(_ size: Int, _ write: (UnsafeMutableRawBufferPointer) -> Void) -> [UInt8] {
    var bytes = [UInt8](repeating: 0xaa, count: size)
    bytes.withUnsafeMutableBytes(write)
    return bytes
  }

  @Test func requestKeepsItsLayout() {
    var request = DecodeRequest(
      format: .webp, inputSize: 0x0102_0304_0506, mostPixels: 7, smallestSide: 8, picture: 9)
    request.most = 10
    request.isPulled = true
    let bytes = packet(DecodeRequest.sizeInBytes, request.write)
    #expect(
      bytes == Array("mfzQ".utf8) + [
        3, 0, 0, 0, 6, 5, 4, 3, 2, 1, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 9, 0, 0, 0,
        10, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0,
      ])
    #expect(bytes.withUnsafeBytes(DecodeRequest.init) == request)
  }

  @Test func helloKeepsItsLayout() {
    let hello = WorkerHello(isFiltered: true, hasOwnNetwork: true, landlockABI: 7, allowedSystemCalls: 22)
    let bytes = packet(WorkerHello.sizeInBytes, hello.write)
    #expect(bytes == Array("mfzH".utf8) + [3, 0, 0, 0, 7, 0, 0, 0, 22, 0, 0, 0])
    #expect(bytes.withUnsafeBytes(WorkerHello.init) == hello)
  }

  @Test func eventKeepsItsLayout() {
    var event = StreamEvent(.frame)
    (event.first, event.second, event.width, event.height, event.flags) = (1, 2, 3, 4, StreamEvent.isFloat)
    event.text = Array("ab".utf8)
    let bytes = event.packet
    #expect(
      bytes == Array("mfzE".utf8) + [
        8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 97,
        98,
      ])
    #expect(bytes.withUnsafeBytes(StreamEvent.init(packet:)) == event)
    for broken in [bytes + [0], Array(bytes.dropLast()), Array(bytes.prefix(20)), []] {
      #expect(broken.withUnsafeBytes(StreamEvent.init(packet:)) == nil)
    }
    event.text = [UInt8](repeating: 0x78, count: 20_000)
    #expect(event.packet.count == StreamEvent.mostSizeInBytes)
  }

  @Test func answerKeepsItsLayout() {
    let answer = StreamAnswer(count: 0x0102)
    #expect(answer.packet == Array("mfzA".utf8) + [0, 0, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0])
    #expect(answer.packet.withUnsafeBytes(StreamAnswer.init(packet:)) == answer)
    let samples = StreamAnswer(demand: .samples)
    #expect(samples.packet[4] == 2 && samples.packet.withUnsafeBytes(StreamAnswer.init(packet:)) == samples)
    var unknown = samples.packet
    unknown[4] = 3
    #expect(unknown.withUnsafeBytes(StreamAnswer.init(packet:)) == nil)
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
      changed[at] ^= 0x80
      #expect(changed.withUnsafeBytes(DecodeRequest.init) == nil)
    }
    #expect([UInt8](repeating: 0, count: 232).withUnsafeBytes(DecodeReply.init) == nil)
  }
}
