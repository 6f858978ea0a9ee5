import Foundation
import GRDB
import Hashing
import Matching
import SystemPackage

/// An item of an exhibit whose hashes are kept, so that the lists of a later day can be asked without the evidence.
public struct KeptItem: Sendable {
  public var location: ContentLocation
  public var fingerprint: Fingerprint
  public var mediaType: String?
  /// All that a picture, its pages and a video's frames are looked for with: groups of one hash, upright, or of eight, the
  /// others turned and mirrored in the order of ``Dihedral``. A finished hash cannot be turned, so each is kept.
  public var queries: [[PerceptualHash]]

  public init(
    location: ContentLocation, fingerprint: Fingerprint, mediaType: String?, queries: [[PerceptualHash]] = []
  ) {
    self.location = location
    self.fingerprint = fingerprint
    self.mediaType = mediaType
    self.queries = queries
  }
}

extension CaseStore {
  /// Keeps the hashes of items that a run has looked at, whether they matched or not, all or none.
  ///
  /// Nothing of it is in the ledger: what a run has seen is there by the digest of its report.
  public func keep(_ items: [KeptItem], run: String) throws {
    try write { database, _ in
      guard let number: Int64 = try database.first("SELECT number FROM run WHERE id = ?", [run]) else {
        throw CaseworkError(.unusableData, "there is no run \(run) in the record")
      }
      for item in items where !item.fingerprint.digests.isEmpty {
        let content = try contentID(item.fingerprint, item.mediaType, in: database)
        if !item.queries.isEmpty {
          try database.run(
            "UPDATE content SET queries = ? WHERE id = ? AND queries IS NULL",
            [Data(PerceptualQueries.bytes(item.queries)), content])
        }
        try database.run(
          """
          INSERT INTO kept_item (content_id, location_id, run) VALUES (?, ?, ?)
          ON CONFLICT DO UPDATE SET run = excluded.run
          """, [content, try locationID(item.location, in: database), number])
      }
    }
  }

  /// The row of a content, which gains what an earlier look at it did not take.
  func contentID(_ fingerprint: Fingerprint, _ mediaType: String?, in database: Database) throws -> Int64 {
    guard let strongest = fingerprint.digests.max(by: { $0.algorithm < $1.algorithm }) else {
      preconditionFailure("a content without a digest")
    }
    let key = Data([strongest.algorithm.rawValue] + strongest.bytes)
    func blob(_ algorithm: DigestAlgorithm) -> Data? { fingerprint.digest(algorithm).map { Data($0.bytes) } }
    let hash = fingerprint.perceptualHash.map { $0.withBytes { Data($0) } }
    let quality = fingerprint.perceptualHash?.quality.map { Int($0) }
    if let id: Int64 = try database.first("SELECT id FROM content WHERE key = ?", [key]) {
      try database.run(
        """
        UPDATE content SET md5 = coalesce(md5, ?2), sha1 = coalesce(sha1, ?3), pdq = coalesce(pdq, ?4),
          pdq_quality = coalesce(pdq_quality, ?5), media_type = coalesce(media_type, ?6)
        WHERE id = ?1 AND ((md5 IS NULL AND ?2 IS NOT NULL) OR (sha1 IS NULL AND ?3 IS NOT NULL)
          OR (pdq IS NULL AND ?4 IS NOT NULL) OR (media_type IS NULL AND ?6 IS NOT NULL))
        """, [id, blob(.md5), blob(.sha1), hash, quality, mediaType])
      return id
    }
    try database.run(
      "INSERT INTO content (key, size, md5, sha1, sha256, pdq, pdq_quality, media_type) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
      [key, fingerprint.sizeInBytes, blob(.md5), blob(.sha1), blob(.sha256), hash, quality, mediaType])
    return database.lastInsertedRowID
  }

  /// The row of a location, which may be new; where the member lies is as it was found last.
  func locationID(_ location: ContentLocation, in database: Database) throws -> Int64 {
    let id = try rowID(location, in: database)
    if let origin = location.origin {
      let text = try LocationRow.text(origin)
      try database.run("UPDATE location SET origin = ?1 WHERE id = ?2 AND origin IS NOT ?1", [text, id])
    }
    return id
  }

  private func rowID(_ location: ContentLocation, in database: Database) throws -> Int64 {
    let (kind, place) = LocationRow.columns(location.place)
    let arguments: StatementArguments = [place, location.exhibit ?? "", location.member ?? "", kind]
    let id: Int64? = try database.first(
      "SELECT id FROM location WHERE place = ? AND exhibit = ? AND member = ? AND kind = ?", arguments)
    if let id { return id }
    try database.run("INSERT INTO location (place, exhibit, member, kind) VALUES (?, ?, ?, ?)", arguments)
    return database.lastInsertedRowID
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

  static func text(_ origin: MemberOrigin) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    return String(decoding: try encoder.encode(origin), as: UTF8.self)
  }

  /// `nil` where the text is none.
  static func origin(_ text: String) -> MemberOrigin? {
    do { return try JSONDecoder().decode(MemberOrigin.self, from: Data(text.utf8)) } catch { return nil }
  }
}

/// Groups of perceptual hashes as one column.
///
///     OFFSET  SIZE  MEANING
///     0       1     hashes in the group, 1…255
///     1       33    each: 32 bytes of the hash, then its quality 0…100, or 255 where it is not known
///
/// One group after the other, to the end.
enum PerceptualQueries {
  private static let unknownQuality: UInt8 = 255

  static func bytes(_ groups: [[PerceptualHash]]) -> [UInt8] {
    var bytes: [UInt8] = []
    for group in groups where !group.isEmpty {
      bytes.append(UInt8(group.count))
      for hash in group {
        hash.withBytes { bytes.append(contentsOf: $0) }
        bytes.append(hash.quality ?? unknownQuality)
      }
    }
    return bytes
  }

  /// - Returns: `nil` for bytes that are no groups.
  static func groups(_ bytes: UnsafeRawBufferPointer) -> [[PerceptualHash]]? {
    var groups: [[PerceptualHash]] = []
    var rest = bytes[...]
    while let count = rest.popFirst() {
      guard count > 0, rest.count >= Int(count) * 33 else { return nil }
      groups.append(
        (0..<Int(count)).map { index in
          let start = rest.startIndex + index * 33
          let quality = bytes[start + 32]
          return PerceptualHash(
            bytes: UnsafeRawBufferPointer(rebasing: bytes[start..<start + 32]),
            quality: quality == unknownQuality ? nil : quality)!
        })
      rest = rest.dropFirst(Int(count) * 33)
    }
    return groups
  }
}
