import CContainers
import Decoding
import Hashing

/// Walks the folders of one file system, and tells of every file that a name or an entry of metadata leads to.
struct FileSystemReader {
  private let system: FileSystem
  private let volume: Int
  private let prefix: [UInt8]
  private let members: DiskMembers

  /// - Parameter prefix: In front of every path, with a slash at the end.
  init(_ system: FileSystem, volume: Int, prefix: String, _ members: DiskMembers) {
    self.system = system
    self.volume = volume
    self.prefix = Array(prefix.utf8)
    self.members = members
  }

  /// What has been met on the walk.
  private struct Met {
    var folders: Set<UInt64> = []
    /// Files with several names, by the first of them.
    var filesWithSeveralNames: Set<UInt64> = []
  }

  private static let mostDepth = 255
  /// A path is told whole or not at all.
  private static let mostPathInBytes = 8000

  func read() {
    if system.isEncrypted {
      members.tell(Array(prefix.dropLast()), nil, unread: Ending(status: .encrypted))
      return
    }
    var met = Met()
    met.folders.insert(system.handle.pointee.root_inum)
    walk(system.handle.pointee.root_inum, prefix, depth: 1, &met)
  }

  private func walk(_ folder: UInt64, _ path: [UInt8], depth: Int, _ met: inout Met) {
    let (opened, isReadable) = system.reading { tsk_fs_dir_open_meta(system.handle, folder) }
    guard let listing = opened else {
      tellUnread(path, folder, "the folder cannot be read (\(isReadable ? DiskMedium.complaint : FileSystem.unreadable))")
      return
    }
    defer { tsk_fs_dir_close(listing) }
    if !isReadable { tellUnread(path, folder, "entries of the folder may be missing (\(FileSystem.unreadable))") }
    // Files that are there keep their names; deleted ones of the same name get their metadata address behind it.
    var names: Set<[UInt8]> = []
    for isDeleted in members.options.contains(.deleted) ? [false, true] : [false] {
      for index in 0..<listing.pointee.names_used {
        let name = listing.pointee.names[index]
        guard (name.flags == TSK_FS_NAME_FLAG_UNALLOC) == isDeleted, let text = name.name else { continue }
        let bytes = Array(UnsafeBufferPointer(start: text, count: Self.length(text))).map(UInt8.init(bitPattern:))
        if bytes == [46] || bytes == [46, 46] { continue }
        let isOrphanage = name.meta_addr == system.handle.pointee.last_inum && name.type == TSK_FS_NAME_TYPE_VIRT_DIR
        if isOrphanage && !members.options.contains(.deleted) { continue }
        let own = Self.unique(bytes, name.meta_addr, &names)
        if path.count + own.count > Self.mostPathInBytes {
          tellUnread(path, folder, "limit: paths of \(Self.mostPathInBytes) bytes")
          return
        }
        entry(listing, index, name, path + own, isDeleted, depth, &met)
      }
    }
  }

  /// A name that no other entry of the folder has.
  private static func unique(_ name: [UInt8], _ address: UInt64, _ names: inout Set<[UInt8]>) -> [UInt8] {
    var unique = name
    var count = 1
    while !names.insert(unique).inserted {
      unique = name + Array("@\(address)".utf8) + (count == 1 ? [] : Array(".\(count)".utf8))
      count += 1
    }
    return unique
  }

  private static func length(_ text: UnsafePointer<CChar>) -> Int {
    var length = 0
    while text[length] != 0 { length += 1 }
    return length
  }

