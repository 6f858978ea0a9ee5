import Foundation
import Hashing
import SystemPackage

/// Lays sections out in blocks, and ends the file with the tree of their digests.
struct HashListWriter: ~Copyable {
  private typealias Layout = HashListLayout

  private let blocks: BlockSink
  private var sections: [HashListSection] = []
  /// Offset in the file of the next byte.
  private var offset: Int
  private var piece: UnsafeMutableRawBufferPointer
  private var filled = 0
  /// Whether bytes that come belong to the last section.
  private var isInSection = false

  /// Begins a list file that will appear at `path` when it is finished.
  ///
  /// - Throws: ``MatchingError``.
  init(at path: FilePath, on fileSystem: any DurableFileSystem) throws(MatchingError) {
    var file = try DurableFile(replacing: path, on: fileSystem)
    let header = [UInt8](repeating: 0, count: Layout.blockSize)
    do { try header.withUnsafeBytes { try file.append($0) } } catch { throw error as! MatchingError }
    blocks = BlockSink(file)
    offset = Layout.blockSize
    piece = blocks.emptyPiece()
  }

  deinit { piece.deallocate() }

  /// Begins a section; what is appended from now on belongs to it.
  mutating func begin(_ section: HashListSection) throws(MatchingError) {
    try end()
    var section = section
    section.offset = offset
    sections.append(section)
    isInSection = true
  }

  /// Takes back a section that nothing was appended to.
  mutating func dropEmptySection() {
    precondition(isInSection && sections.last?.offset == offset, "a section with bytes stays")
    sections.removeLast()
    isInSection = false
  }

  /// Writes one section; `fill` hands over its bytes in order.
  mutating func section(
    _ section: HashListSection, _ fill: ((UnsafeRawBufferPointer) throws -> Void) throws -> Void
  ) throws {
    try begin(section)
    try fill { try self.append($0) }
  }

  mutating func append(_ bytes: UnsafeRawBufferPointer) throws(MatchingError) {
    var done = 0
    while done < bytes.count {
      let count = min(bytes.count - done, piece.count - filled)
      (piece.baseAddress! + filled).copyMemory(from: bytes.baseAddress! + done, byteCount: count)
      filled += count
      done += count
      if filled == piece.count { try handOver() }
    }
    offset += bytes.count
  }

  /// Appends a number as the file has it.
  mutating func append<Number: FixedWidthInteger & BitwiseCopyable>(_ number: Number) throws(MatchingError) {
    let size = MemoryLayout<Number>.size
    if filled + size <= piece.count {
      piece.storeBytes(of: number.littleEndian, toByteOffset: filled, as: Number.self)
      filled += size
      offset += size
      if filled == piece.count { try handOver() }
    } else {
      var stored = number.littleEndian
      do { try withUnsafeBytes(of: &stored) { try append($0) } } catch { throw error as! MatchingError }
    }
  }

  private mutating func handOver() throws(MatchingError) {
    if filled == 0 { return }
    let (full, count) = (piece, filled)
    (piece, filled) = (blocks.emptyPiece(), 0)
    try blocks.take(full, count: count)
  }

  /// Ends the section under way with zeros up to the next block.
  private mutating func end() throws(MatchingError) {
    if isInSection { sections[sections.count - 1].size = offset - sections[sections.count - 1].offset }
    isInSection = false
    let rest = -offset & (Layout.blockSize - 1)
    guard rest > 0 else { return }
    UnsafeMutableRawBufferPointer(rebasing: piece[filled..<filled + rest]).initializeMemory(as: UInt8.self, repeating: 0)
    filled += rest
    offset += rest
    if filled == piece.count { try handOver() }
  }

  /// Reads back the records of an algorithm, in order; nothing may be appended meanwhile.
  mutating func forEachRecord(
    of algorithm: HashListLayout.Algorithm, _ body: (UnsafeRawPointer) throws -> Void
  ) throws {
    try end()
    try handOver()
    guard let section = sections.first(where: { $0.kind == .records && $0.algorithm == algorithm }) else { return }
    // A record may lie across two pieces.
    let carried = UnsafeMutableRawBufferPointer.allocate(byteCount: section.recordSize, alignment: 8)
    defer { carried.deallocate() }
    var count = 0
    try blocks.readBack(section.offset..<section.offset + section.size) { piece in
      var start = 0
      if count > 0 {
        start = min(carried.count - count, piece.count)
        UnsafeMutableRawBufferPointer(rebasing: carried[count...]).copyMemory(from: piece.slice(0, start))
        count += start
        if count < carried.count { return }
        try body(UnsafeRawPointer(carried.baseAddress!))
      }
      let end = start + (piece.count - start) / carried.count * carried.count
      for offset in stride(from: start, to: end, by: carried.count) { try body(piece.baseAddress! + offset) }
      count = piece.count - end
      carried.copyMemory(from: piece.slice(end, count))
    }
  }

  /// Writes tree and header, and makes the file appear.
  ///
  /// - Returns: The digest that identifies the list.
  consuming func finish(created: Date, entryCount: Int) throws -> Digest {
    try end()
    try handOver()
    let treeOffset = offset
    let (tree, root) = try Self.tree(over: try blocks.digests())
    var header = [UInt8](repeating: 0, count: Layout.blockSize)
    let sections = sections
    let digest = try header.withUnsafeMutableBytes { bytes in
      bytes.copyBytes(from: Layout.magic)
      bytes.store(Layout.version, at: Layout.versionOffset)
      bytes.store(Layout.byteOrderMark, at: Layout.byteOrderOffset)
      bytes.store(UInt64(treeOffset + tree.count), at: Layout.fileSizeOffset)
      bytes.store(Int64(created.timeIntervalSince1970), at: Layout.createdOffset)
      bytes.store(UInt64(entryCount), at: Layout.entryCountOffset)
      bytes.store(UInt32(sections.count), at: Layout.sectionCountOffset)
      bytes.store(UInt64(treeOffset), at: Layout.treeOffsetOffset)
      bytes.store(UInt64(tree.count), at: Layout.treeSizeOffset)
      UnsafeMutableRawBufferPointer(rebasing: bytes[Layout.rootOffset...]).copyBytes(from: root)
      for (index, section) in sections.enumerated() {
        let row = bytes[(Layout.sectionTableOffset + index * Layout.sectionSize)...].prefix(Layout.sectionSize)
        section.write(to: UnsafeMutableRawBufferPointer(rebasing: row))
      }
      let digest = try Digest.sha256(of: UnsafeRawBufferPointer(bytes).slice(0, Layout.headerDigestOffset))
      UnsafeMutableRawBufferPointer(rebasing: bytes[Layout.headerDigestOffset...]).copyBytes(from: digest.bytes)
      return digest
    }
    try blocks.finish(tree: tree, header: header)
    return digest
  }

  /// All levels of the tree, one behind the other, and the digest of the top block.
  private static func tree(over leaves: [UInt8]) throws -> (levels: [UInt8], root: [UInt8]) {
    let shape = HashTreeShape(dataBlocks: leaves.count / Layout.nodeSize)
    var levels: [UInt8] = []
    var level = leaves
    for blocks in shape.levels {
      level += [UInt8](repeating: 0, count: blocks * Layout.blockSize - level.count)
      levels += level
      level = try level.withUnsafeBytes { try BlockSink.digests(of: $0) }
    }
    return (levels, level)
  }
}
