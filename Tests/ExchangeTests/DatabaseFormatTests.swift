import Foundation
import GRDB
import Hashing
import Matching
import SystemPackage
import TestSupport
import Testing

@testable import Exchange

struct DatabaseFormatTests {
  private let scratch = try! TemporaryDirectory()

  private func make(_ name: String, _ sql: String...) throws -> FilePath {
    let path = scratch.path(name)
    let queue = try DatabaseQueue(path: path)
    try queue.writeWithoutTransaction { database in
      for sql in sql { try database.execute(sql: sql) }
    }
    try queue.close()
    return FilePath(path)
  }

  private func read(_ path: FilePath) throws -> (report: ImportReport, entries: [ListEntry]) {
    var entries: [ListEntry] = []
    let report = try ListImporter().read(path) { entries.append($0) }
    return (report, entries)
  }

  private func refusal(_ path: FilePath) -> ExchangeError? {
    do {
      let (report, entries) = try read(path)
      Issue.record("\(report.entries) entries, \(entries.count)")
      return nil
    } catch { return error as? ExchangeError }
  }

  private static func hex(_ byte: Int, _ size: Int) -> String { String(repeating: String(format: "%02X", byte), count: size) }

  /// Of the minimal sets, and of the full ones, whose FILE is a view that reads text functions of METADATA.
  @Test func readsTheTableOfEitherFormOfTheRDS() throws {
    let columns = "(sha256 TEXT, sha1 TEXT, md5 TEXT, file_name TEXT)"
    let rows = (1...300).map { "('\(Self.hex($0 & 255, 32))', '\(Self.hex($0 >> 1, 20))', '\(Self.hex($0 >> 2, 16))', 'f')" }
    let values = "VALUES \(rows.joined(separator: ","))"
    let minimal = try read(make("minimal.db", "CREATE TABLE FILE \(columns)", "INSERT INTO FILE \(values)"))
    let full = try read(
      make(
        "full.db", "CREATE TABLE METADATA (metadata_id INTEGER PRIMARY KEY, sha256 TEXT, sha1 TEXT, md5 TEXT, file_name TEXT)",
        "CREATE VIEW FILE AS SELECT upper(sha256) AS sha256 FROM METADATA",
        "INSERT INTO METADATA (sha256, sha1, md5, file_name) \(values)"))
    #expect(minimal.report.format == .nsrlDatabase && minimal.report.entries == 300 && minimal.report.rejected == 0)
    #expect(minimal.entries.map(\.recordNumber) == Array(1...300))
    #expect(minimal.entries[6].digests.map(\.hex) == [Self.hex(7, 32), Self.hex(3, 20), Self.hex(1, 16)].map { $0.lowercased() })
    #expect(full.entries.map(\.digests) == minimal.entries.map(\.digests))
  }

  @Test func readsAutopsysBytesAndRefusesWhatIsNoDigest() throws {
    let path = try make(
      "set.kdb", "CREATE TABLE db_properties (name TEXT, value TEXT)",
      "CREATE TABLE hashes (id INTEGER PRIMARY KEY, md5 BINARY(16) UNIQUE, sha1 BINARY(20), sha2_256 BINARY(32))",
      "INSERT INTO hashes (md5) VALUES (x'\(Self.hex(1, 16))'), (x'\(Self.hex(2, 15))'), ('\(Self.hex(0xCD, 16))'), (NULL), (7)",
      "INSERT INTO hashes (md5, sha1) VALUES (x'd41d8cd98f00b204e9800998ecf8427e', x'\(Self.hex(4, 20))')")
    let (report, entries) = try read(path)
    #expect(report.format == .kdb && report.rejected == 4)
    #expect(entries.map { $0.digests.map(\.hex) } == [[Self.hex(1, 16)], [Self.hex(0xCD, 16).lowercased()], [Self.hex(4, 20)]])
    #expect(report.firstRejections.map(\.recordNumber) == [2, 4, 5, 6])
  }

