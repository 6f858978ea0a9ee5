import Foundation
import Hashing
import Matching
import SystemPackage

/// Random hashes and small lists for tests.
extension SeededGenerator {
  public mutating func digest(_ algorithm: DigestAlgorithm = .sha256) -> Digest {
    Digest(algorithm, bytes: (0..<algorithm.byteCount).map { _ in UInt8.random(in: 0...255, using: &self) })!
  }

  public mutating func hash(quality: UInt8? = 100) -> PerceptualHash {
    PerceptualHash(words: SIMD4(next(), next(), next(), next()), quality: quality)
  }

  /// The hash with some bits turned over.
  public mutating func near(_ hash: PerceptualHash, bits: Int) -> PerceptualHash {
    var words = hash.words
    for bit in (0..<256).shuffled(using: &self).prefix(bits) { words[bit / 64] ^= 1 << UInt64(bit % 64) }
    return PerceptualHash(words: words, quality: hash.quality)
  }
}

/// Builds a list file from entries.
@discardableResult
public func buildList(
  _ entries: [ListEntry], at path: String, name: String = "test", version: String = "1"
) throws -> HashListCounts {
  var builder = HashListBuilder()
  for entry in entries { try builder.add(entry) }
  let information = HashListInformation(
    name: name, version: version, source: "test", created: Date(timeIntervalSince1970: 1_700_000_000))
  return try builder.write(to: FilePath(path), information: information).counts
}

/// A program of this package, in the folder that the tests were built into.
public func builtProgram(_ name: String) -> String {
  let folder = CommandLine.arguments.first.map { URL(filePath: $0).deletingLastPathComponent() }
  let places = [folder, Corpus.packageRoot.appending(path: ".build/debug")].compactMap { $0?.appending(path: name).path }
  return places.first { FileManager.default.isExecutableFile(atPath: $0) } ?? places.last!
}
