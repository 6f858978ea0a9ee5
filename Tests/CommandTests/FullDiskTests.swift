import Foundation
import Glibc
import TestSupport
import Testing

/// `muhafiz list import` on a disk that is too small, a little larger each time, until it fits.
struct FullDiskTests {
  private let scratch = try! TemporaryDirectory()

  private func mount(_ options: String, at place: String) throws -> Bool {
    try run("/bin/mount", ["-t", "tmpfs", "-o", options, "none", place]).exitCode == 0
  }

  @Test func anImportThatDoesNotFitLeavesTheListBeforeInForce() throws {
    let disk = scratch.path("disk")
    try FileManager.default.createDirectory(atPath: disk, withIntermediateDirectories: true)
    guard geteuid() == 0, try mount("size=1m", at: disk) else {
      print("skipped: a full disk needs root and the right to mount")
      return
    }
    defer { _ = try? run("/bin/umount", ["-l", disk]) }
    func muhafiz(_ arguments: String...) throws -> ProgramResult {
      try run(builtProgram("muhafiz"), arguments, environment: ["MUHAFIZ_HOME": "\(disk)/home"])
    }
    func list(_ name: String, _ count: Int) throws -> (file: String, digest: String) {
      var generator = SeededGenerator(seed: UInt64(count))
      let digests = (0..<count).map { _ in generator.digest().hex }
      try Data(digests.joined(separator: "\n").utf8).write(to: URL(filePath: scratch.path(name)))
      return (scratch.path(name), digests[0])
    }
    let (old, new) = (try list("old", 1), try list("new", 1000))
    #expect(try muhafiz("list", "import", "--name", "national", old.file).exitCode == 0)
    let used = try FileManager.default.subpathsOfDirectory(atPath: disk).reduce(0) { total, path in
      let attributes = try FileManager.default.attributesOfItem(atPath: "\(disk)/\(path)")
      return attributes[.type] as? FileAttributeType == .typeRegular
        ? total + (attributes[.size] as! Int + 4095) / 4096 : total
    }
    var full = 0
    for pages in sequence(first: used, next: { $0 + 3 }) {
      #expect(try mount("remount,size=\(pages * 4096)", at: disk))
      let result = try muhafiz("list", "import", "--name", "national", "--confirm", new.file)
      if result.exitCode == 0 { break }
      full += 1
      #expect(
        result.exitCode == 13 && result.errorText.contains(/No space left on device|the disk is full/),
        "\(pages) pages: \(result.errorText)")
      #expect(try muhafiz("match", "sha256:\(old.digest)").exitCode == 1, "\(pages) pages")
      #expect(try muhafiz("match", "sha256:\(new.digest)").exitCode == 0, "\(pages) pages")
      #expect(try !FileManager.default.subpathsOfDirectory(atPath: disk).contains { $0.hasSuffix(".partial") })
      guard full < 100 else { break }
    }
    print(
      "full disk: \(full) imports ended with 13 and left the list before, three pages more each time; then it fitted")
    #expect(full > 1)
    #expect(try muhafiz("match", "sha256:\(new.digest)").exitCode == 1)
  }
}
