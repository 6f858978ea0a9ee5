import Hashing

/// Checkpoints that the tree is compared with.
struct Witnesses {
  let key: LedgerPublicKey
  private(set) var all: [(name: String, checkpoint: Checkpoint)] = []

  mutating func add(_ name: String, _ note: String, to result: inout LedgerVerification) -> Checkpoint? {
    do {
      let checkpoint = try Checkpoint(note, signedBy: key)
      all.append((name, checkpoint))
      return checkpoint
    } catch {
      result.add(.checkpointInvalid, nil, "\(name): \(error)")
      return nil
    }
  }

  /// Says which checkpoints do not hold, and between which entries the change must lie.
  func compare(with roots: [Int64: Digest], _ result: inout LedgerVerification) {
    let holding = all.map(\.checkpoint).filter { roots[$0.size] == $0.root }.map(\.size)
    for (name, checkpoint) in all where roots[checkpoint.size] != checkpoint.root {
      let size = checkpoint.size
      guard size <= result.size else {
        result.add(
          .cutShort, result.size..<size,
          "\(name) was signed over \(size) entries, and there are \(result.size): the rest is gone")
        continue
      }
      let sound = holding.filter { $0 < size }.max() ?? 0
      result.add(
        .rewritten, sound..<size,
        "\(name) was signed over other entries: one of \(sound)…\(size - 1) was changed, or all were written anew")
    }
  }
}

/// An entry with a history of its own.
struct HistoryEntry: Sendable {
  let index: Int64
  let subject: String
  let previous: Digest?
  let state: String?
  let leaf: Digest
}

/// Follows every subject from entry to entry.
struct Histories {
  private var latest: [String: HistoryEntry] = [:]

  mutating func add(_ entry: HistoryEntry, to result: inout LedgerVerification) {
    let before = latest[entry.subject]
    if entry.previous != before?.leaf {
      let text = before.map {
        "entry \(entry.index) does not follow entry \($0.index) about \(entry.subject) as it now is"
      }
      result.add(
        .historyBroken, (before?.index ?? entry.index)..<entry.index + 1,
        text ?? "entry \(entry.index) follows an entry about \(entry.subject) that is not there")
    }
    latest[entry.subject] = entry
  }

  /// Compares where cases and takedowns stand with what their last entries say.
  func compare(with store: CaseStore, _ result: inout LedgerVerification) throws {
    let states = try store.statesOfRecord()
    for (subject, state) in states.sorted(by: { $0.key < $1.key }) where latest[subject]?.state != state {
      let said = latest[subject]?.state.map { "'\($0)'" } ?? "nothing"
      result.add(.recordDiffers, nil, "\(subject) stands as '\(state)', and the ledger says \(said)")
    }
    for (subject, entry) in latest.sorted(by: { $0.key < $1.key }) where entry.state != nil && states[subject] == nil {
      result.add(
        .recordDiffers, entry.index..<entry.index + 1, "the ledger tells of \(subject), which is not in the record")
    }
  }
}
