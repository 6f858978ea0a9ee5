import Hashing

extension HashList {
  /// Reads the whole file and checks all that can be checked: every block against the digests up to the header's, that
  /// records ascend, that the fan-out, the filter and the near index find them, and that each names an entry.
  ///
  /// - Throws: ``MatchingError`` with `listCorrupt` and what is wrong first.
  public func verify() throws(MatchingError) {
    try file.inOrder { () throws(MatchingError) in
      try tree.verify(offset: HashListLayout.blockSize, size: sizeInBytes - HashListLayout.blockSize)
    }
    for records in records {
      try verifyRecords(records)
      try verifyFurtherEntries(records)
      try records.nearIndex?.verify { (index) throws(MatchingError) in try record(index, in: records) }
    }
    try verifyVideos()
  }

  /// Reads what every lookup passes on its way to a record, and what vouches for the records: a twentieth of the list. From
  /// then on a digest that is listed costs one page, whatever the rest of memory is used for.
  ///
  /// - Throws: ``MatchingError`` with `listCorrupt`.
  package func loadIndexes() throws(MatchingError) {
    try file.inOrder { () throws(MatchingError) in
      for section in sections where section.kind == .filter || section.kind == .fanOut {
        try tree.verify(offset: section.offset, size: section.size)
      }
      try tree.verifyTree()
    }
  }

  /// Has the kernel forget what it keeps of the file, as after a reboot.
  package func leaveMemory() throws(MatchingError) { try file.leaveMemory() }

  /// Reads what a record leads to: an entry, or where it is a frame, the video.
  private func verifyReference(_ index: Int, from records: Records) throws(MatchingError) {
    guard records.algorithm == .videoFrame else {
      _ = try entry(at: index)
      return
    }
    guard index < self.records(.video)?.keys.count ?? 0 else { throw damaged("a frame is of a video that there is not") }
  }

  private func verifyRecords(_ records: Records) throws(MatchingError) {
    let layout = RecordLayout(records.algorithm)
    let bits = records.fanOut.fanOutBits
    var bucketEnds = [Int](repeating: 0, count: 1 << bits)
    var last: UnsafeRawPointer?
    for index in 0..<records.keys.count {
      let record = try record(index, in: records)
      if let last, !layout.precedes(last, record) { throw damaged("record \(index) is out of order") }
      last = record
      bucketEnds[HashListLayout.bucket(of: record, bits: bits)] = index + 1
      guard try isAdmitted(record, in: records) else { throw damaged("the filter turns record \(index) away") }
      try verifyReference(try entryIndex(of: index, in: records), from: records)
    }
    var start = 0
    for (bucket, end) in bucketEnds.enumerated() {
      guard Int(file.bytes.load(UInt32.self, at: records.fanOut.offset + bucket * 4)) == start else {
        throw damaged("bucket \(bucket) does not begin where its records do")
      }
      start = max(start, end)
    }
    guard Int(file.bytes.load(UInt32.self, at: records.fanOut.offset + bucketEnds.count * 4)) == records.keys.count else {
      throw damaged("the last bucket does not end with the records")
    }
  }

  /// Whether the filter lets a record through.
  private func isAdmitted(_ record: UnsafeRawPointer, in records: Records) throws(MatchingError) -> Bool {
    let bytes = UnsafeRawBufferPointer(start: record, count: records.keys.recordSize)
    let algorithm = records.algorithm == .video ? .sha256 : DigestAlgorithm(rawValue: UInt8(records.algorithm.rawValue))
    guard let index = records.index, let algorithm, let digest = Digest(algorithm, bytes: bytes) else { return true }
    return try index.admits(DigestKey(digest), tree)
  }

  private func verifyFurtherEntries(_ records: Records) throws(MatchingError) {
    var last = (record: 0, entry: -1)
    for row in 0..<records.furtherEntries.count {
      let pair = try furtherEntry(row, in: records)
      guard last < pair, pair.record < records.keys.count else { throw damaged("its further entries are out of order") }
      try verifyReference(pair.entry, from: records)
      last = pair
    }
  }
}
