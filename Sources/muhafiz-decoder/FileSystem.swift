import CContainers
import Decoding

/// A file system that libtsk has opened.
final class FileSystem {
  let handle: UnsafeMutablePointer<TSK_FS_INFO>
  /// Where block 0 is, in bytes from the start of the medium.
  private let start: Int64
  private let pool: Pool?
  /// What it is on; libtsk reads from it as long as it is open.
  private let medium: DiskMedium
  /// The reason where it is there and cannot be read.
  let isEncrypted: Bool

  /// - Returns: `nil` where there is none of the kind, with libtsk's failure.
  init?(_ medium: DiskMedium, at offset: Int64, _ kind: TSK_FS_TYPE_ENUM) {
    tsk_error_reset()
    guard let handle = tsk_fs_open_img(medium.image, offset, kind) else { return nil }
    self.handle = handle
    self.medium = medium
    start = offset
    pool = nil
    isEncrypted = false
  }

  private init?(_ medium: DiskMedium, _ pool: Pool, _ volume: TSK_POOL_VOLUME_INFO) {
    let offset = TSK_OFF_T(clamping: pool.handle.pointee.img_offset)
    guard let image = pool.handle.pointee.get_img_info(pool.handle, volume.block),
      let handle = tsk_fs_open_img(image, offset, TSK_FS_TYPE_APFS)
    else { return nil }
    self.handle = handle
    self.medium = medium
    self.pool = pool
    start = offset
    isEncrypted = volume.flags.rawValue & TSK_POOL_VOLUME_FLAG_ENCRYPTED.rawValue != 0
  }

  deinit { tsk_fs_close(handle) }

  /// Several file systems that share the space of a volume, as those of APFS do.
  private final class Pool {
    let handle: UnsafePointer<TSK_POOL_INFO>
    init(_ handle: UnsafePointer<TSK_POOL_INFO>) { self.handle = handle }
    deinit { tsk_pool_close(handle) }
  }

  static func inPool(on medium: DiskMedium, at offset: Int64) -> [FileSystem] {
    guard let handle = tsk_pool_open_img_sing(medium.image, offset, TSK_POOL_TYPE_DETECT) else { return [] }
    let pool = Pool(handle)
    var systems: [FileSystem] = []
    var next = handle.pointee.vol_list
    while let volume = next?.pointee, systems.count < mostInPool {
      if let system = FileSystem(medium, pool, volume) { systems.append(system) }
      next = volume.next
    }
    return systems
  }

  private static let mostInPool = 100  // APFS reference, NX_MAX_FILE_SYSTEMS

  /// Makes a call of libtsk, and notes whether the medium could be read on the way.
  func reading<Result>(_ body: () -> Result) -> (result: Result, isReadable: Bool) {
    let before = medium.failures
    tsk_error_reset()
    let result = body()
    return (result, medium.failures == before)
  }

  /// The reason where ``reading(_:)`` met bytes that cannot be read.
  static let unreadable = "the medium cannot be read"

  var blockSize: Int64 { Int64(handle.pointee.block_size) }

  /// Blocks as bytes of the medium, cut where the medium ends; `nil` where they lie outside of it.
  func extent(ofBlock block: UInt64, count: UInt64) -> Extent? {
    let (offset, overflows) = block.multipliedReportingOverflow(by: UInt64(handle.pointee.block_size))
    let (length, lengthOverflows) = count.multipliedReportingOverflow(by: UInt64(handle.pointee.block_size))
    guard !overflows, !lengthOverflows, offset < UInt64(medium.sizeInBytes - start) else { return nil }
    let left = UInt64(medium.sizeInBytes - start) - offset
    return Extent(offset: start + Int64(offset), length: Int64(min(length, left)))
  }

  /// Blocks that no file occupies, those that lie together as one.
  func freeSpace() -> [Extent] {
    final class Free {
      let system: FileSystem
      var extents: [Extent] = []
      var first: UInt64 = 0
      var count: UInt64 = 0
      init(_ system: FileSystem) { self.system = system }

      func finish() {
        if count > 0, let extent = system.extent(ofBlock: first, count: count) { extents.append(extent) }
        count = 0
      }
    }
    let free = Free(self)
    let flags = TSK_FS_BLOCK_WALK_FLAG_ENUM(
      rawValue: TSK_FS_BLOCK_WALK_FLAG_UNALLOC.rawValue | TSK_FS_BLOCK_WALK_FLAG_AONLY.rawValue)
    let (first, last) = (handle.pointee.first_block, min(handle.pointee.last_block, handle.pointee.last_block_act))
    guard first <= last else { return [] }
    tsk_fs_block_walk(
      handle, first, last, flags,
      { block, context in
        let free = Unmanaged<Free>.fromOpaque(context!).takeUnretainedValue()
        let address = block!.pointee.addr
        if address != free.first + free.count { free.finish() }
        if free.count == 0 { free.first = address }
        free.count += 1
        return TSK_WALK_CONT
      }, Unmanaged.passUnretained(free).toOpaque())
    free.finish()
    return free.extents
  }
}
