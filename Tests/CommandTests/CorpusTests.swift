import Foundation
import TestSupport
import Testing

/// The whole program on the corpus's generated trees, held against what their makers know.
@Suite(.enabled(if: Corpus.isPresent)) struct CorpusTests {
  private let scratch = try! TemporaryDirectory()

  private func muhafiz(_ arguments: [String]) throws -> ProgramResult {
    try run(builtProgram("muhafiz"), arguments, environment: ["MUHAFIZ_HOME": scratch.path("home")])
  }

  /// Items of a report by path below `root`, their members by path and member, and the summary.
  private func report(
    _ text: String, below root: String
  ) throws -> (items: [Data: [String: Any]], members: [String: [String: Any]], summary: [String: Any]) {
    var items: [Data: [String: Any]] = [:]
    var members: [String: [String: Any]] = [:]
    var summary: [String: Any] = [:]
    for line in text.split(separator: "\n") {
      let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as! [String: Any]
      switch object["type"] as! String {
      case "item":
        let path = (object["path"] as? String).map { Data($0.utf8) } ?? Data(base64Encoded: object["path_base64"] as! String)!
        let place = path.dropFirst(root.utf8.count + 1)
        if let member = object["member"] as? String {
          members[String(decoding: place, as: UTF8.self) + "/" + member] = object
        } else {
          items[place] = object
        }
      case "summary": summary = object
      default: break
      }
    }
    return (items, members, summary)
  }

  @Test func everyPlantInASeizedTreeIsFound() throws {
    let (tree, truthFile, lists) = (scratch.path("tree"), scratch.path("truth.json"), scratch.path("lists"))
    let media = Corpus.root.appending(path: "media/photos").path
    guard try Corpus.generate("make_seized_tree.py", [tree, "--truth", truthFile, "--lists", lists, "--media", media]) else {
      return
    }
    for list in ["sha256", "md5", "pdq"] {
      #expect(try muhafiz(["list", "import", "--name", list, "\(lists)/known.\(list)"]).exitCode == 0)
    }
    let scan = try muhafiz(["scan", tree, "--all", "--format", "ndjson"])
    #expect(scan.exitCode == 1)
    let (items, members, summary) = try report(scan.text, below: tree)
    let truth = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(filePath: truthFile))) as! [String: Any]
    let files = truth["files"] as! [[String: Any]]
    var (exact, near, packed) = (0, 0, 0)
    for file in files {
      let path = file["path"] as! String
      let item = try #require(items[Data(path.utf8)], "\(path)")
      #expect(
        item["sha256"] as? String == file["sha256"] as? String && item["md5"] as? String == file["md5"] as? String, "\(path)")
      let matches = item["matches"] as! [[String: Any]]
      func entries(_ grades: Set<String>) -> [String] {
        matches.filter { grades.contains($0["grade"] as! String) }.map { $0["entry"] as! String }
      }
      let known = file["known"] as? String ?? ""
      if ["copy", "renamed", "wrong-extension"].contains(file["guise"] as? String) {
        #expect(entries(["exact"]) == [known], "\(path)")
        exact += 1
      } else if let member = file["member"] as? String {
        let item = try #require(members["\(path)/\(member)"], "\(path): \(member)")
        let matches = item["matches"] as! [[String: Any]]
        let exactEntries = matches.filter { $0["grade"] as! String == "exact" }.map { $0["entry"] as! String }
        #expect(exactEntries == [known], "\(path): \(member)")
        packed += 1
      } else {
        #expect(entries(["exact", "legacy-exact"]).isEmpty, "\(path)")
      }
      if let distance = file["reference_distance"] as? Int, distance <= 25 {
        #expect(entries(["near"]).contains(known), "\(path), \(file["guise"]!), \(distance) bits")
        near += 1
      }
    }
    let counts = ["hashed", "unhashable", "skipped", "errors"].map { summary[$0] as! Int }
    #expect(summary["found"] as! Int == counts.reduce(0, +) && items.count == files.count && packed > 0)
    #expect(summary["found"] as! Int == items.count + members.count)
    print(
      "seized tree: \(files.count) files and \(members.count) members, \(exact) exact plants, \(packed) in archives and "
        + "\(near) changed pictures, all found")
  }

  @Test func everyHostileEntryHasItsState() throws {
    let (tree, expectedFile) = (scratch.path("hostile"), scratch.path("expected.jsonl"))
    guard try Corpus.generate("make_hostile.py", [tree, "--expected", expectedFile, "--mutations", "40"]) else { return }
    let list = Corpus.packageRoot.appending(path: "testdata/lists/known.pdq").path
    #expect(try muhafiz(["list", "import", "--name", "pdq", list]).exitCode == 0)
    // A tenth of the entries that are allowed by default: the bomb has 150 000, and each is an item of the report.
    let scan = try muhafiz(["scan", tree, "--all", "--format", "ndjson", "--limit-entries", "20000"])
    #expect(scan.exitCode == 3 || scan.exitCode == 4, "\(scan.exitCode) \(scan.errorText)")
    var (items, members, summary) = try report(scan.text, below: tree)
    let found = items.count
    var limited = 0
    for line in try String(contentsOfFile: expectedFile, encoding: .utf8).split(separator: "\n") {
      let row = try JSONSerialization.jsonObject(with: Data(line.utf8)) as! [String: String]
      let path = Data(base64Encoded: row["path_base64"]!)!
      let name = String(decoding: path, as: UTF8.self)
      let item = try #require(items[path], "\(name)")
      items[path] = nil
      if row["outcome"] == "limit" && row["kind"] != "frame-bomb" {
        // What is stopped says so where it is stopped: a picture, an archive, or the innermost archive that was opened.
        let inside = members.filter { $0.key.hasPrefix(name + "/") }.map(\.value)
        let stopped = ([item] + inside).filter { ($0["reason"] as? String)?.hasPrefix("limit: ") == true }
        #expect(
          item["status"] as? String == "hashed" && !stopped.isEmpty && stopped.allSatisfy { $0["verdict"] == nil }, "\(name)")
        limited += 1
      } else if row["outcome"] == "limit" {
        #expect(item["status"] as? String == "hashed", "\(name)")
      } else {
        // A further name of a file is reported with what was found under the first.
        let outcome = row["kind"] == "hard-link" ? "hashed" : row["outcome"]
        #expect(item["status"] as? String == outcome, "\(name)")
      }
      if let digest = row["sha256"] { #expect(item["sha256"] as? String == digest, "\(name)") }
    }
    let counts = ["hashed", "unhashable", "skipped", "errors"].map { summary[$0] as! Int }
    #expect(items.isEmpty && summary["found"] as! Int == found + members.count && summary["found"] as! Int == counts.reduce(0, +))
    #expect(members["archive/slip.zip/../../../slip.txt"]?["status"] as? String == "hashed")
    #expect(members["archive/symlink.tar/link"]?["status"] as? String == "skipped")
    #expect(members["archive/corrupt.zip/a.jpg"]?["status"] as? String == "unhashable")
    print("hostile tree: \(found) entries and \(members.count) members, each in its state, \(limited) stopped by limits")
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
    let made = try run(
      "/usr/bin/env", [named.isEmpty ? "python3" : named, "-c", script, Corpus.root.appending(path: "vectors").path, folder])
    guard made.exitCode == 0 else {
      print("skipped: packing vectors as PNG needs Python with Pillow and numpy")
      return
    }
    let (items, _, _) = try report(try muhafiz(["hash", "--format", "ndjson", folder]).text, below: folder)
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
