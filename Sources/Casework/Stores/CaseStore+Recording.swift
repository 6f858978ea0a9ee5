import Foundation
import GRDB
import Hashing
import Matching
import SystemPackage

extension CaseStore {
  /// Records that a run has begun. Until ``finishRun(_:_:)`` it stands in the record as running.
  public func beginRun(_ run: RunStart) throws {
    try write { database, ledger in
      try database.execute(
        sql: """
          INSERT INTO run (id, started_at, state, tool, examiner, exhibit, roots, lists) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
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
      let examiner = try examiner(ofRun: run, in: database)
      for finding in findings where finding.verdict == .block || finding.verdict == .review {
        let content = try contentID(finding, in: database)
        let location = try locationID(finding.location, in: database)
        if let (id, caseID) = try known(content: content, location: location, in: database) {
          let isNews = try seenAgain(id, caseID: caseID, finding, run: run, at: time, in: database)
          if isNews {
            let entry = try ledger.append(.finding(finding, in: CaseNumber(caseID), run: run, by: examiner), at: time)
            try database.execute(sql: "UPDATE finding SET entry = ? WHERE id = ?", arguments: [entry, id])
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
        try database.execute(
          sql: """
            INSERT INTO finding
              (case_id, location_id, content_id, verdict, first_run, last_run, first_seen_at, last_seen_at, lists, entry)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
          arguments: [
            caseID, location, content, finding.verdict.rawValue, run, run, time.milliseconds, time.milliseconds,
            try ListVersions.text(finding.listsUsed), entry,
          ])
        try insertMatches(of: finding, findingID: database.lastInsertedRowID, in: database)
        try touch(caseID, verdict: finding.verdict, newFindings: 1, isNews: true, at: time, in: database)
        summary.findingsNew += 1
      }
      return summary
    }
  }

  private func examiner(ofRun id: String, in database: Database) throws -> String {
    guard let name = try String.fetchOne(database, sql: "SELECT examiner FROM run WHERE id = ?", arguments: [id]) else {
      throw CaseworkError(.unusableData, "there is no run \(id) in the record")
    }
    return name
  }

  private func contentID(_ finding: Finding, in database: Database) throws -> Int64 {
    let fingerprint = finding.fingerprint
    guard let strongest = fingerprint.digests.max(by: { $0.algorithm < $1.algorithm }) else {
      preconditionFailure("a finding without a digest")
    }
    let key = Data([strongest.algorithm.rawValue] + strongest.bytes)
    if let id = try Int64.fetchOne(database, sql: "SELECT id FROM content WHERE key = ?", arguments: [key]) {
      return id
    }
    func blob(_ algorithm: DigestAlgorithm) -> Data? { fingerprint.digest(algorithm).map { Data($0.bytes) } }
    try database.execute(
      sql: """
        INSERT INTO content (key, size, md5, sha1, sha256, pdq, pdq_quality, media_type) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
        """,
      arguments: [
        key, fingerprint.sizeInBytes, blob(.md5), blob(.sha1), blob(.sha256),
        fingerprint.perceptualHash.map { $0.withBytes { Data($0) } },
        fingerprint.perceptualHash?.quality.map { Int($0) },
        finding.mediaType,
      ])
    return database.lastInsertedRowID
  }

  private func locationID(_ location: ContentLocation, in database: Database) throws -> Int64 {
    let (kind, place) = LocationRow.columns(location.place)
    let arguments: StatementArguments = [place, location.exhibit ?? "", location.member ?? "", kind]
    if let id = try Int64.fetchOne(
      database, sql: "SELECT id FROM location WHERE place = ? AND exhibit = ? AND member = ? AND kind = ?",
      arguments: arguments)
    {
      return id
    }
    try database.execute(
      sql: "INSERT INTO location (place, exhibit, member, kind) VALUES (?, ?, ?, ?)", arguments: arguments)
    return database.lastInsertedRowID
  }

  private func known(content: Int64, location: Int64, in database: Database) throws -> (id: Int64, caseID: Int64)? {
    try Row.fetchOne(
      database, sql: "SELECT id, case_id FROM finding WHERE content_id = ? AND location_id = ?",
      arguments: [content, location]
    ).map { ($0["id"], $0["case_id"]) }
  }

  /// - Returns: Whether there is more to it than that it was seen: a match that is new, or a stronger verdict.
  private func seenAgain(
    _ id: Int64, caseID: Int64, _ finding: Finding, run: String, at time: Date, in database: Database
  ) throws -> Bool {
    let before = try String.fetchOne(database, sql: "SELECT verdict FROM finding WHERE id = ?", arguments: [id])
    try database.execute(
      sql: """
        UPDATE finding SET last_run = ?, last_seen_at = max(last_seen_at, ?), lists = ?,
          verdict = CASE WHEN ? = 'block' THEN 'block' ELSE verdict END
        WHERE id = ?
        """,
      arguments: [
        run, time.milliseconds, try ListVersions.text(finding.listsUsed), finding.verdict.rawValue, id,
      ])
    let newMatches = try insertMatches(of: finding, findingID: id, in: database)
    let isNews = newMatches > 0 || (finding.verdict == .block && before != Verdict.block.rawValue)
    try touch(caseID, verdict: finding.verdict, newFindings: 0, isNews: isNews, at: time, in: database)
    return isNews
  }

  private func caseID(
    for finding: Finding, content: Int64, location: Int64, at time: Date, in database: Database
  ) throws -> (id: Int64, isNew: Bool) {
    // All findings of a content are in one case, so any of them tells.
    let byContent = try Int64.fetchOne(
      database, sql: "SELECT case_id FROM finding WHERE content_id = ? LIMIT 1", arguments: [content])
    let byLocation = try Int64.fetchOne(
      database, sql: "SELECT case_id FROM finding WHERE location_id = ? ORDER BY id DESC LIMIT 1", arguments: [location]
    )
    if let byContent, let byLocation, byContent != byLocation {
      try database.execute(
        sql: "INSERT OR IGNORE INTO case_link (one, other) VALUES (?, ?)",
        arguments: [min(byContent, byLocation), max(byContent, byLocation)])
    }
    if let id = byContent ?? byLocation { return (id, false) }
    try database.execute(
      sql: "INSERT INTO case_file (state, verdict, opened_at, last_seen_at) VALUES (?, ?, ?, ?)",
      arguments: [CaseState.open.rawValue, finding.verdict.rawValue, time.milliseconds, time.milliseconds])
    return (database.lastInsertedRowID, true)
  }

  private func touch(
    _ caseID: Int64, verdict: Verdict, newFindings: Int, isNews: Bool, at time: Date, in database: Database
  ) throws {
    try database.execute(
      sql: """
        UPDATE case_file SET findings = findings + ?, version = version + ?, last_seen_at = max(last_seen_at, ?),
          verdict = CASE WHEN ? = 'block' THEN 'block' ELSE verdict END
        WHERE id = ?
        """,
      arguments: [newFindings, isNews ? 1 : 0, time.milliseconds, verdict.rawValue, caseID])
  }

  /// - Returns: Matches that were not in the record yet.
  @discardableResult
  private func insertMatches(of finding: Finding, findingID: Int64, in database: Database) throws -> Int {
    let before = database.totalChangesCount
    for match in finding.matches {
      try database.execute(
        sql: """
          INSERT OR IGNORE INTO match
            (finding_id, list, version, entry, algorithm, grade, distance, category_scheme, category, contributor)
          VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
          """,
        arguments: [
          findingID, match.list.name, match.list.version, match.entry, match.algorithm.rawValue, match.grade.rawValue,
          match.distanceInBits, match.category?.scheme, match.category?.label, match.contributor,
        ])
    }
    return database.totalChangesCount - before
  }
}

/// A place as its columns.
enum LocationRow {
  static func columns(_ place: ContentLocation.Place) -> (kind: String, place: Data) {
    switch place {
    case .file(let path): ("file", Data(path.bytes))
    case .url(let url): ("url", Data(url.utf8))
    }
  }

  static func place(kind: String, _ bytes: Data) -> ContentLocation.Place {
    kind == "url"
      ? .url(String(decoding: bytes, as: UTF8.self))
      : .file(FilePath(platformString: bytes.map(CChar.init(bitPattern:)) + [0]))
  }
}
