import Foundation

/// Disk images of small trees, made by the programs that come with Debian. Nothing is mounted unless a name says so.
public struct TestDisks {
  public let folder: TemporaryDirectory

  public init() throws {
    folder = try TemporaryDirectory()
    try makeTree()
  }

  /// Whether all of these programs are there. Prints a line when one is not, so that a skipped test is seen.
  public static func has(_ programs: String...) -> Bool {
    let missing = programs.filter { program in
      !["/usr/bin", "/usr/sbin", "/bin", "/sbin"].contains {
        FileManager.default.isExecutableFile(atPath: "\($0)/\(program)")
      }
    }
    if !missing.isEmpty { print("skipped: a test on disk images, which needs \(missing.joined(separator: ", "))") }
    return missing.isEmpty
  }

  /// What is on every disk: path and the test data that it is a copy of.
  public static let files = [
    "DCIM/100/dunes.jpg": "pictures/dunes.jpg", "DCIM/100/harbour.jpg": "pictures/harbour.jpg",
    "docs/plain.zip": "archives/plain.zip", "lagoon.jpg": "pictures/lagoon.jpg", "steppe.jpg": "pictures/steppe.jpg",
  ]

  public static func bytes(_ name: String) throws -> [UInt8] {
    try [UInt8](Data(contentsOf: Corpus.packageRoot.appending(path: "testdata/\(name)")))
  }

  private func makeTree() throws {
    for (path, name) in Self.files {
      let url = folder.url.appending(path: "tree/\(path)")
      try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(Self.bytes(name)).write(to: url)
    }
    try Data().write(to: folder.url.appending(path: "tree/empty"))
  }

  /// Runs a script in the folder.
  @discardableResult
  public func shell(_ script: String) throws -> String {
    let result = try run(
      "/bin/sh", ["-ec", script],
      environment: ["PATH": "/usr/local/bin:/usr/bin:/usr/sbin:/bin:/sbin", "MTOOLS_SKIP_CHECK": "1"],
      in: folder.url)
    if result.exitCode != 0 { throw ShellFailure(script: script, text: result.text + result.errorText) }
    return result.text
  }

  struct ShellFailure: Error {
    let script: String
    let text: String
  }

  public func path(_ name: String) -> String { folder.path(name) }

  func write(_ disk: RawDisk, to name: String) throws { try Data(disk.bytes).write(to: URL(filePath: path(name))) }

  public func bytes(of name: String) throws -> [UInt8] { try [UInt8](Data(contentsOf: folder.url.appending(path: name))) }

  /// ext2, ext3 or ext4 of 8 MiB; `lagoon.jpg` is deleted, its inode still says where it was.
  public func makeExt(_ name: String, kind: String = "ext4") throws {
    try shell(
      """
      truncate -s 8M \(name) && mkfs.\(kind) -q -E hash_seed=00000000-0000-0000-0000-000000000001 -d tree \(name)
      debugfs -w -R 'rm lagoon.jpg' \(name)
      """)
  }

  /// FAT of 12, 16 or 32 bits; `lagoon.jpg` is deleted.
  public func makeFAT(_ name: String, bits: Int = 16) throws {
    let size = bits == 12 ? "4M" : bits == 16 ? "16M" : "40M"
    try shell(
      """
      truncate -s \(size) \(name) && mkfs.vfat -F \(bits) -n PLATE \(name)
      mcopy -s -i \(name) tree/* ::
      mdel -i \(name) ::lagoon.jpg
      """)
  }

  /// NTFS of 8 MiB with a named stream beside `dunes.jpg`. It has no folders: they are made by mounting alone.
  public func makeNTFS(_ name: String) throws {
    try shell(
      """
      truncate -s 8M \(name) && mkfs.ntfs -Fq \(name)
      for file in DCIM/100/dunes.jpg lagoon.jpg steppe.jpg empty docs/plain.zip; do ntfscp -q \(name) tree/$file ${file##*/}; done
      ntfscp -q -N hidden \(name) tree/DCIM/100/harbour.jpg dunes.jpg
      """)
  }

