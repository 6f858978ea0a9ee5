import Hashing

extension HashList {
  /// Hands over all hashes of one kind in their order, each once for every entry that the list keeps of it.
  ///
  /// - Parameter body: Gets an entry with that one hash. What it throws ends the reading.
  /// - Throws: ``MatchingError`` with `listCorrupt`.
  public func forEachEntry(of algorithm: MatchAlgorithm, _ body: (ListEntry) throws -> Void) throws {
    let layout = RecordLayout(algorithm.layout)
    guard let run = ListRun(self, layout) else { return }
    try run.advance()
    while let record = run.current {
      var entry = try run.entry()
      let key = UnsafeRawBufferPointer(start: record, count: layout.keySize)
      switch algorithm {
      case .md5: entry.digests = [Digest(.md5, bytes: key)!]
      case .sha1: entry.digests = [Digest(.sha1, bytes: key)!]
      case .sha256: entry.digests = [Digest(.sha256, bytes: key)!]
      case .pdq:
        let quality = UInt8(truncatingIfNeeded: layout.detail(record))
        entry.perceptualHashes = [PerceptualHash(bytes: key, quality: quality == HashListLayout.unknownQuality ? nil : quality)!]
      case .vpdq: entry.video = try video(at: Int(layout.detail(record)))
      }
      try body(entry)
      try run.advance()
    }
  }
}
