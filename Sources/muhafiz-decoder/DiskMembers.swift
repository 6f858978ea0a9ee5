import Decoding
import Hashing

/// Tells the parent of a disk image's members, from the one on that it wants.
final class DiskMembers {
  let link: ParentLink
  let options: DiskOptions
  private let archives: ArchiveReader
  /// Members before this one were told of by a worker that has ended.
  private let first: UInt32
  private var count: UInt32 = 0

  init(_ request: DecodeRequest, _ link: ParentLink) {
    self.link = link
    options = request.disk
    first = request.picture
    archives = ArchiveReader(link, mostDepth: Int(clamping: request.most))
  }

  /// Counts a member; `false` where it has been told of.
  func isNext() -> Bool {
    defer { count += 1 }
    return count >= first
  }

  /// Tells of a member with bytes, and of the members in it where it is an archive.
  ///
  /// - Parameters:
  ///   - opens: Whether it may be an archive.
  ///   - read: Fills the buffer from an offset; answers how many bytes, 0 or less where they cannot be had.
  ///   - failure: Why they cannot.
  func tell(
    _ name: [UInt8], _ origin: MemberOrigin?, sizeInBytes: Int64, opens: Bool = true,
    read: @escaping (_ offset: Int64, _ buffer: UnsafeMutableRawBufferPointer) -> Int, failure: () -> String
  ) {
    guard isNext() else { return }
    if let origin { link.tell(origin.event) }
    link.begin(name)
    var offset: Int64 = 0
    var type: MediaType?
    while offset < sizeInBytes {
      let count = read(offset, piece(sizeInBytes - offset))
      if count <= 0 {
        link.end(.end, Ending(status: .broken, reason: "at byte \(offset): \(failure())"))
        return
      }
      if offset == 0 { type = MediaType.sniff(UnsafeRawBufferPointer(rebasing: link.output[..<count])) }
      offset += Int64(count)
      if !link.tellBytes(count) {
        link.end(.end, Ending(status: .limit, reason: "limit"))
        return
      }
    }
    link.end(.end, .whole)
    if opens, options.contains(.archives), let type, type.isArchive, let format = type.format {
      open(format, name, sizeInBytes, read)
    }
  }

  /// Tells of a member that has no bytes to be read, with the reason.
  func tell(_ name: [UInt8], _ origin: MemberOrigin?, unread ending: Ending) {
    guard isNext() else { return }
    if let origin { link.tell(origin.event) }
    link.begin(name)
    link.end(.end, ending)
  }

  func tell(_ kind: ArchiveMember.Kind, _ name: [UInt8], _ origin: MemberOrigin?) {
    guard isNext() else { return }
    if let origin { link.tell(origin.event) }
    link.tell(kind, name)
  }

  /// Tells of the whole medium, and what the image says that its digests are.
  func tellMedium(_ medium: DiskMedium, _ storedDigests: [String]) {
    if count < first {
      count += 1
      return
    }
    tell(
      Array("medium".utf8), nil, sizeInBytes: medium.sizeInBytes, opens: false,
      read: { offset, buffer in medium.read(at: offset, into: buffer) }, failure: { "the medium cannot be read" })
    for digest in storedDigests {
      var event = StreamEvent(.storedDigest)
      event.text = Array(digest.utf8)
      link.tell(event)
    }
  }

  /// Where the next bytes of a member are put, for the parent to see.
  private func piece(_ left: Int64) -> UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(rebasing: link.output[..<Int(min(left, Int64(ByteInput.pieceInBytes)))])
  }

  private func open(
    _ format: DecodeRequest.Format, _ name: [UInt8], _ sizeInBytes: Int64,
    _ read: @escaping (_ offset: Int64, _ buffer: UnsafeMutableRawBufferPointer) -> Int
  ) {
    link.tell(StreamEvent(.opened))
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: ByteInput.pieceInBytes, alignment: 16)
    defer { buffer.deallocate() }
    let input = ByteInput(sizeInBytes: sizeInBytes) { offset, count in
      let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
      return UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(piece)[..<max(0, read(offset, piece))])
    }
    link.end(.closed, archives.read(format, input, path: name + [UInt8(ascii: "/")], depth: 1))
  }
}
