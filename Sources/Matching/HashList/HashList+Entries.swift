import Foundation
import Hashing

/// Who lists something under which category, and how much.
public struct ListAttribution: Sendable, Hashable {
  public let contributor: String?
  public let category: Category?
  /// Entries of the list that say so.
  public let entries: Int
}

extension HashList {
  /// What the list says of one entry, without its hashes.
  ///
  /// - Parameter index: 0 ..< ``entryCount``, in the order of the source.
  /// - Throws: ``MatchingError`` with `listCorrupt`.
  func entry(at index: Int) throws(MatchingError) -> ListEntry {
    let row = try entryRow(index)
    let said = try attribution(Int(row.load(UInt32.self, at: 4)))
    let (name, listed) = try entryDetails(index)
    let offset = name & (1 << UInt64(HashListLayout.nameOffsetBits) - 1)
    return ListEntry(
      id: name == HashListLayout.noString
        ? nil : try string(offset, name >> UInt64(HashListLayout.nameOffsetBits)),
      recordNumber: Int(row.load(UInt32.self, at: 0)), contributor: said.contributor, category: said.category,
      listedAt: listed == HashListLayout.unknownTime ? nil : Date(timeIntervalSince1970: Double(listed)))
  }

  /// The number of the attribution that an entry has.
  func attributionNumber(ofEntry index: Int) throws(MatchingError) -> Int {
    let number = Int(try entryRow(index).load(UInt32.self, at: 4))
    guard number < (try section(.attributions).count) else { throw damaged("entry \(index) has no contributor row") }
    return number
  }

  /// Who lists what is in the list, and under which categories.
  ///
  /// - Throws: ``MatchingError`` with `listCorrupt`.
  public func attributions() throws(MatchingError) -> [ListAttribution] {
    var all: [ListAttribution] = []
    for number in 0..<(try section(.attributions).count) { all.append(try attribution(number)) }
    return all
  }

  private func entryRow(_ index: Int) throws(MatchingError) -> UnsafeRawBufferPointer {
    let rows = try section(.entries)
    guard index >= 0 && index < rows.count else { throw damaged("a record names entry \(index) of \(rows.count)") }
    return try bytes(rows.offset + index * rows.recordSize, rows.recordSize)
  }

  private func entryDetails(_ index: Int) throws(MatchingError) -> (name: UInt64, listed: Int64) {
    guard has(.entryDetails) else { return (HashListLayout.noString, HashListLayout.unknownTime) }
    let rows = try section(.entryDetails)
    let row = try bytes(rows.offset + index * rows.recordSize, rows.recordSize)
    return (row.load(UInt64.self, at: 0), row.load(Int64.self, at: 8))
  }

  private func attribution(_ number: Int) throws(MatchingError) -> ListAttribution {
    let rows = try section(.attributions)
    guard number < rows.count else { throw damaged("an entry has no contributor row") }
    let row = try bytes(rows.offset + number * rows.recordSize, rows.recordSize)
    let scheme = try string(row.load(UInt64.self, at: 16), row.load(UInt64.self, at: 24))
    let label = try string(row.load(UInt64.self, at: 32), row.load(UInt64.self, at: 40))
    return ListAttribution(
      contributor: try string(row.load(UInt64.self, at: 0), row.load(UInt64.self, at: 8)),
      category: label.map { Category(scheme: scheme ?? "", label: $0) },
      entries: Int(clamping: row.load(UInt64.self, at: 48)))
  }

  /// Hands over the bytes of a section in order, in pieces of whole records.
  func forEachPiece(
    of kind: HashListLayout.Kind, _ body: (UnsafeRawBufferPointer) throws(MatchingError) -> Void
  ) throws(MatchingError) {
    let section = try section(kind)
    let size = (1 << 20) / section.recordSize * section.recordSize
    for start in stride(from: 0, to: section.size, by: size) {
      try body(try bytes(section.offset + start, min(size, section.size - start)))
    }
  }

  func has(_ kind: HashListLayout.Kind) -> Bool { sections.contains { $0.kind == kind } }

  private func section(_ kind: HashListLayout.Kind) throws(MatchingError) -> HashListSection {
    guard let section = sections.first(where: { $0.kind == kind }) else {
      throw damaged("there is no section of kind \(kind.rawValue)")
    }
    return section
  }

  private func bytes(_ offset: Int, _ count: Int) throws(MatchingError) -> UnsafeRawBufferPointer {
    try tree.verify(offset: offset, size: count)
    return file.bytes.slice(offset, count)
  }

  private func string(_ offset: UInt64, _ length: UInt64) throws(MatchingError) -> String? {
    if offset == HashListLayout.noString { return nil }
    let heap = try section(.strings)
    guard offset <= UInt64(heap.size), length <= UInt64(heap.size) - offset else {
      throw damaged("a string lies outside of its section")
    }
    return String(decoding: try bytes(heap.offset + Int(offset), Int(length)), as: UTF8.self)
  }
}
