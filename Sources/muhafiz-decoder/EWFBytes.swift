import CContainers
import Decoding
import Glibc

/// The medium in an Expert Witness image of one or several segments, through libewf.
final class EWFBytes: DiskBytes {
  let sizeInBytes: Int64
  private var handle: UnsafeMutablePointer<libewf_handle_t>?
  private var pool: UnsafeMutablePointer<libbfio_pool_t>?
  private let segments: [Segment]
  /// Bytes of chunks whose sums were wrong, as they were read.
  private var damage: [Range<Int64>] = []

  /// Where libewf is in one segment.
  private final class Segment {
    let input: ByteInput
    let start: Int64
    let sizeInBytes: Int64
    var offset: Int64 = 0
    var isOpen = false

    init(_ input: ByteInput, start: Int64, sizeInBytes: Int64) {
      self.input = input
      self.start = start
      self.sizeInBytes = sizeInBytes
    }
  }

  /// - Parameter sizes: Of the segments, which lie one after the other in the input.
  /// - Throws: ``Refusal`` with what libewf complains of.
  init(_ input: ByteInput, segmentSizes sizes: [Int64]) throws(Refusal) {
    var start: Int64 = 0
    var segments: [Segment] = []
    for size in sizes where size >= 0 && size <= input.sizeInBytes - start {
      segments.append(Segment(input, start: start, sizeInBytes: size))
      start += size
    }
    self.segments = segments
    let opened = Self.open(segments)
    (handle, pool) = (opened.handle, opened.pool)
    var size: size64_t = 0
    guard opened.isOpen, libewf_handle_get_media_size(handle, &size, nil) == 1, let bytes = Int64(exactly: size) else {
      Self.close(&handle, &pool)
      throw Refusal(complaint: opened.complaint)
    }
    sizeInBytes = bytes
  }

  deinit { Self.close(&handle, &pool) }

  struct Refusal: Error { let complaint: String }

  private struct Opened {
    var handle: UnsafeMutablePointer<libewf_handle_t>?
    var pool: UnsafeMutablePointer<libbfio_pool_t>?
    var isOpen = false
    var complaint = "ewf: damaged, or segments are missing"
  }

  private static func open(_ segments: [Segment]) -> Opened {
    var opened = Opened()
    guard libewf_handle_initialize(&opened.handle, nil) == 1,
      libbfio_pool_initialize(&opened.pool, 0, Int32(LIBBFIO_POOL_UNLIMITED_NUMBER_OF_OPEN_HANDLES), nil) == 1
    else { return opened }
    for segment in segments {
      var file = makeFile(of: segment)
      var entry: CInt = 0
      guard libbfio_pool_append_handle(opened.pool, &entry, file, Int32(LIBBFIO_ACCESS_FLAG_READ.rawValue), nil) == 1
      else {
        _ = libbfio_handle_free(&file, nil)
        return opened
      }
    }
    var error: UnsafeMutablePointer<libewf_error_t>?
    opened.isOpen =
      libewf_handle_open_file_io_pool(opened.handle, opened.pool, Int32(LIBEWF_ACCESS_FLAG_READ.rawValue), &error) == 1
    if error != nil {
      var text = [CChar](repeating: 0, count: 200)
      if libewf_error_sprint(error, &text, text.count) > 0 { opened.complaint = "ewf: \(DiskMedium.text(text))" }
      libewf_error_free(&error)
    }
    return opened
  }

  private static func close(
    _ handle: inout UnsafeMutablePointer<libewf_handle_t>?, _ pool: inout UnsafeMutablePointer<libbfio_pool_t>?
  ) {
    if handle != nil {
      _ = libewf_handle_close(handle, nil)
      _ = libewf_handle_free(&handle, nil)
    }
    if pool != nil { _ = libbfio_pool_free(&pool, nil) }
  }

