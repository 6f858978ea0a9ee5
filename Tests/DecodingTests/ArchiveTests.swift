import Decoding
import Foundation
import TestSupport
import Testing

/// Members come out of every kind of archive, and whatever keeps one back is named.
@Suite(.serialized)
struct ArchiveTests {
  /// What reading an archive told, in a form to compare.
  struct Told: Equatable {
    var members: [String: [UInt8]] = [:]
    var paths: [String] = []
    var skipped: [String] = []
    var failures: [String: Unhashable] = [:]
    var unopened: [String: Unhashable] = [:]
    var ending: Unhashable?
  }

  func read(_ file: [UInt8], as type: MediaType? = nil, limits: ArchiveLimits = .init()) throws -> Told {
    var all = DecodingLimits()
    all.archive = limits
    let pool = limits == ArchiveLimits() ? try DecoderPool.shared.get() : try DecoderPool(size: 1, limits: all)
    return try read(file, as: type, from: pool)
  }

  /// - Parameter hook: Gets each event before it is noted, and the worker that reads.
  private func read(
    _ file: [UInt8], as type: MediaType?, from pool: DecoderPool, _ hook: (ArchiveEvent, CInt?) -> Void = { _, _ in }
  ) throws -> Told {
    var told = Told()
    var open: [String] = []
    let source = ByteSource(sizeInBytes: Int64(file.count)) { offset, buffer in
      let bytes = file[Int(offset)..<min(file.count, Int(offset) + buffer.count)]
      buffer.copyBytes(from: bytes)
      return bytes.count
    }
    let type = type ?? file.withUnsafeBytes(MediaType.sniff) ?? .zip
    told.ending = try pool.withArchiveLease { lease in
      let process = lease.process
      return try lease.readArchive(type, from: source) { event in
        hook(event, process)
        switch event {
        case .member(let member) where member.kind != .file: told.skipped.append(member.path)
        case .member(let member):
          told.paths.append(member.path)
          told.members[member.path] = []
        case .bytes(let bytes): told.members[told.paths.last!]! += bytes
        case .end(let failure): told.failures[told.paths.last!] = failure
        case .opened: open.append(told.paths.last!)
        case .closed(let reason): told.unopened[open.removeLast()] = reason
        case .storedDigest: break
        }
      }
    }
    return told
  }

  /// A tar file of members with these names and bytes, read with a worker whose process is known.
  private func tar(_ members: [(String, [UInt8])]) throws -> [UInt8] {
    let scratch = try TemporaryDirectory()
    for (name, bytes) in members { try Data(bytes).write(to: URL(filePath: scratch.path(name))) }
    _ = try run("/bin/tar", ["-C", scratch.path(""), "-cf", scratch.path("all.tar")] + members.map(\.0))
    return try [UInt8](Data(contentsOf: URL(filePath: scratch.path("all.tar"))))
  }

  @Test func aWorkersDeathCostsNothingOfAnArchive() throws {
    var random = SeededGenerator(seed: 31)
    let noise = (0..<3_000_000).map { _ in UInt8.random(in: 0...255, using: &random) }
    let file = try tar([("first", Array(noise[..<700])), ("noise", noise), ("inner.zip", archive("plain.zip")), ("last", [7])])
    let pool = try DecoderPool(size: 1)
    let whole = try read(file, as: .tar, from: pool)
    #expect(whole.ending == nil && whole.members["noise"] == noise && whole.paths.count > 4)
    /// Kills the worker at the nth event, counted from 0.
    func told(killingAt fatal: Int) throws -> (told: Told, events: Int) {
      var events = 0
      let told = try read(file, as: .tar, from: pool) { _, process in
        if events == fatal, let process { kill(process, SIGKILL) }
        events += 1
      }
      return (told, events)
    }
    let all = try told(killingAt: -1).events
    // Between members, within one, in the archive within the archive, and behind the last byte.
    for fatal in 0..<all {
      let (told, events) = try told(killingAt: fatal)
      #expect(told.ending == nil && told.members == whole.members && told.paths == whole.paths, "killed at \(fatal) of \(all)")
      #expect(told.unopened.isEmpty && told.failures.isEmpty && events >= all, "killed at \(fatal): \(events) events")
    }
  }

