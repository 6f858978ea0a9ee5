import Foundation
import Hashing
import SystemPackage
import TestSupport
import Testing

@testable import Matching

struct HashListBuilderTests {
  private let scratch = try! TemporaryDirectory()

  private func build(_ entries: [ListEntry], memoryInBytes: Int, name: String) throws -> [UInt8] {
    var builder = HashListBuilder(memoryInBytes: memoryInBytes, spillingTo: FilePath(scratch.url.path))
    for entry in entries { try builder.add(entry) }
    let path = scratch.path(name)
    let information = HashListInformation(name: "l", version: "1", source: "s", created: newYear)
    _ = try builder.write(to: FilePath(path), information: information)
    return try [UInt8](Data(contentsOf: URL(filePath: path)))
  }

  /// A third of the hashes come several times, from contributors that differ; some keys begin alike.
  private func entries(_ count: Int, seed: UInt64) -> [ListEntry] {
    var generator = SeededGenerator(seed: seed)
    var known: [Digest] = []
    return (0..<count).map { number in
      let algorithm = DigestAlgorithm.allCases[number % 3]
      var digest = generator.digest(algorithm)
      if number % 5 == 0 { digest = Digest(algorithm, bytes: [1, 2, 3, 4, 5, 6, 7, 8] + digest.bytes.dropFirst(8))! }
      if number % 3 == 0, let again = known.randomElement(using: &generator) { digest = again } else { known.append(digest) }
      return ListEntry(
        id: number % 2 == 0 ? "e\(number)" : nil, recordNumber: number + 1, digests: [digest],
        perceptualHashes: number % 4 == 0 ? [generator.hash(quality: UInt8(number % 101))] : [],
        contributor: ["one", "two", nil][number % 3], category: number % 7 == 0 ? .init(scheme: "S", label: "\(number % 2)") : nil
      )
    }
  }

  /// What is spilled and merged comes out as what fits into memory does.
  @Test(arguments: isLongRun ? [1, 2, 3, 4] : [1])
  func memoryDoesNotShowInTheFile(_ seed: UInt64) throws {
    let entries = entries(30_000, seed: seed)
    let large = try build(entries, memoryInBytes: 1 << 30, name: "large")
    let small = try build(entries, memoryInBytes: 1 << 16, name: "small")
    let areEqual = small == large
    #expect(areEqual, "seed \(seed)")
    try HashList(opening: FilePath(scratch.path("small"))).verify()
    #expect(Set(try FileManager.default.contentsOfDirectory(atPath: scratch.url.path)) == ["large", "small"])
  }

  @Test func chunksAreSortedAndKeepTheOrderOfEqualKeys() {
    var generator = SeededGenerator(seed: 3)
    for algorithm in [HashListLayout.Algorithm.md5, .sha1, .sha256, .pdq] {
      let layout = RecordLayout(algorithm)
      // Spread evenly, all with one beginning, all but equal, and as many as make a second deal.
      for (count, free) in [(0, 16), (1, 16), (2, 0), (63, 16), (64, 16), (3000, 16), (3000, 1), (3000, 0), (40_000, 16)] {
        let chunk = RecordChunk(layout, sizeInBytes: max(1, count) * layout.stride)
        for index in 0..<count {
          var key = [UInt8](repeating: 7, count: layout.keySize)
          for byte in 0..<free { key[layout.keySize - 16 + byte] = UInt8.random(in: 0...255, using: &generator) }
          if free == 16 && layout.keySize > 16 { key[0] = UInt8.random(in: 0...255, using: &generator) }
          key.withUnsafeBytes {
            layout.write($0, entry: UInt32(index), attribution: 0, detail: 0, to: chunk.start + index * layout.stride)
          }
        }
        chunk.count = count
        var room = SortingRoom()
        chunk.sort(in: &room)
        var isRight = true
        for index in 1..<max(1, count) {
          let (one, other) = (chunk.start + (index - 1) * layout.stride, chunk.start + index * layout.stride)
          let order = layout.compare(one, other)
          isRight = isRight && (order < 0 || order == 0 && layout.entry(one) < layout.entry(other))
        }
        #expect(isRight, "\(algorithm), \(count) records, \(free) free bytes, seed 3")
      }
    }
  }

  @Test func memoryOfSortedRecordsIsGivenBackBehindTheOneAtHand() throws {
    let layout = RecordLayout(.sha256)
    let chunk = RecordChunk(layout, sizeInBytes: 13 << 20)
    chunk.count = chunk.capacity
    let key = [UInt8](repeating: 7, count: layout.keySize)
    key.withUnsafeBytes { key in
      for index in 0..<chunk.count {
        layout.write(key, entry: UInt32(index), attribution: 0, detail: 0, to: chunk.start + index * layout.stride)
      }
    }
    let run = ChunkRun(chunk)
    var areRight = true
    for index in 0..<chunk.count {
      try run.advance()
      areRight = areRight && run.current.map { layout.entry($0) == UInt32(index) } ?? false
    }
    try run.advance()
    #expect(areRight && run.current == nil)
    // Memory that the kernel took back reads as zeros.
    #expect(layout.entry(chunk.start + layout.stride) == 0)
  }

  @Test func aFullDiskEndsTheBuildWithItsReason() throws {
    let folder = scratch.path("small-disk")
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    guard try run("/bin/mount", ["-t", "tmpfs", "-o", "size=300k", "none", folder]).exitCode == 0 else {
      print("skipped: a full disk needs the right to mount")
      return
    }
    defer { _ = try? run("/bin/umount", ["-l", folder]) }
    var builder = HashListBuilder(memoryInBytes: 1 << 16, spillingTo: FilePath(folder))
    var generator = SeededGenerator(seed: 4)
    var failure: MatchingError?
    for number in 1...400_000 where failure == nil {
      do { try builder.add(ListEntry(recordNumber: number, digests: [generator.digest()])) } catch { failure = error }
    }
    #expect(failure?.code == .diskFull)
  }

  @Test func filterTurnsMostOthersAwayAndNoneOfItsOwn() throws {
    var generator = SeededGenerator(seed: 5)
    let keys = (0..<20_000).map { _ in generator.digest() }
    let (list, _) = try makeList(keys.enumerated().map { ListEntry(recordNumber: $0 + 1, digests: [$1]) }, in: scratch)
    let index = try #require(list.index(.sha256))
    func admitted(_ digest: Digest) throws -> Bool { try index.admits(DigestKey(digest), list.tree) }
    for key in keys { #expect(try admitted(key)) }
    let others = try (0..<20_000).filter { _ in try admitted(generator.digest()) }.count
    #expect(others < 400, "\(others) of 20,000 were let through; seed 5")
    print("filter: \(others) of 20,000 unlisted digests let through")
  }
}
