import Hashing

/// Some dozens of digests on their way through one index together: before one step of a lookup reads, the step before has
/// had what it reads fetched for all of them.
struct LookupBatch: ~Copyable {
  private let index: DigestIndex
  private let tree: HashTree
  /// The keys, and the number of each in the caller's array.
  private let keys: UnsafeMutablePointer<(key: DigestKey, number: Int)>
  private var count = 0

  private static let size = 64

  init(_ index: DigestIndex, _ tree: HashTree) {
    self.index = index
    self.tree = tree
    keys = .allocate(capacity: Self.size)
  }

  deinit { keys.deallocate() }

  /// Takes the next digests of one algorithm.
  ///
  /// - Returns: Where to go on.
  mutating func fill(from digests: [Digest], at start: Int, _ algorithm: DigestAlgorithm) -> Int {
    count = 0
    var next = start
    while next < digests.count && count < Self.size {
      let digest = digests[next]
      if digest.algorithm == algorithm {
        let key = DigestKey(digest)
        index.prefetchFilter(key)
        keys[count] = (key, next)
        count += 1
      }
      next += 1
    }
    return next
  }

  /// Hands over the record of each digest that is listed.
  mutating func forEachFound(_ body: (_ number: Int, _ record: Int) throws(MatchingError) -> Void) throws(MatchingError) {
    var admitted = 0
    for place in 0..<count {
      // Kept in any case and overwritten unless admitted: nothing to guess wrongly.
      keys[admitted] = keys[place]
      if try index.admits(keys[place].key, tree) {
        index.prefetchBounds(keys[admitted].key)
        admitted += 1
      }
    }
    for place in 0..<admitted { index.prefetchRecord(keys[place].key, in: try index.bucket(keys[place].key, tree)) }
    for place in 0..<admitted {
      if let record = try index.find(keys[place].key, tree) { try body(keys[place].number, record) }
    }
  }
}
