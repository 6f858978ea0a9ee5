import CSandbox
import Glibc
import SystemPackage

/// Memory that a decoder shares: a memory file that can grow and never shrink, so that no decoder can take away what
/// this process has mapped.
final class SharedMemory {
  let descriptor: Int32
  private(set) var size: Int
  private var start: UnsafeMutableRawPointer

  /// - Parameter size: Bytes to begin with. They take up memory only once they are written.
  init(name: String, size: Int) throws {
    descriptor = cs_memory_file(name, UInt64(size))
    guard descriptor >= 0 else {
      throw DecoderFailure("cannot make shared memory for the decoder: \(Errno(rawValue: errno))")
    }
    self.size = size
    guard let start = Self.map(descriptor, size) else {
      let error = Errno(rawValue: errno)
      close(descriptor)
      throw DecoderFailure("cannot map shared memory for the decoder: \(error)")
    }
    self.start = start
  }

  deinit {
    munmap(start, size)
    close(descriptor)
  }

  /// Makes room for `count` bytes.
  func reserve(_ count: Int) throws {
    if count <= size { return }
    let larger = max(count, size * 2)
    guard ftruncate(descriptor, larger) == 0, let moved = Self.map(descriptor, larger) else {
      throw DecoderFailure("cannot enlarge the decoder's memory to \(larger) bytes: \(Errno(rawValue: errno))")
    }
    munmap(start, size)
    start = moved
    size = larger
  }

  func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) {
    if let source = bytes.baseAddress { (start + offset).copyMemory(from: source, byteCount: bytes.count) }
  }

  /// The first bytes. The decoder can still change them: read each once, or do not mind.
  func bytes(_ count: Int) -> UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: start, count: count) }

  /// Gives back the memory of a large picture, so that one does not stay resident for the rest of a scan.
  func release(usedSize: Int) {
    // Failing costs memory and nothing else; it cannot fail on a memory file of ours.
    if usedSize > Wire.keptMapped { _ = cs_release_memory(descriptor, UInt64(size)) }
  }

  private static func map(_ descriptor: Int32, _ size: Int) -> UnsafeMutableRawPointer? {
    let flags = MAP_SHARED | Int32(MAP_NORESERVE)
    guard let start = mmap(nil, size, PROT_READ | PROT_WRITE, flags, descriptor, 0), start != MAP_FAILED else { return nil }
    return start
  }
}
