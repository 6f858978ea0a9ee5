import Glibc
import Testing

@testable import Decoding

/// A worker and its parent hold each other to the protocol.
struct WorkerProcessTests {
  private func start(_ file: [UInt8]) throws -> WorkerProcess {
    let input = try SharedMemory(sizeInBytes: 1 << 17)
    let output = try SharedMemory(sizeInBytes: 1 << 16)
    try file.withUnsafeBytes { try input.write($0, at: 0) }
    let worker = try WorkerProcess(
      from: ForkServer.of(DecoderProgram.find()), input: input, output: output, memoryInBytes: 1 << 30, mode: .locked)
    _ = try worker.hello(.locked)
    return worker
  }

  @Test func aRequestBeyondTheInputEndsTheWorker() throws {
    let worker = try start([])
    let request = DecodeRequest(format: .png, inputSize: 1 << 40, mostPixels: 1, smallestSide: 0)
    guard case .ended(let end) = worker.ask(request, time: .seconds(10)) else {
      Issue.record("the worker went on")
      return
    }
    #expect(end == "exit status 6")
  }

  @Test func aPlaneBeyondTheOutputIsALimitWhateverTheRequestAllows() throws {
    let rows = [UInt8](repeating: 0, count: 300 * 300)
    let file = TestPictures.png(width: 300, height: 300, colour: 0, rows: rows)
    let worker = try start(file)
    let request = DecodeRequest(format: .png, inputSize: UInt64(file.count), mostPixels: 1 << 40, smallestSide: 0)
    guard case .reply(let reply) = worker.ask(request, time: .seconds(10)) else {
      Issue.record("no reply")
      return
    }
    #expect(reply.status == .limit && reply.reason == "limit: 90000 bytes of output, at most 65536")
  }

  @Test func sharedMemoryCannotBeCutOrGrown() throws {
    let memory = try SharedMemory(sizeInBytes: 1 << 16)
    #expect(ftruncate(memory.descriptor, 0) == -1 && errno == EPERM)
    #expect(ftruncate(memory.descriptor, 1 << 20) == -1 && errno == EPERM)
  }

  @Test func releasedMemoryReadsAsZeros() throws {
    let memory = try SharedMemory(sizeInBytes: 32 << 20)
    try [UInt8](repeating: 9, count: 32 << 20).withUnsafeBytes { try memory.write($0, at: 0) }
    try memory.release()
    let view = try memory.view(32 << 20)
    #expect(view[0] == 9 && view[(32 << 20) - 1] == 0)
  }
}
