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
      All figures are for one thread, on data in memory where nothing else is said; a scan has as many threads as there are \
      processors. Each is the median of several rounds, but for what a disk is waited for. Numbers of one machine vary \
      from run to run: compare ratios.
      """)

  @Option(help: "text or ndjson.") var format = OutputFormat.text
  @Option(help: "Digests in the list that is looked up in.") var digests = 1_000_000
  @Option(help: "Perceptual hashes in the list that is searched.") var pdq = 100_000
  @Option(help: "Seconds for each figure.") var seconds = 1.0
  @Flag(help: "Measure lists only, neither digests nor pictures.") var listsOnly = false

  func run() throws {
    guard digests > 0, pdq > 0, seconds > 0 else { throw UsageError("--digests, --pdq and --seconds are more than 0") }
    var generator = SplitMix(state: 1)
    if format == .text { print("WORK                                                            FIGURE") }
    if !listsOnly {
      try measureDigests(&generator)
      measurePictures()
    }
    try withLists { lists in
      // Every block is checked the first time that an answer needs it; what is measured is a list that was in use.
      try lists.digests.verify()
      try lists.pictures.verify()
      try measureLookups(lists, &generator)
      try measureNearQueries(lists, &generator)
      try measureFirstTouches(lists)
    }
  }

  private func measureDigests(_ generator: inout some RandomNumberGenerator) throws {
    let piece = (0..<(1 << 20)).map { _ in UInt8.random(in: 0...255, using: &generator) }
    for algorithms in [[DigestAlgorithm.sha256], [.md5], [.sha1], DigestAlgorithm.allCases] {
      var digester = try Digester(algorithms)
      let rate = try measure { try piece.withUnsafeBytes { try digester.update($0) } }
      show("digest, \(algorithms.map(\.name).joined(separator: " + "))", rate * Double(piece.count) / 1e6, "MB/s")
    }
  }

  private func measurePictures() {
    for side in [512, 2048] {
      let luma = (0..<side * side).map { Float(($0 % side) ^ ($0 / side) & 255) }
      luma.withUnsafeBufferPointer { samples in
        let plane = LumaPlane(width: side, height: side, samples: .floats(samples))
        show("pdq, \(side) × \(side) luma", measure { _ = PDQ.hash(plane) }, "images/s")
        show("pdq and its seven turned forms, \(side) × \(side) luma", measure { _ = PDQ.dihedralHashes(plane) }, "images/s")
      }
    }
  }

  private func measureLookups(_ lists: Lists, _ generator: inout some RandomNumberGenerator) throws {
    let hits = lists.known.shuffled(using: &generator)
    let misses = hits.map { _ in Self.random(.sha256, &generator) }
    let mixed = misses.enumerated().map { $0 % 100 == 0 ? hits[$0] : $1 }
    for (name, keys) in [("hits", hits), ("misses", misses)] {
      let rate = try measure { for key in keys { _ = try lists.digests.contains(key) } }
      show("lookup, \(digests.grouped) sha256, \(name)", rate * Double(keys.count), "lookups/s")
    }
    let named = try measure { for key in hits { _ = try lists.digests.match(for: key) } }
    show("lookup, \(digests.grouped) sha256, hits with their entry", named * Double(hits.count), "lookups/s")
    let batched = try measure { _ = try lists.digests.matches(forEach: mixed) }
    show("lookup, \(digests.grouped) sha256, batches, 1 % hits", batched * Double(mixed.count), "lookups/s")
  }

  /// Lookups of a list whose records are on the disk alone: a program that has just begun, or one beside others that need
  /// the memory.
  private func measureFirstTouches(_ lists: Lists) throws {
    let list = try lists.openCold()
    try list.loadIndexes()
    let keys = lists.known.prefix(20_000)
    let (begun, faults) = (ContinuousClock.now, Self.pageFaults)
    for key in keys { _ = try list.contains(key) }
    let elapsed = (ContinuousClock.now - begun) / .microseconds(1)
    show("first lookup, \(digests.grouped) sha256, hits, records on the disk", elapsed / Double(keys.count), "µs")
    show("  pages read for 1,000 of them", Double(Self.pageFaults - faults) / Double(keys.count) * 1000, "pages")
  }

  /// Pages that this process has waited for the disk for.
  private static var pageFaults: Int {
    var usage = rusage()
    getrusage(RUSAGE_SELF.rawValue, &usage)
    return usage.ru_majflt
  }

  private func measureNearQueries(_ lists: Lists, _ generator: inout some RandomNumberGenerator) throws {
    // Half of the queries look like something that is listed.
    let queries = (0..<64).map { number in
      number % 2 == 0
        ? Self.randomHash(&generator) : lists.hashes[number * lists.hashes.count / 64].flippingBits(number % 32, &generator)
    }
    for count in [1, 8] {
      var next = 0
      let rate = try measure {
        _ = try lists.pictures.matches(near: Array(queries[next..<next + count]), within: 31)
        next = (next + count) % queries.count
      }
      show("near query within 31 bits, \(pdq.grouped) pdq, \(count) at once", rate * Double(count), "queries/s")
    }
    let linear = measure { _ = lists.withinByComparingAll(queries[1], 31) }
    show("the same by comparing all, one after the other", linear, "queries/s")
    var (found, due) = (0, 0)
    for query in queries {
      let expected = lists.withinByComparingAll(query, 31)
      due += expected.count
      found += Set(try lists.pictures.matches(near: [query], within: 31).map(\.entry)).intersection(expected).count
    }
    show("recall of \(due) entries within 31 bits", due == 0 ? 100 : 100 * Double(found) / Double(due), "%")
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

  /// Lists of random hashes, and what is in them.
  private struct Lists {
    let digests: HashList
    /// Some of what is in it, from all over; so many that what they need does not all stay in the processor's caches.
    let known: [Digest]
    let pictures: HashList
    let hashes: [PerceptualHash]

    static let mostKnown = 1 << 18

    /// Opens the list of digests once more, none of it in memory.
    func openCold() throws -> HashList {
      try digests.leaveMemory()
      return try HashList(opening: digests.path)
    }

    /// The entries within a distance, by the plainest way to find them.
    func withinByComparingAll(_ query: PerceptualHash, _ distance: Int) -> Set<String> {
      var within: Set<String> = []
      for (index, hash) in hashes.enumerated() where query.distanceInBits(to: hash) <= distance { within.insert("#\(index + 1)") }
      return within
    }
  }

  /// Builds the lists in the folder for temporary files.
  private func withLists(_ body: (Lists) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "muhafiz-bench-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
    defer {
      do { try FileManager.default.removeItem(at: folder) } catch { complain("warning: \(folder.path) is left behind") }
    }
    func build(_ name: String, _ count: Int, _ add: (inout HashListBuilder, Int) throws -> Void) throws -> HashList {
      let begun = ContinuousClock.now
      var builder = HashListBuilder(spillingTo: FilePath(folder.path))
      for number in 0..<count { try add(&builder, number) }
      let path = FilePath(folder.path).appending("\(name).hashlist")
      let information = HashListInformation(name: name, version: "1", source: "random", created: Date())
      _ = try builder.write(to: path, information: information)
      show("build, \(count.grouped) \(name)", Double(count) / ((ContinuousClock.now - begun) / .seconds(1)), "hashes/s")
      let opened = ContinuousClock.now
      let list = try HashList(opening: path)
      show("open, \(count.grouped) \(name)", (ContinuousClock.now - opened) / .microseconds(1), "µs")
      show("size, \(count.grouped) \(name)", Double(list.sizeInBytes) / Double(count), "bytes a hash")
      let lookups = DigestAlgorithm.allCases.reduce(0) { $0 + list.lookupSizeInBytes(of: $1) }
      if lookups > 0 { show("  of which lookups need", Double(lookups) / Double(count), "bytes a hash") }
      return list
    }
    var generator = SplitMix(state: 2)
    var known: [Digest] = []
    let stride = max(1, digests / Lists.mostKnown)
    let digestList = try build("sha256", digests) { builder, number in
      let digest = Self.random(.sha256, &generator)
      if number % stride == 0 { known.append(digest) }
      try builder.add(ListEntry(recordNumber: number + 1, digests: [digest]))
    }
    let hashes = (0..<pdq).map { _ in Self.randomHash(&generator) }
    let pictureList = try build("pdq", pdq) { builder, number in
      try builder.add(ListEntry(recordNumber: number + 1, perceptualHashes: [hashes[number]]))
    }
    try body(Lists(digests: digestList, known: known, pictures: pictureList, hashes: hashes))
  }

  private static func random(_ algorithm: DigestAlgorithm, _ generator: inout some RandomNumberGenerator) -> Digest {
    let words = SIMD4<UInt64>.random(in: 0...UInt64.max, using: &generator)
    return withUnsafeBytes(of: words) { Digest(algorithm, bytes: UnsafeRawBufferPointer(rebasing: $0[..<algorithm.byteCount]))! }
  }

  private static func randomHash(_ generator: inout some RandomNumberGenerator) -> PerceptualHash {
    PerceptualHash(words: .random(in: 0...UInt64.max, using: &generator), quality: 100)
  }
}

extension PerceptualHash {
  /// The hash with so many bits turned over.
  fileprivate func flippingBits(_ count: Int, _ generator: inout some RandomNumberGenerator) -> PerceptualHash {
    var words = words
    for bit in (0..<256).shuffled(using: &generator).prefix(count) { words[bit / 64] ^= 1 << UInt64(bit % 64) }
    return PerceptualHash(words: words, quality: quality)
  }
}

/// Random numbers that cost next to nothing, the same in every run.
private struct SplitMix: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
