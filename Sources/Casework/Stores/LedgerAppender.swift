import Foundation
import GRDB
import Hashing

/// Appends entries inside a transaction: what happened and the record of it are written both or neither.
final class LedgerAppender {
  private let database: Database
  private let hasher: TreeHasher
  private var next: Int64
  /// Of the last entry; milliseconds since 1970.
  private var lastTime: Int64

  init(_ database: Database) throws {
    self.database = database
    hasher = try TreeHasher()
    let last = try Row.fetchOne(
      database.cachedStatement(sql: "SELECT idx, data FROM ledger_entry ORDER BY idx DESC LIMIT 1"))
    next = last.map { ($0["idx"] as Int64) + 1 } ?? 0
    lastTime = try last.map { try Self.head($0["data"]).time } ?? .min
  }

  /// - Returns: The entry's index in the ledger.
  /// - Throws: ``CaseworkError`` with `entryTooLong` past 64 KiB.
  @discardableResult
  func append(_ entry: LedgerEntry, at date: Date) throws -> Int64 {
    let time = date.milliseconds
    let subject = entry.subject?.description
    let bytes = entry.bytes(
      at: time, previous: try subject.flatMap { try leaf(ofLastAbout: $0) },
      clockBack: time < lastTime ? lastTime - time : nil)
    guard bytes.count <= LedgerEntry.maximumSize else {
      throw CaseworkError(
        .entryTooLong,
        "an entry of type \(entry.kind.rawValue) would have \(bytes.count) bytes, more than \(LedgerEntry.maximumSize)",
        hint: "shorten the text, or keep it elsewhere and record its digest")
    }
    try database.run("INSERT INTO ledger_entry (idx, subject, data) VALUES (?, ?, ?)", [next, subject, Data(bytes)])
    lastTime = time
    defer { next += 1 }
    return next
  }

  private func leaf(ofLastAbout subject: String) throws -> Digest? {
    let data: Data? = try database.first(
      "SELECT data FROM ledger_entry WHERE subject = ? ORDER BY idx DESC LIMIT 1", [subject])
    return data.map { $0.withUnsafeBytes { hasher.leaf($0) } }
  }

  private static func head(_ data: Data) throws -> LedgerEntryHead {
    guard let head = data.withUnsafeBytes({ LedgerEntryHead($0) }) else {
      throw CaseworkError(
        .ledgerDamaged, "the last entry of the ledger is not one that muhafiz wrote",
        hint: "'muhafiz ledger verify' says what is wrong; nothing is added to a damaged ledger")
    }
    return head
  }
}
