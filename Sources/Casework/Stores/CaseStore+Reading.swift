import Foundation
import GRDB
import Hashing
import Matching

extension CaseStore {
  /// Cases, the newest first.
  public func cases(matching filter: CaseFilter = CaseFilter()) throws -> [CaseSummary] {
    var conditions = ["1"]
    var arguments = StatementArguments()
    if let state = filter.state {
      conditions.append("state = ?")
      arguments += [state.rawValue]
    }
    if let assignee = filter.assignee {
      conditions.append("assignee = ?")
      arguments += [assignee]
    }
    if let verdict = filter.verdict {
      conditions.append("verdict = ?")
      arguments += [verdict.rawValue]
    }
    if let since = filter.since {
      conditions.append("last_seen_at >= ?")
      arguments += [since.milliseconds]
    }
    if let before = filter.before {
      conditions.append("id < ?")
      arguments += [before.value]
    }
    if let exhibit = filter.exhibit {
      conditions.append(
        """
        id IN (SELECT finding.case_id FROM location JOIN finding ON finding.location_id = location.id
               WHERE location.exhibit = ? AND location.exhibit <> '')
        """)
      arguments += [exhibit]
    }
    arguments += [filter.limit]
    let sql = "SELECT * FROM case_file WHERE \(conditions.joined(separator: " AND ")) ORDER BY id DESC LIMIT ?"
    return try read { try Row.fetchAll($0, sql: sql, arguments: arguments).map(summary) }
  }

  /// How many cases there are.
  public func caseCount() throws -> Int {
    try read { try Int.fetchOne($0, sql: "SELECT count(*) FROM case_file") ?? 0 }
  }

  /// A case with its findings, in the order they were first seen.
  ///
  /// - Throws: ``CaseworkError`` with `noSuchCase`.
  public func detail(of number: CaseNumber) throws -> CaseDetail {
    try read { database in
      let summary = try caseSummary(number, in: database)
      let findings = try Row.fetchAll(
        database,
        sql: """
          SELECT finding.*, content.*, location.*, finding.id AS finding_id FROM finding
          JOIN content ON content.id = finding.content_id
          JOIN location ON location.id = finding.location_id
          WHERE finding.case_id = ? ORDER BY finding.id
          """,
        arguments: [number.value])
      let linked = try Int64.fetchAll(
        database, sql: "SELECT other FROM case_link WHERE one = ?1 UNION SELECT one FROM case_link WHERE other = ?1",
        arguments: [number.value])
      let sameEntry = try Int64.fetchAll(
        database,
        sql: """
          SELECT DISTINCT theirs.case_id FROM finding AS ours
          JOIN match AS met ON met.finding_id = ours.id
          JOIN match AS also ON also.list = met.list AND also.entry = met.entry
          JOIN finding AS theirs ON theirs.id = also.finding_id
          WHERE ours.case_id = ?1 AND theirs.case_id <> ?1 ORDER BY 1 LIMIT 100
          """, arguments: [number.value])
      return CaseDetail(
        summary: summary, findings: try findings.map { try finding($0, in: database) },
        linked: linked.map { CaseNumber($0) }, sameEntry: sameEntry.map { CaseNumber($0) })
    }
  }

  /// Runs that have no end in the record: under way, or cut off.
  public func unfinishedRuns() throws -> [String] {
    try read {
      try String.fetchAll(
        $0, sql: "SELECT id FROM run WHERE state = ? ORDER BY started_at", arguments: [RunState.running.rawValue])
    }
  }

  /// Where every case and takedown stands, by the name that the ledger has for it.
  func statesOfRecord() throws -> [String: String] {
    try read { database in
      var states: [String: String] = [:]
      let cases = try Row.fetchCursor(database, sql: "SELECT id, state FROM case_file")
      while let row = try cases.next() { states[CaseNumber(row[0]).description] = row[1] }
      let takedowns = try Row.fetchCursor(database, sql: "SELECT id, state FROM takedown")
      while let row = try takedowns.next() { states[TakedownNumber(row[0]).description] = row[1] }
      return states
    }
  }

  func summary(_ row: Row) throws -> CaseSummary {
    let decision: String? = row["decision"]
    return CaseSummary(
      number: CaseNumber(row["id"]), state: try value(row["state"]), verdict: try value(row["verdict"]),
      openedAt: Date(milliseconds: row["opened_at"]), lastSeenAt: Date(milliseconds: row["last_seen_at"]),
      findings: row["findings"], version: row["version"], assignee: row["assignee"],
      decision: try decision.map { try value($0) }, proposedBy: row["proposed_by"], decidedBy: row["decided_by"])
  }

  private func finding(_ row: Row, in database: Database) throws -> RecordedFinding {
    let matches = try Row.fetchAll(
      database, sql: "SELECT * FROM match WHERE finding_id = ? ORDER BY grade, distance, list, version, entry",
      arguments: [row["finding_id"] as Int64])
    let finding = Finding(
      location: try location(row), fingerprint: try fingerprint(row), mediaType: row["media_type"],
      matches: try matches.map(match), verdict: try value(row["verdict"]), listsUsed: try ListVersions.of(row["lists"]))
    return RecordedFinding(
      finding: finding, firstSeenAt: Date(milliseconds: row["first_seen_at"]),
      lastSeenAt: Date(milliseconds: row["last_seen_at"]), firstRun: row["first_run"], lastRun: row["last_run"])
  }

  func location(_ row: Row) throws -> ContentLocation {
    let origin: String? = row["origin"]
    func text(_ column: String) -> String? { (row[column] as String).isEmpty ? nil : row[column] }
    return ContentLocation(
      place: LocationRow.place(kind: row["kind"], row["place"]), member: text("member"), exhibit: text("exhibit"),
      origin: try origin.map { text in
        guard let origin = LocationRow.origin(text) else { throw damaged("a member lies nowhere") }
        return origin
      })
  }

  func fingerprint(_ row: Row) throws -> Fingerprint {
    var fingerprint = Fingerprint(sizeInBytes: row["size"], digests: [])
    for algorithm in DigestAlgorithm.allCases {
      guard let bytes: Data = row[algorithm.name] else { continue }
      guard let digest = Digest(algorithm, bytes: bytes) else { throw damaged("a digest has \(bytes.count) bytes") }
      fingerprint.digests.append(digest)
    }
    if let bytes: Data = row["pdq"] {
      let quality: Int? = row["pdq_quality"]
      guard
        let hash = bytes.withUnsafeBytes({ PerceptualHash(bytes: $0, quality: quality.map { UInt8(clamping: $0) }) })
      else { throw damaged("a perceptual hash has \(bytes.count) bytes") }
      fingerprint.perceptualHash = hash
    }
    return fingerprint
  }

  private func match(_ row: Row) throws -> Match {
    let label: String? = row["category"]
    return Match(
      list: ListVersion(name: row["list"], version: row["version"]), entry: row["entry"],
      algorithm: try value(row["algorithm"]), grade: try value(row["grade"]), distanceInBits: row["distance"],
      category: label.map { Category(scheme: row["category_scheme"] ?? "", label: $0) }, contributor: row["contributor"]
    )
  }

  func value<Value: RawRepresentable<String>>(_ text: String) throws -> Value {
    guard let value = Value(rawValue: text) else { throw damaged("'\(text.prefix(20))' is no \(Value.self)") }
    return value
  }

  func damaged(_ what: String) -> CaseworkError {
    CaseworkError(.corrupt, "\(path) is damaged: \(what)")
  }
}
