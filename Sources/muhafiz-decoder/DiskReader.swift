import CContainers
import Decoding
import Glibc
import Hashing

/// Reads disk images with libtsk and tells the parent of the files on them.
struct DiskReader {
  private let medium: DiskMedium
  private let members: DiskMembers

  static func read(_ request: DecodeRequest, _ link: ParentLink) -> DecodeReply {
    var reply = DecodeReply(status: .decoded)
    let input = ByteInput(request, link)
    let members = DiskMembers(request, link)
    var storedDigests: [String] = []
    var source: any DiskBytes = RawBytes(input: input)
    if request.format == .ewf {
      do {
        let ewf = try EWFBytes(input, segmentSizes: link.segmentSizes())
        storedDigests = ewf.storedDigests
        source = ewf
      } catch {
        reply.status = .broken
        reply.reason = error.complaint
        return reply
      }
    }
    guard let medium = DiskMedium(source) else { return DecodeReply(status: .memory) }
    var event = StreamEvent(.medium)
    event.first = UInt64(medium.sizeInBytes)
    link.tell(event)
    if request.disk.contains(.medium) { members.tellMedium(medium, storedDigests) }
    DiskReader(medium: medium, members: members).read()
    return reply
  }

  private func read() {
    var (volumes, free) = listVolumes()
    // A table that leads nowhere may be the boot code of a file system, or lie beside one.
    if !volumes.contains(where: { openFileSystems(at: $0.offset).failure == nil || UDFVolume(medium, at: $0) != nil }) {
      (volumes, free) = ([Extent(offset: 0, length: medium.sizeInBytes)], [])
    }
    for (index, volume) in volumes.enumerated() { read(volume, number: index + 1) }
    members.carve(free, on: medium, volume: 0, prefix: "vol0/")
  }

  /// What the medium's partition table says: volumes in their order, and space outside of them. Neither without a table.
  private func listVolumes() -> (volumes: [Extent], free: [Extent]) {
    guard let table = tsk_vs_open(medium.image, 0, TSK_VS_TYPE_DETECT) else { return ([], []) }
    defer { tsk_vs_close(table) }
    var volumes: [Extent] = []
    var free: [Extent] = []
    var next = table.pointee.part_list
    while let part = next, volumes.count < Self.mostVolumes {
      next = part.pointee.next
      let (flags, sector) = (part.pointee.flags.rawValue, UInt64(table.pointee.block_size))
      let (start, startOverflows) = part.pointee.start.multipliedReportingOverflow(by: sector)
      let (length, lengthOverflows) = part.pointee.len.multipliedReportingOverflow(by: sector)
      guard !startOverflows, !lengthOverflows, start < UInt64(medium.sizeInBytes),
        flags & TSK_VS_PART_FLAG_META.rawValue == 0
      else { continue }
      let extent = Extent(offset: Int64(start), length: Int64(min(length, UInt64(medium.sizeInBytes) - start)))
      if flags & TSK_VS_PART_FLAG_ALLOC.rawValue != 0 { volumes.append(extent) } else { free.append(extent) }
    }
    return (volumes, free)
  }

  private static let mostVolumes = 1024

  private func read(_ volume: Extent, number: Int) {
    let (systems, failure) = openFileSystems(at: volume.offset)
    if failure != nil, let udf = UDFVolume(medium, at: volume) {
      udf.tell(number, prefix: "vol\(number)/", members)
      return
    }
    if let failure {
      tellUnknown(volume, number, failure)
      members.carve([volume], on: medium, volume: number, prefix: "vol\(number)/")
    }
    for (index, system) in systems.enumerated() {
      let prefix = systems.count == 1 ? "vol\(number)/" : "vol\(number).\(index + 1)/"
      FileSystemReader(system, volume: number, prefix: prefix, members).read()
      if members.options.contains(.carved) {
        members.carve(system.freeSpace(), on: medium, volume: number, prefix: prefix)
      }
    }
  }

  /// Opens what is at an offset: one file system, those of a pool, or two that share a hybrid disc; or says why there is
  /// none.
  private func openFileSystems(at offset: Int64) -> (systems: [FileSystem], failure: Ending?) {
    if let system = FileSystem(medium, at: offset, TSK_FS_TYPE_DETECT) { return ([system], nil) }
    let (code, complaint) = (tsk_error_get_errno(), DiskMedium.complaint)
    // libtsk decides for none where several fit.
    var systems = Self.kinds.compactMap { FileSystem(medium, at: offset, $0) }
    if systems.isEmpty { systems = FileSystem.inPool(on: medium, at: offset) }
    if !systems.isEmpty { return (systems, nil) }
    return (
      [],
      code == Self.encrypted
        ? Ending(status: .encrypted)
        : Ending(status: .unsupported, reason: "no file system that is known (\(complaint))")
    )
  }

  private static let encrypted: UInt32 = 0x0800_0000 | 18  // TSK_ERR_FS_ENCRYPTED, a macro that Swift cannot read

  private static let kinds = [
    TSK_FS_TYPE_NTFS_DETECT, TSK_FS_TYPE_FAT_DETECT, TSK_FS_TYPE_EXT_DETECT, TSK_FS_TYPE_ISO9660_DETECT,
    TSK_FS_TYPE_HFS_DETECT, TSK_FS_TYPE_FFS_DETECT,
  ]

  /// Tells of a volume that no file system is found on: it was not searched, unless there is nothing to find.
  private func tellUnknown(_ volume: Extent, _ number: Int, _ failure: Ending) {
    let name = Array("vol\(number)".utf8)
    let origin = MemberOrigin(
      volume: number, inode: nil, allocation: .allocated,
      runs: [.init(offset: volume.offset, length: volume.length)])
    if isZero(volume) {
      members.tell(.empty, name, origin)
    } else {
      members.tell(name, origin, unread: failure)
    }
  }

  private func isZero(_ volume: Extent) -> Bool {
    guard volume.length <= Self.mostZerosInBytes else { return false }
    let buffer = UnsafeMutableRawBufferPointer(rebasing: members.link.output[..<ByteInput.pieceInBytes])
    var done: Int64 = 0
    while done < volume.length {
      let piece = UnsafeMutableRawBufferPointer(rebasing: buffer.prefix(Int(min(volume.length - done, Int64(buffer.count)))))
      let count = medium.read(at: volume.offset + done, into: piece)
      if count <= 0 || piece[..<count].contains(where: { $0 != 0 }) { return false }
      done += Int64(count)
    }
    return true
  }

  /// A reserved partition of Windows has 16 to 128 MiB.
  private static let mostZerosInBytes: Int64 = 128 << 20
}

/// Bytes of a medium that lie together.
struct Extent {
  let offset: Int64
  let length: Int64
}

extension ParentLink {
  /// Sizes of the files that the input is made of.
  fileprivate func segmentSizes() -> [Int64] {
    let sizes = ask(StreamEvent(.segments))
    return stride(from: 0, to: sizes.count - sizes.count % 8, by: 8).map {
      Int64(littleEndian: sizes.loadUnaligned(fromByteOffset: $0, as: Int64.self))
    }
  }
}
