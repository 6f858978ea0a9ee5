import Foundation
import GRDB
import Hashing
import Matching

extension CaseStore {
  /// Records that a run has begun. Until ``finishRun(_:_:)`` it stands in the record as running.
  public func beginRun(_ run: RunStart) throws {
    try write { database, ledger in
      try database.execute(
        sql: """
          INSERT INTO run (id, started_at, state, tool, examiner, exhibit, roots, lists, number)
          SELECT ?, ?, ?, ?, ?, ?, ?, ?, coalesce(max(number), 0) + 1 FROM run
          """,
        arguments: [
          run.id, run.startedAt.milliseconds, RunState.running.rawValue, run.tool, run.examiner, run.exhibit,
          String(decoding: try JSONEncoder().encode(run.roots), as: UTF8.self), try ListVersions.text(run.lists),
        ])
      let entry = LedgerEntry(.runBegun, by: run.examiner) { facts in
        facts.add("run", run.id)
        facts.add("tool", run.tool)
        facts.add("exhibit", run.exhibit)
        facts.add("roots", run.roots)
        facts.add("lists", run.lists.map { "\($0.name) \($0.version)" })
        facts.add("manifest_sha256", run.manifestDigest)
      }
      try ledger.append(entry, at: run.startedAt)
    }
  }

  /// Records that a run that was cut off goes on; begins it where the record does not have it.
  public func resumeRun(_ run: RunStart, at time: Date) throws {
    let isKnown = try write { database, ledger in
      try database.execute(
        sql: "UPDATE run SET finished_at = NULL, state = ?, summary = NULL WHERE id = ?",
        arguments: [RunState.running.rawValue, run.id])
      guard database.changesCount > 0 else { return false }
      let entry = LedgerEntry(.runResumed, by: run.examiner) { facts in
        facts.add("run", run.id)
        facts.add("tool", run.tool)
        facts.add("manifest_sha256", run.manifestDigest)
      }
      try ledger.append(entry, at: time)
      return true
    }
    if !isKnown { try beginRun(run) }
  }

  /// Records how a run ended.
  public func finishRun(_ id: String, _ outcome: RunOutcome) throws {
    try write { database, ledger in
      try database.execute(
        sql: "UPDATE run SET finished_at = ?, state = ?, summary = ? WHERE id = ?",
        arguments: [outcome.finishedAt.milliseconds, outcome.state.rawValue, outcome.summary, id])
      let entry = LedgerEntry(.runFinished, by: try examiner(ofRun: id, in: database)) { facts in
        facts.add("run", id)
        facts.add("outcome", outcome.state.rawValue)
        facts.add("summary", outcome.summary)
      }
      try ledger.append(entry, at: outcome.finishedAt)
    }
  }

  /// Records findings, all or none, and opens or joins their cases.
  ///
  /// A finding joins the case that has its content; else the case that has its location; else a new case is opened. Where
  /// content and location belong to two cases, the content's gets the finding and the two are linked. The same content at
  /// the same location is one finding, however often it is seen: it keeps when it was first seen, and gains the matches
  /// that newer lists add.
  ///
  /// - Parameter findings: Those with a verdict of `block` or `review`; others open no case and are passed over.
  public func record(_ findings: [Finding], run: String, at time: Date) throws -> RecordSummary {
    try write { database, ledger in
      var summary = RecordSummary()
      var joined: Set<Int64> = []
      var lists = ListVersionsText()
      let examiner = try examiner(ofRun: run, in: database)
      for finding in findings where finding.verdict == .block || finding.verdict == .review {
        let content = try contentID(finding.fingerprint, finding.mediaType, in: database)
        let location = try locationID(finding.location, in: database)
        if let (id, caseID) = try known(content: content, location: location, in: database) {
          let isNews = try seenAgain(
            id, caseID: caseID, finding, lists: lists.of(finding), run: run, at: time, in: database)
          if isNews {
            let entry = try ledger.append(.finding(finding, in: CaseNumber(caseID), run: run, by: examiner), at: time)
            try database.run("UPDATE finding SET entry = ? WHERE id = ?", [entry, id])
          }
          summary.findingsSeenAgain += 1
          continue
        }
        let (caseID, isNew) = try caseID(for: finding, content: content, location: location, at: time, in: database)
        if isNew {
          summary.casesOpened += 1
          let opened = LedgerEntry(
            .caseOpened, by: examiner, about: .caseFile(CaseNumber(caseID)), state: CaseState.open.rawValue
          ) { $0.add("verdict", finding.verdict.rawValue) }
          try ledger.append(opened, at: time)
        } else if joined.insert(caseID).inserted {
          summary.casesJoined += 1
        }
        joined.insert(caseID)
        let entry = try ledger.append(.finding(finding, in: CaseNumber(caseID), run: run, by: examiner), at: time)
        try database.run(
          """
          INSERT INTO finding
            (case_id, location_id, content_id, verdict, first_run, last_run, first_seen_at, last_seen_at, lists, entry)
          VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
          """,
          [
            caseID, location, content, finding.verdict.rawValue, run, run, time.milliseconds, time.milliseconds,
            try lists.of(finding), entry,
          ])
        try insertMatches(of: finding, findingID: database.lastInsertedRowID, in: database)
        try touch(caseID, verdict: finding.verdict, newFindings: 1, isNews: true, at: time, in: database)
        summary.findingsNew += 1
      }
      return summary
    }
  }

