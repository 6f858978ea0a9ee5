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
  /// What identifies this version: SHA-256 of the file's header, which vouches for all that follows.
  public let digest: Digest
  public let sizeInBytes: Int

  let file: MappedFile
  let tree: HashTree
  let sections: [HashListSection]
  /// Sections that lookups go through, of each algorithm there is.
  let records: [Records]
  /// The same by the algorithm's number.
  private let recordsByAlgorithm: [Records?]
  private let md5, sha1, sha256: DigestIndex?

  /// The sections of one algorithm. A class, because every lookup hands it on.
  final class Records: Sendable {
    let algorithm: HashListLayout.Algorithm
    let keys: HashListSection
    let fanOut: HashListSection
    let entryIndexes: HashListSection
    let furtherEntries: HashListSection
    /// For digests. Owned.
    let index: DigestIndex?
    /// For perceptual hashes but frames.
    let qualities: HashListSection?
    let nearIndex: NearIndex?
    /// For videos.
    let videos: Videos?

    init(
      algorithm: HashListLayout.Algorithm, keys: HashListSection, fanOut: HashListSection, entryIndexes: HashListSection,
      furtherEntries: HashListSection, index: DigestIndex?, qualities: HashListSection?, nearIndex: NearIndex?,
      videos: Videos?
    ) {
      self.algorithm = algorithm
      self.keys = keys
      self.fanOut = fanOut
      self.entryIndexes = entryIndexes
      self.furtherEntries = furtherEntries
      self.index = index
      self.qualities = qualities
      self.nearIndex = nearIndex
      self.videos = videos
    }

    deinit { index?.deallocate() }
  }

  /// The frames of all videos, and where those of each begin.
  struct Videos {
    let starts: HashListSection
    let frames: HashListSection
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
    digest = header.digest
    sizeInBytes = file.bytes.count
    tree = HashTree(
      file, shape: header.shape, treeBlock: header.treeOffset / HashListLayout.blockSize, root: header.root)
    records = try Self.group(header.sections, file, tree)
    recordsByAlgorithm = HashListLayout.Algorithm.allCases.map { [records] algorithm in
      records.first { $0.algorithm == algorithm }
    }
    md5 = recordsByAlgorithm[1]?.index
    sha1 = recordsByAlgorithm[2]?.index
    sha256 = recordsByAlgorithm[3]?.index
    information = try Self.information(header, file, tree)
  }

  /// How many distinct hashes of one kind the list holds.
  public func count(of algorithm: MatchAlgorithm) -> Int {
    records.first { $0.algorithm == algorithm.layout }?.keys.count ?? 0
  }

  /// The exact algorithms that a digest must be made with to be found here.
  public var digestAlgorithms: [DigestAlgorithm] { DigestAlgorithm.allCases.filter { count(of: .init($0)) > 0 } }

  /// Bytes of the file that lookups of an algorithm's digests go through: hashes, filter and fan-out, and what they take of the
  /// hash tree. The others say where each hash comes from.
  public func lookupSizeInBytes(of algorithm: DigestAlgorithm) -> Int {
    let read = sections.filter {
      $0.algorithm == MatchAlgorithm(algorithm).layout && [.records, .filter, .fanOut].contains($0.kind)
    }
    return read.reduce(0) { $0 + $1.size + $1.size / HashListLayout.nodesPerBlock }
  }

  /// Distinct hashes of all kinds.
  public var hashCount: Int { MatchAlgorithm.allCases.reduce(0) { $0 + count(of: $1) } }

  @inline(__always)
  func index(_ algorithm: DigestAlgorithm) -> DigestIndex? {
    switch algorithm {
    case .md5: md5
    case .sha1: sha1
    case .sha256: sha256
    }
  }

  func records(_ algorithm: HashListLayout.Algorithm) -> Records? { recordsByAlgorithm[Int(algorithm.rawValue)] }

  private static func group(
    _ sections: [HashListSection], _ file: MappedFile, _ tree: HashTree
  ) throws(MatchingError) -> [Records] {
    func damaged(_ what: String) -> MatchingError { .damaged(file.path, what) }
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
      guard keys.count > 0, keys.count <= HashListLayout.mostRecords, fanOut.fanOutBits <= HashListLayout.mostFanOutBits,
        fanOut.count == 1 << fanOut.fanOutBits + 1, indexes.count == keys.count
      else { throw damaged("the sections for one algorithm do not fit together") }
      var (index, qualities, nearIndex): (DigestIndex?, HashListSection?, NearIndex?)
      var videos: Videos?
      let furtherEntries = try section(.furtherEntries)
      if keys.algorithm == .pdq {
        let quality = try section(.qualities)
        guard quality.count == keys.count else { throw damaged("there are not as many qualities as perceptual hashes") }
        qualities = quality
      }
      if keys.algorithm == .video {
        videos = Videos(starts: try section(.videoStarts), frames: try section(.frames))
        guard videos!.starts.count == keys.count + 1 else { throw damaged("there are not as many videos as their frames say") }
      }
      if keys.algorithm.isNear {
        nearIndex = try NearIndex(
          recordCount: keys.count, slots: try section(.nearSlots), starts: try section(.nearStarts),
          records: try section(.nearRecords), file, tree)
      } else {
        let filter = try section(.filter)
        guard filter.count > 0 else { throw damaged("there is no filter for one algorithm") }
        index = DigestIndex(file, tree, filter: filter, fanOut: fanOut, records: keys, entryIndexes: indexes)
      }
      all.append(
        Records(
          algorithm: keys.algorithm, keys: keys, fanOut: fanOut, entryIndexes: indexes,
          furtherEntries: furtherEntries, index: index, qualities: qualities, nearIndex: nearIndex,
          videos: videos))
    }
    return all
  }

  private static func information(
    _ header: HashListHeader, _ file: MappedFile, _ tree: HashTree
  ) throws(MatchingError) -> HashListInformation {
    guard let section = header.sections.first(where: { $0.kind == .information }) else {
      throw .damaged(file.path, "it does not say which list it is")
    }
    try tree.verify(offset: section.offset, size: section.size)
    let text = String(decoding: file.bytes.slice(section.offset, section.size), as: UTF8.self)
    guard let information = HashListInformation(text, created: header.created) else {
      throw .damaged(file.path, "it does not say which list it is")
    }
    return information
  }
}

extension MatchAlgorithm {
  var layout: HashListLayout.Algorithm {
    switch self {
    case .md5: .md5
    case .sha1: .sha1
    case .sha256: .sha256
    case .pdq: .pdq
    case .vpdq: .video
    }
  }
}
