import CKernels
import TestSupport
import Testing

struct NearKernelTests {
  /// The wide kernel against the plain one, with rooms that overflow and queries of every count.
  @Test func wideKernelAnswersAsThePlainOne() {
    var generator = SeededGenerator(seed: 11)
    let centre = generator.hash()
    var records: [UInt8] = []
    for index in 0..<500 { generator.near(centre, bits: index % 128).withBytes { records.append(contentsOf: $0) } }
    for count in 1...8 {
      var queries: [UInt8] = []
      for index in 0..<count { generator.near(centre, bits: index * 9).withBytes { queries.append(contentsOf: $0) } }
      for radius: UInt32 in [0, 1, 31, 63, 128, 256] {
        for room in [8, 9, 64, 10_000] {
          let wide = search(ck_near_search, records, queries, count, radius, room)
          let plain = search(ck_near_search_plain, records, queries, count, radius, 10_000)
          #expect(wide == plain, "\(count) queries, radius \(radius), room \(room)")
        }
      }
    }
  }

  private typealias Kernel = (
    UnsafePointer<UInt8>?, Int, UnsafePointer<UInt8>?, Int, UInt32, UnsafeMutablePointer<ck_near_hit>?, Int,
    UnsafeMutablePointer<Int>?
  ) -> Int

  private func search(
    _ kernel: Kernel, _ records: [UInt8], _ queries: [UInt8], _ count: Int, _ radius: UInt32, _ room: Int
  ) -> [[Int]] {
    var hits: [[Int]] = []
    var buffer = [ck_near_hit](repeating: ck_near_hit(), count: room)
    var next = 0
    while next < records.count / 32 {
      let found = kernel(records, records.count / 32, queries, count, radius, &buffer, room, &next)
      hits += buffer[..<found].map { [Int($0.record), Int($0.query), Int($0.distance)] }
    }
    return hits
  }
}
