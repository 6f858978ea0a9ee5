import Foundation
import Hashing
import SystemPackage
import TestSupport
import Testing

@testable import Matching

/// List files whose digests are all correct and whose numbers are not: nothing in them may be believed unchecked.
struct HostileListTests {
  private typealias Layout = HashListLayout
  private let scratch: TemporaryDirectory
  private let small: SmallList

  private static let extremes: [UInt64] = [
    0, 1, 2, 7, 24, 25, 61, 62, 64, 255, 4095, 4096, 4097, 8192, 1 << 24, 1 << 31 - 1, 1 << 31, 1 << 32 - 1, 1 << 32,
    1 << 63 - 4096, 1 << 63 - 1, 1 << 63, .max - 4095, .max - 1, .max,
  ]

  init() throws {
    scratch = try TemporaryDirectory()
    small = try SmallList(in: scratch)
  }

  /// Offset and width of every number in the header and in the rows of the section table.
  private func headerFields(_ file: ListBytes) -> [(offset: Int, width: Int)] {
    var fields = [
      (Layout.versionOffset, 4), (Layout.byteOrderOffset, 4), (Layout.fileSizeOffset, 8),
      (Layout.entryCountOffset, 8), (Layout.sectionCountOffset, 4), (Layout.treeOffsetOffset, 8),
      (Layout.treeSizeOffset, 8), (Layout.rootOffset, 8),
    ]
    for row in 0..<Int(file.number(UInt32.self, at: Layout.sectionCountOffset)) {
      let at = Layout.sectionTableOffset + row * Layout.sectionSize
      fields += [(at, 4), (at + 4, 4), (at + 8, 4), (at + 12, 4), (at + 16, 8), (at + 24, 8), (at + 32, 8)]
    }
    return fields.map { (offset: $0.0, width: $0.1) }
  }

  private func put(_ number: UInt64, _ field: (offset: Int, width: Int), _ file: inout ListBytes) {
    if field.width == 8 {
      file.put(number, at: field.offset)
    } else {
      file.put(UInt32(truncatingIfNeeded: number), at: field.offset)
    }
  }

  @Test func extremeNumbersInAConsistentHeaderAreRefused() throws {
    let original = ListBytes(small.original, in: scratch)
    let size = UInt64(original.bytes.count)
    var wrong: [String] = []
    for field in headerFields(original) {
      for number in Self.extremes + [size, size - 1, size + 1, size - 32, size - 4096] {
        var file = original
        put(number, field, &file)
        try file.sealHeader()
        if file.bytes == original.bytes { continue }
        try Data(file.bytes).write(to: URL(filePath: file.path.string))
        if !small.isAnsweredRightly(file.path) { wrong.append("\(number) at \(field.offset)") }
      }
    }
    #expect(wrong.isEmpty, "\(wrong.prefix(5))")
  }

  @Test func severalWrongNumbersInAConsistentHeaderAreRefused() throws {
    var generator = SeededGenerator(seed: 11)
    let original = ListBytes(small.original, in: scratch)
    let fields = headerFields(original)
    var wrong: [Int] = []
    for round in 0..<2000 {
      var file = original
      for _ in 0..<Int.random(in: 2...5, using: &generator) {
        let field = fields.randomElement(using: &generator)!
        let other = fields.filter { $0.width == field.width }.randomElement(using: &generator)!
        let copied =
          other.width == 8 ? file.number(UInt64.self, at: other.offset) : UInt64(file.number(UInt32.self, at: other.offset))
        put(Bool.random(using: &generator) ? copied : Self.extremes.randomElement(using: &generator)!, field, &file)
      }
      try file.sealHeader()
      if file.bytes == original.bytes { continue }
      try Data(file.bytes).write(to: URL(filePath: file.path.string))
      if !small.isAnsweredRightly(file.path) { wrong.append(round) }
    }
    #expect(wrong.isEmpty, "seed 11, rounds \(wrong.prefix(5))")
  }