  func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) -> Int {
    let count = libewf_handle_read_random(handle, buffer.baseAddress, buffer.count, offset, nil)
    if count <= 0 { return -1 }
    noteDamage()
    // libewf hands out what it read of a damaged chunk too, or zeros: these are not the medium's bytes.
    let end = damage.filter { $0.upperBound > offset && $0.lowerBound < offset + Int64(count) }.map(\.lowerBound).min()
    return end.map { $0 <= offset ? -1 : Int($0 - offset) } ?? count
  }

  /// Asks libewf for the chunks whose sums were wrong so far.
  private func noteDamage() {
    var count: UInt32 = 0
    guard libewf_handle_get_number_of_checksum_errors(handle, &count, nil) == 1, count > damage.count else { return }
    var sectorInBytes: UInt32 = 512
    _ = libewf_handle_get_bytes_per_sector(handle, &sectorInBytes, nil)
    sectorInBytes = max(1, sectorInBytes)
    for index in UInt32(damage.count)..<count {
      var (first, sectors) = (UInt64(0), UInt64(0))
      _ = libewf_handle_get_checksum_error(handle, index, &first, &sectors, nil)
      // Numbers from the image itself: kept so small that nothing overflows.
      let most: UInt64 = 1 << 60
      let start = Int64(min(first, most / UInt64(sectorInBytes)) * UInt64(sectorInBytes))
      damage.append(start..<start + Int64(min(sectors, most / UInt64(sectorInBytes)) * UInt64(sectorInBytes)))
    }
  }

  /// Digests of the medium that whoever made the image wrote into it, in hexadecimal.
  var storedDigests: [String] {
    [("MD5", 33), ("SHA1", 41)].compactMap { name, size in
      var text = [UInt8](repeating: 0, count: size)
      // libewf looks at the zero behind the name too.
      let status = libewf_handle_get_utf8_hash_value(
        handle, Array(name.utf8) + [0], name.utf8.count, &text, size, nil)
      guard status == 1 else { return nil }
      return String(decoding: text.prefix { $0 != 0 }, as: UTF8.self)
    }
  }

  /// A file of libbfio that reads a segment; the segment outlives it.
  private static func makeFile(of segment: Segment) -> UnsafeMutablePointer<libbfio_handle_t>? {
    var file: UnsafeMutablePointer<libbfio_handle_t>?
    let context = Unmanaged.passUnretained(segment).toOpaque().assumingMemoryBound(to: intptr_t.self)
    let made = libbfio_handle_initialize(
      &file, context,
      { context, _ in
        context?.pointee = nil
        return 1
      },
      { _, _, _ in -1 },
      { context, _, _ in
        EWFBytes.segment(context).isOpen = true
        return 1
      },
      { context, _ in
        EWFBytes.segment(context).isOpen = false
        return 0
      },
      { context, bytes, count, _ in EWFBytes.read(EWFBytes.segment(context), bytes, count) },
      { _, _, _, _ in -1 },
      { context, offset, whence, _ in
        let segment = EWFBytes.segment(context)
        let from = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? segment.offset : segment.sizeInBytes
        let (place, overflows) = from.addingReportingOverflow(offset)
        guard !overflows, place >= 0 else { return -1 }
        segment.offset = place
        return place
      },
      { _, _ in 1 },
      { context, _ in EWFBytes.segment(context).isOpen ? 1 : 0 },
      { context, size, _ in
        size?.pointee = UInt64(EWFBytes.segment(context).sizeInBytes)
        return 1
      }, 0, nil)
    return made == 1 ? file : nil
  }

  private static func segment(_ context: UnsafeMutablePointer<intptr_t>?) -> Segment {
    Unmanaged<Segment>.fromOpaque(context!).takeUnretainedValue()
  }

  private static func read(_ segment: Segment, _ bytes: UnsafeMutablePointer<UInt8>?, _ count: Int) -> Int {
    guard let bytes, count >= 0 else { return -1 }
    var done = 0
    while done < count, segment.offset < segment.sizeInBytes {
      let left = Int(min(Int64(count - done), segment.sizeInBytes - segment.offset))
      let piece = segment.input.piece(at: segment.start + segment.offset).prefix(left)
      if piece.isEmpty { return -1 }
      UnsafeMutableRawBufferPointer(start: bytes + done, count: piece.count).copyBytes(from: piece)
      done += piece.count
      segment.offset += Int64(piece.count)
    }
    return done
  }
}