  /// Text is hex digits: an MD5 of 32 characters in the wrong column is no SHA-256 of 32 bytes. An index over all that is
  /// asked for is passed over: what counts is the table, in its order.
  @Test func textIsNoBytesAndAnIndexIsNoTable() throws {
    let path = try make(
      "order.db", "CREATE TABLE FILE (crc32 TEXT, sha256 TEXT, sha1 TEXT, md5 TEXT)",
      "CREATE INDEX i ON FILE (sha256, sha1, md5)",
      "INSERT INTO FILE VALUES ('0', '\(Self.hex(9, 32))', NULL, NULL), ('0', '\(Self.hex(5, 32))', NULL, NULL)",
      "INSERT INTO FILE VALUES ('0', '\(Self.hex(0xAB, 16))', NULL, NULL)")
    let (report, entries) = try read(path)
    #expect(entries.map { $0.digests.map(\.hex) } == [[Self.hex(9, 32)], [Self.hex(5, 32)]])
    #expect(report.rejected == 1)
  }

  /// What a database says is not run, and what lies beside it is not missed in silence.
  @Test func refusesWhatIsNotStoredInATable() throws {
    let endless = "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n) SELECT hex(randomblob(16)) AS md5 FROM n"
    let view = refusal(try make("view.db", "CREATE VIEW FILE AS \(endless)"))
    #expect(view?.code == .unsupportedFormat)
    // Of what it would take to know the columns of such views, nothing is done.
    let nested = (1...24).map { "CREATE VIEW v\($0) AS SELECT a.x AS x FROM v\($0 - 1) a, v\($0 - 1) b" }
    let chain = try make(
      "chain.db", (["CREATE TABLE v0 (x)"] + nested + ["CREATE TABLE FILE (md5 TEXT)"]).joined(separator: ";"))
    let begun = ContinuousClock.now
    #expect(try read(chain).report.entries == 0)
    #expect(ContinuousClock.now - begun < .seconds(5))
    let computed = refusal(
      try make("computed.db", "CREATE TABLE FILE (name TEXT, md5 TEXT GENERATED ALWAYS AS (hex(zeroblob(100000000))))"))
    #expect(computed?.code == .missingHeader)
    let virtual = refusal(try make("virtual.db", "CREATE VIRTUAL TABLE FILE USING fts5(md5)"))
    #expect(virtual?.code == .unsupportedFormat)
    let ahead = refusal(try make("ahead.db", "PRAGMA journal_mode = wal", "CREATE TABLE FILE (md5 TEXT)"))
    #expect(ahead?.code == .unsupportedFormat && ahead?.hint?.contains("journal_mode") == true)
    // SQLite goes by either of the two bytes.
    let half = try make("half.db", "CREATE TABLE FILE (md5 TEXT)")
    var bytes = try Data(contentsOf: URL(filePath: half.string))
    bytes[19] = 2
    try bytes.write(to: URL(filePath: half.string))
    #expect(refusal(half)?.code == .unsupportedFormat)
    #expect(!FileManager.default.fileExists(atPath: half.string + "-wal"))
    let other = refusal(try make("other.db", "CREATE TABLE people (name TEXT)"))
    #expect(other?.description.contains("FILE or METADATA") == true)
  }

  /// Damage anywhere is an error or leaves out rows that are said to be refused; it is never a trap, nor an endless reading.
  @Test func damageEndsTheReadingOrIsSaid() throws {
    let rows = (1...2000).map { "('\(Self.hex($0 & 255, 32))', '\(Self.hex($0 >> 4, 16))')" }
    let path = try make(
      "sound.db", "CREATE TABLE FILE (sha256 TEXT, md5 TEXT)", "INSERT INTO FILE VALUES \(rows.joined(separator: ","))")
    let sound = try Data(contentsOf: URL(filePath: path.string))
    #expect(try read(path).report.entries == 2000)
    var generator = SystemRandomNumberGenerator()
    var refused = 0
    for number in 0..<300 {
      var bytes = sound
      if number % 3 == 0 {
        bytes = bytes.prefix(.random(in: 16..<sound.count, using: &generator))
      } else {
        for _ in 0..<1 << (number % 6) {
          bytes[.random(in: 16..<(number % 2 == 0 ? 400 : sound.count), using: &generator)] = .random(
            in: 0...255, using: &generator)
        }
      }
      let damaged = scratch.url.appending(path: "damaged.db")
      try bytes.write(to: damaged)
      do { _ = try read(FilePath(damaged.path)) } catch is ExchangeError { refused += 1 }
    }
    #expect(refused > 100)
    let whole = scratch.url.appending(path: "empty.db")
    try sound.prefix(16).write(to: whole)
    #expect(refusal(FilePath(whole.path)) != nil)
  }
}
