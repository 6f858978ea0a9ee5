import Foundation
import Hashing
import SystemPackage

/// One version of a hash list: an immutable file, mapped and searched where it lies.
///
/// Opening reads the header and nothing that grows with the list. Bytes behind an answer are checked against the digests
/// they were written with before the first answer that needs them, so a damaged list is an error and never a miss.
///
/// There is no `insert` and no `remove`: a list is replaced, never edited.
public final class HashList: Sendable {
  public let path: FilePath
  public let information: HashListInformation
  /// Rows that say where hashes come from.
  public let entryCount: Int
  /// SHA-256 of the file without its last 32 bytes, where it stands: what identifies this version.
  public let digest: Digest
  public let sizeInBytes: Int

  let file: MappedFile
  let tree: HashTree
  let sections: [HashListSection]
  /// Sections that lookups go through, by algorithm.
  let records: [Records]

  /// The sections of one algorithm.
  struct Records {
    let algorithm: HashListLayout.Algorithm
    let keys: HashListSection
    let fanOut: HashListSection
    let entryIndexes: HashListSection
    let qualities: HashListSection?
  }

  public var version: ListVersion { ListVersion(name: information.name, version: information.version) }

  /// Opens a hash list file.
  ///
  /// - Throws: ``MatchingError``: `listMissing`, `permission`, `notAHashList`, `futureVersion`, `foreignByteOrder`,
  ///   `listTruncated` or `listCorrupt`.
  public init(opening path: FilePath) throws(MatchingError) {
    self.path = path
    file = try MappedFile(path)
    let header = try HashListHeader(file)
    sections = header.sections
    entryCount = header.entryCount
    digest = header.trailer
    sizeInBytes = file.bytes.count
    tree = HashTree(
      file, shape: header.shape, treeBlock: header.treeOffset / HashListLayout.blockSize, root: header.root)
    records = try Self.group(header.sections, path)
    information = try Self.information(header, file, tree)
  }

  /// How many distinct hashes of one kind the list holds.
  public func count(of algorithm: MatchAlgorithm) -> Int {
    records.first { $0.algorithm == algorithm.layout }?.keys.count ?? 0
  }

  /// The exact algorithms that a digest must be made with to be found here.
  public var digestAlgorithms: [DigestAlgorithm] { DigestAlgorithm.allCases.filter { count(of: .init($0)) > 0 } }

  /// Distinct hashes of all kinds.
  public var hashCount: Int { records.reduce(0) { $0 + $1.keys.count } }

  func records(_ algorithm: HashListLayout.Algorithm) -> Records? { records.first { $0.algorithm == algorithm } }

  private static func group(_ sections: [HashListSection], _ path: FilePath) throws(MatchingError) -> [Records] {
    func damaged(_ what: String) -> MatchingError {
      MatchingError(.listCorrupt, "list file \(path) is damaged: \(what)", hint: "import the list again")
    }
    var all: [Records] = []
    for keys in sections where keys.kind == .records {
      func section(_ kind: HashListLayout.Kind) throws(MatchingError) -> HashListSection {
        guard let found = sections.first(where: { $0.kind == kind && $0.algorithm == keys.algorithm }) else {
          throw damaged("there is no section of kind \(kind.rawValue) for algorithm \(keys.algorithm.rawValue)")
        }
        return found
      }
      let fanOut = try section(.fanOut)
      let indexes = try section(.entryIndexes)
      guard keys.count <= HashListLayout.mostRecords, fanOut.fanOutBits <= HashListLayout.mostFanOutBits,
        fanOut.count == 1 << fanOut.fanOutBits + 1, indexes.count == keys.count
      else { throw damaged("the sections for one algorithm do not fit together") }
      let qualities = keys.algorithm == .pdq ? try section(.qualities) : nil
      guard qualities.map({ $0.count == keys.count }) ?? true else {
        throw damaged("there are not as many qualities as perceptual hashes")
      }
      all.append(Records(algorithm: keys.algorithm, keys: keys, fanOut: fanOut, entryIndexes: indexes, qualities: qualities))
    }
    return all
  }

  private static func information(
    _ header: HashListHeader, _ file: MappedFile, _ tree: HashTree
  ) throws(MatchingError) -> HashListInformation {
    var fields: [Substring: Substring] = [:]
    if let section = header.sections.first(where: { $0.kind == .information }) {
      try tree.verify(offset: section.offset, size: section.size)
      let text = String(decoding: file.bytes.slice(section.offset, section.size), as: UTF8.self)
      for line in text.split(separator: "\n") {
        guard let tab = line.firstIndex(of: "\t") else { continue }
        fields[line[..<tab]] = line[line.index(after: tab)...]
      }
    }
    guard let name = fields["name"], let version = fields["version"] else {
      throw MatchingError(.listCorrupt, "list file \(file.path) is damaged: it does not say which list it is")
    }
    return HashListInformation(
      name: String(name), version: String(version), source: String(fields["source"] ?? ""), created: header.created)
  }
}

extension MatchAlgorithm {
  var layout: HashListLayout.Algorithm {
    switch self {
    case .md5: .md5
    case .sha1: .sha1
    case .sha256: .sha256
    case .pdq: .pdq
    }
  }
}
