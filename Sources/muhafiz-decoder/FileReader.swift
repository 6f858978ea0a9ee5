import CContainers
import Decoding
import Hashing

/// Tells of the contents that one file has: its data, and named streams or forks beside them.
struct FileReader {
  private let file: UnsafeMutablePointer<TSK_FS_FILE>
  private let system: FileSystem
  private let path: [UInt8]
  private let members: DiskMembers

  typealias Runs = (told: [MemberOrigin.Run], areMore: Bool)

  init(_ file: UnsafeMutablePointer<TSK_FS_FILE>, _ system: FileSystem, _ path: [UInt8], _ members: DiskMembers) {
    self.file = file
    self.system = system
    self.path = path
    self.members = members
  }

  /// - Parameters:
  ///   - onlyNamed: Of a folder, which has no data of its own.
  ///   - origin: Makes the origin of a content from its runs.
  func read(onlyNamed: Bool = false, origin: (Runs) -> MemberOrigin) {
    let (count, isReadable) = system.reading { tsk_fs_file_attr_getsize(file) }
    if !isReadable {
      members.tell(path, origin(([], false)), unread: Ending(status: .broken, reason: FileSystem.unreadable))
      return
    }
    var attributes = (0..<max(0, count)).compactMap { tsk_fs_file_attr_get_idx(file, $0) }.filter(Self.isContent)
    // Without data of its own where these are kept compressed in a stream that no reader here understands.
    let isCompressedBeside = attributes.contains { Self.name(of: $0) == Array("WofCompressedData".utf8) }
    if onlyNamed { attributes.removeAll { Self.suffix(of: $0).isEmpty } }
    if attributes.isEmpty && !onlyNamed { tellNothing(origin(([], false)), failed: count < 0) }
    for attribute in attributes {
      let isMain = Self.suffix(of: attribute).isEmpty
      tell(attribute, origin(runs(of: attribute)), isCompressedBeside: isMain && isCompressedBeside)
    }
  }

  /// Data, named streams of NTFS, forks of HFS+; neither indexes nor security descriptors.
  private static func isContent(_ attribute: UnsafePointer<TSK_FS_ATTR>) -> Bool {
    [
      TSK_FS_ATTR_TYPE_DEFAULT, TSK_FS_ATTR_TYPE_NTFS_DATA, TSK_FS_ATTR_TYPE_HFS_DATA, TSK_FS_ATTR_TYPE_HFS_RSRC,
    ].contains(attribute.pointee.type)
  }

  private static func name(of attribute: UnsafePointer<TSK_FS_ATTR>) -> [UInt8] {
    guard let text = attribute.pointee.name else { return [] }
    return Array(String(cString: text).utf8)
  }

  /// What is behind a file's path for a content other than its data.
  private static func suffix(of attribute: UnsafePointer<TSK_FS_ATTR>) -> [UInt8] {
    switch attribute.pointee.type {
    case TSK_FS_ATTR_TYPE_HFS_RSRC: return Array(":rsrc".utf8)
    case TSK_FS_ATTR_TYPE_NTFS_DATA:
      let name = name(of: attribute)
      return name.isEmpty || name == Array("$Data".utf8) ? [] : [UInt8(ascii: ":")] + name
    default: return []
    }
  }

  /// Tells of a file that has no content at all.
  private func tellNothing(_ origin: MemberOrigin, failed: Bool) {
    if origin.allocation == .deleted {
      members.tell(.lost, path, origin)
    } else if failed || (file.pointee.meta?.pointee.size ?? 0) > 0 {
      members.tell(path, origin, unread: Ending(status: .broken, reason: "its data cannot be found (\(DiskMedium.complaint))"))
    } else {
      members.tell(path, origin, sizeInBytes: 0, read: { _, _ in 0 }, failure: { "" })
    }
  }

  private func tell(_ attribute: UnsafePointer<TSK_FS_ATTR>, _ origin: MemberOrigin, isCompressedBeside: Bool) {
    let name = path + Self.suffix(of: attribute)
    let size = attribute.pointee.size
    let flags = attribute.pointee.flags.rawValue
    if flags & TSK_FS_ATTR_ENC.rawValue != 0 {
      members.tell(name, origin, unread: Ending(status: .encrypted))
    } else if isCompressedBeside {
      members.tell(name, origin, unread: Ending(status: .unsupported, reason: "compressed by the Windows overlay filter"))
    } else if isListOfBadClusters(attribute) {
      members.tell(.special, name, origin)
    } else if origin.allocation == .deleted && (size == 0 || isLost(attribute)) {
      members.tell(.lost, name, origin)
    } else if isMissingRuns(attribute) {
      members.tell(name, origin, unread: Ending(status: .broken, reason: "part of it is nowhere on the disk"))
    } else {
      var isReadable = true
      members.tell(
        name, origin, sizeInBytes: size,
        read: { [system] offset, buffer in
          let count: Int
          (count, isReadable) = system.reading {
            tsk_fs_attr_read(
              attribute, offset, buffer.baseAddress?.assumingMemoryBound(to: CChar.self), buffer.count,
              TSK_FS_FILE_READ_FLAG_NONE)
          }
          return isReadable ? count : -1
        }, failure: { isReadable ? DiskMedium.complaint : FileSystem.unreadable })
    }
  }

