import Foundation
import Glibc
import Hashing
import SystemPackage

extension ListCatalog {
  /// Writes a new version of a list and puts it in force instead of the one before, which stays on disk.
  ///
  /// A version that changes more than the update allows is written and held: it comes into force by ``activate(_:)``.
  ///
  /// - Parameters:
  ///   - record: Writes down what is about to happen: the new version, and whether it is held. When it throws, it does not.
  ///   - fill: Adds the entries, or removes them. When it throws, nothing is written.
  /// - Throws: ``MatchingError``, or what a closure threw, with the version before still in force.
  public func update(
    _ update: ListUpdate, record: (HashList, _ isHeld: Bool) throws -> Void = { _, _ in },
    fill: (inout HashListBuilder) throws -> Void
  ) throws -> UpdatedList {
    try Self.checkNames(update.name, update.version ?? "1")
    if let distance = update.distanceInBits, !Blocklist.Member.distances.contains(distance) {
      throw MatchingError(.badName, "a distance of \(distance) bits is not within 0…63")
    }
    // Held from the beginning: whoever comes second learns it at once, and not when the work is done.
    return try withLock {
      let home = folder.appending(update.name)
      try DurableFile.makeFolder(home, on: fileSystem)
      try DurableFile.sweepOrphans(in: home, on: fileSystem)
      try DurableFile.sweepOrphans(in: folder, on: fileSystem)
      let version = ListVersion(
        name: update.name, version: try update.version ?? freeVersion(of: update.name, created: update.created))
      if try files(of: version.name).contains(version) {
        throw MatchingError(
          .versionExists, "list \(version.name) has a version \(version.version) already",
          hint: "versions are never changed; choose another --version")
      }
      let before = try active().first { $0.name == update.name }
      let old = try before.map { try open(ListVersion(name: $0.name, version: $0.version)) }
      var builder = HashListBuilder(memoryInBytes: update.memoryInBytes, spillingTo: home)
      if update.mode != .replace {
        guard let old else {
          throw MatchingError(
            .noListInForce, "there is no version of list \(update.name) to \(update.mode.rawValue) to or from",
            hint: "import the whole list first, without --\(update.mode.rawValue)")
        }
        try builder.begin(with: old)
      }
      try fill(&builder)
      return try write(builder, version, update, before, old, record)
    }
  }