  @Test func anArchiveThatIsAnotherTheSecondTimeIsNotReadOn() throws {
    let files = try ["before", "after"].map { try tar([("one", [1]), ($0, Array(repeating: 9, count: 500_000)), ("last", [2])]) }
    #expect(files[0].count == files[1].count)
    let pool = try DecoderPool(size: 1)
    _ = try read(files[0], as: .tar, from: pool)
    var (file, paths): ([UInt8], [String]) = (files[0], [])
    let source = ByteSource(sizeInBytes: Int64(file.count)) { offset, buffer in
      let bytes = file[Int(offset)..<min(file.count, Int(offset) + buffer.count)]
      buffer.copyBytes(from: bytes)
      return bytes.count
    }
    let ending = try pool.withArchiveLease { lease in
      let process = lease.process
      return try lease.readArchive(.tar, from: source) { event in
        guard case .member(let member) = event else { return }
        paths.append(member.path)
        if member.path == "before", let process {
          kill(process, SIGKILL)
          file = files[1]
        }
      }
    }
    #expect(ending?.code == .crashed && paths == ["one", "before"])
  }

  func archive(_ name: String) throws -> [UInt8] {
    try [UInt8](Data(contentsOf: Corpus.packageRoot.appending(path: "testdata/archives/\(name)")))
  }

  @Test(
    arguments: [
      ("plain.zip", ""), ("plain.tar", ""), ("pax.tar", ""), ("plain.7z", ""), ("plain.tar.gz", ""),
      ("plain.tar.bz2", ""),
      ("plain.tar.xz", ""), ("plain.tar.zst", ""), ("plain.rar", ""), ("plain.cab", ""), ("plain.iso.gz", "data/"),
    ])
  func everyKindOfArchiveYieldsTheSameMembers(name: String, prefix: String) throws {
    let told = try read(archive(name))
    let expected = try read(archive("plain.zip")).members
    #expect(expected["note.txt"].map { String(decoding: $0, as: UTF8.self) } == "a note of no importance\n")
    for (path, bytes) in expected { #expect(told.members[prefix + path] == bytes, "\(path)") }
    #expect(told.members.count == expected.count + (prefix.isEmpty ? 0 : 1))
    #expect(told.ending == nil && told.failures.isEmpty && told.unopened.isEmpty)
  }

  @Test func aCompressedFileIsAnArchiveOfOne() throws {
    let folder = try TemporaryDirectory()
    for zeros in [0, 1, 511, 512, 1024, 300_000] {
      try Data(count: zeros).write(to: folder.url.appending(path: "zeros"))
      let packed = try run("/bin/gzip", ["-c", folder.path("zeros")]).output
      let told = try read([UInt8](packed))
      #expect(told.members == (zeros == 0 ? [:] : ["zeros": [UInt8](repeating: 0, count: zeros)]))
      #expect(told.ending == nil)
    }
  }

  @Test func encryptedMembersAreSaidToBe() throws {
    let told = try read(archive("encrypted.zip"))
    #expect(told.paths.contains("note.txt") && told.members["note.txt"] == [])
    #expect(told.failures["note.txt"] == Unhashable(.encrypted, "") && told.failures["note.txt"]?.reason == "encrypted")
  }

  @Test func archivesWithinArchivesAreOpenedToTheLimit() throws {
    let told = try read(archive("deep.zip"))
    #expect(told.paths == ["5.zip", "5.zip/4.zip", "5.zip/4.zip/3.zip", "5.zip/4.zip/3.zip/2.zip"])
    #expect(told.unopened["5.zip/4.zip/3.zip/2.zip"]?.reason == "limit: archives within archives, 4 deep")
    #expect(told.ending == nil)
    var limits = ArchiveLimits()
    limits.depth = 7
    let all = try read(archive("deep.zip"), limits: limits)
    #expect(
      all.paths.count == 8 && all.unopened.isEmpty && all.paths.last?.hasSuffix("0.zip/pictures/small.png") == true)
  }

