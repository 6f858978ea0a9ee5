import Synchronization
import SystemPackage

/// In which order files are read. They are reported in the order of their paths either way.
public enum ScanOrder: String, Sendable, CaseIterable {
  /// As they are reported.
  case path
  /// Of the next some hundred files, those first that lie first on the disk, as far as the numbers of their inodes tell:
  /// for disks that turn.
  case inode
}

/// A walk that several workers draw from, and what an earlier session of the scan has found of it.
final class WalkSource: Sendable {
  /// One path's turn.
  struct Turn {
    /// Without gaps, from 0, in order of path.
    let number: Int
    let work: Work
    /// A file that soon will be done, to be read ahead.
    let coming: WalkedFile?
  }

  /// What there is to do at one path.
  enum Work: Sendable {
    case entry(DirectoryWalk.Entry)
    /// Nothing: an earlier session did it.
    case done(JournalRecord)

    var file: WalkedFile? {
      if case .entry(let entry) = self, case .file(let file) = entry.kind { file } else { nil }
    }
  }

  private struct Numbered {
    let number: Int
    let work: Work
  }

  private struct State: ~Copyable {
    var walk: DirectoryWalk
    var history: JournalHistory?
    /// Met by the walk, and held back for records of an earlier session that come before it.
    var entry: DirectoryWalk.Entry?
    var isWalked = false
    /// What was drawn from the walk and is still to be done, last first.
    var coming: [Numbered] = []
    var number = 0
    /// The path of which an earlier session has more records than were drawn.
    var unfinished: JournalRecord.Key?
    var resumption = Resumption()
  }

  private let state: Mutex<State>
  private let order: ScanOrder
  private let lookahead: Int

  /// Items that are put into the order of the disk together. Each may keep a folder open.
  private static let mostSorted = 256

  /// What is handed out at once: asking for each of many small files, workers would wait for each other, and small files
  /// are digested together.
  private let mostTurns: Int
  private let mostBytes: Int64

  /// - Parameters:
  ///   - mostTurns: Files to hand out at once, which are done even where the scan is to stop.
  ///   - mostBytes: No more are handed out once they have so many.
  ///   - lookahead: Files that are opened, and their reading begun, before it is their turn.
  init(
    _ roots: [FilePath], order: ScanOrder, mostTurns: Int, mostBytes: Int64, lookahead: Int,
    history: consuming sending JournalHistory?
  ) {
    state = Mutex(State(walk: DirectoryWalk(roots), history: history))
    self.order = order
    self.mostTurns = mostTurns
    self.mostBytes = mostBytes
    self.lookahead = lookahead
  }

  /// The next to be done: whoever is given them does them all. Empty at the end.
  func next() throws -> [Turn] {
    try state.withLock { state in
      var turns: [Turn] = []
      var bytes: Int64 = 0
      while turns.count < mostTurns, bytes < mostBytes {
        try fill(&state)
        guard let next = state.coming.popLast() else { break }
        let soon = state.coming.count - lookahead
        turns.append(Turn(number: next.number, work: next.work, coming: soon >= 0 ? state.coming[soon].work.file : nil))
        // A sparse file may say that it has more bytes than can be added.
        bytes += min(next.work.file?.sizeInBytes ?? 0, mostBytes)
      }
      return turns
    }
  }

  /// Draws from the walk what is to be looked ahead to.
  private func fill(_ state: inout State) throws {
    switch order {
    case .path:
      while state.coming.count <= lookahead, let work = try Self.draw(&state) { state.coming.insert(work, at: 0) }
    case .inode:
      if !state.coming.isEmpty { return }
      while state.coming.count < Self.mostSorted, let work = try Self.draw(&state) { state.coming.append(work) }
      state.coming.sort { Self.place($1) < Self.place($0) }
    }
  }

  /// Whether all there is was drawn.
  var isExhausted: Bool { state.withLock { $0.isWalked && $0.coming.isEmpty } }

  /// What became of an earlier session's findings, as far as the walk has come.
  var resumption: Resumption { state.withLock { $0.resumption } }

  private static func place(_ work: Numbered) -> (UInt64, Int) { (work.work.file?.identity.inode ?? 0, work.number) }

  private static func draw(_ state: inout State) throws -> Numbered? {
    if state.entry == nil && !state.isWalked {
      state.entry = state.walk.next()
      state.isWalked = state.entry == nil
    }
    let work: Work
    let key = state.entry.map { JournalRecord.Key(root: $0.root, path: $0.path) }
    if let unfinished = state.unfinished {
      let record = try state.history?.nextPart() ?? .cutOff(unfinished)
      if record.isLast { state.unfinished = nil }
      work = .done(record)
    } else if let found = try state.history?.next(upTo: key) {
      let record = found.record
      if let entry = state.entry, record.key == key {
        state.entry = nil
        if entry.stamp != record.stamp { state.resumption.noteChanged(entry.path) }
        if entry.stamp == record.stamp && found.isFinal {
          state.resumption.taken += 1
          if !record.isLast { state.unfinished = record.key }
          work = .done(record)
        } else {
          work = .entry(entry)
        }
      } else {
        state.resumption.noteGone(record.key.path)
        if !record.isLast { state.unfinished = record.key }
        work = .done(record)
      }
    } else if let entry = state.entry {
      state.entry = nil
      work = .entry(entry)
    } else {
      return nil
    }
    defer { state.number += 1 }
    return Numbered(number: state.number, work: work)
  }
}

/// What became of the findings of earlier sessions when a scan went on.
public struct Resumption: Sendable, Equatable {
  /// Items that were done before and are as they were.
  public var taken = 0
  /// Changed since, and scanned anew.
  public private(set) var changed = 0
  /// No longer there: reported as they were found.
  public private(set) var gone = 0
  /// Some of each, for people.
  public private(set) var changedPaths: [FilePath] = []
  public private(set) var gonePaths: [FilePath] = []

  private static let mostNamed = 20

  init() {}

  mutating func noteChanged(_ path: FilePath) {
    changed += 1
    if changedPaths.count < Self.mostNamed { changedPaths.append(path) }
  }

  mutating func noteGone(_ path: FilePath) {
    gone += 1
    if gonePaths.count < Self.mostNamed { gonePaths.append(path) }
  }
}
