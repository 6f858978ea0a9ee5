import CContainers
import Decoding
import Glibc

/// A medium, as libtsk reads it: nothing is opened, every byte comes through the parent.
final class DiskMedium {
  let sizeInBytes: Int64
  /// libtsk's own view; valid as long as this object.
  let image: UnsafeMutablePointer<TSK_IMG_INFO>
  private let source: any DiskBytes
  /// Times that bytes were asked for of which the first cannot be read. libtsk does not always pass that on.
  private(set) var failures = 0

  /// - Returns: `nil` where libtsk has no memory.
  init?(_ source: any DiskBytes) {
    self.source = source
    sizeInBytes = source.sizeInBytes
    // Behind what libtsk knows of lies the way back here.
    let size = MemoryLayout<TSK_IMG_INFO>.stride
    guard let memory = calloc(1, size + MemoryLayout<UnsafeRawPointer>.size) else { return nil }
    image = memory.bindMemory(to: TSK_IMG_INFO.self, capacity: 1)
    let way = UnsafeRawPointer(Unmanaged.passUnretained(self).toOpaque())
    memory.storeBytes(of: way, toByteOffset: size, as: UnsafeRawPointer.self)
    let opened = tsk_img_open_external(
      memory, sizeInBytes, Self.sectorInBytes,
      { image, offset, bytes, count in
        guard let image, let bytes else { return -1 }
        let behind = UnsafeRawPointer(image).load(
          fromByteOffset: MemoryLayout<TSK_IMG_INFO>.stride, as: UnsafeRawPointer.self)
        let medium = Unmanaged<DiskMedium>.fromOpaque(behind).takeUnretainedValue()
        return medium.read(at: offset, into: UnsafeMutableRawBufferPointer(start: bytes, count: count))
      }, { _ in }, { _, _ in })
    if opened == nil {
      free(memory)
      return nil
    }
  }

  deinit {
    tsk_img_close(image)
    free(image)
  }

  private static let sectorInBytes: UInt32 = 512

  /// Fills a buffer from an offset.
  ///
  /// - Returns: How many bytes there are before the end, or before some that cannot be read; -1 where these are the first.
  func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) -> Int {
    guard offset >= 0, offset < sizeInBytes else { return -1 }
    let wanted = Int(min(Int64(buffer.count), sizeInBytes - offset))
    var done = 0
    while done < wanted {
      let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[done..<wanted])
      let count = source.read(at: offset + Int64(done), into: piece)
      if count <= 0 && done == 0 { failures += 1 }
      if count <= 0 { return done > 0 ? done : -1 }
      done += count
    }
    return done
  }

  /// What libtsk says of its last failure.
  static var complaint: String { tsk_error_get().map { String(cString: $0) } ?? "libtsk gives no reason" }

  /// The text up to its zero.
  static func text(_ letters: [CChar]) -> String {
    String(decoding: letters.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }
}

/// Bytes of a medium, however the image keeps them.
protocol DiskBytes {
  var sizeInBytes: Int64 { get }
  /// Some bytes from an offset on; 0 or less where they cannot be had.
  func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) -> Int
}

/// An image that is the medium byte for byte.
struct RawBytes: DiskBytes {
  let input: ByteInput
  var sizeInBytes: Int64 { input.sizeInBytes }

  func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) -> Int {
    let piece = input.piece(at: offset).prefix(buffer.count)
    buffer.copyBytes(from: piece)
    return piece.count
  }
}
