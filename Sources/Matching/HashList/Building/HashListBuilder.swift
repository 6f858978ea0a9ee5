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

  private var added: RecordSorters
  private var removed: RecordSorters
  private var entries: EntryTable
  private var videos: VideoTable
  private var base: HashList?
  private let folder: FilePath

  /// Memory that a build takes at most, if nobody says otherwise.
  public static let usualMemory = 1 << 30

  /// - Parameters:
  ///   - memoryInBytes: What sorting may take; some ten megabytes are needed besides.
  ///   - folder: Where temporary data go once they are too many; `nil` for the system's folder for such.
  public init(memoryInBytes: Int = HashListBuilder.usualMemory, spillingTo folder: FilePath? = nil) {
    self.folder = folder ?? FilePath(FileManager.default.temporaryDirectory.path)
    entries = EntryTable(spillingTo: self.folder)
    videos = VideoTable(spillingTo: self.folder)
    let memory = ChunkMemory(sizeInBytes: memoryInBytes)
    added = RecordSorters(memory, spillingTo: self.folder)
    removed = RecordSorters(memory, spillingTo: self.folder)
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
    try added.add(entry, row: row, attribution: attribution)
    guard let video = entry.video else { return }
    let (digest, place) = try videos.add(video)
    try added.add(video: digest, place: place, row: row, attribution: attribution)
  }

  /// Adds digests that are all their records say. Other than that, as ``add(_:)`` of an entry with each.
  public mutating func add(_ digests: [NumberedDigest], contributor: String?) throws(MatchingError) {
    let attribution = entries.number(of: contributor)
    for numbered in digests {
      let row = try entries.add(recordNumber: numbered.recordNumber, attribution: attribution)
      try added.add(numbered.digest, row: row, attribution: attribution)
    }
  }

  /// Takes the hashes of an entry out of the version that the list began with; where it has none, what the entry of that
  /// name and contributor says. What else is added stays.
  public mutating func remove(_ entry: ListEntry) throws(MatchingError) {
    guard entry.hasHashes else { return entries.withdraw(entry) }
    try removed.add(entry, row: 0, attribution: 0)
    if let video = entry.video {
      try removed.add(video: try VideoTable.digest(of: video), place: 0, row: 0, attribution: 0)
    }
  }

  /// Writes the list durably.
  ///
  /// - Returns: What became of the hashes, and the digest that identifies the list.
  /// - Throws: ``MatchingError``, and then there is no file at `path` that was not there before, unless it was the
  ///   folder that could not be synced.
  public consuming func write(
    to path: FilePath, information: HashListInformation
  ) throws -> (counts: HashListCounts, digest: Digest) {
    try write(to: path, information: information, on: HostFileSystem())
  }

  consuming func write(
    to path: FilePath, information: HashListInformation, on fileSystem: any DurableFileSystem
  ) throws -> (counts: HashListCounts, digest: Digest) {
    var information = information
    var counts = HashListCounts(entries: entries.count)
    var file = try HashListWriter(at: path, on: fileSystem)
    let withdrawn = try entries.withdrawnRows()
    for algorithm in HashListLayout.Algorithm.allCases where algorithm != .none {
      let layout = RecordLayout(algorithm)
      var runs: [RecordRun] = []
      // Frames of an earlier version come with its videos.
      if let base, algorithm != .videoFrame, let old = ListRun(base, layout, without: withdrawn) { runs.append(old) }
      runs += try added.finish(algorithm)
      if runs.isEmpty { continue }
      let leftOut = MergedRun(layout, try removed.finish(algorithm))
      var section = RecordSections(layout, spillingTo: folder)
      try section.write(MergedRun(layout, runs), leavingOut: leftOut, entries, to: &file)
      if algorithm == .video { try section.writeVideos(videos, base, frames: &added, to: &file) }
      // Frames are counted as the video that they are of.
      if algorithm == .videoFrame { continue }
      counts.accepted += section.recordCount
      counts.duplicates += section.duplicates
      information.conflicts += section.conflicts
    }
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

  public init(accepted: Int = 0, duplicates: Int = 0, entries: Int = 0) {
    (self.accepted, self.duplicates, self.entries) = (accepted, duplicates, entries)
  }
}