  private func entry(
    _ listing: UnsafeMutablePointer<TSK_FS_DIR>, _ index: Int, _ name: TSK_FS_NAME, _ path: [UInt8], _ isDeleted: Bool,
    _ depth: Int, _ met: inout Met
  ) {
    if name.type == TSK_FS_NAME_TYPE_VIRT { return }  // libtsk's own name for a part of the volume
    let (opened, isReadable) = system.reading { tsk_fs_dir_get(listing, index) }
    defer { if let opened { tsk_fs_file_close(opened) } }
    guard let named = opened, isReadable else {
      let reason = isReadable ? DiskMedium.complaint : FileSystem.unreadable
      members.tell(path, origin(name.meta_addr, isDeleted), unread: Ending(status: .broken, reason: reason))
      return
    }
    let ofDeleted = isDeleted && named.pointee.meta == nil ? fileOfDeletedName(name) : nil
    defer { if let ofDeleted { tsk_fs_file_close(ofDeleted) } }
    let file = ofDeleted ?? named
    guard let meta = file.pointee.meta else {
      if isDeleted {
        members.tell(.lost, path, origin(name.meta_addr, isDeleted))
      } else {
        members.tell(
          path, origin(name.meta_addr, isDeleted),
          unread: Ending(status: .broken, reason: "its metadata cannot be read (\(DiskMedium.complaint))"))
      }
      return
    }
    let isFree = meta.pointee.flags.rawValue & TSK_FS_META_FLAG_UNALLOC.rawValue != 0
    if isDeleted && !isFree {
      members.tell(.reallocated, path, origin(name.meta_addr, isDeleted))
      return
    }
    switch meta.pointee.type {
    case TSK_FS_META_TYPE_DIR, TSK_FS_META_TYPE_VIRT_DIR:
      folder(file, meta, path, isDeleted, depth, &met)
    case TSK_FS_META_TYPE_REG, TSK_FS_META_TYPE_UNDEF:
      if meta.pointee.nlink > 1, !isDeleted, !met.filesWithSeveralNames.insert(meta.pointee.addr).inserted {
        members.tell(.hardLink, path, origin(meta.pointee.addr, isDeleted))
      } else {
        FileReader(file, system, path, members).read(origin: { origin(meta.pointee.addr, isDeleted, $0) })
      }
    case TSK_FS_META_TYPE_LNK: members.tell(.symbolicLink, path, origin(meta.pointee.addr, isDeleted))
    case TSK_FS_META_TYPE_VIRT: break
    default: members.tell(.special, path, origin(meta.pointee.addr, isDeleted))
    }
  }

  /// The file that had a name on NTFS. Deleting it, the driver counts up how often its record was used: libtsk takes it
  /// for another file's then, and gives none.
  private func fileOfDeletedName(_ name: TSK_FS_NAME) -> UnsafeMutablePointer<TSK_FS_FILE>? {
    guard name.meta_addr != 0 else { return nil }
    let (opened, isReadable) = system.reading { tsk_fs_file_open_meta(system.handle, nil, name.meta_addr) }
    guard let file = opened else { return nil }
    let next = name.meta_seq == UInt16.max ? 1 : name.meta_seq &+ 1  // Zero is passed over.
    guard isReadable, let meta = file.pointee.meta, meta.pointee.seq == next else {
      tsk_fs_file_close(file)
      return nil
    }
    return file
  }

  private func folder(
    _ file: UnsafeMutablePointer<TSK_FS_FILE>, _ meta: UnsafeMutablePointer<TSK_FS_META>, _ path: [UInt8],
    _ isDeleted: Bool, _ depth: Int, _ met: inout Met
  ) {
    let address = meta.pointee.addr
    if !met.folders.insert(address).inserted {
      members.tell(.hardLink, path, origin(address, isDeleted))
      return
    }
    FileReader(file, system, path, members).read(onlyNamed: true, origin: { origin(address, isDeleted, $0) })
    if depth == Self.mostDepth {
      tellUnread(path, address, "limit: folders, \(Self.mostDepth) deep")
    } else {
      walk(address, path + [UInt8(ascii: "/")], depth: depth + 1, &met)
    }
  }

  private func tellUnread(_ path: [UInt8], _ address: UInt64, _ reason: String) {
    let name = path.last == UInt8(ascii: "/") ? path.dropLast() : path[...]
    members.tell(Array(name), origin(address, false), unread: Ending(status: .broken, reason: reason))
  }

  private func origin(
    _ address: UInt64, _ isDeleted: Bool, _ runs: (told: [MemberOrigin.Run], areMore: Bool) = ([], false)
  ) -> MemberOrigin {
    MemberOrigin(
      volume: volume, inode: address, allocation: isDeleted ? .deleted : .allocated, runs: runs.told,
      isFragmentedFurther: runs.areMore)
  }
}