  private func examiner(ofRun id: String, in database: Database) throws -> String {
    guard let name: String = try database.first("SELECT examiner FROM run WHERE id = ?", [id]) else {
      throw CaseworkError(.unusableData, "there is no run \(id) in the record")
    }
    return name
  }

  private func known(content: Int64, location: Int64, in database: Database) throws -> (id: Int64, caseID: Int64)? {
    try Row.fetchOne(
      database.cachedStatement(sql: "SELECT id, case_id FROM finding WHERE content_id = ? AND location_id = ?"),
      arguments: [content, location]
    ).map { ($0["id"], $0["case_id"]) }
  }

  /// - Returns: Whether there is more to it than that it was seen: a match that is new, or a stronger verdict.
  private func seenAgain(
    _ id: Int64, caseID: Int64, _ finding: Finding, lists: String, run: String, at time: Date, in database: Database
  ) throws -> Bool {
    let before: String? = try database.first("SELECT verdict FROM finding WHERE id = ?", [id])
    try database.run(
      """
      UPDATE finding SET last_run = ?, last_seen_at = max(last_seen_at, ?), lists = ?,
        verdict = CASE WHEN ? = 'block' THEN 'block' ELSE verdict END
      WHERE id = ?
      """, [run, time.milliseconds, lists, finding.verdict.rawValue, id])
    let newMatches = try insertMatches(of: finding, findingID: id, in: database)
    let isNews = newMatches > 0 || (finding.verdict == .block && before != Verdict.block.rawValue)
    try touch(caseID, verdict: finding.verdict, newFindings: 0, isNews: isNews, at: time, in: database)
    return isNews
  }

  private func caseID(
    for finding: Finding, content: Int64, location: Int64, at time: Date, in database: Database
  ) throws -> (id: Int64, isNew: Bool) {
    // All findings of a content are in one case, so any of them tells.
    let byContent: Int64? = try database.first("SELECT case_id FROM finding WHERE content_id = ? LIMIT 1", [content])
    let byLocation: Int64? = try database.first(
      "SELECT case_id FROM finding WHERE location_id = ? ORDER BY id DESC LIMIT 1", [location])
    if let byContent, let byLocation, byContent != byLocation {
      try database.run(
        "INSERT OR IGNORE INTO case_link (one, other) VALUES (?, ?)",
        [min(byContent, byLocation), max(byContent, byLocation)])
    }
    if let id = byContent ?? byLocation { return (id, false) }
    try database.run(
      "INSERT INTO case_file (state, verdict, opened_at, last_seen_at) VALUES (?, ?, ?, ?)",
      [CaseState.open.rawValue, finding.verdict.rawValue, time.milliseconds, time.milliseconds])
    return (database.lastInsertedRowID, true)
  }

  private func touch(
    _ caseID: Int64, verdict: Verdict, newFindings: Int, isNews: Bool, at time: Date, in database: Database
  ) throws {
    try database.run(
      """
      UPDATE case_file SET findings = findings + ?, version = version + ?, last_seen_at = max(last_seen_at, ?),
        verdict = CASE WHEN ? = 'block' THEN 'block' ELSE verdict END
      WHERE id = ?
      """, [newFindings, isNews ? 1 : 0, time.milliseconds, verdict.rawValue, caseID])
  }

  /// - Returns: Matches that were not in the record yet.
  @discardableResult
  private func insertMatches(of finding: Finding, findingID: Int64, in database: Database) throws -> Int {
    let before = database.totalChangesCount
    for match in finding.matches {
      try database.run(
        """
        INSERT OR IGNORE INTO match
          (finding_id, list, version, entry, algorithm, grade, distance, category_scheme, category, contributor)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """,
        [
          findingID, match.list.name, match.list.version, match.entry, match.algorithm.rawValue, match.grade.rawValue,
          match.distanceInBits, match.category?.scheme, match.category?.label, match.contributor,
        ])
    }
    return database.totalChangesCount - before
  }
}

/// The versions that findings name, as text; those of one run name the same, so it is made once.
private struct ListVersionsText {
  private var last: (versions: [ListVersion], text: String)?

  mutating func of(_ finding: Finding) throws -> String {
    if let last, last.versions == finding.listsUsed { return last.text }
    let text = try ListVersions.text(finding.listsUsed)
    last = (finding.listsUsed, text)
    return text
  }
}