  /// `$BadClus:$Bad` of NTFS: as long as the volume, and a hole but for clusters that cannot be read.
  private func isListOfBadClusters(_ attribute: UnsafePointer<TSK_FS_ATTR>) -> Bool {
    system.handle.pointee.ftype == TSK_FS_TYPE_NTFS && file.pointee.meta?.pointee.addr == 8  // NTFS: MFT entry 8
      && !Self.suffix(of: attribute).isEmpty
  }

  private func isInBlocks(_ attribute: UnsafePointer<TSK_FS_ATTR>) -> Bool {
    let flags = attribute.pointee.flags.rawValue
    return flags & TSK_FS_ATTR_NONRES.rawValue != 0 && flags & TSK_FS_ATTR_COMP.rawValue == 0
  }

  /// Calls for each run with its flags, its first block and how many it has, until `false`.
  private func forEachRun(
    _ attribute: UnsafePointer<TSK_FS_ATTR>, _ body: (_ flags: UInt32, _ block: UInt64, _ count: UInt64) -> Bool
  ) {
    var next = attribute.pointee.nrd.run
    while let run = next {
      guard body(run.pointee.flags.rawValue, run.pointee.addr, run.pointee.len) else { return }
      next = run.pointee.next
    }
  }

  /// Whether a deleted file has nowhere its bytes could be, or not all of them.
  private func isLost(_ attribute: UnsafePointer<TSK_FS_ATTR>) -> Bool {
    guard isInBlocks(attribute) else { return false }
    var blocks: UInt64 = 0
    forEachRun(attribute) { flags, _, count in
      if flags & TSK_FS_ATTR_RUN_FLAG_FILLER.rawValue == 0 { blocks += min(count, 1 << 48) }
      return blocks < 1 << 48
    }
    let needed = min(attribute.pointee.size, attribute.pointee.nrd.initsize) + Int64(attribute.pointee.nrd.skiplen)
    return blocks < UInt64(max(0, needed) / system.blockSize)
  }

  /// Whether runs that should be told of were not found. Elsewhere than on NTFS what is not told of is a hole.
  private func isMissingRuns(_ attribute: UnsafePointer<TSK_FS_ATTR>) -> Bool {
    guard isInBlocks(attribute), system.handle.pointee.ftype == TSK_FS_TYPE_NTFS else { return false }
    var isMissing = false
    forEachRun(attribute) { flags, _, _ in
      isMissing = flags & TSK_FS_ATTR_RUN_FLAG_FILLER.rawValue != 0
      return !isMissing
    }
    return isMissing
  }

  /// Where a content lies; nothing where it lies within metadata, or compressed.
  private func runs(of attribute: UnsafePointer<TSK_FS_ATTR>) -> Runs {
    guard isInBlocks(attribute) else { return ([], false) }
    var runs: [MemberOrigin.Run] = []
    var skipped = Int64(attribute.pointee.nrd.skiplen)
    var left = max(0, attribute.pointee.size)
    var areMore = false
    forEachRun(attribute) { flags, block, count in
      if left == 0 { return false }
      areMore = runs.count == MemberOrigin.mostRuns
      if areMore { return false }
      if flags & (TSK_FS_ATTR_RUN_FLAG_SPARSE.rawValue | TSK_FS_ATTR_RUN_FLAG_FILLER.rawValue) != 0 {
        let length = min(left, Int64(clamping: count.multipliedReportingOverflow(by: UInt64(system.blockSize)).partialValue))
        runs.append(.init(offset: nil, length: length))
        left -= length
      } else if let extent = system.extent(ofBlock: block, count: count) {
        let skip = min(skipped, extent.length)
        skipped -= skip
        let length = min(left, extent.length - skip)
        if length > 0 { runs.append(.init(offset: extent.offset + skip, length: length)) }
        left -= length
      } else {
        return false
      }
      return true
    }
    return (runs, areMore)
  }
}
