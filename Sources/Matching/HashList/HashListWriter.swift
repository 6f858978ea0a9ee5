import Foundation
import Hashing
import SystemPackage

/// Lays sections out in blocks, digests each block, and ends the file with the tree and the trailer.
struct HashListWriter: ~Copyable {
  private var file: DurableFile
  private var sections: [HashListSection]
  /// The block being filled.
  private var block: [UInt8]
  /// Digests of the data blocks so far.
  private var leaves: [UInt8]
  private var digester: Digester

  private static let zeros = [UInt8](repeating: 0, count: HashListLayout.blockSize)

  private init(file: consuming DurableFile, digester: consuming Digester) {
    self.file = file
    self.digester = digester
    (sections, block, leaves) = ([], [], [])
    block.reserveCapacity(HashListLayout.blockSize)
  }

  /// Begins a list file that will appear at `path` when it is finished.
  static func begin(_ path: FilePath, on fileSystem: any DurableFileSystem) throws -> HashListWriter {
    var writer = HashListWriter(
      file: try DurableFile(replacing: path, on: fileSystem), digester: try Digester([.sha256]))
    try writer.reserveHeader()
    return writer
  }

  private mutating func reserveHeader() throws {
    try Self.zeros.withUnsafeBytes { try file.append($0) }
  }

  /// Writes one section; `fill` hands over its bytes in order.
  mutating func section(
    _ section: HashListSection, _ fill: ((UnsafeRawBufferPointer) throws -> Void) throws -> Void
  ) throws {
    var section = section
    section.offset = Int(file.size)
    try fill { bytes in
      section.size += bytes.count
      try self.append(bytes)
    }
    if !block.isEmpty { try Self.zeros.withUnsafeBytes { try append($0.slice(block.count, $0.count - block.count)) } }
    sections.append(section)
  }

  private mutating func append(_ bytes: UnsafeRawBufferPointer) throws {
    var rest = bytes
    while rest.count > 0 {
      let count = min(rest.count, HashListLayout.blockSize - block.count)
      block.append(contentsOf: rest.prefix(count))
      rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(count))
      if block.count == HashListLayout.blockSize {
        leaves += try digest(block)
        try block.withUnsafeBytes { try file.append($0) }
        block.removeAll(keepingCapacity: true)
      }
    }
  }

  /// Writes tree, header and trailer, and makes the file appear.
  ///
  /// - Returns: The digest in the trailer.
  consuming func finish(created: Date, entryCount: Int) throws -> Digest {
    let shape = HashTreeShape(dataBlocks: leaves.count / HashListLayout.nodeSize)
    let treeOffset = Int(file.size)
    var level = leaves
    var root: [UInt8] = []
    for blocks in shape.levels {
      level += [UInt8](repeating: 0, count: blocks * HashListLayout.blockSize - level.count)
      try level.withUnsafeBytes { try file.append($0) }
      var above: [UInt8] = []
      for start in stride(from: 0, to: level.count, by: HashListLayout.blockSize) {
        above += try digest(Array(level[start..<start + HashListLayout.blockSize]))
      }
      root = above
      level = above
    }
    try writeHeader(
      created: created, entryCount: entryCount, treeOffset: treeOffset,
      treeSize: shape.blocks * HashListLayout.blockSize, root: root)
    try file.readBack { try digester.update($0) }
    let whole = try digester.finish()[0]
    try whole.withBytes { try file.append($0) }
    try file.commit()
    return whole
  }

  private mutating func writeHeader(
    created: Date, entryCount: Int, treeOffset: Int, treeSize: Int, root: [UInt8]
  ) throws {
    typealias Layout = HashListLayout
    var header = Self.zeros
    header.withUnsafeMutableBytes { bytes in
      bytes.copyBytes(from: Layout.magic)
      bytes.store(Layout.version, at: Layout.versionOffset)
      bytes.store(Layout.byteOrderMark, at: Layout.byteOrderOffset)
      bytes.store(UInt64(treeOffset + treeSize + Layout.trailerSize), at: Layout.fileSizeOffset)
      bytes.store(Int64(created.timeIntervalSince1970), at: Layout.createdOffset)
      bytes.store(UInt64(entryCount), at: Layout.entryCountOffset)
      bytes.store(UInt32(sections.count), at: Layout.sectionCountOffset)
      bytes.store(UInt64(treeOffset), at: Layout.treeOffsetOffset)
      bytes.store(UInt64(treeSize), at: Layout.treeSizeOffset)
      UnsafeMutableRawBufferPointer(rebasing: bytes[Layout.rootOffset...]).copyBytes(from: root)
      for (index, section) in sections.enumerated() {
        section.write(to: UnsafeMutableRawBufferPointer(
          rebasing: bytes[(Layout.sectionTableOffset + index * Layout.sectionSize)...].prefix(Layout.sectionSize)))
      }
    }
    let digest = try digest(Array(header.prefix(Layout.headerDigestOffset)))
    header.replaceSubrange(Layout.headerDigestOffset..., with: digest)
    try header.withUnsafeBytes { try file.overwrite(at: 0, $0) }
  }

  private mutating func digest(_ bytes: [UInt8]) throws -> [UInt8] {
    try bytes.withUnsafeBytes { try digester.update($0) }
    return try digester.finish()[0].bytes
  }
}
