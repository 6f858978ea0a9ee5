import Hashing

extension HashList {
  /// Whether lookups find the first, the middle and the last record of each kind: what the canaries of a scan ask.
  ///
  /// - Throws: ``MatchingError`` with `listCorrupt`.
  public func findsItsOwnRecords() throws(MatchingError) -> Bool {
    for records in records where records.keys.count > 0 {
      for index in [0, records.keys.count / 2, records.keys.count - 1] {
        let bytes = UnsafeRawBufferPointer(start: try record(index, in: records), count: records.keys.recordSize)
        if records.algorithm == .video {
          guard try Digest(.sha256, bytes: bytes) == sha256(frameRows(ofVideo: index)) else { return false }
        } else if records.algorithm == .videoFrame {
          let hash = PerceptualHash(bytes: bytes)!
          if try hits(near: [hash], within: 0, in: records)[index] == nil { return false }
        } else if let algorithm = DigestAlgorithm(rawValue: UInt8(records.algorithm.rawValue)) {
          guard let digest = Digest(algorithm, bytes: bytes), try match(for: digest) != nil else { return false }
        } else if let hash = PerceptualHash(bytes: bytes) {
          if try matches(near: [hash], within: 0, leastQuality: 0).isEmpty { return false }
        }
      }
    }
    return true
  }
}
