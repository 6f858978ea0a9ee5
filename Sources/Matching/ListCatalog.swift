import Foundation
import Glibc
import Hashing
import SystemPackage

/// The lists of one home: their files by name and version, and which versions are in force.
///
///     lists/<name>/<version>.hashlist
///     lists/ACTIVE
public struct ListCatalog: Sendable {
  public let folder: FilePath
  private let fileSystem: any DurableFileSystem

  /// - Parameter home: The folder that holds `lists`; it need not exist yet.
  public init(home: FilePath) {
    self.init(home: home, on: HostFileSystem())
  }

  /// - Parameter fileSystem: What list files and `ACTIVE` are written through.
  package init(home: FilePath, on fileSystem: any DurableFileSystem) {
    folder = home.appending("lists")
    self.fileSystem = fileSystem
  }

  /// One line of `ACTIVE`: a version in force.
  public struct Active: Codable, Sendable, Equatable {
    public var name: String
    public var version: String
    /// Hex digits of the list file's digest when it was put in force.
    public var sha256: String
    public var action: ListAction
    public var distance: Int
  }

  private struct ActiveVersion: Decodable {
    var v: Int
  }

  private struct ActiveFile: Codable {
    var v = 1
    var lists: [Active]
  }

  private var activePath: FilePath { folder.appending("ACTIVE") }

  /// Where a version's file stands.
  public func path(of list: ListVersion) -> FilePath {
    folder.appending(list.name).appending("\(list.version).hashlist")
  }

  /// The versions in force, in order of name; empty where nothing was ever imported.
  ///
  /// - Throws: ``MatchingError``: `activeUnreadable`, `permission`.
  public func active() throws(MatchingError) -> [Active] {
    let data: Data
    do {
      let file = try MappedFile(activePath)
      // The bytes are gone with the file: it must outlive the copying.
      data = withExtendedLifetime(file) { Data(file.bytes) }
    } catch {
      if error.code == .listMissing { return [] }
      throw error.code == .notAHashList ? unreadable("it is not a regular file") : error
    }
    let version: Int
    let lists: [Active]
    do {
      version = try JSONDecoder().decode(ActiveVersion.self, from: data).v
      lists = version == 1 ? try JSONDecoder().decode(ActiveFile.self, from: data).lists : []
    } catch { throw unreadable("it was changed by hand or is damaged") }
    guard version == 1 else {
      throw MatchingError(.futureVersion, "\(activePath) has version \(version), this program reads 1")
    }
    for list in lists {
      guard Self.isName(list.name), Self.isName(list.version) else { throw unreadable("it names no list") }
      guard Blocklist.Member.distances.contains(list.distance) else {
        throw unreadable("list \(list.name) has a distance of \(list.distance) bits")
      }
    }
    guard Set(lists.map(\.name)).count == lists.count else { throw unreadable("it names a list twice") }
    return lists
  }

  private func unreadable(_ what: String) -> MatchingError {
    MatchingError(.activeUnreadable, "cannot read \(activePath): \(what)", hint: "move it away and import the lists again")
  }

  /// Opens all versions in force.
  ///
  /// - Throws: ``MatchingError``: `noListInForce` where there is none, and whatever keeps one from being opened: half a
  ///   blocklist would miss in silence.
  public func loadBlocklist() throws(MatchingError) -> Blocklist {
    var members: [Blocklist.Member] = []
    for active in try active() {
      let list = try open(ListVersion(name: active.name, version: active.version))
      guard list.digest.hex == active.sha256 else {
        throw MatchingError(
          .listMisplaced, "list file \(list.path) is not the one that was put in force",
          hint: "import the list again, or run 'muhafiz list verify'")
      }
      members.append(.init(list: list, action: active.action, distanceInBits: active.distance))
    }
    guard !members.isEmpty else {
      throw MatchingError(
        .noListInForce, "no hash list is in force in \(folder)",
        hint: "import one: muhafiz list import --name NAME FILE")
    }
    return Blocklist(members)
  }

  /// Opens one version.
  public func open(_ version: ListVersion) throws(MatchingError) -> HashList {
    try Self.checkNames(version.name, version.version)
    let list = try HashList(opening: path(of: version))
    guard list.version == version else {
      throw MatchingError(
        .listMisplaced,
        "list file \(list.path) says that it is \(list.version.name) \(list.version.version)", hint: "import the list again")
    }
    return list
  }

  /// The versions of a list that are on disk, oldest first.
  public func versions(of name: String) throws(MatchingError) -> [HashList] {
    try Self.checkNames(name)
    var lists: [HashList] = []
    for file in try DurableFile.names(in: folder.appending(name), on: fileSystem) where file.hasSuffix(".hashlist") {
      lists.append(try open(ListVersion(name: name, version: String(file.dropLast(".hashlist".count)))))
    }
    return lists.sorted { $0.information.created < $1.information.created }
  }

