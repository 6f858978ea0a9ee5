import Foundation
import Hashing
import SystemPackage
import TestSupport
import Testing

@testable import Matching

/// 2026-01-01T00:00:00Z, when all lists of these tests were made.
let newYear = Date(timeIntervalSince1970: 1_767_225_600)

/// A digest of a made-up text.
func digest(_ algorithm: DigestAlgorithm, _ text: String) throws -> Digest {
  try Array(text.utf8).withUnsafeBytes { try Digester.digests(of: $0, [algorithm])[0] }
}

/// A perceptual hash of nothing at all: the SHA-256 of a text.
func picture(_ text: String, quality: UInt8? = nil) throws -> PerceptualHash {
  try PerceptualHash(hex: digest(.sha256, text).hex, quality: quality)!
}

extension PerceptualHash {
  /// The hash with bits turned over.
  func flipping(_ bits: some Sequence<Int>) -> PerceptualHash {
    var words = words
    for bit in bits { words[bit / 64] ^= 1 << UInt64(bit % 64) }
    return PerceptualHash(words: words, quality: quality)
  }

  /// Any hash, from 256 random bits.
  static func random(using generator: inout SeededGenerator) -> PerceptualHash {
    PerceptualHash(words: SIMD4(generator.next(), generator.next(), generator.next(), generator.next()))
  }
}

extension Digest {
  /// The digest that is greater or smaller by one; `nil` past the last and the first.
  func neighbour(_ step: Int) -> Digest? {
    var bytes = bytes
    for index in bytes.indices.reversed() {
      let (sum, overflow) =
        step > 0 ? bytes[index].addingReportingOverflow(1) : bytes[index].subtractingReportingOverflow(1)
      bytes[index] = sum
      if !overflow { return Digest(algorithm, bytes: bytes) }
    }
    return nil
  }
}

/// Writes a list of these entries to a file of that name.
func makeList(
  _ entries: [ListEntry], in folder: TemporaryDirectory, name: String = "test", version: String = "1"
) throws -> (list: HashList, counts: HashListCounts) {
  var builder = HashListBuilder()
  for entry in entries { try builder.add(entry) }
  let path = FilePath(folder.path("\(name)-\(version).hashlist"))
  let information = HashListInformation(name: name, version: version, source: "\(name).txt", created: newYear)
  let written = try builder.write(to: path, information: information)
  let list = try HashList(opening: path)
  #expect(list.digest == written.digest)
  return (list, written.counts)
}

/// The bytes of a list file, and a place to put changed ones.
struct ListBytes {
  var bytes: [UInt8]
  let path: FilePath

  init(_ bytes: [UInt8], in folder: TemporaryDirectory, name: String = "changed.hashlist") {
    self.bytes = bytes
    path = FilePath(folder.path(name))
  }

  /// Opens what the bytes are now.
  func open() throws -> HashList {
    try Data(bytes).write(to: URL(filePath: path.string))
    return try HashList(opening: path)
  }

  func number<Number: FixedWidthInteger & BitwiseCopyable>(_ type: Number.Type, at offset: Int) -> Number {
    bytes.withUnsafeBytes { $0.load(type, at: offset) }
  }

  mutating func put<Number: FixedWidthInteger & BitwiseCopyable>(_ number: Number, at offset: Int) {
    bytes.withUnsafeMutableBytes { $0.store(number, at: offset) }
  }

  /// Offset and size of a section, by its row in the table.
  func section(_ kind: HashListLayout.Kind, _ algorithm: HashListLayout.Algorithm = .none) throws -> Range<Int> {
    for row in 0..<Int(number(UInt32.self, at: HashListLayout.sectionCountOffset)) {
      let at = HashListLayout.sectionTableOffset + row * HashListLayout.sectionSize
      if number(UInt32.self, at: at) == kind.rawValue && number(UInt32.self, at: at + 4) == algorithm.rawValue {
        let offset = Int(number(UInt64.self, at: at + 16))
        return offset..<offset + Int(number(UInt64.self, at: at + 24))
      }
    }
    throw MatchingError(.listCorrupt, "the test's list has no such section")
  }

  /// Gives the header the digest that it ought to have.
  mutating func sealHeader() throws {
    let end = HashListLayout.headerDigestOffset
    bytes.replaceSubrange(end..<end + 32, with: try digest(of: 0..<end))
  }

  /// Gives tree and header the digests that they ought to have, as whoever means harm would.
  mutating func seal() throws {
    let block = HashListLayout.blockSize
    var start = Int(number(UInt64.self, at: HashListLayout.treeOffsetOffset))
    var below = block..<start
    repeat {
      var level: [UInt8] = []
      for at in stride(from: below.lowerBound, to: below.upperBound, by: block) { level += try digest(of: at..<at + block) }
      let size = HashListLayout.blocks(level.count) * block
      bytes.replaceSubrange(start..<start + level.count, with: level)
      below = start..<start + size
      start += size
    } while below.count > block
    bytes.replaceSubrange(HashListLayout.rootOffset..<HashListLayout.rootOffset + 32, with: try digest(of: below))
    try sealHeader()
  }

  private func digest(of range: Range<Int>) throws -> [UInt8] {
    try bytes.withUnsafeBytes { try sha256(UnsafeRawBufferPointer(rebasing: $0[range])).bytes }
  }
}
