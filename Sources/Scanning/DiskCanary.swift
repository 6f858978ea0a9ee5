import Decoding

/// A disk of 64 KiB with one file, read through the decoder to prove that disk images can be.
public enum DiskCanary {
  private static let content = Array("canary".utf8)

  /// - Returns: `nil` where the file came out as it is; else what came instead.
  public static func run(_ decoders: DecoderPool) throws -> String? {
    let disk = disk
    var paths: [String] = []
    var bytes: [UInt8] = []
    let source = ByteSource(sizeInBytes: Int64(disk.count)) { offset, buffer in
      let piece = disk[Int(offset)...].prefix(buffer.count)
      buffer.copyBytes(from: piece)
      return piece.count
    }
    let failure = try decoders.withArchiveLease { lease in
      try lease.readDisk(.diskImage, from: source, []) { event in
        switch event {
        case .member(let member): paths.append(member.path)
        case .bytes(let piece): bytes += piece
        default: break
        }
      }
    }
    if let failure { return "a disk image cannot be read: \(failure)" }
    return paths == ["vol1/CANARY.TXT"] && bytes == content ? nil : "of a disk image with one file, this came out: \(paths)"
  }

  /// FAT of 12 bits: boot sector, one table, a root folder of one sector, and the file in the first cluster.
  private static var disk: [UInt8] {
    var disk = [UInt8](repeating: 0, count: 128 * 512)
    func put(_ bytes: [UInt8], at offset: Int) { disk.replaceSubrange(offset..<offset + bytes.count, with: bytes) }
    put([0xeb, 0x3c, 0x90] + Array("MUHAFIZ ".utf8), at: 0)
    // 512 bytes a sector, 1 a cluster, 1 reserved, 1 table, 16 entries, 128 sectors, fixed disk, 1 sector a table.
    put([0, 2, 1, 1, 0, 1, 16, 0, 128, 0, 0xf8, 1, 0], at: 11)
    put([0x55, 0xaa], at: 510)
    put([0xf8, 0xff, 0xff, 0xff, 0x0f], at: 512)
    put(Array("CANARY  TXT".utf8) + [0x20], at: 1024)
    put([2, 0, UInt8(content.count)], at: 1024 + 26)
    put(content, at: 1536)
    return disk
  }
}
