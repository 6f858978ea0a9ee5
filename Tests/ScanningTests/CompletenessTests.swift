import Decoding
import Foundation
import Glibc
import Hashing
import Matching
import SystemPackage
import TestSupport
import Testing

@testable import Scanning

/// That nothing is missed, nothing is done twice, and nothing is touched.
struct CompletenessTests {
  private let scratch = try! TemporaryDirectory()
  private var tree: String { scratch.path("tree") }

  private func put(_ name: String, _ bytes: some Sequence<UInt8>) throws {
    let url = URL(filePath: "\(tree)/\(name)")
    try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(bytes).write(to: url)
  }

  private func scan(
    _ options: ScanOptions = ScanOptions(perceptual: false, archives: false, workers: 2),
    blocklist: Blocklist = Blocklist([]), control: ScanControl = ScanControl(), at path: String? = nil
  ) throws -> (items: [ScannedItem], summary: ScanSummary) {
    let decoders =
      options.needsDecoders ? try DecoderPool(size: 2, decoder: FilePath(builtProgram("muhafiz-decoder"))) : nil
    let scanner = ContentScanner(blocklist: blocklist, options: options, decoders: decoders, control: control)
    var items: [ScannedItem] = []
    let summary = try scanner.scan([FilePath(path ?? tree)]) { items.append($0) }
    return (items, summary)
  }

  private func count() -> Int? {
    let count = TreeCount()
    count.count([FilePath(tree)], measures: false)
    return count.total?.items
  }

  @Test func aFileWithSeveralNamesIsReadOnceAndReportedAtEach() throws {
    let archive = try [UInt8](Data(contentsOf: Corpus.packageRoot.appending(path: "testdata/archives/plain.zip")))
    try put("a/first", (0..<100_000).map { UInt8(truncatingIfNeeded: $0) })
    try put("archive.zip", archive)
    try FileManager.default.createDirectory(atPath: "\(tree)/b", withIntermediateDirectories: true)
    for name in ["a/second", "b/third", "zz"] { #expect(link("\(tree)/a/first", "\(tree)/\(name)") == 0) }
    #expect(link("\(tree)/archive.zip", "\(tree)/b/again.zip") == 0)
    for workers in [1, 4] {
      let control = ScanControl()
      let (items, summary) = try scan(ScanOptions(perceptual: false, workers: workers), control: control)
      let named = items.filter { $0.member == nil && $0.sizeInBytes == 100_000 }
      #expect(named.count == 4 && Set(named.map(\.fingerprint)).count == 1 && named[0].fingerprint != nil)
      #expect(Set(named.map { $0.place.path! }).count == 4)
      let members = items.filter { $0.member != nil }
      #expect(!members.isEmpty && members.count % 2 == 0 && Set(members.map { $0.place.path! }).count == 2)
      #expect(control.progress.bytesRead == Int64(100_000 + archive.count))
      #expect(control.progress.bytes == Int64(4 * 100_000 + 2 * archive.count))
      #expect(summary.counts.entries == 6 && count() == 6)
    }
  }

  @Test func whatWasForgottenOfAFileWithSeveralNamesIsReadAnew() throws {
    let links = LinkedContents()
    try put("a", "x".utf8)
    for name in ["b", "c"] { link("\(tree)/a", "\(tree)/\(name)") }
    var walk = DirectoryWalk([FilePath(tree)])
    var scans = 0
    while let entry = walk.next() {
      guard case .file(let file) = entry.kind else { continue }
      // One that could not be read is not taken for the others.
      let items = try links.items(of: file, at: entry.path, ScanControl(), emit: { _ in }) { _ in
        scans += 1
        return [ScannedItem(at: .file(entry.path), state: scans == 1 ? .error("input/output error") : .hashed)]
      }
      #expect(items.map(\.place) == [.file(entry.path)])
    }
    #expect(scans == 2)
  }

  @Test func theOrderOfReadingChangesNothing() throws {
    for number in 0..<400 { try put("\(number * 7 % 11)/\(number)", "\(number)".utf8) }
    let first = try scan(ScanOptions(perceptual: false, archives: false, workers: 1))
    for (workers, order) in [(4, ScanOrder.path), (1, .inode), (4, .inode)] {
      let other = try scan(ScanOptions(perceptual: false, archives: false, workers: workers, order: order))
      #expect(other.summary.reportDigest == first.summary.reportDigest && other.items.count == 400)
    }
  }

  @Test func treesDeeperThanFilesMayBeOpenAreWalked() throws {
    var limit = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    let depth = isLongRun ? 20_000 : 3000
    print("deep tree: \(depth) levels, \(limit.rlim_cur) files may be open")
    try put("after", "1".utf8)
    mkdir("\(tree)/d", 0o700)
    var folder = open("\(tree)/d", O_RDONLY | O_DIRECTORY)
    for level in 0..<depth {
      mkdirat(folder, "d", 0o700)
      if level % 500 == 0 { close(openat(folder, "e", O_CREAT | O_WRONLY, 0o600)) }
      let next = openat(folder, "d", O_RDONLY | O_DIRECTORY)
      close(folder)
      folder = next
    }
    close(openat(folder, "bottom", O_CREAT | O_WRONLY, 0o600))
    close(folder)
    // Foundation cannot remove what has so long a path.
    defer { _ = try? run("/bin/rm", ["-rf", tree]) }
    let (items, summary) = try scan()
    let files = 2 + (depth + 499) / 500
    #expect(items.count == files && items.allSatisfy { $0.state == .hashed } && count() == files)
    #expect(summary.counts.isComplete)
  }

  @Test func aSparseFileEndsByItsLimit() throws {
    try put("small", "x".utf8)
    for (name, size) in [("huge", Int(1) << 40), ("holes", 1 << 22)] {
      close(open("\(tree)/\(name)", O_CREAT | O_WRONLY, 0o600))
      #expect(truncate("\(tree)/\(name)", size) == 0)
    }
    var options = ScanOptions(perceptual: false, archives: false, workers: 2)
    let (items, summary) = try scan(options)
    #expect(items.map { $0.state.name } == ["hashed", "unhashable", "hashed"])
    #expect(
      items[1].state.reason?.hasPrefix("limit: ") == true && items[1].verdict == nil && !summary.counts.isComplete)
    options.holesInBytes = 1 << 20
    #expect(try scan(options).items.map { $0.state.name } == ["unhashable", "unhashable", "hashed"])
  }

