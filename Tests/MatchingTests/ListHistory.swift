import Foundation
import Hashing
import SystemPackage
import TestSupport

@testable import Matching

/// Changes of the lists of one home, one after the other, and what is true after each.
struct ListHistory {
  /// A change that was begun.
  struct Attempt {
    /// Operations in the journal when it began and when it ended.
    let operations: Range<Int>
    /// Whether it was reported to be done. If it was not, it may have happened or not.
    let isAcknowledged: Bool
    /// What is in force once it happened.
    let active: [ListCatalog.Active]
  }

  /// The digests that all tests of a history ask for.
  static let digests: [Digest] = {
    var generator = SeededGenerator(seed: 5)
    return (0..<6).map { _ in generator.digest() }
  }()

  let home = try! TemporaryDirectory(inMemory: true)
  let disk: CrashFileSystem
  private(set) var attempts: [Attempt] = []
  /// Which of the digests a version lists.
  private(set) var contents: [ListVersion: Set<Int>] = [:]
  /// Files of versions that were reported to be in force once, and since which operation.
  private(set) var acknowledged: [(path: String, bytes: [UInt8], since: Int)] = []

  init(omitting omission: CrashFileSystem.Omission? = nil) {
    disk = CrashFileSystem(root: FilePath(home.url.path), omitting: omission)
  }

  var catalog: ListCatalog { ListCatalog(home: FilePath(home.url.path).appending("home"), on: disk) }

  /// Imports a version with some of the digests, or is killed on the way.
  mutating func add(_ indexes: Set<Int>, to name: String, killedAfter operations: Int? = nil) throws {
    try attempt(killedAfter: operations) { catalog in
      try addList(
        Self.digests.enumerated().filter { indexes.contains($0.offset) }.map(\.element), to: name, in: catalog)
    }
    for active in attempts.last!.active where contents[.init(name: active.name, version: active.version)] == nil {
      contents[.init(name: active.name, version: active.version)] = indexes
    }
  }

  /// Changes the catalog, or is killed on the way.
  mutating func attempt(killedAfter operations: Int? = nil, _ change: (ListCatalog) throws -> Void) throws {
    let begin = disk.operations.count
    if let operations { disk.killAfter(operations) }
    var isAcknowledged = true
    do { try change(catalog) } catch {
      guard disk.isDead else { throw error }
      isAcknowledged = false
    }
    disk.revive()
    let active = try catalog.active()
    attempts.append(Attempt(operations: begin..<disk.operations.count, isAcknowledged: isAcknowledged, active: active))
    guard isAcknowledged else { return }
    for list in active {
      let path = "home/lists/\(list.name)/\(list.version).hashlist"
      if acknowledged.contains(where: { $0.path == path }) { continue }
      acknowledged.append((path, try Array(Data(contentsOf: home.url.appending(path: path))), disk.operations.count))
    }
  }

  /// What may be in force when the power fails in an operation: what was last reported, or what was begun since.
  func mayBeInForce(at operation: Int) -> [[ListCatalog.Active]] {
    let begun = attempts.prefix { $0.operations.lowerBound <= operation }
    guard let last = begun.lastIndex(where: { $0.isAcknowledged && $0.operations.upperBound <= operation }) else {
      return [[]] + begun.map(\.active)
    }
    return begun[last...].map(\.active)
  }

  /// The versions that list a digest, of those in force.
  func answer(_ digest: Int, _ active: [ListCatalog.Active]) -> Set<ListVersion> {
    Set(active.map { ListVersion(name: $0.name, version: $0.version) }.filter { contents[$0]!.contains(digest) })
  }
}

/// Imports a list of these digests, without a date of its own.
@discardableResult
func addList(_ digests: [Digest], to name: String, in catalog: ListCatalog) throws -> ListVersion {
  try catalog.update(ListUpdate(name: name, source: "test", created: newYear)) { builder in
    for (number, digest) in digests.enumerated() { try builder.add(ListEntry(recordNumber: number + 1, digests: [digest])) }
  }.list.version
}
