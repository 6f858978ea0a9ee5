import Foundation
import GRDB
import Hashing
import Matching

/// A content whose hashes are kept.
public struct KeptContent: Sendable {
  /// By which the next page is asked for.
  public let id: Int64
  public let fingerprint: Fingerprint
  public let mediaType: String?
  /// See ``KeptItem/queries``; the upright hash alone where no more was kept.
  public let queries: [[PerceptualHash]]
}

/// Where a kept content was seen, and what it was then compared with.
public struct KeptPlace: Sendable {
  public let location: ContentLocation
  /// The run that last looked at it with the evidence at hand.
  public let run: String
  public let lists: [ListVersion]
  /// The entries that are recorded with it, by list.
  let recorded: Set<RecordedEntry>
}

struct RecordedEntry: Hashable, Sendable {
  let list: String
  let entry: String
}

extension CaseStore {
  /// Contents whose hashes are kept, page by page in the order of their ids: items of recorded exhibits, and findings.
  ///
  /// - Parameters:
  ///   - id: The last of the page before; 0 for the first.
  ///   - exhibit: Only what was seen there.
  public func keptContents(after id: Int64, on exhibit: String? = nil, limit: Int) throws -> [KeptContent] {
    func isSeen(_ table: String) -> String {
      """
      EXISTS (SELECT 1 FROM \(table) AS seen JOIN location ON location.id = seen.location_id
              WHERE seen.content_id = content.id AND (?2 IS NULL OR location.exhibit = ?2))
      """
    }
    return try read { database in
      try Row.fetchAll(
        database.cachedStatement(
          sql: """
            SELECT * FROM content WHERE id > ?1 AND (\(isSeen("kept_item")) OR \(isSeen("finding"))) ORDER BY id LIMIT ?3
            """), arguments: [id, exhibit, limit]
      ).map { row in
        let fingerprint = try fingerprint(row)
        let stored: Data? = row["queries"]
        let queries = try stored.map { bytes in
          guard let groups = bytes.withUnsafeBytes({ PerceptualQueries.groups($0) }) else {
            throw damaged("the hashes of a content have \(bytes.count) bytes")
          }
          return groups
        }
        return KeptContent(
          id: row["id"], fingerprint: fingerprint, mediaType: row["media_type"],
          queries: queries ?? fingerprint.perceptualHash.map { [[$0]] } ?? [])
      }
    }
  }

  /// Where a content was seen, with what was recorded of it there.
  public func places(of content: KeptContent, on exhibit: String? = nil) throws -> [KeptPlace] {
    try read { database in
      let rows = try Row.fetchAll(
        database.cachedStatement(
          sql: """
            SELECT location.*, run.id AS run, run.lists AS lists FROM kept_item
            JOIN location ON location.id = kept_item.location_id JOIN run ON run.number = kept_item.run
            WHERE kept_item.content_id = ?1 AND (?2 IS NULL OR location.exhibit = ?2)
            UNION ALL
            SELECT location.*, finding.last_run, finding.lists FROM finding
            JOIN location ON location.id = finding.location_id
            WHERE finding.content_id = ?1 AND (?2 IS NULL OR location.exhibit = ?2) AND NOT EXISTS
              (SELECT 1 FROM kept_item WHERE content_id = ?1 AND kept_item.location_id = finding.location_id)
            ORDER BY 1
            """), arguments: [content.id, exhibit])
      return try rows.map { row in
        let recorded = try Row.fetchAll(
          database.cachedStatement(
            sql: """
              SELECT match.list, match.entry FROM finding JOIN match ON match.finding_id = finding.id
              WHERE finding.content_id = ? AND finding.location_id = ?
              """), arguments: [content.id, row["id"] as Int64])
        return KeptPlace(
          location: try location(row), run: row["run"], lists: try ListVersions.of(row["lists"]),
          recorded: Set(recorded.map { RecordedEntry(list: $0["list"], entry: $0["entry"]) }))
      }
    }
  }
}