  @Test func whatIsKnownToBeGoodIsNotLookedAt() throws {
    let picture = try [UInt8](Data(contentsOf: Corpus.packageRoot.appending(path: "testdata/pictures/dunes.jpg")))
    try put("known.jpg", picture)
    let digests = try picture.withUnsafeBytes { try Digester.digests(of: $0, [.md5, .sha256]) }
    func list(_ name: String, _ entry: ListEntry) throws -> HashList {
      try buildList([entry], at: scratch.path(name), name: name)
      return try HashList(opening: FilePath(scratch.path(name)))
    }
    let good = Blocklist.Member(
      list: try list("good", ListEntry(id: "g", recordNumber: 1, digests: [digests[1]])), action: .known)
    let options = ScanOptions(archives: false, workers: 1)
    let known = try scan(options, blocklist: Blocklist([good]))
    #expect(known.items[0].verdict == .known && known.items[0].perceptual == .notDue)
    #expect(known.items[0].fingerprint?.perceptualHash == nil && known.summary.counts.known == 1)
    // MD5 alone can be made to agree: then it is looked at.
    let weak = Blocklist.Member(
      list: try list("weak", ListEntry(id: "w", recordNumber: 1, digests: [digests[0]])), action: .known)
    #expect(try scan(options, blocklist: Blocklist([weak])).items[0].perceptual == .hashed)
    // A conflict is shown, and the block counts.
    let block = Blocklist.Member(list: try list("block", ListEntry(id: "b", recordNumber: 1, digests: [digests[1]])))
    let item = try scan(options, blocklist: Blocklist([good, block])).items[0]
    #expect(
      item.verdict == .block && Set(item.matches.map(\.list.name)) == ["good", "block"] && item.perceptual == .hashed)
  }

  /// A file system in a file, of which a part is taken away while it is mounted.
  @Test func sectorsThatCannotBeReadCostTheirFilesAlone() throws {
    guard geteuid() == 0, FileManager.default.isExecutableFile(atPath: "/usr/sbin/mkfs.ext4") else {
      print("skipped: needs root and mkfs.ext4")
      return
    }
    for number in 0..<40 { try put("\(number)", (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* number) }) }
    let (image, mount, home) = (scratch.path("image"), scratch.path("mount"), FilePath(scratch.path("home")))
    close(open(image, O_CREAT | O_WRONLY, 0o600))
    #expect(truncate(image, 12 << 20) == 0)
    let made = try run("/usr/sbin/mkfs.ext4", ["-q", "-O", "^has_journal", "-d", tree, image])
    try FileManager.default.createDirectory(atPath: mount, withIntermediateDirectories: true)
    guard made.exitCode == 0, try run("/bin/mount", ["-o", "ro,loop", image, mount]).exitCode == 0 else {
      print("skipped: needs the right to mount: \(made.errorText)")
      return
    }
    let whole = try scan(at: mount)
    #expect(whole.summary.counts.hashed == 40 && whole.summary.counts.isComplete)
    _ = try run("/bin/umount", [mount])
    let content = try Data(contentsOf: URL(filePath: image))
    #expect(try run("/bin/mount", ["-o", "ro,loop", image, mount]).exitCode == 0)
    // What the device had is gone from here on; folders and inodes lie before it.
    #expect(truncate(image, 3 << 20) == 0)
    let journals = ScanJournals(home: home)
    let plan = JournalTests.plan()
    let scanner = { (journal: ScanJournal) in
      ContentScanner(
        blocklist: Blocklist([]), options: ScanOptions(perceptual: false, archives: false, workers: 2), decoders: nil,
        journal: journal)
    }
    var items: [ScannedItem] = []
    let part = try scanner(journals.begin(plan)).scan([FilePath(mount)]) { items.append($0) }
    let failed = items.filter { $0.state == .error("input/output error") }
    #expect(part.counts.errors == failed.count && failed.count > 0 && part.counts.hashed > 0 && !part.counts.isComplete)
    #expect(part.counts.found == 40)
    // Put back, the scan goes on and has everything.
    _ = try run("/bin/umount", ["-l", mount])
    try content.write(to: URL(filePath: image))
    #expect(try run("/bin/mount", ["-o", "ro,loop", image, mount]).exitCode == 0)
    defer { _ = try? run("/bin/umount", ["-l", mount]) }
    let rest = try scanner(journals.resume(plan.run)).scan([FilePath(mount)]) { _ in }
    #expect(rest.reportDigest == whole.summary.reportDigest && rest.resumption!.taken == part.counts.hashed)
    print("medium: \(failed.count) of 40 files could not be read and were named; all were found when it came back")
  }

  @Test func evidenceIsTheSameBeforeAndAfter() throws {
    for folder in ["pictures", "archives", "broken"] {
      let source = Corpus.packageRoot.appending(path: "testdata/\(folder)").path
      try FileManager.default.createDirectory(atPath: tree, withIntermediateDirectories: true)
      try FileManager.default.copyItem(atPath: source, toPath: "\(tree)/\(folder)")
    }
    mkfifo("\(tree)/fifo", 0o600)
    symlink("loop", "\(tree)/loop")
    func attributes(_ call: String) throws -> String {
      try run("/usr/bin/python3", ["-c", "import os, sys; print(os.\(call))", "\(tree)/pictures/dunes.jpg"]).text
    }
    _ = try attributes("setxattr(sys.argv[1], 'user.muhafiz', b'x')")
    func manifest() throws -> String {
      let times = try run("/usr/bin/find", [tree, "-printf", "%p %y %A@ %T@ %C@ %s %n %m %U %G\\n"]).text
      return try times + attributes("listxattr(sys.argv[1])")
    }
    // Once looked at, so that nothing but the scan is between the two.
    _ = try manifest()
    let before = try manifest()
    for order in ScanOrder.allCases {
      let (items, _) = try scan(ScanOptions(workers: 2, order: order))
      #expect(items.contains { $0.member != nil } && items.contains { $0.fingerprint?.perceptualHash != nil })
      #expect(try manifest() == before)
    }
    guard geteuid() == 0, try run("/bin/mount", ["--bind", tree, tree]).exitCode == 0 else { return }
    defer { _ = try? run("/bin/umount", ["-l", tree]) }
    let whole = try scan(ScanOptions(workers: 2))
    #expect(try run("/bin/mount", ["-o", "remount,bind,ro", tree]).exitCode == 0)
    #expect(try scan(ScanOptions(workers: 2)).summary.reportDigest == whole.summary.reportDigest)
  }

  @Test func aDeviceIsNamedAsTheKernelKnowsIt() throws {
    let sys = scratch.path("sys")
    let disk = "\(sys)/devices/pci/ata1/block/sdb"
    for (path, text) in [
      ("\(disk)/size", "1953525168\n"), ("\(disk)/device/model", "WDC WD10EZEX   \n"),
      ("\(disk)/sdb1/partition", "1\n"),
      ("\(disk)/device/vpd_pg80", "\u{0}\u{0}\u{0}\u{10}     WD-WCC6Y1234567"),
    ] {
      let url = URL(filePath: path)
      try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(text.utf8).write(to: url)
    }
    try FileManager.default.createDirectory(atPath: "\(sys)/dev/block", withIntermediateDirectories: true)
    symlink("\(disk)/sdb1", "\(sys)/dev/block/8:17")
    let device = try #require(SourceDevice(number: 8 << 8 | 17, path: "/mnt", sys: FilePath(sys)))
    #expect(device.name == "sdb1" && device.model == "WDC WD10EZEX" && device.serial == "WD-WCC6Y1234567")
    #expect(device.sizeInBytes == 1_000_204_886_016)
    #expect(SourceDevice(number: 7, path: "/mnt", sys: FilePath(sys)) == nil)
    #expect(SourceDevice(of: "/nowhere at all") == nil)
  }
}
