import Foundation
import GRDB
import GRDBSQLite
import Hashing
import Matching
import SystemPackage

/// Hash sets that are SQLite databases: one table, a row for each file.
///
///     FORMAT       TABLE     COLUMNS
///     nsrl-sqlite  FILE      sha256, sha1, md5 as hex digits: minimal sets of the NSRL's RDS 3
///                  METADATA  the same; full sets, where FILE is a view of it
///     kdb          hashes    md5, sha1, sha2_256 as bytes: Autopsy's own
///
/// A partner's database is hostile: what it says is not run. Its schema is read as the table that it is; no view and no virtual
/// table is prepared, and no computed column read. The table is scanned in its own order, past its indexes.
///
/// Source: the NSRL's schema of RDS 3; The Sleuth Kit, `tsk/hashdb/sqlite_hdb.cpp`.
struct DatabaseFormat {
  private let tables: [String]
  private let columns: [(algorithm: DigestAlgorithm, name: String)]

  static let nsrl = DatabaseFormat(
    tables: ["FILE", "METADATA"], columns: [(.sha256, "sha256"), (.sha1, "sha1"), (.md5, "md5")])
  static let kdb = DatabaseFormat(tables: ["hashes"], columns: [(.md5, "md5"), (.sha1, "sha1"), (.sha256, "sha2_256")])

  static let magic = Array("SQLite format 3\0".utf8)
  /// Offset in a database of two bytes, of which either is 2 where changes may lie in a file beside it.
  private static let versionsOffset = 18
  /// Bytes of one row; what holds more is an error.
  private static let mostRowSize: CInt = 1 << 16
  /// Thousands of SQLite's steps between two rows; what takes more is no scan of a table.
  private static let mostThousandSteps = 1_000
  /// No row of a digest takes fewer bytes of the file.
  private static let leastRowSize = 8

  func read(_ file: FileDescriptor, _ sink: inout RecordSink) throws {
    do {
      let size = try file.seek(offset: 0, from: .end)
      var versions: (UInt8, UInt8) = (1, 1)
      _ = try withUnsafeMutableBytes(of: &versions) { try file.read(fromAbsoluteOffset: Int64(Self.versionsOffset), into: $0) }
      guard versions == (1, 1) else {
        throw ExchangeError(
          .unsupportedFormat, "\(sink.fileName) may have changes in a file beside it, which would be missed",
          hint: "sqlite3 FILE 'PRAGMA journal_mode = delete'")
      }
      try DatabaseQueue(path: "/proc/self/fd/\(file.rawValue)", configuration: Self.configuration).read { database in
        try read(database, mostRows: Int(size) / Self.leastRowSize, &sink)
      }
    } catch let error as DatabaseError where error.resultCode.primaryResultCode == .SQLITE_CANTOPEN {
      throw ExchangeError(
        .cannotRead, "\(sink.fileName) is no file that a database could be read from: \(error.message ?? "")")
    } catch let error as DatabaseError {
      let reason =
        error.resultCode.primaryResultCode == .SQLITE_INTERRUPT ? "it never ends" : error.message ?? "\(error.resultCode)"
      throw ExchangeError(.malformed, "\(sink.fileName) cannot be read as a database: \(reason)")
    } catch let error as Errno {
      throw ExchangeError(.cannotRead, "\(sink.fileName) is no file that a database could be read from: \(error)")
    }
  }

  private static var configuration: Configuration {
    var configuration = Configuration()
    configuration.readonly = true
    configuration.prepareDatabase { database in
      for pragma in ["trusted_schema = 0", "cell_size_check = 1", "mmap_size = 0"] {
        try database.execute(sql: "PRAGMA \(pragma)")
      }
      sqlite3_drop_modules(database.sqliteConnection, nil)
      sqlite3_limit(database.sqliteConnection, SQLITE_LIMIT_LENGTH, mostRowSize)
      sqlite3_limit(database.sqliteConnection, SQLITE_LIMIT_SQL_LENGTH, mostRowSize)
    }
    return configuration
  }

  /// Makes SQLite give up what does too much between two rows.
  ///
  /// - Parameter steps: Thousands since the last row; whoever takes a row sets it to 0.
  private static func watch(_ database: Database, _ steps: UnsafeMutablePointer<Int>) {
    sqlite3_progress_handler(
      database.sqliteConnection, 1000,
      { context in
        let steps = context!.assumingMemoryBound(to: Int.self)
        steps.pointee += 1
        return steps.pointee > DatabaseFormat.mostThousandSteps ? 1 : 0
      }, steps)
  }

  private func read(_ database: Database, mostRows: Int, _ sink: inout RecordSink) throws {
    let steps = UnsafeMutablePointer<Int>.allocate(capacity: 1)
    steps.initialize(to: 0)
    Self.watch(database, steps)
    defer {
      sqlite3_progress_handler(database.sqliteConnection, 0, nil, nil)
      steps.deallocate()
    }
    guard let table = try tables.first(where: { try isStored($0, in: database) }) else {
      throw ExchangeError(
        .unsupportedFormat, "\(sink.fileName) is a database without a table \(tables.joined(separator: " or "))")
    }
    let present = try stored(table, in: database)
    let columns = columns.filter { present.contains($0.name) }
    guard !columns.isEmpty else {
      throw ExchangeError(
        .missingHeader,
        "\(sink.fileName): table \(table) has none of the columns \(self.columns.map(\.name).joined(separator: ", "))")
    }
    let wanted = columns.map { "\($0.name), typeof(\($0.name)) = 'text'" }.joined(separator: ", ")
    let rows = try Row.fetchCursor(database, sql: "SELECT \(wanted) FROM \(table) NOT INDEXED")
    var number = 0
    while let row = try rows.next() {
      number += 1
      steps.pointee = 0
      guard number <= mostRows else {
        throw ExchangeError(.malformed, "\(sink.fileName) is damaged: it has more rows than there is room for")
      }
      var hashes: [HashText] = []
      for (index, column) in columns.enumerated() {
        let isText: Bool = row[2 * index + 1]
        try row.withUnsafeData(atIndex: 2 * index) { data in
          guard let data, !data.isEmpty else { return }
          hashes.append(data.withUnsafeBytes { Self.hash(column.algorithm, $0, isText: isText) })
        }
      }
      try sink.add(hashes, to: ListEntry(recordNumber: number, contributor: sink.options.contributor))
    }
  }

  /// Whether rows of a table lie in the file, and are not made by what the database says: by the schema as it is stored.
  private func isStored(_ table: String, in database: Database) throws -> Bool {
    let sql = """
      SELECT 1 FROM sqlite_schema
      WHERE type = 'table' AND rootpage > 0 AND name = ? COLLATE NOCASE AND sql LIKE 'CREATE TABLE%'
      """
    return try Bool.fetchOne(database, sql: sql, arguments: [table]) == true
  }

  /// Names of a table's columns whose values lie in the file.
  private func stored(_ table: String, in database: Database) throws -> Set<String> {
    Set(
      try String.fetchAll(
        database, sql: "SELECT lower(name) FROM pragma_table_xinfo(?) WHERE hidden = 0", arguments: [table]))
  }

  /// A digest as bytes or as hex digits.
  private static func hash(_ algorithm: DigestAlgorithm, _ bytes: UnsafeRawBufferPointer, isText: Bool) -> HashText {
    guard !isText, bytes.count == algorithm.byteCount, let digest = Digest(algorithm, bytes: bytes) else {
      return HashText(algorithm, bytes)
    }
    return HashText(digest)
  }
}