  @Test func everyLimitIsNamedAndTheNextArchiveIsRead() throws {
    var entries = ArchiveLimits()
    entries.entries = 1
    #expect(
      try read(archive("plain.zip"), limits: entries).ending?.reason == "limit: more than 1 members in the archive")
    var bytes = ArchiveLimits()
    bytes.outputInBytes = 30
    let cut = try read(archive("plain.zip"), limits: bytes)
    #expect(
      cut.ending?.reason == "limit: more than 30 bytes out of the archive" && cut.members["note.txt"]?.count == 24)
    var ratio = ArchiveLimits()
    (ratio.ratio, ratio.ratioFreeInBytes) = (10, 0)
    let folder = try TemporaryDirectory()
    try Data(count: 1 << 20).write(to: folder.url.appending(path: "zeros"))
    let bomb = [UInt8](try run("/bin/gzip", ["-9c", folder.path("zeros")]).output)
    #expect(try read(bomb, limits: ratio).ending?.reason == "limit: more than 10 bytes out of each byte of the archive")

    var all = DecodingLimits()
    all.archive = bytes
    let pool = try DecoderPool(size: 1, limits: all)
    for _ in 0..<2 { #expect(try read(archive("plain.zip"), as: .zip, from: pool).ending?.code == .limit) }
  }

  @Test func timeThatRunsOutIsALimit() throws {
    var limits = ArchiveLimits()
    limits.time = .microseconds(1)
    let told = try read(archive("plain.tar.xz"), limits: limits)
    #expect(told.ending?.code == .limit && told.ending?.reason.hasPrefix("limit: 0") == true)
  }

  @Test func pathsAndLinksAreReportedAndNeverFollowed() throws {
    let folder = try TemporaryDirectory()
    let made = try run(
      "/bin/sh",
      [
        "-c",
        "cd \(folder.url.path) && echo a > a && ln -s /etc/hostname link && ln a again && mkfifo pipe && tar cf t.tar a link again pipe",
      ])
    #expect(made.exitCode == 0)
    let told = try read([UInt8](Data(contentsOf: folder.url.appending(path: "t.tar"))))
    #expect(told.paths == ["a"] && told.skipped == ["link", "again", "pipe"])
  }

  @Test func anErrorOfTheReaderPassesThroughAndTheNextArchiveIsRead() throws {
    struct Stop: Error {}
    let pool = try DecoderPool(size: 1)
    let source = ByteSource(sizeInBytes: 5000) { _, _ in throw Stop() }
    #expect(throws: Stop.self) {
      try pool.withArchiveLease { lease in try lease.readArchive(.zip, from: source) { _ in } }
    }
    #expect(try read(archive("plain.zip"), as: .zip, from: pool).members.count == 2)
  }

  @Test func everyPrefixOfAnArchiveEndsInMembersOrAReason() throws {
    for name in ["plain.zip", "plain.tar", "plain.rar", "plain.cab", "plain.7z", "plain.tar.gz"] {
      let whole = try archive(name)
      let members = try read(whole).members
      for length in stride(from: 0, to: whole.count, by: 97) {
        let type = whole.withUnsafeBytes(MediaType.sniff)
        let told = try read(Array(whole.prefix(length)), as: type)
        // Nothing is lost without a word: what came is right, and what is missing has a reason.
        let isWhole = told.members == members
        let isSaid = told.ending != nil || !told.failures.isEmpty
        #expect(isWhole || isSaid, "\(name) at \(length): \(told.paths)")
        for (path, bytes) in told.members where told.failures[path] == nil && path != told.paths.last {
          #expect(bytes == members[path], "\(name) at \(length): \(path)")
        }
      }
    }
  }

  @Test func mutatedArchivesNeverCrashAWorker() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("mutated archives: seed \(seed)")
    var random = SeededGenerator(seed: seed)
    let folder = Corpus.packageRoot.appending(path: "testdata/archives").path
    let names = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
    for round in 0..<300 {
      var file = try archive(names[round % names.count])
      let type = file.withUnsafeBytes(MediaType.sniff)
      for _ in 0..<Int.random(in: 1...20, using: &random) {
        file[Int.random(in: 0..<file.count, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      }
      let told = try read(file, as: type)
      let reasons = [told.ending].compactMap(\.self) + told.failures.values + told.unopened.values
      for reason in reasons {
        #expect(reason.code != .crashed && reason.code != .timedOut, "\(names[round % names.count]): \(reason.reason)")
        #expect(!reason.reason.isEmpty && reason.reason.utf8.allSatisfy { (0x20...0x7e).contains($0) })
      }
    }
  }
}
