import Foundation

/// File systems that Debian has no program to put files into: an empty one is made, and filled here byte by byte.
extension TestDisks {
  /// exFAT of 8 MiB; `lagoon.jpg` is deleted. Source: Microsoft, "exFAT file system specification".
  public func makeExFAT(_ name: String) throws {
    try shell("truncate -s 8M \(name) && mkfs.exfat \(name)")
    var disk = RawDisk(bytes: try bytes(of: name))
    let sector = 1 << disk.number(108, 1)
    let cluster = sector << disk.number(109, 1)
    func offset(_ number: Int) -> Int { disk.number(88, 4) * sector + (number - 2) * cluster }
    let root = offset(disk.number(96, 4))
    let bitmap = stride(from: root, to: root + cluster, by: 32).first { disk.bytes[$0] == 0x81 }
    let allocated = offset(disk.number(try Self.found(bitmap) + 20, 4))
    var next = 100

    /// Puts bytes on clusters that follow each other.
    func store(_ content: [UInt8], isDeleted: Bool = false) -> Int {
      if content.isEmpty { return 0 }
      let first = next
      disk.put(content, offset(first))
      next += (content.count + cluster - 1) / cluster
      if !isDeleted { for number in first..<next { disk.bytes[allocated + (number - 2) / 8] |= 1 << ((number - 2) % 8) } }
      return first
    }

    func entries(_ name: String, _ first: Int, _ size: Int, isFolder: Bool, isDeleted: Bool) -> [UInt8] {
      let text = Array(name.utf16)
      let parts = (text.count + 14) / 15
      var file = RawDisk(bytes: [UInt8](repeating: 0, count: 32 * (2 + parts)))
      file.put(0x85, 0, 1)
      file.put(1 + parts, 1, 1)
      file.put(isFolder ? 0x10 : 0x20, 4, 2)
      for time in [8, 12, 16] { file.put(0x5b7d_6000, time, 4) }
      file.put(0xc0, 32, 1)
      file.put(first == 0 ? 1 : 3, 33, 1)  // Clusters may be allocated, and follow each other.
      file.put(text.count, 35, 1)
      file.put(Self.rotatingSum(name.uppercased().utf16.flatMap { little(Int($0), 2) }), 36, 2)
      file.put(size, 40, 8)
      file.put(first, 52, 4)
      file.put(size, 56, 8)
      for part in 0..<parts { file.put(0xc1, 64 + 32 * part, 1) }
      for (index, unit) in text.enumerated() { file.put(Int(unit), 66 + index / 15 * 32 + index % 15 * 2, 2) }
      file.put(Self.rotatingSum(file.bytes.enumerated().filter { $0.offset != 2 && $0.offset != 3 }.map(\.element)), 2, 2)
      // The bit that says that an entry is in use.
      if isDeleted { for entry in 0..<2 + parts { file.bytes[32 * entry] &= 0x7f } }
      return file.bytes
    }

    /// The entries of a folder, whose own are stored on the way.
    func folder(_ path: String) throws -> [UInt8] {
      var all: [UInt8] = []
      for child in try children(of: path) {
        if child.isFolder {
          let content = try folder(child.path)
          let padded = content + [UInt8](repeating: 0, count: cluster - content.count)
          all += entries(child.name, store(padded), cluster, isFolder: true, isDeleted: false)
        } else {
          let content = try bytes(of: "tree/\(child.path)")
          let isDeleted = child.name == "lagoon.jpg"
          let first = store(content, isDeleted: isDeleted)
          all += entries(child.name, first, content.count, isFolder: false, isDeleted: isDeleted)
        }
      }
      return all
    }
    let end = stride(from: root, to: root + cluster, by: 32).first { disk.bytes[$0] == 0 }
    let all = try folder("")
    disk.put(all, try Self.found(end))
    try write(disk, to: name)
  }

  /// The sum that exFAT has of names and of entries.
  private static func rotatingSum(_ bytes: [UInt8]) -> Int {
    Int(bytes.reduce(UInt16(0)) { ($0 << 15 | $0 >> 1) &+ UInt16($1) })
  }

  /// APFS of 128 MiB, a container with one volume. Source: Apple, "Apple File System Reference".
  ///
  /// - Returns: The volume's block.
  public func makeAPFS(_ name: String) throws -> Int {
    try shell("truncate -s 128M \(name) && mkapfs -L PLATE \(name)")
    var disk = RawDisk(bytes: try bytes(of: name))
    let block = 4096
    let blocks = stride(from: 0, to: disk.bytes.count, by: block)
    let volume = try Self.found(blocks.first { disk.bytes[$0 + 32..<$0 + 36].elementsEqual("APSB".utf8) })
    // The volume's catalog: a tree that is one leaf, of records of a file system.
    let leaf = try Self.found(blocks.first { disk.number($0 + 24, 4) == 2 && disk.number($0 + 28, 4) == 0xe })
    var records = disk.records(ofLeaf: leaf, block)
    var (nextID, nextBlock) = (16, 25_000)

    func key(_ id: Int, _ type: Int) -> [UInt8] { little(type << 60 | id, 8) }

    func add(_ id: Int, in parent: Int, _ name: String, isFolder: Bool, size: Int) {
      let text = Array(name.utf8) + [0]
      let times = little(1_700_000_000_000_000_000, 8)
      let padded = text + [UInt8](repeating: 0, count: -text.count & 7)
      var inode = little(parent, 8) + little(id, 8) + times + times + times + times + little(0x8000, 8) + little(1, 4)
      inode += [UInt8](repeating: 0, count: 20) + little(isFolder ? 0o40755 : 0o100644, 2) + [UInt8](repeating: 0, count: 10)
      inode += little(isFolder ? 1 : 2, 2) + little(padded.count + (isFolder ? 0 : 40), 2) + [4, 2] + little(text.count, 2)
      if !isFolder { inode += [8, 0x20] + little(40, 2) }
      inode += padded
      if !isFolder { inode += little(size, 8) + little((size + block - 1) & -block, 8) + [UInt8](repeating: 0, count: 24) }
      records.append((key(id, 3), inode))
      records.append((key(parent, 9) + little(text.count, 4) + text, little(id, 8) + times + little(isFolder ? 4 : 8, 2)))
    }

    func fill(_ path: String, _ parent: Int) throws {
      for child in try children(of: path) {
        let id = nextID
        nextID += 1
        if child.isFolder {
          add(id, in: parent, child.name, isFolder: true, size: 0)
          try fill(child.path, id)
        } else {
          let content = try bytes(of: "tree/\(child.path)")
          add(id, in: parent, child.name, isFolder: false, size: content.count)
          records.append((key(id, 6), little(1, 4)))
          if content.isEmpty { continue }
          let size = (content.count + block - 1) & -block
          records.append((key(id, 8) + little(0, 8), little(size, 8) + little(nextBlock, 8) + little(0, 8)))
          disk.put(content, nextBlock * block)
          nextBlock += size / block
        }
      }
    }
    try fill("", 2)
    disk.putLeaf(leaf, block, records)
    disk.put(nextID, volume + 176, 8)
    for changed in [leaf, volume] { disk.putFletcher(changed, block) }
    try write(disk, to: name)
    return volume / block
  }