  /// Writes a new version of a list and puts it in force instead of the one before, which stays on disk.
  ///
  /// - Parameters:
  ///   - version: `nil` for the date of `created` and a number that is free.
  ///   - action: `nil` for what the version before has, or `block`.
  ///   - distanceInBits: `nil` likewise, or ``PerceptualHash/matchDistance``.
  ///   - fill: Adds the entries. When it throws, nothing is written.
  /// - Throws: ``MatchingError``, with the version before still in force.
  public func add(
    name: String, version: String? = nil, source: String, created: Date, action: ListAction? = nil,
    distanceInBits: Int? = nil, fill: (inout HashListBuilder) throws -> Void
  ) throws -> (list: HashList, counts: HashListCounts) {
    try Self.checkNames(name, version ?? "1")
    if let distanceInBits, !Blocklist.Member.distances.contains(distanceInBits) {
      throw MatchingError(.badName, "a distance of \(distanceInBits) bits is not within 0…63")
    }
    let home = folder.appending(name)
    try DurableFile.makeFolder(home, on: fileSystem)
    var filled: HashListBuilder? = HashListBuilder(spillingTo: home)
    try fill(&filled!)
    return try withLock {
      guard let builder = filled.take() else { preconditionFailure("a builder writes once") }
      try DurableFile.sweepOrphans(in: home, on: fileSystem)
      try DurableFile.sweepOrphans(in: folder, on: fileSystem)
      let version = ListVersion(name: name, version: try version ?? freeVersion(of: name, created: created))
      let path = path(of: version)
      if try DurableFile.names(in: home, on: fileSystem).contains("\(version.version).hashlist") {
        throw MatchingError(
          .versionExists, "list \(name) has a version \(version.version) already",
          hint: "versions are never changed; choose another --version")
      }
      let information = HashListInformation(
        name: name, version: version.version, source: source, created: created)
      let active = try active()
      let before = active.first { $0.name == name }
      do {
        let written = try builder.write(to: path, information: information, on: fileSystem)
        let list = try open(version)
        let now = Active(
          name: name, version: version.version, sha256: written.digest.hex,
          action: action ?? before?.action ?? .block,
          distance: distanceInBits ?? before?.distance ?? PerceptualHash.matchDistance)
        try replace(active, with: active.filter { $0.name != name } + [now])
        return (list, written.counts)
      } catch {
        // Nobody has been told of the version yet, so the next attempt may have its name.
        if try !self.active().contains(where: { $0.name == name && $0.version == version.version }) {
          do { try fileSystem.remove(path) } catch {}
        }
        throw error
      }
    }
  }

  /// Takes a list out of force. Its files stay.
  ///
  /// - Returns: The version that was in force, or `nil` if none was.
  public func deactivate(_ name: String) throws -> Active? {
    try withLock {
      let active = try active()
      guard let before = active.first(where: { $0.name == name }) else { return nil }
      try replace(active, with: active.filter { $0.name != name })
      return before
    }
  }

  /// Puts a version that is on disk in force instead of the present one.
  public func activate(_ version: ListVersion) throws -> Active {
    try withLock {
      let list = try open(version)
      let active = try active()
      let before = active.first { $0.name == version.name }
      let now = Active(
        name: version.name, version: version.version, sha256: list.digest.hex, action: before?.action ?? .block,
        distance: before?.distance ?? PerceptualHash.matchDistance)
      try replace(active, with: active.filter { $0.name != version.name } + [now])
      return now
    }
  }

  /// Puts other versions in force, or leaves those that are.
  private func replace(_ before: [Active], with lists: [Active]) throws {
    do { try writeActive(lists) } catch {
      // It may be there already, and only not be synced. A failure must not be a change that comes and goes with the
      // next power cut.
      do { if try active() != before.sorted(by: { $0.name < $1.name }) { try writeActive(before) } } catch let second {
        throw MatchingError(
          (error as? MatchingError)?.code ?? .inputOutput,
          "\(error); and what was in force before could not be put back: \(second)",
          hint: "'muhafiz list show' shows what is in force; do the same again when the disk is mended")
      }
      throw error
    }
  }

  private func writeActive(_ lists: [Active]) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    let file = ActiveFile(lists: lists.sorted { $0.name < $1.name })
    try DurableFile.replace(activePath, with: Array(encoder.encode(file)) + [UInt8(ascii: "\n")], on: fileSystem)
  }

  private func freeVersion(of name: String, created: Date) throws(MatchingError) -> String {
    let taken = try DurableFile.names(in: folder.appending(name), on: fileSystem)
    let day = created.formatted(.iso8601.year().month().day())
    return (1...).lazy.map { "\(day).\($0)" }.first { !taken.contains("\($0).hashlist") } ?? day
  }

  /// One importer at a time.
  private func withLock<Result>(_ body: () throws -> Result) throws -> Result {
    try DurableFile.makeFolder(folder, on: fileSystem)
    let path = folder.appending("LOCK")
    let descriptor: FileDescriptor
    do {
      descriptor = try FileDescriptor.open(
        path, .readWrite, options: [.create, .closeOnExec], permissions: .ownerReadWrite)
    } catch let error as Errno { throw MatchingError(error, "open", path) }
    defer {
      // A child that was forked meanwhile may still hold the descriptor, and with it the lock.
      flock(descriptor.rawValue, LOCK_UN)
      close(descriptor.rawValue)
    }
    guard flock(descriptor.rawValue, LOCK_EX | LOCK_NB) == 0 else {
      throw errno == EWOULDBLOCK
        ? MatchingError(.locked, "another muhafiz is changing the lists in \(folder)", hint: "try again when it is done")
        : MatchingError(Errno(rawValue: errno), "lock", path)
    }
    return try body()
  }

  private static func checkNames(_ names: String...) throws(MatchingError) {
    for name in names where !isName(name) {
      throw MatchingError(
        .badName, "'\(name)' cannot name a list or a version",
        hint: "use up to 64 letters, digits, '.', '-' and '_', not beginning with '.' or '-'")
    }
  }

  private static func isName(_ text: String) -> Bool {
    let allowed = text.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"):
        true
      default: false
      }
    }
    return allowed && (1...64).contains(text.utf8.count) && !text.hasPrefix(".") && !text.hasPrefix("-")
  }
}
