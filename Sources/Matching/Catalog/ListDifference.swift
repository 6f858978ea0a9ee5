import Hashing

/// How one version of a list differs from another, hash by hash.
public struct ListDifference: Sendable, Equatable {
  public struct Counts: Sendable, Equatable {
    public var added = 0
    public var removed = 0
    public var kept = 0
  }

  /// Only algorithms that one of the versions has.
  public private(set) var counts: [MatchAlgorithm: Counts] = [:]

  public var added: Int { counts.values.reduce(0) { $0 + $1.added } }
  public var removed: Int { counts.values.reduce(0) { $0 + $1.removed } }
  public var kept: Int { counts.values.reduce(0) { $0 + $1.kept } }

  /// The greater of what was added and what was removed, as a share of the old version; 0 and up.
  public var share: Double { Double(max(added, removed)) / Double(max(1, removed + kept)) }

  /// Compares two versions from their first hash to their last.
  ///
  /// - Parameters:
  ///   - change: Gets each hash that only one version has, in order, and whether it is the new one.
  /// - Throws: ``MatchingError`` with `listCorrupt`; what `change` throws.
  public init(
    from old: HashList, to new: HashList, _ change: (ListedHash, _ isAdded: Bool) throws -> Void = { _, _ in }
  ) throws {
    for algorithm in MatchAlgorithm.allCases {
      let layout = RecordLayout(algorithm.layout)
      let (before, after) = (ListRun(old, layout), ListRun(new, layout))
      if before == nil && after == nil { continue }
      var counts = Counts()
      try before?.advanceToNext()
      try after?.advanceToNext()
      while let order = Self.order(before?.current, after?.current, layout) {
        if order == 0 {
          counts.kept += 1
        } else if order < 0 {
          counts.removed += 1
          try change(before!.listedHash(algorithm), false)
        } else {
          counts.added += 1
          try change(after!.listedHash(algorithm), true)
        }
        if order <= 0 { try before!.advanceToNext() }
        if order >= 0 { try after!.advanceToNext() }
      }
      self.counts[algorithm] = counts
    }
  }

  /// Which of two hashes comes first, where one that is not there comes last; `nil` at the end of both.
  private static func order(_ old: UnsafeRawPointer?, _ new: UnsafeRawPointer?, _ layout: RecordLayout) -> Int? {
    switch (old, new) {
    case (nil, nil): nil
    case (.some, nil): -1
    case (nil, .some): 1
    case (let old?, let new?): layout.compare(old, new)
    }
  }
}

/// A hash on a list, with the first entry that has it.
public struct ListedHash: Sendable {
  public let algorithm: MatchAlgorithm
  public let bytes: [UInt8]
  public let entry: ListEntry
}

extension ListRun {
  /// Goes on to the next hash, past further entries of the one at hand.
  fileprivate func advanceToNext() throws(MatchingError) {
    repeat { try advance() } while current != nil && isFurtherEntry
  }

  fileprivate func listedHash(_ algorithm: MatchAlgorithm) throws(MatchingError) -> ListedHash {
    let record = UnsafeRawBufferPointer(start: current!, count: algorithm.layout.recordSize)
    return ListedHash(algorithm: algorithm, bytes: Array(record), entry: try entry())
  }
}
