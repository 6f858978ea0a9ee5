import CContainers
import Decoding
import Hashing

/// A volume of UDF, which libtsk does not know, through libudfread. Deleted files leave no names that it reads.
final class UDFVolume {
  private let medium: DiskMedium
  private let extent: Extent
  private let input: UnsafeMutableRawPointer
  private let handle: OpaquePointer

  static let blockInBytes: Int64 = 2048
  /// Folders may hold each other, which the library does not tell.
  private static let mostFolders = 1 << 16
  private static let mostDepth = 64
  private static let mostPathInBytes = 8000
  /// Blocks of a file whose places are looked up.
  private static let mostBlocks: Int64 = 1 << 23

  /// - Returns: `nil` where there is no such volume.
  init?(_ medium: DiskMedium, at extent: Extent) {
    guard let handle = udfread_init() else { return nil }
    self.medium = medium
    self.extent = extent
    self.handle = handle
    // Behind what the library knows of lies the way back here.
    let size = MemoryLayout<udfread_block_input>.stride
    input = .allocate(byteCount: size + MemoryLayout<UnsafeRawPointer>.size, alignment: 16)
    let known = input.initializeMemory(as: udfread_block_input.self, repeating: udfread_block_input(), count: 1)
    known.pointee.read = { input, block, buffer, count, _ in
      guard let input, let buffer else { return -1 }
      return UDFVolume.volume(input).read(block, count, into: buffer)
    }
    known.pointee.size = { input in
      guard let input else { return 0 }
      return UInt32(clamping: UDFVolume.volume(input).extent.length / UDFVolume.blockInBytes)
    }
    input.storeBytes(
      of: UnsafeRawPointer(Unmanaged.passUnretained(self).toOpaque()), toByteOffset: size, as: UnsafeRawPointer.self)
    if udfread_open_input(handle, known) < 0 { return nil }
  }

  deinit {
    udfread_close(handle)
    input.deallocate()
  }

  private static func volume(_ input: UnsafeMutablePointer<udfread_block_input>) -> UDFVolume {
    let way = UnsafeRawPointer(input).load(
      fromByteOffset: MemoryLayout<udfread_block_input>.stride, as: UnsafeRawPointer.self)
    return Unmanaged<UDFVolume>.fromOpaque(way).takeUnretainedValue()
  }

  /// - Returns: Whole blocks that were read, or -1.
  private func read(_ block: UInt32, _ count: UInt32, into buffer: UnsafeMutableRawPointer) -> CInt {
    let offset = Int64(block) * Self.blockInBytes
    let length = min(Int64(count) * Self.blockInBytes, max(0, extent.length - offset))
    guard length >= Self.blockInBytes, length <= 1 << 30 else { return -1 }
    let got = medium.read(
      at: extent.offset + offset, into: UnsafeMutableRawBufferPointer(start: buffer, count: Int(length)))
    return got < Int(Self.blockInBytes) ? -1 : CInt(got / Int(Self.blockInBytes))
  }

  func tell(_ number: Int, prefix: String, _ members: DiskMembers) {
    var folders = 0
    guard let root = udfread_opendir(handle, "/") else {
      return members.tell(
        Array(prefix.utf8.dropLast()), origin(number),
        unread: Ending(status: .broken, reason: "the root folder cannot be read"))
    }
    walk(root, Array(prefix.utf8), number, depth: 1, &folders, members)
  }

  private func walk(
    _ folder: OpaquePointer, _ path: [UInt8], _ number: Int, depth: Int, _ folders: inout Int, _ members: DiskMembers
  ) {
    defer { udfread_closedir(folder) }
    var entry = udfread_dirent()
    while udfread_readdir(folder, &entry) != nil {
      guard let text = entry.d_name else { continue }
      let own = Array(String(cString: text).utf8)
      if own == [46] || own == [46, 46] { continue }
      let name = path + own
      func refuse(_ status: DecodeReply.Status, _ reason: String) {
        members.tell(name, origin(number), unread: Ending(status: status, reason: reason))
      }
      if name.count > Self.mostPathInBytes {
        refuse(.limit, "limit: paths of \(Self.mostPathInBytes) bytes")
        return
      }
      guard entry.d_type == UInt32(UDF_DT_DIR) else {
        guard let file = udfread_file_openat(folder, text) else {
          refuse(.broken, "the file cannot be opened")
          continue
        }
        tell(file, name, number, members)
        udfread_file_close(file)
        continue
      }
      folders += 1
      if folders > Self.mostFolders {
        refuse(.limit, "limit: \(Self.mostFolders) folders")
        return
      }
      if depth == Self.mostDepth {
        refuse(.limit, "limit: folders, \(Self.mostDepth) deep")
      } else if let inner = udfread_opendir_at(folder, text) {
        walk(inner, name + [UInt8(ascii: "/")], number, depth: depth + 1, &folders, members)
      } else {
        refuse(.broken, "the folder cannot be read")
      }
    }
  }

  private func tell(_ file: OpaquePointer, _ name: [UInt8], _ number: Int, _ members: DiskMembers) {
    let size = udfread_file_size(file)
    guard size >= 0 else {
      return members.tell(name, origin(number), unread: Ending(status: .broken, reason: "the file has no size"))
    }
    let failures = medium.failures
    members.tell(
      name, origin(number, runs(of: file, size)), sizeInBytes: size,
      read: { [medium] offset, buffer in
        guard udfread_file_seek(file, offset, CInt(UDF_SEEK_SET)) == offset else { return -1 }
        let count = udfread_file_read(file, buffer.baseAddress, buffer.count)
        return medium.failures > failures ? -1 : count
      }, failure: { "the file cannot be read" })
  }

  /// Where a file lies; not told where it lies within metadata, or where some of it is nowhere.
  private func runs(of file: OpaquePointer, _ size: Int64) -> (told: [MemberOrigin.Run], areMore: Bool) {
    let blocks = size / Self.blockInBytes + (size % Self.blockInBytes > 0 ? 1 : 0)
    guard blocks <= Self.mostBlocks else { return ([], true) }
    var runs: [MemberOrigin.Run] = []
    var (first, count): (Int64, Int64) = (0, 0)
    /// Returns whether the run lies on the volume.
    func end(_ length: Int64) -> Bool {
      let offset = first * Self.blockInBytes
      guard offset <= extent.length, length <= extent.length - offset else { return false }
      if count > 0 { runs.append(.init(offset: extent.offset + offset, length: length)) }
      return true
    }
    for block in 0..<blocks {
      let place = Int64(udfread_file_lba(file, UInt32(block)))
      if place == 0 { return ([], true) }
      if count > 0 && place == first + count {
        count += 1
        continue
      }
      if !end(count * Self.blockInBytes) { return ([], true) }
      if runs.count == MemberOrigin.mostRuns { return (runs, true) }
      (first, count) = (place, 1)
    }
    let told = runs.reduce(0) { $0 + $1.length }
    return end(size - told) ? (runs, false) : ([], true)
  }

  private func origin(_ number: Int, _ runs: (told: [MemberOrigin.Run], areMore: Bool) = ([], false)) -> MemberOrigin {
    MemberOrigin(volume: number, inode: nil, allocation: .allocated, runs: runs.told, isFragmentedFurther: runs.areMore)
  }
}