  /// What a list says is its author's to say, so an answer may be any; but there must be one, or an error.
  @Test func extremeNumbersInConsistentSectionsNeverTrap() throws {
    var opened = 0
    for (kind, algorithm, width) in [
      (Layout.Kind.fanOut, Layout.Algorithm.sha1, 8), (.fanOut, .pdq, 8), (.entryIndexes, .sha256, 4),
      (.entryIndexes, .pdq, 4), (.entries, .none, 4), (.entries, .none, 8), (.attributions, .none, 8),
      (.strings, .none, 4), (.information, .none, 4), (.videoStarts, .video, 8), (.frames, .video, 4),
      (.entryIndexes, .videoFrame, 4), (.records, .videoFrame, 8),
    ] {
      let original = ListBytes(small.original, in: scratch)
      let section = try original.section(kind, algorithm)
      for offset in stride(from: section.lowerBound, to: section.upperBound - width + 1, by: width) {
        for number in Self.extremes {
          var file = original
          put(number, (offset, width), &file)
          try file.seal()
          guard let list = try openOrRefuse(&file) else { continue }
          opened += 1
          _ = small.ask(list)
          let refused = isRefusedByVerification(list)
          // These must be as the records are; the others may say what they like.
          if kind == .fanOut && file.bytes != original.bytes { #expect(refused, "\(number) at \(offset)") }
          if [.videoStarts, .frames].contains(kind) && file.bytes != original.bytes {
            #expect(refused, "\(number) at \(offset)")
          }
          if kind == .entryIndexes && UInt32(truncatingIfNeeded: number) > 2 { #expect(refused, "\(number) at \(offset)") }
        }
      }
    }
    #expect(opened > 1000)
  }

  @Test func randomBytesInConsistentSectionsNeverTrap() throws {
    var generator = SeededGenerator(seed: 12)
    let original = ListBytes(small.original, in: scratch)
    let tree = Int(original.number(UInt64.self, at: Layout.treeOffsetOffset))
    let starts = Array(stride(from: Layout.blockSize, to: tree, by: Layout.blockSize))
    for _ in 0..<2000 {
      var file = original
      for _ in 0..<Int.random(in: 1...4, using: &generator) {
        let offset = starts.randomElement(using: &generator)! + Int.random(in: 0..<96, using: &generator)
        file.bytes[offset] = [0, 1, 127, 128, 255, UInt8.random(in: 0...255, using: &generator)].randomElement(using: &generator)!
      }
      try file.seal()
      guard let list = try openOrRefuse(&file) else { continue }
      _ = small.ask(list)
      _ = isRefusedByVerification(list)
    }
  }

  @Test func recordsOutOfOrderAreFoundByVerification() throws {
    var file = ListBytes(small.original, in: scratch)
    let section = try file.section(.records, .sha256)
    let records = file.bytes[section]
    file.bytes.replaceSubrange(section, with: records.suffix(32) + records.prefix(32))
    try file.seal()
    let swapped = try file.open()
    #expect(throws: MatchingError(.listCorrupt, "")) { try swapped.verify() }
    file.bytes.replaceSubrange(section, with: records.prefix(32) + records.prefix(32))
    try file.seal()
    let twice = try file.open()
    #expect(throws: MatchingError(.listCorrupt, "")) { try twice.verify() }
  }

  /// Whatever was asked before: what has been verified is searched in another way.
  @Test func aRecordThatItsBucketLeavesOutIsNeverFound() throws {
    let keys = try (0..<40).map { try digest(.sha256, "text \($0)") }
    let (list, _) = try makeList(
      keys.enumerated().map { ListEntry(recordNumber: $0.offset + 1, digests: [$0.element]) }, in: scratch)
    var file = ListBytes([UInt8](try Data(contentsOf: URL(filePath: list.path.string))), in: scratch)
    let fanOut = try file.section(.fanOut, .sha256)
    #expect(fanOut.count == 12)
    // The second of two buckets is empty.
    let middle = file.number(UInt32.self, at: fanOut.lowerBound + 4)
    file.put(middle, at: fanOut.lowerBound + 8)
    try file.seal()
    let changed = try file.open()
    for _ in 0..<2 { #expect(try keys.filter(changed.contains).count == middle) }
    #expect(throws: MatchingError(.listCorrupt, "")) { try changed.verify() }
  }

  @Test func aSealedListWithoutChangesIsTheOneThatTheBuilderWrote() throws {
    var file = ListBytes(small.original, in: scratch)
    try file.seal()
    #expect(file.bytes == small.original)
  }

  private func openOrRefuse(_ file: inout ListBytes) throws -> HashList? {
    do { return try file.open() } catch is MatchingError { return nil }
  }

  private func isRefusedByVerification(_ list: HashList) -> Bool {
    do { try list.verify() } catch { return true }
    return false
  }
}
