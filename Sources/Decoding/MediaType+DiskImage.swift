extension MediaType {
  /// Tells a disk image by a partition table or the start of a file system.
  ///
  /// A copy of a boot sector alone is none: an image goes on for as long as the longest of these structures.
  static func diskImage(_ head: Head) -> MediaType? {
    // Behind the signature and a 1 the number of the segment: further ones belong to the first.
    if head.has([0x45, 0x56, 0x46, 0x09, 0x0d, 0x0a, 0xff, 0x00, 1, 1, 0]) { return .ewf }
    guard head.bytes.count >= sniffedBytes else { return nil }
    let isKnown =
      isBootSector(head) || hasPartitions(head) || isExt(head)
      // HFS+ and HFSX with their versions, UFS1 in both byte orders, APFS, the Apple partition map, and UDF without ISO 9660.
      || head.has([0x48, 0x2b, 0x00, 0x04], at: 1024) || head.has([0x48, 0x58, 0x00, 0x05], at: 1024)
      || head.has([0x54, 0x19, 0x01, 0x00], at: 8192 + 1372) || head.has([0x00, 0x01, 0x19, 0x54], at: 8192 + 1372)
      || head.has("NXSB", at: 32) || (head.has("ER") && head.has("PM", at: 512)) || head.has("BEA01", at: 0x8001)
    return isKnown ? .diskImage : nil
  }

  private static func hasBootMark(_ head: Head) -> Bool { head.has([0x55, 0xaa], at: 510) }

  /// NTFS, exFAT, BitLocker or FAT. Source: BIOS parameter block.
  private static func isBootSector(_ head: Head) -> Bool {
    guard hasBootMark(head) else { return false }
    if head.has("NTFS    ", at: 3) || head.has("EXFAT   ", at: 3) || head.has("-FVE-FS-", at: 3) { return true }
    guard head[0] == 0xeb || head[0] == 0xe9, let sector = head.number(at: 11, bytes: 2), let cluster = head[13],
      let reserved = head.number(at: 14, bytes: 2), let tables = head[16], let medium = head[21]
    else { return false }
    return [512, 1024, 2048, 4096].contains(sector) && cluster.nonzeroBitCount == 1 && reserved > 0
      && (1...2).contains(tables) && (medium == 0xf0 || medium >= 0xf8)
  }

  /// GPT on sectors of 512 or 4096 bytes; or an MBR of which every entry is empty or in order, and not all are empty.
  private static func hasPartitions(_ head: Head) -> Bool {
    guard hasBootMark(head) else { return false }
    if head.has("EFI PART", at: 512) || head.has("EFI PART", at: 4096) { return true }
    var used = 0
    for entry in stride(from: 446, to: 510, by: 16) {
      guard let flag = head[entry], let type = head[entry + 4], let start = head.number(at: entry + 8, bytes: 4),
        let count = head.number(at: entry + 12, bytes: 4), flag == 0 || flag == 0x80
      else { return false }
      if type == 0 { continue }
      guard count > 0, start > 0 else { return false }
      used += 1
    }
    return used > 0
  }

  /// ext2, ext3, ext4: the magic number, a state, a block size and a revision that exist.
  private static func isExt(_ head: Head) -> Bool {
    guard head.has([0x53, 0xef], at: 1024 + 56), let state = head.number(at: 1024 + 58, bytes: 2),
      let block = head.number(at: 1024 + 24, bytes: 4), let revision = head.number(at: 1024 + 76, bytes: 4),
      let inodes = head.number(at: 1024, bytes: 4)
    else { return false }
    return state <= 7 && block <= 6 && revision <= 1 && inodes > 0
  }
}
