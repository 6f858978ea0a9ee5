import CSandbox
import Glibc

/// Memory of fixed size that the parent and one worker both map; pages exist only where they were written.
///
/// The parent writes through the descriptor and reads through its map: a full machine then answers a
/// write with an error, where a store would end the process.
final class SharedMemory {
  let descriptor: CInt
  let sizeInBytes: Int
  /// Pages before this offset are kept between pictures.
  private static let keptInBytes = 16 << 20
  private var map: UnsafeRawBufferPointer?
  private(set) var usedInBytes = 0

  init(sizeInBytes: Int) throws(DecodingError) {
    descriptor = sandbox_make_memory(sizeInBytes)
    self.sizeInBytes = sizeInBytes
    if descriptor < 0 { throw DecodingError(.memory, "cannot make shared memory: \(describe(errno))") }
  }

  deinit {
    if let map { munmap(UnsafeMutableRawPointer(mutating: map.baseAddress), map.count) }
    close(descriptor)
  }

  /// Copies bytes to `offset`.
  ///
  /// - Precondition: They lie within the memory.
  func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(DecodingError) {
    precondition(offset >= 0 && bytes.count <= sizeInBytes - offset, "write outside of shared memory")
    var done = 0
    while done < bytes.count {
      let count = pwrite(descriptor, bytes.baseAddress! + done, bytes.count - done, off_t(offset + done))
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw DecodingError(.memory, "cannot fill shared memory: \(describe(errno))") }
      done += count
    }
    used(offset + bytes.count)
  }

  /// The first `count` bytes, valid as long as this object.
  func view(_ count: Int) throws(DecodingError) -> UnsafeRawBufferPointer {
    precondition(count <= sizeInBytes, "view outside of shared memory")
    if map == nil {
      guard let start = mmap(nil, sizeInBytes, PROT_READ, MAP_SHARED, descriptor, 0), start != MAP_FAILED else {
        throw DecodingError(.memory, "cannot map shared memory: \(describe(errno))")
      }
      map = UnsafeRawBufferPointer(start: start, count: sizeInBytes)
    }
    used(count)
    return UnsafeRawBufferPointer(rebasing: map![..<count])
  }

  /// Notes that pages before `end` may exist.
  func used(_ end: Int) { usedInBytes = max(usedInBytes, end) }

  /// Gives back the pages behind the first few megabytes, after a big picture.
  func release() throws(DecodingError) {
    defer { usedInBytes = 0 }
    guard usedInBytes > Self.keptInBytes else { return }
    guard sandbox_release_memory(descriptor, Self.keptInBytes, usedInBytes) == 0 else {
      throw DecodingError(.memory, "cannot release shared memory: \(describe(errno))")
    }
  }
}

func describe(_ error: CInt) -> String { String(cString: strerror(error)) }
