import Benchmark
import Foundation
import Hashing
import Matching
import SystemPackage

/// The parts by themselves, on data in memory and one thread. Named by input; what a rival needs for the same input is in
/// `side_by_side.py`.
let benchmarks: @Sendable () -> Void = {
  Benchmark.defaultConfiguration = .init(
    metrics: [.wallClock, .throughput, .peakMemoryResident], warmupIterations: 3, scalingFactor: .one, maxDuration: .seconds(2),
    maxIterations: 10_000)

  let mebibyte = (0..<(1 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761) }
  for algorithms in [[DigestAlgorithm.sha256], [.md5], DigestAlgorithm.allCases] {
    Benchmark("digest of 1 MiB, \(algorithms.map(\.name).joined(separator: " + "))") { benchmark in
      var digester = try Digester(algorithms)
      for _ in benchmark.scaledIterations {
        try mebibyte.withUnsafeBytes { try digester.update($0) }
        blackHole(try digester.finish())
      }
    }
  }

  for (width, height) in [(512, 512), (640, 480), (4000, 3000)] {
    let bytes = (0..<width * height).map { UInt8(truncatingIfNeeded: ($0 % width) ^ ($0 / width)) }
    let floats = bytes.map { Float($0) * 0.999 }
    Benchmark("PDQ of \(width) × \(height) gray samples") { benchmark in
      bytes.withUnsafeBufferPointer { samples in
        for _ in benchmark.scaledIterations {
          blackHole(PDQ.hash(LumaPlane(width: width, height: height, samples: .bytes(samples))))
        }
      }
    }
    Benchmark("PDQ of \(width) × \(height) colour samples, eight ways") { benchmark in
      floats.withUnsafeBufferPointer { samples in
        for _ in benchmark.scaledIterations {
          blackHole(PDQ.dihedralHashes(LumaPlane(width: width, height: height, samples: .floats(samples))))
        }
      }
    }
  }

  Benchmark("lookup, 1 M SHA-256, 1,000 hits", configuration: .init(maxDuration: .seconds(3))) { benchmark in
    let list = try RandomList(digests: 1_000_000, hashes: 0)
    let keys = stride(from: 0, to: 1_000_000, by: 1000).map { list.digests[$0] }
    benchmark.startMeasurement()
    for _ in benchmark.scaledIterations { for key in keys { blackHole(try list.list.match(for: key)) } }
  }

  Benchmark("near query, 100 k PDQ, eight at once", configuration: .init(maxDuration: .seconds(3))) { benchmark in
    let list = try RandomList(digests: 0, hashes: 100_000)
    benchmark.startMeasurement()
    for _ in benchmark.scaledIterations { blackHole(try list.list.matches(near: list.queries, within: 31)) }
  }
}

/// A list of random hashes in a temporary file that is gone when the list is open.
struct RandomList {
  let list: HashList
  let digests: [Digest]
  let queries: [PerceptualHash]

  init(digests count: Int, hashes: Int) throws {
    var builder = HashListBuilder()
    digests = (0..<count).map { _ in
      withUnsafeBytes(of: SIMD4<UInt64>.random(in: 0...UInt64.max)) { Digest(.sha256, bytes: $0)! }
    }
    for (number, digest) in digests.enumerated() { try builder.add(ListEntry(recordNumber: number + 1, digests: [digest])) }
    for number in 0..<hashes {
      let hash = PerceptualHash(words: .random(in: 0...UInt64.max), quality: 100)
      try builder.add(ListEntry(recordNumber: number + 1, perceptualHashes: [hash]))
    }
    queries = (0..<8).map { _ in PerceptualHash(words: .random(in: 0...UInt64.max), quality: 100) }
    let file = FileManager.default.temporaryDirectory.appending(path: "muhafiz-parts-\(UUID().uuidString).hashlist")
    defer { unlink(file.path) }
    let information = HashListInformation(name: "parts", version: "1", source: "random", created: Date())
    _ = try builder.write(to: FilePath(file.path), information: information)
    list = try HashList(opening: FilePath(file.path))
  }
}
