import Decoding
import Hashing

/// Finds pictures and videos in space that no file occupies, by their signature and then by their whole structure.
///
/// The space is taken as one stream of sectors in their order on the medium, so a content is found where it lies together
/// and where its parts follow each other with files between them; in any other order it is not. Only what is whole by its
/// structure is told of. A content begins at the start of a sector, as whatever a file system stored does.
struct Carver {
  private let space: FreeSpace
  private let volume: Int
  private let prefix: [UInt8]
  private let members: DiskMembers

  private static let sectorInBytes: Int64 = 512

  init(_ space: FreeSpace, volume: Int, prefix: String, _ members: DiskMembers) {
    self.space = space
    self.volume = volume
    self.prefix = Array("\(prefix)carved/".utf8)
    self.members = members
  }

  /// Tells of everything that is found.
  func carve() {
    var place: Int64 = 0
    while let next = nextCandidate(from: place) {
      place = next
      guard let head = space.bytes(at: place, count: CarvedFormat.headInBytes),
        let format = CarvedFormat.of(head), let end = format.end(in: space, from: place), end <= space.sizeInBytes
      else {
        place += Self.sectorInBytes
        continue
      }
      tell(format, from: place, to: end)
      place += max(1, (end - place + Self.sectorInBytes - 1) / Self.sectorInBytes) * Self.sectorInBytes
    }
  }

  /// The next sector that begins as something might; most do not.
  private func nextCandidate(from start: Int64) -> Int64? {
    var place = start
    while place < space.sizeInBytes {
      let piece = space.piece(at: place)
      if piece.isEmpty {
        place += Self.sectorInBytes
        continue
      }
      for offset in stride(from: 0, to: piece.count, by: Int(Self.sectorInBytes))
      where CarvedFormat.mayBegin(UnsafeRawBufferPointer(rebasing: piece[offset...])) {
        return place + Int64(offset)
      }
      let sectors = (Int64(piece.count) + Self.sectorInBytes - 1) / Self.sectorInBytes
      place += sectors * Self.sectorInBytes
    }
    return nil
  }

  private func tell(_ format: CarvedFormat, from start: Int64, to end: Int64) {
    let runs = space.runs(from: start, to: end)
    // Ten digits reach over ten gigabytes, and a bigger disk has more of them.
    let digits = String(runs.first?.offset ?? 0)
    let name = String(repeating: "0", count: max(0, 10 - digits.count)) + digits + "." + format.rawValue
    let origin = MemberOrigin(volume: volume, inode: nil, allocation: .carved, runs: runs)
    members.tell(
      prefix + Array(name.utf8), origin, sizeInBytes: end - start, opens: false,
      read: { offset, buffer in
        let piece = space.piece(at: start + offset).prefix(buffer.count)
        buffer.copyBytes(from: piece)
        return piece.count
      }, failure: { "the medium cannot be read" })
  }
}

/// Space that no file occupies, as one stream of bytes.
final class FreeSpace {
  let sizeInBytes: Int64
  private let medium: DiskMedium
  private let extents: [Extent]
  /// Where each extent begins in the stream.
  private let starts: [Int64]
  private let window = UnsafeMutableRawBufferPointer.allocate(byteCount: ByteInput.pieceInBytes, alignment: 4096)
  private var windowStart: Int64 = 0
  private var windowCount = 0

  init(_ extents: [Extent], on medium: DiskMedium) {
    self.extents = extents
    self.medium = medium
    var size: Int64 = 0
    starts = extents.map { extent in
      defer { size += extent.length }
      return size
    }
    sizeInBytes = size
  }

  deinit { window.deallocate() }

  /// Bytes from a place on, one or more up to the end of what is at hand; none at the end, or where the medium cannot be
  /// read. Valid until the next call.
  func piece(at place: Int64) -> UnsafeRawBufferPointer {
    if place < windowStart || place >= windowStart + Int64(windowCount) { fill(at: place) }
    let offset = Int(place - windowStart)
    guard place >= windowStart, offset < windowCount else { return UnsafeRawBufferPointer(start: nil, count: 0) }
    return UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(window)[offset..<windowCount])
  }

  /// So many bytes from a place on, in their order; `nil` where there are fewer.
  func bytes(at place: Int64, count: Int) -> [UInt8]? {
    var bytes: [UInt8] = []
    while bytes.count < count {
      let piece = piece(at: place + Int64(bytes.count)).prefix(count - bytes.count)
      if piece.isEmpty { return nil }
      bytes += piece
    }
    return bytes
  }

  private func fill(at place: Int64) {
    (windowStart, windowCount) = (place, 0)
    guard place >= 0, place < sizeInBytes else { return }
    var extent = index(of: place)
    // Small gaps between files are many: the window is filled across them.
    while windowCount < window.count, extent < extents.count {
      let skip = place + Int64(windowCount) - starts[extent]
      let count = Int(min(Int64(window.count - windowCount), extents[extent].length - skip))
      let part = UnsafeMutableRawBufferPointer(rebasing: window[windowCount..<windowCount + count])
      let read = medium.read(at: extents[extent].offset + skip, into: part)
      // A sector that cannot be read is passed over as zeros; what goes over it has no structure and is not found.
      if read < count { part[max(0, read)...].initializeMemory(as: UInt8.self, repeating: 0) }
      windowCount += count
      extent += 1
    }
  }

  /// The extent that a place is in.
  private func index(of place: Int64) -> Int {
    var (low, high) = (0, starts.count)
    while low + 1 < high {
      let middle = (low + high) / 2
      if starts[middle] <= place { low = middle } else { high = middle }
    }
    return low
  }

  /// Where bytes of the stream lie on the medium.
  func runs(from start: Int64, to end: Int64) -> [MemberOrigin.Run] {
    var runs: [MemberOrigin.Run] = []
    var place = start
    var extent = index(of: start)
    while place < end, extent < extents.count {
      let skip = place - starts[extent]
      let count = min(end - place, extents[extent].length - skip)
      runs.append(.init(offset: extents[extent].offset + skip, length: count))
      place += count
      extent += 1
    }
    return runs
  }
}

extension DiskMembers {
  /// Tells of what is found in space that no file occupies, where that is asked for.
  func carve(_ extents: [Extent], on medium: DiskMedium, volume: Int, prefix: String) {
    guard options.contains(.carved), !extents.isEmpty else { return }
    Carver(FreeSpace(extents, on: medium), volume: volume, prefix: prefix, self).carve()
  }
}