  private func children(of path: String) throws -> [(name: String, path: String, isFolder: Bool)] {
    let names = try FileManager.default.contentsOfDirectory(atPath: self.path("tree/\(path)")).sorted()
    return names.map { name in
      let child = path.isEmpty ? name : "\(path)/\(name)"
      var isFolder: ObjCBool = false
      _ = FileManager.default.fileExists(atPath: self.path("tree/\(child)"), isDirectory: &isFolder)
      return (name, child, isFolder.boolValue)
    }
  }

  private static func found(_ offset: Int?) throws -> Int {
    guard let offset else { throw CocoaError(.fileReadCorruptFile) }
    return offset
  }
}

func little(_ value: Int, _ size: Int) -> [UInt8] { (0..<size).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }

/// A disk in memory.
struct RawDisk {
  var bytes: [UInt8]

  func number(_ offset: Int, _ size: Int) -> Int { (0..<size).reduce(0) { $0 | Int(bytes[offset + $1]) << (8 * $1) } }
  mutating func put(_ content: [UInt8], _ offset: Int) { bytes.replaceSubrange(offset..<offset + content.count, with: content) }
  mutating func put(_ value: Int, _ offset: Int, _ size: Int) { put(little(value, size), offset) }

  // A tree's leaf of APFS: a head of 56 bytes, a table of places, keys behind it, values before the last 40 bytes.

  typealias Record = (key: [UInt8], value: [UInt8])

  func records(ofLeaf leaf: Int, _ size: Int) -> [Record] {
    let keys = leaf + 56 + number(leaf + 40, 2) + number(leaf + 42, 2)
    return (0..<number(leaf + 36, 4)).map { index in
      let place = leaf + 56 + number(leaf + 40, 2) + 8 * index
      let (key, value) = (keys + number(place, 2), leaf + size - 40 - number(place + 4, 2))
      return (Array(bytes[key..<key + number(place + 2, 2)]), Array(bytes[value..<value + number(place + 6, 2)]))
    }
  }

  mutating func putLeaf(_ leaf: Int, _ size: Int, _ records: [Record]) {
    func rank(_ key: [UInt8]) -> (Int, Int) {
      let head = (0..<8).reduce(UInt64(0)) { $0 | UInt64(key[$1]) << UInt64(8 * $1) }
      return (Int(head & (1 << 60 - 1)), Int(head >> 60))
    }
    let sorted = records.sorted {
      let (one, other) = (rank($0.key), rank($1.key))
      return one == other ? $0.key.lexicographicallyPrecedes($1.key) : one < other
    }
    let table = 8 * sorted.count
    var (keySize, valueSize) = (0, 0)
    for (index, record) in sorted.enumerated() {
      let place = leaf + 56 + 8 * index
      put(record.key, leaf + 56 + table + keySize)
      valueSize += record.value.count
      put(record.value, leaf + size - 40 - valueSize)
      for (at, value) in [keySize, record.key.count, valueSize, record.value.count].enumerated() { put(value, place + 2 * at, 2) }
      keySize += record.key.count
    }
    let free = size - 40 - valueSize - 56 - table - keySize
    precondition(free >= 0, "the records have room in a leaf")
    put(sorted.count, leaf + 36, 4)
    for (at, value) in [0, table, keySize, free].enumerated() { put(value, leaf + 40 + 2 * at, 2) }
    put(sorted.map(\.key.count).max() ?? 0, leaf + size - 24, 4)
    put(sorted.map(\.value.count).max() ?? 0, leaf + size - 20, 4)
    put(sorted.count, leaf + size - 16, 8)
  }

  /// The sum that stands in the first eight bytes of a block of APFS.
  mutating func putFletcher(_ block: Int, _ size: Int) {
    let most: UInt64 = 0xffff_ffff
    var (low, high): (UInt64, UInt64) = (0, 0)
    for offset in stride(from: block + 8, to: block + size, by: 4) {
      low = (low + UInt64(number(offset, 4))) % most
      high = (high + low) % most
    }
    let first = most - (low + high) % most
    let second = most - (low + first) % most
    put(Int(first), block, 4)
    put(Int(second), block + 4, 4)
  }
}
