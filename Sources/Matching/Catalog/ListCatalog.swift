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
  let fileSystem: any DurableFileSystem

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
    /// How many versions to keep on disk, the one in force included; `nil` for all.
    public var keep: Int? = nil
    /// Entries whose near matches no longer count, because they were too many; `nil` for none.
    public var quarantined: [String]? = nil
  }

  /// What ``loadBlocklist(of:)`` makes the same blocklist of again.
  public static func description(of blocklist: Blocklist) -> [Active] {
    blocklist.members.map { member in
      Active(
        name: member.list.version.name, version: member.list.version.version, sha256: member.list.digest.hex,
        action: member.action, distance: member.distanceInBits,
        quarantined: member.quarantined.isEmpty ? nil : member.quarantined.sorted())
    }
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
    do { data = Data(try MappedFile.contents(of: activePath)) } catch {
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
    let active = try active()
    do { return try loadBlocklist(of: active) } catch {
      // An update may have taken the version off the disk between the reading of `ACTIVE` and its opening.
      guard error.code == .listMissing, try self.active() != active else { throw error }
      return try loadBlocklist(of: try self.active())
    }
  }

  /// Opens versions that need not be in force, as for going on with a scan that began with them.
  ///
  /// - Throws: ``MatchingError``: `listMissing` where one is not kept any more.
  public func loadBlocklist(of active: [Active]) throws(MatchingError) -> Blocklist {
    var members: [Blocklist.Member] = []
    for active in active {
      let list = try open(ListVersion(name: active.name, version: active.version))
      guard list.digest.hex == active.sha256 else {
        throw MatchingError(
          .listMisplaced, "list file \(list.path) is not the one that was put in force",
          hint: "import the list again, or run 'muhafiz list verify'")
      }
      members.append(
        .init(
          list: list, action: active.action, distanceInBits: active.distance, quarantined: Set(active.quarantined ?? [])))
    }
    guard !members.isEmpty else {
      throw MatchingError(
        .noListInForce, "no hash list is in force in \(folder)",
        hint: "import one: muhafiz list import --name NAME FILE")
    }
    return Blocklist(members)
  }

  /// Opens one version, and checks its signature where keys are trusted; see ``TrustedKeys``.
  public func open(_ version: ListVersion) throws(MatchingError) -> HashList {
    try Self.checkNames(version.name, version.version)
    let list = try HashList(opening: path(of: version))
    guard list.version == version else {
      throw MatchingError(
        .listMisplaced,
        "list file \(list.path) says that it is \(list.version.name) \(list.version.version)", hint: "import the list again")
    }
    try TrustedKeys(in: folder)?.check(list)
    return list
  }

  /// The versions of a list that are on disk, oldest first.
  public func versions(of name: String) throws(MatchingError) -> [HashList] {
    try Self.checkNames(name)
    var lists: [HashList] = []
    for version in try files(of: name) { lists.append(try open(version)) }
    return lists.sorted {
      ($0.information.created, $0.sequence) < ($1.information.created, $1.sequence)
    }
  }

  /// The same of a list that somebody asks for by name.
  ///
  /// - Throws: ``MatchingError`` with `listMissing` where there is no version of it.
  public func versions(ofExisting name: String) throws(MatchingError) -> [HashList] {
    let versions = try versions(of: name)
    guard !versions.isEmpty else {
      throw MatchingError(
        .listMissing, "there is no list '\(name)' in \(folder)", hint: "import one: muhafiz list import --name NAME FILE")
    }
    return versions
  }

  /// The versions of a list whose files are there, in no order; whether they can be opened is another question.
  func files(of name: String) throws(MatchingError) -> [ListVersion] {
    try DurableFile.names(in: folder.appending(name), on: fileSystem).filter { $0.hasSuffix(".hashlist") }.map {
      ListVersion(name: name, version: String($0.dropLast(".hashlist".count)))
    }
  }

  func writeActive(_ lists: [Active]) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    let file = ActiveFile(lists: lists.sorted { $0.name < $1.name })
    try DurableFile.replace(activePath, with: Array(encoder.encode(file)) + [UInt8(ascii: "\n")], on: fileSystem)
  }

  static func checkNames(_ names: String...) throws(MatchingError) {
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

extension HashList {
  /// The number behind the date in a version that the catalog named, so that versions of one day stay in order.
  fileprivate var sequence: Int { information.version.split(separator: ".").last.flatMap { Int($0) } ?? 0 }
}
