import Foundation
import Glibc
import SystemPackage

/// The disk that a path is on, as the kernel knows it: what a report names the exhibit by.
///
/// Source: Linux, `Documentation/ABI/stable/sysfs-block`.
public struct SourceDevice: Sendable, Equatable {
  /// The path that was asked for.
  public let path: FilePath
  /// The partition or disk: `sdb1`.
  public let name: String
  public let model: String?
  public let serial: String?
  /// Of the whole disk.
  public let sizeInBytes: Int64?

  /// - Parameter sys: Where the kernel's tree of devices is mounted.
  /// - Returns: `nil` where the path is on no block device, as on a network or in memory, or nothing is known of it.
  public init?(of path: FilePath, sys: FilePath = "/sys") {
    var status = stat()
    guard path.withPlatformString({ stat($0, &status) }) == 0 else { return nil }
    let device = status.st_mode & S_IFMT == S_IFBLK ? UInt64(status.st_rdev) : UInt64(status.st_dev)
    self.init(number: device, path: path, sys: sys)
  }

  init?(number device: UInt64, path: FilePath, sys: FilePath) {
    // The numbers' bits as gnu_dev_major and gnu_dev_minor take them apart.
    let major = device >> 8 & 0xFFF | device >> 32 & ~0xFFF
    let minor = device & 0xFF | device >> 12 & ~0xFF
    let link = sys.appending("dev/block/\(major):\(minor)")
    guard let real = link.withPlatformString({ realpath($0, nil) }) else { return nil }
    defer { free(real) }
    let part = FilePath(platformString: real)
    guard let name = part.lastComponent?.string else { return nil }
    // A partition's folder stands in its disk's.
    let isPartition = part.appending("partition").withPlatformString { access($0, F_OK) } == 0
    let disk = isPartition ? part.removingLastComponent() : part
    self.path = path
    self.name = name
    model = Self.text(disk.appending("device/model"))
    serial =
      Self.text(disk.appending("device/serial")) ?? Self.text(disk.appending("serial"))
      ?? Self.text(disk.appending("device/vpd_pg80"), skipping: 4)
    // In sectors of 512 bytes, whatever the disk's own are.
    sizeInBytes = Self.text(disk.appending("size")).flatMap { Int64($0) }.map { $0 &* 512 }
  }

  /// The characters of a small file that can be shown; `nil` where there are none.
  ///
  /// - Parameter skipping: Bytes of a header: a page of SCSI's vital product data has four.
  private static func text(_ path: FilePath, skipping header: Int = 0) -> String? {
    // What the kernel does not say is not known, and nothing depends on it.
    guard let data = try? Data(contentsOf: URL(filePath: path.string)) else { return nil }
    let bytes = data.dropFirst(header).prefix(256).filter { (0x20...0x7E).contains($0) }
    let text = String(decoding: bytes, as: UTF8.self).trimmingCharacters(in: .whitespaces)
    return text.isEmpty ? nil : text
  }
}
