import Foundation
import Hashing
import Matching
import SystemPackage
import TestSupport
import Testing

@testable import Exchange

/// The lists that the corpus generates in the field's formats, and what it says an importer must count.
struct CorpusListTests {
  private let scratch = try! TemporaryDirectory()

  @Test(.enabled(if: Corpus.isPresent)) func countsWhatTheCorpusSaysOfEachFormat() throws {
    let out = scratch.path("lists")
    guard try Corpus.generate("make_lists.py", [out, "--entries", "400"]) else { return }
    let json = try Data(contentsOf: URL(filePath: out + "/expected.json"))
    let expected = try JSONSerialization.jsonObject(with: json) as! [String: [String: Any]]
    var seen = 0
    for (file, row) in expected where file != "utf16.txt" {
      var builder = HashListBuilder()
      let report = try ListImporter().read(FilePath(out).appending(file)) { try builder.add($0) }
      let information = HashListInformation(name: file, version: "1", source: file, created: Date())
      let counts = try builder.write(to: FilePath(out).appending("\(file).hashlist"), information: information).counts
      #expect(report.format.rawValue == row["format"] as! String, "\(file)")
      #expect(counts.accepted == row["accepted"] as! Int, "\(file)")
      #expect(counts.duplicates == row["duplicate"] as! Int, "\(file)")
      #expect(report.rejected == row["rejected"] as! Int, "\(file)")
      #expect(report.leftOut["photodna", default: 0] == row["photodna"] as? Int ?? 0, "\(file)")
      #expect(report.withdrawn == row["deleted"] as? Int ?? row["withdrawn"] as? Int ?? 0, "\(file)")
      seen += 1
    }
    #expect(seen == 19)
    #expect(throws: ExchangeError(.wrongEncoding, "")) {
      try ListImporter().read(FilePath(out).appending("utf16.txt")) { _ in }
    }
  }

  @Test(.enabled(if: Corpus.isPresent)) func readsEveryFrameOfTheVideoVectors() throws {
    let folder = Corpus.root.appending(path: "vectors/vpdq/hashes")
    for file in try FileManager.default.contentsOfDirectory(atPath: folder.path) {
      let text = try String(contentsOf: folder.appending(path: file), encoding: .utf8)
      let frames = text.split(whereSeparator: \.isNewline)
      let imported = try read(text)
      #expect(imported.report.format == .vpdq && imported.entries.count == 1 && imported.report.rejected == 0, "\(file)")
      #expect(imported.entries.first?.video?.frames.count == frames.count, "\(file)")
    }
  }
}
