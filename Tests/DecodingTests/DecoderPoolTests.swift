import Foundation
import SystemPackage
import TestSupport
import Testing

@testable import Decoding

/// Workers are locked in, and their deaths cost one picture each.
@Suite(.serialized)
struct DecoderPoolTests {
  static let good = TestPictures.png(width: 8, height: 8, colour: 2, rows: TestPictures.noise(192, seed: 8))

  private func process(of pool: DecoderPool) throws -> CInt {
    let process = try pool.withLease { $0.process }
    return try #require(process)
  }

  @Test func helloSaysThatTheFilterIsOnAndShort() throws {
    let sandbox = try DecoderPool.shared.get().sandbox
    print("sandbox: \(sandbox)")
    #expect((1..<40).contains(sandbox.allowedSystemCalls))
    #expect(sandbox.landlockABI >= 0)
  }

  @Test func theKernelSaysThatTheWorkerIsLockedIn() throws {
    let process = try process(of: DecoderPool.shared.get())
    #expect(try statusField("Seccomp", of: process) == "2")
    #expect(try statusField("NoNewPrivs", of: process) == "1")
    #expect(try statusField("CapEff", of: process) == "0000000000000000")
    #expect(try statusField("CapPrm", of: process) == "0000000000000000")
    #expect(try statusField("Threads", of: process) == "1")
  }

  @Test(.enabled(if: geteuid() == 0, "a worker's descriptors are visible to root alone"))
  func aWorkerHoldsItsSocketAndNothingElse() throws {
    let process = try process(of: DecoderPool.shared.get())
    let folder = "/proc/\(process)/fd"
    let held = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
    #expect(held == ["0", "1", "2", "3"])
    for number in ["0", "1", "2"] {
      #expect(try FileManager.default.destinationOfSymbolicLink(atPath: "\(folder)/\(number)") == "/dev/null")
    }
    #expect(try FileManager.default.destinationOfSymbolicLink(atPath: "\(folder)/3").hasPrefix("socket:"))
    #expect(try Data(contentsOf: URL(filePath: "/proc/\(process)/environ")) == Data("SWIFT_BACKTRACE=enable=no\0".utf8))
  }

  @Test func aWorkersDeathCostsNoPicture() throws {
    let pool = try DecoderPool(size: 1)
    for signal in [SIGKILL, SIGSEGV] {
      let first = try process(of: pool)
      kill(first, signal)
      _ = try pool.decode(Self.good).get()
      #expect(try process(of: pool) != first)
      #expect(kill(first, 0) == -1, "the dead worker was not reaped")
    }
  }

  @Test func aHungWorkerIsStoppedAndThePictureTriedAgain() throws {
    var limits = DecodingLimits()
    limits.time = .milliseconds(300)
    let pool = try DecoderPool(size: 1, limits: limits)
    let first = try process(of: pool)
    kill(first, SIGSTOP)
    let start = ContinuousClock.now
    _ = try pool.decode(Self.good).get()
    #expect(ContinuousClock.now - start > .milliseconds(290) && ContinuousClock.now - start < .seconds(10))
    #expect(kill(first, 0) == -1, "the hung worker still runs")
  }

