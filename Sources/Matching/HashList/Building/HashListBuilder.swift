import Foundation
import Hashing
import SystemPackage

/// Collects entries and writes them as an immutable hash list file, in bounded memory.
///
/// Hashes are sorted in chunks, what memory has no room for is spilled, and all is merged while the file is written.
/// Nothing is at the list's place until ``write(to:information:)`` has returned, so a list that fails on the way is never
/// half imported.
public struct HashListBuilder: ~Copyable {
  private typealias Layout = HashListLayout

  private var sorters: [HashListLayout.Algorithm: RecordSorter] = [:]
  private var removals: [HashListLayout.Algorithm: RecordSorter] = [:]
  private var entries: EntryTable
  private var base: HashList?
  private let memoryInBytes: Int
  private let folder: FilePath

  /// Memory that a build takes at most, if nobody says otherwise.
  public static let usualMemory = 1 << 30

  /// - Parameters:
  ///   - memoryInBytes: What sorting may take; some ten megabytes are needed besides.
  ///   - folder: Where temporary data go once they are too many; `nil` for the system's folder for such.
  public init(memoryInBytes: Int = HashListBuilder.usualMemory, spillingTo folder: FilePath? = nil) {
    self.memoryInBytes = memoryInBytes
    self.folder = folder ?? FilePath(FileManager.default.temporaryDirectory.path)
    entries = EntryTable(spillingTo: self.folder)
  }

  /// Begins with all that an earlier version holds. Nothing may have been added before.
  ///
  /// - Throws: ``MatchingError`` when the version is damaged, or there is no room.
  public mutating func begin(with list: HashList) throws(MatchingError) {
    precondition(entries.count == 0 && base == nil, "a list is begun once, before anything is added")
    try entries.adopt(list)
    base = list
  }

  /// Adds the hashes of one entry.
  ///
  /// - Throws: ``MatchingError`` with `diskFull` or `inputOutput` when temporary data cannot be written, or with `tooLarge`.
  public mutating func add(_ entry: ListEntry) throws(MatchingError) {
    let (row, attribution) = try entries.add(entry)
    for digest in entry.digests {
      try digest.withBytes { (key: UnsafeRawBufferPointer) throws(MatchingError) in
        try add(key, .init(digest.algorithm), row, attribution, nil)
      }
    }
    for hash in entry.perceptualHashes {
      try hash.withBytes { (key: UnsafeRawBufferPointer) throws(MatchingError) in
        try add(key, .pdq, row, attribution, hash.quality)
      }
    }
  }

  /// Takes the hashes of an entry out of the version that the list began with. What else is added stays.
  public mutating func remove(_ entry: ListEntry) throws(MatchingError) {
    for digest in entry.digests {
      try digest.withBytes { (key: UnsafeRawBufferPointer) throws(MatchingError) in
        try remove(key, .init(digest.algorithm))
      }
    }
    for hash in entry.perceptualHashes {
      try hash.withBytes { (key: UnsafeRawBufferPointer) throws(MatchingError) in try remove(key, .pdq) }
    }
  }

  private mutating func add(
    _ key: UnsafeRawBufferPointer, _ algorithm: HashListLayout.Algorithm, _ row: UInt32, _ attribution: UInt32,
    _ quality: UInt8?
  ) throws(MatchingError) {
    let sorter = sorters[algorithm] ?? makeSorter(algorithm, share: 2)
    sorters[algorithm] = sorter
    guard sorter.count < Layout.mostRecords else { throw MatchingError(.tooLarge, "a list has at most 2^32 hashes of a kind") }
    sorter.layout.write(key, entry: row, attribution: attribution, quality: quality, to: try sorter.next())
  }

  private mutating func remove(
    _ key: UnsafeRawBufferPointer, _ algorithm: HashListLayout.Algorithm
  ) throws(MatchingError) {
    let sorter = removals[algorithm] ?? makeSorter(algorithm, share: 8)
    removals[algorithm] = sorter
    sorter.layout.write(key, entry: 0, attribution: 0, quality: nil, to: try sorter.next())
  }

  /// A sorter with a part of the memory: lists of several algorithms have as many hashes of each.
  private func makeSorter(_ algorithm: HashListLayout.Algorithm, share: Int) -> RecordSorter {
    RecordSorter(RecordLayout(algorithm), memoryInBytes: memoryInBytes / (share * max(1, sorters.count)), folder: folder)
  }

  /// Writes the list durably.
  ///
  /// - Returns: What became of the hashes, and the digest that identifies the list.
  /// - Throws: ``MatchingError``, and then there is no file at `path` that was not there before.
  public consuming func write(
    to path: FilePath, information: HashListInformation
  ) throws -> (counts: HashListCounts, digest: Digest) {
    var information = information
    var counts = HashListCounts(entries: entries.count)
    var file = try HashListWriter(at: path)
    for algorithm in HashListLayout.Algorithm.allCases where algorithm != .none {
      let layout = RecordLayout(algorithm)
      var runs: [RecordRun] = []
      if let base, let old = ListRun(base, layout) { runs.append(old) }
      if let sorter = sorters.removeValue(forKey: algorithm) { runs += try sorter.finish() }
      if runs.isEmpty { continue }
      let removed = try removals.removeValue(forKey: algorithm).map { MergedRun(layout, try $0.finish()) }
      var section = RecordSections(layout, entries: entries, spillingTo: folder)
      try section.write(MergedRun(layout, runs), leavingOut: removed, to: &file)
      counts.accepted += section.recordCount
      counts.duplicates += section.duplicates
      counts.removed += section.removed
      information.conflicts += section.conflicts
    }
    if let base { counts.added = counts.accepted + counts.removed - base.hashCount } else { counts.added = counts.accepted }
    (information.listedFrom, information.listedTo) = entries.period
    try entries.write(to: &file)
    try file.section(.init(.information)) { append in
      try Array(information.text.utf8).withUnsafeBytes { try append($0) }
    }
    return (counts, try file.finish(created: information.created, entryCount: entries.count))
  }
}

/// What became of the hashes that were added to a builder.
public struct HashListCounts: Sendable, Equatable {
  /// Distinct hashes in the list.
  public var accepted = 0
  /// Further occurrences of a hash that is in the list already. Of each who lists it the first entry is kept.
  public var duplicates = 0
  /// Rows that say where hashes come from; an entry may have several hashes.
  public var entries = 0
  /// Hashes that the version the list began with did not have.
  public var added = 0
  /// Hashes of that version that were taken out.
  public var removed = 0

  public init(accepted: Int = 0, duplicates: Int = 0, entries: Int = 0, added: Int? = nil, removed: Int = 0) {
    (self.accepted, self.duplicates, self.entries) = (accepted, duplicates, entries)
    (self.added, self.removed) = (added ?? accepted, removed)
  }
}
