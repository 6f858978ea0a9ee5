import Foundation
import GRDB
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
/// A partner's database is hostile: nothing in it is run. Only rows that are stored in a table are read, in their order; a
/// view, a virtual table and a column that is computed are refused.
///
/// Source: the NSRL's schema of RDS 3; The Sleuth Kit, `tsk/hashdb/sqlite_hdb.cpp`.
struct DatabaseFormat {
  private let tables: [String]
  private let columns: [(algorithm: DigestAlgorithm, name: String)]

  static let nsrl = DatabaseFormat(
    tables: ["FILE", "METADATA"], columns: [(.sha256, "sha256"), (.sha1, "sha1"), (.md5, "md5")])
  static let kdb = DatabaseFormat(tables: ["hashes"], columns: [(.md5, "md5"), (.sha1, "sha1"), (.sha256, "sha2_256")])

  static let magic = Array("SQLite format 3\0".utf8)
  /// Offset in a database of a byte that is 2 where changes may lie in a file beside it.
  private static let writeVersionOffset = 18
  /// Bytes of memory for all that SQLite does; a cell of a gigabyte is an error.
  private static let mostMemory = 256 << 20
  /// No row of a digest takes fewer bytes of the file.
  private static let leastRowSize = 8

  func read(_ file: FileDescriptor, _ sink: inout RecordSink) throws {
    do {
      let size = try file.seek(offset: 0, from: .end)
      var version: UInt8 = 1
      _ = try withUnsafeMutableBytes(of: &version) { try file.read(fromAbsoluteOffset: Int64(Self.writeVersionOffset), into: $0) }
      guard version == 1 else {
        throw ExchangeError(
          .unsupportedFormat, "\(sink.fileName) may have changes in a file beside it, which would be missed",
          hint: "sqlite3 FILE 'PRAGMA journal_mode = delete'")
      }
      try DatabaseQueue(path: "/proc/self/fd/\(file.rawValue)", configuration: Self.configuration).read { database in
        try read(database, mostRows: Int(size) / Self.leastRowSize, &sink)
      }
    } catch let error as DatabaseError {
      throw ExchangeError(.malformed, "\(sink.fileName) cannot be read as a database: \(error.message ?? "\(error.resultCode)")")
    } catch let error as Errno {
      throw ExchangeError(.cannotRead, "\(sink.fileName) is no file that a database could be read from: \(error)")
    }
  }

  private static var configuration: Configuration {
    var configuration = Configuration()
    configuration.readonly = true
    configuration.prepareDatabase { database in
      for pragma in ["trusted_schema = 0", "cell_size_check = 1", "mmap_size = 0", "hard_heap_limit = \(mostMemory)"] {
        try database.execute(sql: "PRAGMA \(pragma)")
      }
    }
    return configuration
  }

  private func read(_ database: Database, mostRows: Int, _ sink: inout RecordSink) throws {
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
    let rows = try Row.fetchCursor(database, sql: "SELECT \(columns.map(\.name).joined(separator: ", ")) FROM \(table)")
    var number = 0
    while let row = try rows.next() {
      number += 1
      guard number <= mostRows else {
        throw ExchangeError(.malformed, "\(sink.fileName) is damaged: it has more rows than there is room for")
      }
      var hashes: [HashText] = []
      for (index, column) in columns.enumerated() {
        try row.withUnsafeData(atIndex: index) { data in
          guard let data, !data.isEmpty else { return }
          hashes.append(data.withUnsafeBytes { Self.hash(column.algorithm, $0) })
        }
      }
      try sink.add(hashes, to: ListEntry(recordNumber: number, contributor: sink.options.contributor))
    }
  }

  /// Whether rows of a table lie in the file, and are not made by what the database says.
  private func isStored(_ table: String, in database: Database) throws -> Bool {
    try String.fetchOne(
      database, sql: "SELECT type FROM pragma_table_list WHERE schema = 'main' AND name = ? COLLATE NOCASE", arguments: [table])
      == "table"
  }

  /// Names of a table's columns whose values lie in the file.
  private func stored(_ table: String, in database: Database) throws -> Set<String> {
    Set(
      try String.fetchAll(
        database, sql: "SELECT lower(name) FROM pragma_table_xinfo(?) WHERE hidden = 0", arguments: [table]))
  }

  /// A digest as bytes or as hex digits.
  private static func hash(_ algorithm: DigestAlgorithm, _ bytes: UnsafeRawBufferPointer) -> HashText {
    guard bytes.count == algorithm.byteCount, let digest = Digest(algorithm, bytes: bytes) else {
      return HashText(algorithm, bytes)
    }
    return HashText(digest)
  }
}
