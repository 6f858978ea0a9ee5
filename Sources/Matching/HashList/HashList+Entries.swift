import Hashing

extension HashList {
  /// What the list says of one entry, without its hashes.
  ///
  /// - Parameter index: 0 ..< ``entryCount``, in the order of the source.
  /// - Throws: ``MatchingError`` with `listCorrupt`.
  func entry(at index: Int) throws(MatchingError) -> ListEntry {
    let rows = try section(.entries)
    guard index >= 0 && index < rows.count else { throw damaged("a record names entry \(index) of \(rows.count)") }
    let row = try bytes(rows.offset + index * rows.recordSize, rows.recordSize)
    let attributions = try section(.attributions)
    let attribution = Int(row.load(UInt32.self, at: 16))
    guard attribution < attributions.count else { throw damaged("entry \(index) has no contributor row") }
    let said = try bytes(attributions.offset + attribution * attributions.recordSize, attributions.recordSize)
    let scheme = try string(said.load(UInt64.self, at: 16), said.load(UInt64.self, at: 24))
    let label = try string(said.load(UInt64.self, at: 32), said.load(UInt64.self, at: 40))
    return ListEntry(
      id: try string(row.load(UInt64.self, at: 8), UInt64(row.load(UInt32.self, at: 20))),
      recordNumber: Int(truncatingIfNeeded: row.load(UInt64.self, at: 0)),
      contributor: try string(said.load(UInt64.self, at: 0), said.load(UInt64.self, at: 8)),
      category: label.map { Category(scheme: scheme ?? "", label: $0) })
  }

  private func section(_ kind: HashListLayout.Kind) throws(MatchingError) -> HashListSection {
    guard let section = sections.first(where: { $0.kind == kind }) else {
      throw damaged("there is no section of kind \(kind.rawValue)")
    }
    return section
  }

  private func bytes(_ offset: Int, _ count: Int) throws(MatchingError) -> UnsafeRawBufferPointer {
    try tree.verify(offset: offset, size: count)
    return file.bytes.slice(offset, count)
  }

  private func string(_ offset: UInt64, _ length: UInt64) throws(MatchingError) -> String? {
    if offset == HashListLayout.noString { return nil }
    let heap = try section(.strings)
    guard offset <= UInt64(heap.size), length <= UInt64(heap.size) - offset else {
      throw damaged("a string lies outside of its section")
    }
    return String(decoding: try bytes(heap.offset + Int(offset), Int(length)), as: UTF8.self)
  }

  /// Reads the whole file and checks all that can be checked: every block, the trailer, that records ascend, that the
  /// fan-out finds them, and that each names an entry.
  ///
  /// - Throws: ``MatchingError`` with `listCorrupt` and what is wrong first.
  public func verify() throws(MatchingError) {
    let wholeDigest = try sha256(file.bytes.slice(0, sizeInBytes - HashListLayout.trailerSize))
    guard wholeDigest == digest else { throw damaged("the file does not have the digest that it ends with") }
    try tree.verify(
      offset: HashListLayout.blockSize, size: sizeInBytes - HashListLayout.trailerSize - HashListLayout.blockSize)
    for records in records {
      var bucketEnds = [Int](repeating: 0, count: 1 << records.fanOut.fanOutBits)
      var last: UnsafeRawBufferPointer?
      for index in 0..<records.keys.count {
        let record = try record(index, in: records)
        if let last, !last.lexicographicallyPrecedes(record) { throw damaged("record \(index) is out of order") }
        last = record
        bucketEnds[HashListLayout.bucket(of: record, bits: records.fanOut.fanOutBits)] = index + 1
        _ = try entry(at: try entryIndex(of: index, in: records))
      }
      var start = 0
      for (bucket, end) in bucketEnds.enumerated() {
        guard file.bytes.load(UInt64.self, at: records.fanOut.offset + bucket * 8) == UInt64(start) else {
          throw damaged("bucket \(bucket) does not begin where its records do")
        }
        start = max(start, end)
      }
      guard file.bytes.load(UInt64.self, at: records.fanOut.offset + bucketEnds.count * 8) == UInt64(records.keys.count)
      else { throw damaged("the last bucket does not end with the records") }
    }
  }
}