  /// Takes a file off the root of an NTFS as its driver does: its name leaves the folder's index, its record is no longer in
  /// use. Every tool that does so mounts the disk.
  public func deleteFromNTFS(_ name: String, _ file: String) throws {
    var disk = RawDisk(bytes: try bytes(of: name))
    let cluster = disk.number(11, 2) * disk.number(13, 1)
    let recordSize =
      Int8(bitPattern: disk.bytes[64]) > 0 ? Int(disk.bytes[64]) * cluster : 1 << -Int(Int8(bitPattern: disk.bytes[64]))
    let inode = try shell("ifind -n '\(file)' \(name)").trimmingCharacters(in: .whitespacesAndNewlines)
    let record = disk.number(48, 8) * cluster + (Int(inode) ?? 0) * recordSize
    let wanted = file.utf16.flatMap { little(Int($0), 2) }
    for block in stride(from: 0, to: disk.bytes.count, by: 4096) where disk.bytes[block..<block + 4].elementsEqual("INDX".utf8) {
      // The last two bytes of each sector stand in the block's head, and a number of the update in their place.
      let (ends, count) = (block + disk.number(block + 4, 2), disk.number(block + 6, 2))
      for sector in 1..<count { disk.put(disk.number(ends + 2 * sector, 2), block + 512 * sector - 2, 2) }
      let end = block + 24 + disk.number(block + 28, 4)
      var entry = block + 24 + disk.number(block + 24, 4)
      while entry + 82 < end {
        let size = disk.number(entry + 8, 2)
        if disk.bytes[(entry + 82)...].prefix(2 * Int(disk.bytes[entry + 80])).elementsEqual(wanted) {
          disk.bytes.replaceSubrange(entry..<end - size, with: Array(disk.bytes[entry + size..<end]))
          disk.put(disk.number(block + 28, 4) - size, block + 28, 4)
          break
        }
        entry += size
      }
      for sector in 1..<count {
        disk.put(disk.number(block + 512 * sector - 2, 2), ends + 2 * sector, 2)
        disk.put(disk.number(ends, 2), block + 512 * sector - 2, 2)
      }
    }
    guard disk.bytes[record..<record + 4].elementsEqual("FILE".utf8), disk.bytes[record + 22] & 1 == 1 else {
      throw CocoaError(.fileReadCorruptFile)
    }
    disk.bytes[record + 22] &= ~1
    disk.put(disk.number(record + 16, 2) + 1, record + 16, 2)  // how often the record was used
    try write(disk, to: name)
  }

  /// A disk of 64 MiB with an MBR: FAT, ext4 in an extended partition, and `harbour.jpg` behind all partitions.
  public func makePartitioned(_ name: String, table: String = "dos") throws {
    try makeFAT("first")
    try makeExt("second")
    let second = table == "dos" ? "start=34816,size=61440,type=5\nstart=36864,size=16384,type=83" : "start=36864,size=16384"
    try shell(
      """
      truncate -s 64M \(name)
      printf 'label: \(table)\\nstart=2048,size=32768\(table == "dos" ? ",type=6" : "")\\n\(second)\\n' | sfdisk -q \(name)
      dd if=first of=\(name) bs=512 seek=2048 conv=notrunc status=none
      dd if=second of=\(name) bs=512 seek=36864 conv=notrunc status=none
      dd if=tree/DCIM/100/harbour.jpg of=\(name) bs=512 seek=120000 conv=notrunc status=none
      """)
  }

  /// The files that `fls` lists in an image, by path; deleted ones with a star in front.
  ///
  /// Left out are folders and what libtsk makes up. Files that are nothing but indexes are named without these.
  ///
  /// - Parameter poolBlock: Of an APFS, where its volume is.
  public func filesByFLS(_ name: String, sectorOffset: Int = 0, poolBlock: Int? = nil) throws -> [String] {
    var files: Set<String> = []
    var indexes: [Substring: String] = [:]
    var withContent: Set<Substring> = []
    let pool = poolBlock.map { "-P apfs -B \($0)" } ?? ""
    for line in try shell("fls -r -p \(pool) -o \(sectorOffset) \(name)").split(separator: "\n") {
      let parts = line.split(separator: "\t", maxSplits: 1)
      let words = parts[0].split(separator: " ")
      if words[0].lowercased().hasPrefix("v") || words[0].hasSuffix("/d") || words[0].hasPrefix("d/") { continue }
      let path = String(parts[1])
      let address = words.last!.split(separator: "-")
      if address.count == 3 && address[1] == "144" {
        indexes[address[0]] = path.lastIndex(of: ":").map { String(path[..<$0]) }
      } else {
        withContent.insert(address[0])
        files.insert((words.contains("*") ? "*" : "") + path)
      }
    }
    return files.union(indexes.filter { !withContent.contains($0.key) }.values).sorted()
  }
}
