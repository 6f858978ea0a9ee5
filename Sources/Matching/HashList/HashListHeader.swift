import Foundation
import Hashing

/// The first block of a hash list file, read and checked; `HashListFormat.md`, "Header".
struct HashListHeader {
  let created: Date
  let entryCount: Int
  let sections: [HashListSection]
  let treeOffset: Int
  let shape: HashTreeShape
  let root: Digest
  /// SHA-256 of the header. Through the root it vouches for every byte of the file.
  let digest: Digest

  init(_ file: MappedFile) throws(MatchingError) {
    typealias Layout = HashListLayout
    let bytes = file.bytes
    let path = file.path
    let hint = "import the list again"
    func damaged(_ what: String) -> MatchingError {
      MatchingError(.listCorrupt, "list file \(path) is damaged: \(what)", hint: hint)
    }
    guard bytes.count >= Layout.blockSize else {
      let isPrefix = bytes.prefix(Layout.magic.count).elementsEqual(Layout.magic.prefix(bytes.count))
      throw isPrefix
        ? MatchingError(
          .listTruncated, "list file \(path) is truncated: \(bytes.count) bytes of a \(Layout.blockSize)-byte header",
          hint: hint)
        : MatchingError(.notAHashList, "\(path) is not a hash list file")
    }
    guard bytes.prefix(Layout.magic.count).elementsEqual(Layout.magic) else {
      throw MatchingError(.notAHashList, "\(path) is not a hash list file")
    }
    // Before anything else is believed: a file of another byte order or version has its numbers elsewhere.
    guard bytes.load(UInt32.self, at: Layout.byteOrderOffset) == Layout.byteOrderMark else {
      throw bytes.load(UInt32.self, at: Layout.byteOrderOffset).byteSwapped == Layout.byteOrderMark
        ? MatchingError(
          .foreignByteOrder, "list file \(path) was written with the other byte order",
          hint: "import the list on this machine")
        : damaged("its byte order mark is unknown")
    }
    let version = bytes.load(UInt32.self, at: Layout.versionOffset)
    guard version == Layout.version else {
      throw version > Layout.version
        ? MatchingError(
          .futureVersion, "list file \(path) has format version \(version), this program reads \(Layout.version)",
          hint: "use a newer muhafiz")
        : damaged("its format version is \(version)")
    }
    let digest = try sha256(bytes.slice(0, Layout.headerDigestOffset))
    guard digest == Digest(.sha256, bytes: bytes.slice(Layout.headerDigestOffset, Layout.nodeSize)) else {
      throw damaged("the header does not have the digest that it was written with")
    }
    let size = bytes.load(UInt64.self, at: Layout.fileSizeOffset)
    guard size == UInt64(bytes.count) else {
      throw size > UInt64(bytes.count)
        ? MatchingError(
          .listTruncated, "list file \(path) is truncated: \(bytes.count) of \(size) bytes", hint: hint)
        : damaged("it has \(bytes.count) bytes, expected \(size)")
    }
    let sectionCount = Int(bytes.load(UInt32.self, at: Layout.sectionCountOffset))
    guard sectionCount <= Layout.mostSections,
      let treeOffset = Int(exactly: bytes.load(UInt64.self, at: Layout.treeOffsetOffset)),
      let treeSize = Int(exactly: bytes.load(UInt64.self, at: Layout.treeSizeOffset)),
      let entryCount = Int(exactly: bytes.load(UInt64.self, at: Layout.entryCountOffset)),
      treeOffset % Layout.blockSize == 0, treeOffset >= Layout.blockSize, treeOffset <= bytes.count
    else { throw damaged("the header's numbers are impossible") }
    let shape = HashTreeShape(dataBlocks: treeOffset / Layout.blockSize - 1)
    guard treeSize == shape.blocks * Layout.blockSize, treeOffset + treeSize == bytes.count else {
      throw damaged("the tree of digests does not fit the file")
    }
    var sections: [HashListSection] = []
    var end = Layout.blockSize
    for index in 0..<sectionCount {
      let row = bytes.slice(Layout.sectionTableOffset + index * Layout.sectionSize, Layout.sectionSize)
      guard let section = HashListSection(row), section.offset % Layout.blockSize == 0, section.offset >= end,
        section.size <= treeOffset, section.offset <= treeOffset - section.size
      else { throw damaged("section \(index) does not fit the file") }
      guard !sections.contains(where: { $0.kind == section.kind && $0.algorithm == section.algorithm }) else {
        throw damaged("section \(index) is there twice")
      }
      sections.append(section)
      end = section.offset + section.size
    }
    guard sections.first(where: { $0.kind == .entries })?.count == entryCount else {
      throw damaged("there are not as many entries as the header says")
    }
    guard sections.allSatisfy({ $0.kind != .entryDetails || $0.count == entryCount }) else {
      throw damaged("there are not as many rows of details as entries")
    }
    let seconds = bytes.load(Int64.self, at: Layout.createdOffset)
    guard Layout.createdRange.contains(seconds) else { throw damaged("it was made in an impossible year") }
    created = Date(timeIntervalSince1970: Double(seconds))
    self.entryCount = entryCount
    self.sections = sections
    self.treeOffset = treeOffset
    self.shape = shape
    root = Digest(.sha256, bytes: bytes.slice(Layout.rootOffset, 32))!
    self.digest = digest
  }
}