  private func write(
    _ builder: consuming HashListBuilder, _ version: ListVersion, _ update: ListUpdate, _ before: Active?, _ old: HashList?,
    _ record: (HashList, _ isHeld: Bool) throws -> Void
  ) throws -> UpdatedList {
    // Versions are told apart by their seconds, also where two are made within one, or where the clock was set back.
    let newest = try newestTime(of: version.name)
    let created = newest.map { max(update.created, $0.addingTimeInterval(1)) } ?? update.created
    let information = HashListInformation(
      name: version.name, version: version.version, source: update.source, created: created,
      base: update.mode == .replace ? nil : old?.information.version)
    do {
      let written = try builder.write(to: path(of: version), information: information, on: fileSystem)
      if let key = update.signingKey {
        try DurableFile.replace(signaturePath(of: version), with: key.sign(written.digest, version), on: fileSystem)
      }
      let list = try open(version)
      let difference = try old.map { try ListDifference(from: $0, to: list) }
      if let difference, !update.isConfirmed, difference.share > update.holdAbove,
        max(difference.added, difference.removed) >= ListUpdate.leastHeld
      {
        try record(list, true)
        return UpdatedList(list: list, counts: written.counts, difference: difference, isHeld: true, removedVersions: [])
      }
      var now = Active(list, after: before)
      now.action = update.action ?? now.action
      now.distance = update.distanceInBits ?? now.distance
      now.keep = update.keep ?? now.keep
      let active = try active()
      try record(list, false)
      try replace(active, with: active.filter { $0.name != now.name } + [now])
      return UpdatedList(
        list: list, counts: written.counts, difference: difference, isHeld: false, removedVersions: prune(now))
    } catch {
      // Nobody has been told of the version yet, so the next attempt may have its name.
      if try !active().contains(where: { $0.name == version.name && $0.version == version.version }) {
        for path in [path(of: version), signaturePath(of: version)] {
          do { try fileSystem.remove(path) } catch {}
        }
      }
      throw error
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

  /// Puts a version that is on disk in force instead of the present one: an older one again, or one that was held.
  public func activate(_ version: ListVersion) throws -> Active {
    try change(version.name) { before in Active(try open(version), after: before) }
  }

  /// Changes how a list in force is asked; `nil` leaves something as it is.
  public func configure(_ name: String, action: ListAction?, distanceInBits: Int?, keep: Int?) throws -> Active {
    if let distanceInBits, !Blocklist.Member.distances.contains(distanceInBits) {
      throw MatchingError(.badName, "a distance of \(distanceInBits) bits is not within 0…63")
    }
    return try change(name) { before in
      var now = try inForce(before, name)
      now.action = action ?? now.action
      now.distance = distanceInBits ?? now.distance
      now.keep = keep ?? now.keep
      return now
    }
  }

  /// Lets near matches of an entry no longer count, or count again.
  public func quarantine(_ entries: [String], of name: String, release: Bool = false) throws -> Active {
    try change(name) { before in
      var now = try inForce(before, name)
      let others = (now.quarantined ?? []).filter { !entries.contains($0) }
      let all = (release ? others : others + entries).sorted()
      now.quarantined = all.isEmpty ? nil : all
      return now
    }
  }

  private func inForce(_ active: Active?, _ name: String) throws(MatchingError) -> Active {
    guard let active else {
      throw MatchingError(.noListInForce, "no list '\(name)' is in force", hint: "'muhafiz list show' shows those that are")
    }
    return active
  }

  private func change(_ name: String, _ body: (Active?) throws -> Active) throws -> Active {
    try withLock {
      let active = try active()
      let now = try body(active.first { $0.name == name })
      try replace(active, with: active.filter { $0.name != name } + [now])
      return now
    }
  }

  /// Takes the oldest versions off the disk that are more than the list is to keep; never the one in force, nor one made
  /// after it, which may be held.
  ///
  /// The new version is in force by now, whatever happens here: what cannot be removed is for the next update.
  ///
  /// - Returns: The versions that are gone.
  private func prune(_ active: Active) -> [String] {
    guard let keep = active.keep else { return [] }
    var gone: [String] = []
    do {
      let versions = try versions(of: active.name).map(\.information.version)
      guard let current = versions.firstIndex(of: active.version) else { return [] }
      for old in versions[..<current].dropLast(max(0, keep - 1)) {
        let version = ListVersion(name: active.name, version: old)
        try fileSystem.remove(path(of: version))
        gone.append(old)
        let names = try DurableFile.names(in: folder.appending(active.name), on: fileSystem)
        if names.contains("\(old).hashlist.sig") { try fileSystem.remove(signaturePath(of: version)) }
      }
    } catch {}
    return gone
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

  /// When the newest version was made; one that cannot be opened does not keep anybody from importing the list again.
  private func newestTime(of name: String) throws(MatchingError) -> Date? {
    var newest: Date?
    for version in try files(of: name) {
      do throws(MatchingError) {
        let created = try HashList(opening: path(of: version)).information.created
        newest = max(newest ?? created, created)
      } catch { continue }
    }
    return newest
  }

  /// The day and a number above all that the day has. The newest version is never pruned, so none is named twice.
  private func freeVersion(of name: String, created: Date) throws(MatchingError) -> String {
    let day = created.formatted(.iso8601.year().month().day())
    let taken = try DurableFile.names(in: folder.appending(name), on: fileSystem).compactMap { file in
      file.hasPrefix("\(day).") ? Int(file.dropFirst(day.count + 1).prefix { $0 != "." }) : nil
    }
    return "\(day).\((taken.max() ?? 0) + 1)"
  }

  /// One importer at a time.
  private func withLock<Result>(_ body: () throws -> Result) throws -> Result {
    try DurableFile.makeFolder(folder, on: fileSystem)
    guard let lock = try FolderLock(folder) else {
      throw MatchingError(
        .locked, "another muhafiz is changing the lists in \(folder)", hint: "try again when it is done")
    }
    defer { withExtendedLifetime(lock) {} }
    return try body()
  }
}

extension ListCatalog.Active {
  /// A version as it is asked after another: in the same way, or as usual where it is the first.
  fileprivate init(_ list: HashList, after before: Self?) {
    self.init(
      name: list.information.name, version: list.information.version, sha256: list.digest.hex,
      action: before?.action ?? .block, distance: before?.distance ?? PerceptualHash.matchDistance, keep: before?.keep,
      quarantined: before?.quarantined)
  }
}
