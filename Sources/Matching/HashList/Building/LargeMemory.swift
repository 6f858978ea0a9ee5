import Glibc

/// Memory for many elements, which its owner initializes. In large pages where the kernel has them: that is a five-hundredth
/// of the faults, and of the addresses to translate.
///
/// `@unchecked Sendable`: it has one owner at a time, as has what is in it.
final class LargeMemory<Element: BitwiseCopyable>: @unchecked Sendable {
  let start: UnsafeMutablePointer<Element>
  let count: Int
  /// Bytes that the kernel has again.
  private var givenBack = 0

  private static var pageSize: Int { 1 << 21 }

  init(_ count: Int) {
    let size = count * MemoryLayout<Element>.stride
    let memory = UnsafeMutableRawPointer.allocate(byteCount: max(1, size), alignment: size < Self.pageSize ? 64 : Self.pageSize)
    // Memory is as good without.
    if size >= Self.pageSize { madvise(memory, size, MADV_HUGEPAGE) }
    self.count = count
    start = memory.bindMemory(to: Element.self, capacity: count)
  }

  deinit { start.deallocate() }

  /// Gives the kernel back the whole pages before an element: nothing before it is needed any more.
  func giveBack(before index: Int) {
    let end = UnsafeMutableRawPointer(start + index).alignedDown(toMultipleOf: Self.pageSize)
    let first = UnsafeMutableRawPointer(start).alignedUp(toMultipleOf: Self.pageSize) + givenBack
    guard first < end else { return }
    madvise(first, end - first, MADV_DONTNEED)
    givenBack += end - first
  }
}
