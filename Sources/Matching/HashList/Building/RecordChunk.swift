import CKernels

/// Memory that sorting a chunk needs besides the chunk.
struct SortingRoom {
  private var halves: (LargeMemory<RecordChunk.Item>, LargeMemory<RecordChunk.Item>)?

  /// Room for some items, twice.
  fileprivate mutating func items(_ count: Int) -> (LargeMemory<RecordChunk.Item>, LargeMemory<RecordChunk.Item>) {
    if let halves, halves.0.count >= count { return halves }
    let larger = (LargeMemory<RecordChunk.Item>(count), LargeMemory<RecordChunk.Item>(count))
    halves = larger
    return larger
  }
}

/// Some thousands of records in memory, filled in any order and sorted in one go.
///
/// `@unchecked Sendable`: whoever fills a chunk gives it away to be sorted, and takes it back when that is done.
final class RecordChunk: @unchecked Sendable {
  let layout: RecordLayout
  private var storage: LargeMemory<UInt8>
  let capacity: Int
  /// How many are there; whoever fills the chunk says so.
  var count = 0

  /// - Parameters:
  ///   - sizeInBytes: Room for records, at least one.
  ///   - memory: Taken if it is of that size.
  init(_ layout: RecordLayout, sizeInBytes: Int, in memory: LargeMemory<UInt8>? = nil) {
    self.layout = layout
    capacity = max(1, sizeInBytes / layout.stride)
    let size = capacity * layout.stride
    storage = if let memory, memory.count == size { memory } else { LargeMemory(size) }
  }

  var start: UnsafeMutableRawPointer { UnsafeMutableRawPointer(storage.start) }
  var end: UnsafeMutableRawPointer { start + capacity * layout.stride }
  var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: start, count: count * layout.stride) }

  /// Where a record was, and the beginning of its key.
  fileprivate struct Item {
    let prefix: UInt64
    let index: UInt32
  }

  /// Sorts by key; records with equal keys stay in the order they came in.
  ///
  /// Items are dealt into buckets by their leading bits, the buckets again by the next, and what is left together is
  /// sorted by comparison. Keys of digests are spread evenly, so two deals leave about one item to a bucket; keys that are
  /// not, as a hostile list may have, cost comparisons.
  ///
  /// - Parameter room: What sorting needs besides, kept from chunk to chunk.
  /// - Returns: Memory that is not needed any more, for another chunk.
  @discardableResult
  func sort(in room: inout SortingRoom) -> LargeMemory<UInt8> {
    let (storage, stride, count) = (storage, layout.stride, count)
    let (items, dealt) = room.items(count)
    // What is read through pointers is theirs.
    defer { withExtendedLifetime((items, dealt)) {} }
    let sorted = LargeMemory<UInt8>(capacity * layout.stride)
    let item = items.start
    for index in 0..<count {
      (item + index).initialize(to: Item(prefix: RecordLayout.prefix(storage.start + index * stride), index: UInt32(index)))
    }
    deal(0..<count, of: items.start, to: dealt.start, bits: 11, above: 53) { bucket in
      sortBucket(bucket, of: dealt.start, into: items.start)
    }
    for place in 0..<count {
      ck_prefetch(storage.start + Int(item[min(place + Self.ahead, count - 1)].index) * stride)
      UnsafeMutableRawPointer(sorted.start + place * stride)
        .copyMemory(from: storage.start + Int(item[place].index) * stride, byteCount: stride)
    }
    self.storage = sorted
    return storage
  }

  /// Gives back the memory of the records before one.
  func giveBack(before index: Int) { storage.giveBack(before: index * layout.stride) }

  /// Records that are fetched while those before them are copied.
  private static let ahead = 16

  /// Deals items into buckets by some bits of their prefix, in order, to the same places of `target`.
  private func deal(
    _ range: Range<Int>, of items: UnsafeMutablePointer<Item>, to target: UnsafeMutablePointer<Item>, bits: UInt64,
    above shift: UInt64, then body: (Range<Int>) -> Void
  ) {
    let mask: UInt64 = 1 << bits - 1
    withUnsafeTemporaryAllocation(of: Int.self, capacity: 1 << bits) { places in
      places.initialize(repeating: 0)
      for index in range { places[Int(items[index].prefix >> shift & mask)] &+= 1 }
      var next = range.lowerBound
      for bucket in 0..<places.count {
        let count = places[bucket]
        places[bucket] = next
        next += count
      }
      for index in range {
        let item = items[index]
        let bucket = Int(item.prefix >> shift & mask)
        (target + places[bucket]).initialize(to: item)
        places[bucket] &+= 1
      }
      // Each place is now where the bucket's items end.
      var start = range.lowerBound
      for bucket in 0..<places.count where places[bucket] > start {
        body(start..<places[bucket])
        start = places[bucket]
      }
    }
  }

  /// Sorts the items of one bucket into the same places of `target`.
  private func sortBucket(_ range: Range<Int>, of items: UnsafeMutablePointer<Item>, into target: UnsafeMutablePointer<Item>) {
    if range.count < 64 {
      for index in range { target[index] = items[index] }
      sortByComparison(range, of: target)
    } else {
      deal(range, of: items, to: target, bits: 9, above: 44) { sortByComparison($0, of: target) }
    }
  }

  private func sortByComparison(_ range: Range<Int>, of items: UnsafeMutablePointer<Item>) {
    if range.count <= 16 {
      for index in range.dropFirst() {
        let item = items[index]
        var place = index
        while place > range.lowerBound, precedes(item, items[place - 1]) {
          items[place] = items[place - 1]
          place -= 1
        }
        items[place] = item
      }
    } else {
      var buffer = UnsafeMutableBufferPointer(start: items + range.lowerBound, count: range.count)
      buffer.sort(by: precedes)
    }
  }

  private func precedes(_ one: Item, _ other: Item) -> Bool {
    if one.prefix != other.prefix { return one.prefix < other.prefix }
    let order = layout.compareRest(start + Int(one.index) * layout.stride, start + Int(other.index) * layout.stride)
    return order != 0 ? order < 0 : one.index < other.index
  }
}
