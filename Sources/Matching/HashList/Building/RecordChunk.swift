/// Some thousands of records in memory, filled in any order and sorted in one go.
///
/// `@unchecked Sendable`: whoever fills a chunk gives it away to be sorted, and takes it back when that is done.
final class RecordChunk: @unchecked Sendable {
  let layout: RecordLayout
  private var storage: UnsafeMutableRawPointer
  let capacity: Int
  /// How many are there; whoever fills the chunk says so.
  var count = 0

  /// - Parameter sizeInBytes: Room for records, at least one.
  init(_ layout: RecordLayout, sizeInBytes: Int) {
    self.layout = layout
    capacity = max(1, sizeInBytes / layout.stride)
    storage = .allocate(byteCount: capacity * layout.stride, alignment: 64)
  }

  deinit { storage.deallocate() }

  var start: UnsafeMutableRawPointer { storage }
  var end: UnsafeMutableRawPointer { storage + capacity * layout.stride }
  var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: storage, count: count * layout.stride) }

  /// Where a record was, and the beginning of its key.
  private struct Item {
    let prefix: UInt64
    let index: UInt32
  }

  /// Sorts by key; records with equal keys stay in the order they came in.
  ///
  /// Items are dealt into buckets by their leading bits, the buckets again by the next, and what is left together is
  /// sorted by comparison. Keys of digests are spread evenly, so two deals leave about one item to a bucket; keys that are
  /// not, as a hostile list may have, cost comparisons.
  func sort() {
    let (storage, stride, count) = (storage, layout.stride, count)
    let items = UnsafeMutableBufferPointer<Item>.allocate(capacity: count)
    let dealt = UnsafeMutableBufferPointer<Item>.allocate(capacity: count)
    let sorted = UnsafeMutableRawPointer.allocate(byteCount: capacity * layout.stride, alignment: 64)
    defer {
      items.deallocate()
      dealt.deallocate()
    }
    for index in 0..<count {
      items.initializeElement(
        at: index, to: Item(prefix: RecordLayout.prefix(storage + index * stride), index: UInt32(index)))
    }
    let ends = deal(items[...], to: dealt, bits: 11, above: 53)
    var start = 0
    for end in ends {
      sortBucket(dealt[start..<end], scratch: items)
      start = end
    }
    for (place, item) in items.enumerated() {
      (sorted + place * stride).copyMemory(from: storage + Int(item.index) * stride, byteCount: stride)
    }
    storage.deallocate()
    self.storage = sorted
  }

  /// Deals items into buckets by some bits of their prefix, in order.
  ///
  /// - Returns: Where each bucket ends in `target`, which has the same indices as `items`.
  private func deal(
    _ items: Slice<UnsafeMutableBufferPointer<Item>>, to target: UnsafeMutableBufferPointer<Item>, bits: UInt64,
    above shift: UInt64
  ) -> [Int] {
    let mask: UInt64 = 1 << bits - 1
    var places = [Int](repeating: 0, count: 1 << bits)
    places.withUnsafeMutableBufferPointer { places in
      for item in items { places[Int(item.prefix >> shift & mask)] += 1 }
      var next = items.startIndex
      for bucket in places.indices {
        let count = places[bucket]
        places[bucket] = next
        next += count
      }
      for item in items {
        let bucket = Int(item.prefix >> shift & mask)
        target[places[bucket]] = item
        places[bucket] += 1
      }
    }
    return places
  }

  /// Sorts the items of one bucket into the same places of `scratch`.
  private func sortBucket(_ bucket: Slice<UnsafeMutableBufferPointer<Item>>, scratch: UnsafeMutableBufferPointer<Item>) {
    if bucket.count <= 1 {
      for index in bucket.indices { scratch[index] = bucket[index] }
    } else if bucket.count < 64 {
      for index in bucket.indices { scratch[index] = bucket[index] }
      sortByComparison(scratch[bucket.indices])
    } else {
      let ends = deal(bucket, to: scratch, bits: 9, above: 44)
      var start = bucket.startIndex
      for end in ends where end > start {
        if end - start > 1 { sortByComparison(scratch[start..<end]) }
        start = end
      }
    }
  }

  private func sortByComparison(_ items: Slice<UnsafeMutableBufferPointer<Item>>) {
    if items.count <= 16 {
      for index in items.indices.dropFirst() {
        let item = items.base[index]
        var place = index
        while place > items.startIndex, precedes(item, items.base[place - 1]) {
          items.base[place] = items.base[place - 1]
          place -= 1
        }
        items.base[place] = item
      }
    } else {
      var buffer = UnsafeMutableBufferPointer(rebasing: items)
      buffer.sort(by: precedes)
    }
  }

  private func precedes(_ one: Item, _ other: Item) -> Bool {
    if one.prefix != other.prefix { return one.prefix < other.prefix }
    let order = layout.compareRest(storage + Int(one.index) * layout.stride, storage + Int(other.index) * layout.stride)
    return order != 0 ? order < 0 : one.index < other.index
  }
}
