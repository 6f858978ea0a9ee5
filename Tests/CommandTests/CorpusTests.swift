import Foundation
import TestSupport
import Testing

/// The whole program on the corpus's generated trees, held against what their makers know.
@Suite(.enabled(if: Corpus.isPresent)) struct CorpusTests {
  private let scratch = try! TemporaryDirectory()

  private func muhafiz(_ arguments: [String]) throws -> ProgramResult {
    try run(builtProgram("muhafiz"), arguments, environment: ["MUHAFIZ_HOME": scratch.path("home")])
  }

  /// Items of a report by path below `root`, and the summary.
  private func report(_ text: String, below root: String) throws -> (items: [Data: [String: Any]], summary: [String: Any]) {
    var items: [Data: [String: Any]] = [:]
    var summary: [String: Any] = [:]
    for line in text.split(separator: "\n") {
      let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as! [String: Any]
      switch object["type"] as! String {
      case "item":
        let path = (object["path"] as? String).map { Data($0.utf8) } ?? Data(base64Encoded: object["path_base64"] as! String)!
        items[path.dropFirst(root.utf8.count + 1)] = object
      case "summary": summary = object
      default: break
      }
    }
    return (items, summary)
  }

  @Test func everyPlantInASeizedTreeIsFound() throws {
    let (tree, truthFile, lists) = (scratch.path("tree"), scratch.path("truth.json"), scratch.path("lists"))
    let media = Corpus.root.appending(path: "media/photos").path
    guard try Corpus.generate("make_seized_tree.py", [tree, "--truth", truthFile, "--lists", lists, "--media", media]) else { return }
    for list in ["sha256", "md5", "pdq"] {
      #expect(try muhafiz(["list", "import", "--name", list, "\(lists)/known.\(list)"]).exitCode == 0)
    }
    let scan = try muhafiz(["scan", tree, "--all", "--format", "ndjson"])
    #expect(scan.exitCode == 1)
    let (items, summary) = try report(scan.text, below: tree)
    let truth = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(filePath: truthFile))) as! [String: Any]
    let files = truth["files"] as! [[String: Any]]
    var (exact, near) = (0, 0)
    for file in files {
      let path = file["path"] as! String
      let item = try #require(items[Data(path.utf8)], "\(path)")
      #expect(item["sha256"] as? String == file["sha256"] as? String && item["md5"] as? String == file["md5"] as? String, "\(path)")
      let matches = item["matches"] as! [[String: Any]]
      func entries(_ grades: Set<String>) -> [String] {
        matches.filter { grades.contains($0["grade"] as! String) }.map { $0["entry"] as! String }
      }
      let known = file["known"] as? String ?? ""
      if ["copy", "renamed", "wrong-extension"].contains(file["guise"] as? String) {
        #expect(entries(["exact"]) == [known], "\(path)")
        exact += 1
      } else {
        #expect(entries(["exact", "legacy-exact"]).isEmpty, "\(path)")
      }
      if let distance = file["reference_distance"] as? Int, distance <= 25 {
        #expect(entries(["near"]).contains(known), "\(path), \(file["guise"]!), \(distance) bits")
        near += 1
      }
    }
    let counts = ["hashed", "unhashable", "skipped", "errors"].map { summary[$0] as! Int }
    #expect(summary["found"] as! Int == counts.reduce(0, +) && summary["found"] as! Int == files.count && items.count == files.count)
    print("seized tree: \(files.count) files, \(exact) exact plants and \(near) changed pictures, all found")
  }

  @Test func everyHostileEntryHasItsState() throws {
    let (tree, expectedFile) = (scratch.path("hostile"), scratch.path("expected.jsonl"))
    guard try Corpus.generate("make_hostile.py", [tree, "--expected", expectedFile, "--mutations", "40"]) else { return }
    let list = Corpus.packageRoot.appending(path: "testdata/lists/known.pdq").path
    #expect(try muhafiz(["list", "import", "--name", "pdq", list]).exitCode == 0)
    let scan = try muhafiz(["scan", tree, "--all", "--format", "ndjson"])
    #expect(scan.exitCode == 3 || scan.exitCode == 4, "\(scan.exitCode) \(scan.errorText)")
    var (items, summary) = try report(scan.text, below: tree)
    let found = items.count
    for line in try String(contentsOfFile: expectedFile, encoding: .utf8).split(separator: "\n") {
      let row = try JSONSerialization.jsonObject(with: Data(line.utf8)) as! [String: String]
      let path = Data(base64Encoded: row["path_base64"]!)!
      let name = String(decoding: path, as: UTF8.self)
      let item = try #require(items[path], "\(name)")
      items[path] = nil
      if row["outcome"] == "limit" {
        // Pictures that claim too much say so; archives and animations are plain files, digested.
        #expect(item["status"] as? String == "hashed", "\(name)")
        if ["pixel-bomb", "claimed-size"].contains(row["kind"]) {
          #expect((item["reason"] as? String)?.hasPrefix("limit: ") == true && item["verdict"] == nil, "\(name)")
        }
      } else {
        #expect(item["status"] as? String == row["outcome"], "\(name)")
      }
      if let digest = row["sha256"] { #expect(item["sha256"] as? String == digest, "\(name)") }
    }
    #expect(items.isEmpty && summary["found"] as! Int == found)
    print("hostile tree: \(found) entries, each in its state")
  }

  /// Bit-exact vectors, packed as PNG by another program, come out of the whole program as they went in.
  @Test func rawVectorsThatArriveAsPNGHashAlike() throws {
    let folder = scratch.path("png")
    let script = """
      import csv, gzip, os, sys, numpy as np
      from PIL import Image
      root, out = sys.argv[1:]
      os.makedirs(out)
      for row in csv.DictReader(open(root + '/raw_expected.csv')):
          data = open(root + '/' + row['file'], 'rb').read()
          data = gzip.decompress(data) if row['file'].endswith('.gz') else data
          shape = (int(row['height']), int(row['width'])) + (() if row['layout'] == 'gray' else (3,))
          Image.fromarray(np.frombuffer(data, np.uint8).reshape(shape)).save(out + '/' + os.path.basename(row['file']) + '.png')
      """
    let named = ProcessInfo.processInfo.environment["MUHAFIZ_TEST_PYTHON"] ?? ""
    let made = try run("/usr/bin/env", [named.isEmpty ? "python3" : named, "-c", script, Corpus.root.appending(path: "vectors").path, folder])
    guard made.exitCode == 0 else {
      print("skipped: packing vectors as PNG needs Python with Pillow and numpy")
      return
    }
    let (items, _) = try report(try muhafiz(["hash", "--format", "ndjson", folder]).text, below: folder)
    let rows = try Corpus.table("vectors/raw_expected.csv")
    #expect(items.count == rows.count)
    for row in rows {
      let name = row["file"]!.split(separator: "/").last! + ".png"
      let item = try #require(items[Data(name.utf8)], "\(name)")
      #expect(item["pdq_quality"] as? Int == Int(row["quality"]!), "\(name)")
      if !name.hasPrefix("flat_") { #expect(item["pdq"] as? String == row["pdq_hex"], "\(name)") }
    }
  }
}