  @Test func aPoisonousPictureIsTriedTwiceAndThenRecorded() throws {
    var limits = DecodingLimits()
    limits.time = .milliseconds(2)
    let pool = try DecoderPool(size: 1, limits: limits)
    let slow = TestPictures.png(width: 3000, height: 3000, colour: 0, rows: [UInt8](repeating: 7, count: 9_000_000))
    let first = try process(of: pool)
    let answer = try pool.decode(slow, as: .png)
    #expect(throws: Unhashable(.timedOut, "")) { try answer.get() }
    if case .failure(let unhashable) = answer { #expect(unhashable.reason == "decoder hung: stopped after 0 s") }
    #expect(try pool.withLease { $0.process } == nil && kill(first, 0) == -1)
  }

  /// Whatever kills the server ends its workers, and costs no picture.
  @Test func theServersDeathCostsNoPicture() throws {
    // One of its own: the others' workers are in use.
    let scratch = try TemporaryDirectory()
    let program = scratch.path("muhafiz-decoder")
    try FileManager.default.createSymbolicLink(atPath: program, withDestinationPath: DecoderProgram.find().string)
    let pool = try DecoderPool(size: 1, decoder: FilePath(program))
    let worker = try process(of: pool)
    let server = try #require(statusField("PPid", of: worker).flatMap { pid_t($0) })
    #expect(server != getpid())
    kill(server, SIGKILL)
    // Whether it is reaped is for the machine's first process, which got it.
    while let state = try? statusField("State", of: worker), !state.hasPrefix("Z") { usleep(1000) }
    _ = try pool.decode(Self.good).get()
    let next = try process(of: pool)
    #expect(next != worker)
    #expect(try statusField("PPid", of: next) != String(server))
  }

  @Test func theNextWorkerIsThereAtOnce() throws {
    let pool = try DecoderPool(size: 1)
    _ = try pool.decode(Self.good).get()
    var waits: [Duration] = []
    for _ in 0..<20 {
      kill(try process(of: pool), SIGKILL)
      waits.append(try ContinuousClock().measure { _ = try pool.decode(Self.good).get() })
    }
    print("restart and one picture: \(waits.sorted())")
    // Other tests keep both processors busy: the best tells what it takes.
    #expect(waits.min()! < .milliseconds(50))
  }

  @Test func everyWayOutOfTheSandboxIsRefused() throws {
    let sandbox = try DecoderPool.shared.get().sandbox
    let all = ["open", "write", "connect", "fork", "ptrace", "exec", "kill", "map code"]
    #expect(sandbox.refusedEscapes == all && sandbox.isFiltered)
    #expect(sandbox.provenEscapes.contains("open") && sandbox.provenEscapes.contains("fork"))
  }

  @Test func aSandboxThatLeaksIsRefused() throws {
    #expect(throws: DecodingError(.sandboxLeaks, "")) {
      try SandboxTest.check(EscapeReport(possible: 0xff, refused: 0xfe, count: 8))
    }
    #expect(throws: DecodingError(.sandboxLeaks, "")) {
      try SandboxTest.check(EscapeReport(possible: 0, refused: 0xff, count: 8))
    }
    #expect(throws: DecodingError(.sandboxLeaks, "")) {
      try SandboxTest.check(EscapeReport(possible: 0xff, refused: 0xff, count: 7))
    }
  }

  @Test func startsLateAndTestsItsSandboxThenToo() throws {
    let pool = try DecoderPool(size: 1, startsNow: false)
    #expect(try pool.withLease { $0.process } != nil)
    #expect(try pool.sandbox.isFiltered)
    #expect(throws: DecodingError.self) { try DecoderPool(size: 1, decoder: "/bin/false", startsNow: false).withLease { _ in } }
  }

  @Test func withoutASandboxNothingIsClaimed() throws {
    let pool = try DecoderPool(size: 1, sandbox: .none)
    let sandbox = try pool.sandbox
    #expect(!sandbox.isFiltered && sandbox.refusedEscapes.isEmpty && sandbox.allowedSystemCalls == 0)
    let process = try process(of: pool)
    #expect(try statusField("Seccomp", of: process) == "0")
    _ = try pool.decode(Self.good).get()
  }

  @Test func aWorkerIsReplacedAfterItsShare() throws {
    var limits = DecodingLimits()
    limits.picturesPerWorker = 2
    let pool = try DecoderPool(size: 1, limits: limits)
    var processes: [CInt] = []
    for _ in 0..<5 {
      _ = try pool.decode(Self.good).get()
      processes.append(try process(of: pool))
    }
    #expect(processes[0] == processes[1] && processes[2] == processes[3])
    #expect(Set(processes).count == 3)
  }

  @Test func workersEndWithTheirPool() throws {
    let process = try { try self.process(of: DecoderPool(size: 1)) }()
    #expect(kill(process, 0) == -1)
  }

  @Test func aMissingDecoderIsAFailureAndNoAnswer() throws {
    #expect(throws: DecodingError(.workerNotStarted, "")) {
      try DecoderPool(size: 1, decoder: "/nowhere/muhafiz-decoder")
    }
  }

  @Test func aProgramThatIsNoDecoderIsAFailureAndNoAnswer() throws {
    #expect(throws: DecodingError(.workerNotStarted, "")) { try DecoderPool(size: 1, decoder: "/bin/true") }
  }

  @Test func limitsThatAWorkerCannotHoldAreRefused() throws {
    var limits = DecodingLimits()
    limits.workerMemoryInBytes = 1 << 30
    #expect(throws: DecodingError(.limitsDisagree, "")) { try DecoderPool(size: 1, limits: limits) }
  }

  @Test func manyThreadsShareFewWorkers() async throws {
    let pool = try DecoderPool(size: 2)
    await withTaskGroup(of: Bool.self) { group in
      for seed in 0..<40 {
        group.addTask {
          let gray = TestPictures.noise(50 * 40, seed: UInt64(seed))
          let file = TestPictures.png(width: 50, height: 40, colour: 0, rows: gray)
          guard let answer = try? pool.decode(file), case .success(let plane) = answer else { return false }
          return plane.samples == gray.map(Float.init)
        }
      }
      for await isRight in group { #expect(isRight) }
    }
  }

  @Test func bytesMayComeInPieces() throws {
    let plane = try DecoderPool.shared.get().withLease { lease in
      for byte in Self.good { try withUnsafeBytes(of: byte) { try lease.append($0) } }
      return try lease.decode(.png, Plane.init).get()
    }
    #expect(try plane == decode(Self.good).get())
  }

  @Test func anErrorOfTheCallerPassesThroughAndTheWorkerComesBack() throws {
    struct Stop: Error {}
    let pool = try DecoderPool(size: 1)
    #expect(throws: Stop.self) { try pool.withLease { _ in throw Stop() } }
    _ = try pool.decode(Self.good).get()
  }

  @Test func aThousandPicturesLeaveMemoryFlat() throws {
    var limits = DecodingLimits()
    limits.picturesPerWorker = .max
    let pool = try DecoderPool(size: 1, limits: limits)
    let colour = TestPictures.png(width: 300, height: 200, colour: 2, rows: TestPictures.noise(180_000, seed: 13))
    let big = TestPictures.png(
      width: 3000, height: 3000, colour: 0, rows: [UInt8](repeating: 7, count: 9_000_000))
    let process = try process(of: pool)
    func residentKilobytes() throws -> Int {
      let field = try #require(try statusField("VmRSS", of: process))
      return Int(field.split(separator: " ")[0]) ?? 0
    }
    for _ in 0..<50 { _ = try pool.decode(colour).get() }
    let before = try residentKilobytes()
    for _ in 0..<1000 {
      _ = try pool.withLease { lease in
        try colour.withUnsafeBytes { try lease.append($0) }
        return try lease.decode(.png) { $0.luma.width }
      }
    }
    let after = try residentKilobytes()
    _ = try pool.withLease { lease in
      try big.withUnsafeBytes { try lease.append($0) }
      return try lease.decode(.png) { $0.luma.width }
    }
    let afterBig = try residentKilobytes()
    print("worker: \(before) KiB after 50 pictures, \(after) KiB after 1050, \(afterBig) KiB after one of 9 MP")
    #expect(after < before + 1024)
    #expect(afterBig < before + 36 << 10)
    #expect(try self.process(of: pool) == process)
  }
}
