import ArgumentParser
import Decoding
import Foundation
import Glibc
import Hashing
import Matching
import Scanning
import SystemPackage

struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench", abstract: "Measures this machine: digests, perceptual hashes, lookups.",
    discussion: """
      All figures are for one thread on data in memory; a scan has as many threads as there are processors. Each is the \
      median of several rounds. Numbers of one machine vary from run to run: compare ratios.
      """)

  @Option(help: "text or ndjson.") var format = OutputFormat.text
  @Option(help: "Digests in the list that is looked up in.") var digests = 1_000_000
  @Option(help: "Perceptual hashes in the list that is searched.") var pdq = 100_000
  @Option(help: "Seconds for each figure.") var seconds = 1.0

  func run() throws {
    guard digests > 0, pdq > 0, seconds > 0 else { throw UsageError("--digests, --pdq and --seconds are more than 0") }
    var generator = SystemRandomNumberGenerator()
    let piece = (0..<(1 << 20)).map { _ in UInt8.random(in: 0...255, using: &generator) }
    if format == .text { print("WORK                                                            FIGURE") }
    for algorithms in [[DigestAlgorithm.sha256], [.md5], [.sha1], DigestAlgorithm.allCases] {
      var digester = try Digester(algorithms)
      let rate = try measure { try piece.withUnsafeBytes { try digester.update($0) } }
      show("digest, \(algorithms.map(\.name).joined(separator: " + "))", rate * Double(piece.count) / 1e6, "MB/s")
    }
    for side in [512, 2048] {
      let luma = (0..<side * side).map { Float(($0 % side) ^ ($0 / side) & 255) }
      let rate = luma.withUnsafeBufferPointer { samples in
        measure { _ = PDQ.dihedralHashes(LumaPlane(width: side, height: side, samples: .floats(samples))) }
      }
      show("pdq and its seven turned forms, \(side) × \(side) luma", rate, "images/s")
    }
    try withList { list in
      let known = (0..<1024).map { index in list.known[index * list.known.count / 1024] }
      let unknown = (0..<1024).map { _ in Self.random(.sha256, &generator) }
      for (name, keys) in [("hits", known), ("misses", unknown)] {
        let rate = try measure { for key in keys { _ = try list.list.match(for: key) } }
        show("lookup, \(digests.grouped) sha256, \(name)", rate * Double(keys.count), "lookups/s")
      }
      let queries = (0..<8).map { _ in Self.randomHash(&generator) }
      for count in [1, 8] {
        let rate = try measure { _ = try list.list.matches(near: Array(queries[..<count]), within: 31) }
        show("near query within 31 bits, \(pdq.grouped) pdq, \(count) at once", rate * Double(count), "queries/s")
      }
    }
  }

  /// Rounds per second: the median of five stretches.
  private func measure(_ body: () throws -> Void) rethrows -> Double {
    try body()
    var rates: [Double] = []
    for _ in 0..<5 {
      let begun = ContinuousClock.now
      var rounds = 0.0
      var elapsed = 0.0
      repeat {
        try body()
        rounds += 1
        elapsed = (ContinuousClock.now - begun) / .seconds(1)
      } while elapsed < seconds / 5
      rates.append(rounds / elapsed)
    }
    return rates.sorted()[2]
  }

  private func show(_ work: String, _ figure: Double, _ unit: String) {
    switch format {
    case .text: print(work.padded(58) + Int64(figure.rounded()).grouped.leftPadded(12) + " \(unit)")
    case .ndjson:
      var line = JSONLine(type: "bench")
      line.add("work", work)
      line.add("figure", thousandths: figure)
      line.add("unit", unit)
      print(String(decoding: line.bytes, as: UTF8.self), terminator: "")
    }
  }

  /// Builds a list of random hashes in the folder for temporary files.
  private func withList(_ body: ((list: HashList, known: [Digest])) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "muhafiz-bench-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
    defer {
      do { try FileManager.default.removeItem(at: folder) } catch { complain("warning: \(folder.path) is left behind") }
    }
    var generator = SystemRandomNumberGenerator()
    var builder = HashListBuilder()
    let known = (0..<digests).map { _ in Self.random(.sha256, &generator) }
    for (number, digest) in known.enumerated() { try builder.add(ListEntry(recordNumber: number + 1, digests: [digest])) }
    for number in 0..<pdq {
      try builder.add(ListEntry(recordNumber: number + 1, perceptualHashes: [Self.randomHash(&generator)]))
    }
    let path = FilePath(folder.path).appending("bench.hashlist")
    let information = HashListInformation(name: "bench", version: "1", source: "random", created: Date())
    _ = try builder.write(to: path, information: information)
    try body((try HashList(opening: path), known))
  }

  private static func random(_ algorithm: DigestAlgorithm, _ generator: inout some RandomNumberGenerator) -> Digest {
    let words = SIMD4<UInt64>.random(in: 0...UInt64.max, using: &generator)
    return withUnsafeBytes(of: words) { Digest(algorithm, bytes: UnsafeRawBufferPointer(rebasing: $0[..<algorithm.byteCount]))! }
  }

  private static func randomHash(_ generator: inout some RandomNumberGenerator) -> PerceptualHash {
    PerceptualHash(words: .random(in: 0...UInt64.max, using: &generator), quality: 100)
  }
}
