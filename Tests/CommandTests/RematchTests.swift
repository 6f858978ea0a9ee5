import Foundation
import TestSupport
import Testing

/// Lists of a later day, asked for what an earlier scan has seen.
struct RematchTests {
  private let scratch = try! TemporaryDirectory()
  private static let testdata = Corpus.packageRoot.appending(path: "testdata").path

  private func muhafiz(_ arguments: String...) throws -> ProgramResult {
    try run(
      builtProgram("muhafiz"), arguments, environment: ["MUHAFIZ_HOME": scratch.path("home")], in: scratch.url)
  }

  private func importList(_ name: String, _ lines: [String], _ options: String...) throws {
    let file = scratch.url.appending(path: "list")
    try Data(lines.joined(separator: "\n").utf8).write(to: file)
    let result = try run(
      builtProgram("muhafiz"), ["list", "import", "--name", name] + options + [file.path],
      environment: ["MUHAFIZ_HOME": scratch.path("home")])
    #expect(result.exitCode == 0, "\(result.errorText)")
  }

  private func lines(_ text: String) throws -> [[String: Any]] {
    try text.split(separator: "\n").map { try JSONSerialization.jsonObject(with: Data($0.utf8)) as! [String: Any] }
  }

  private let unlisted = "sha256:" + String(repeating: "ab", count: 32)

  /// An exhibit of three pictures and a text, scanned against a list that has none of them, and then gone.
  private func scanAndRemove() throws {
    let exhibit = scratch.url.appending(path: "exhibit")
    try FileManager.default.createDirectory(at: exhibit, withIntermediateDirectories: true)
    for (file, name) in [
      ("pictures/dunes.jpg", "a.jpg"), ("changed/ridge-mirrored.jpg", "b.jpg"), ("pictures/steppe.jpg", "c.jpg"),
    ] {
      try FileManager.default.copyItem(atPath: "\(Self.testdata)/\(file)", toPath: exhibit.appending(path: name).path)
    }
    try Data("abc".utf8).write(to: exhibit.appending(path: "d.txt"))
    try importList("national", [unlisted])
    let scan = try muhafiz("scan", "exhibit", "--record", "--exhibit", "EX-1")
    #expect(scan.exitCode == 0, "\(scan.errorText)")
    try FileManager.default.removeItem(at: exhibit)
  }

  @Test func aListedItemIsFoundWithoutTheEvidenceAndItsVersionIsNamed() throws {
    try scanAndRemove()
    let nothing = try muhafiz("rematch")
    #expect(nothing.exitCode == 0 && nothing.text.contains("4 contents compared, 0 match"), "\(nothing.text)")

    // What 'abc' digests to comes with one version, the pictures with a list that was not in force then.
    let abc = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    try importList("national", [unlisted, abc], "--version", "second")
    try importList("national", [unlisted, abc, "sha256:" + String(repeating: "cd", count: 32)], "--version", "third")
    let pdq = try String(contentsOfFile: "\(Self.testdata)/lists/known.pdq", encoding: .utf8)
    try importList("national-pdq", [pdq])

    let found = try muhafiz("rematch", "--format", "ndjson")
    #expect(found.exitCode == 1, "\(found.errorText)")
    let items = try lines(found.text).filter { $0["type"] as? String == "item" }
    #expect(items.map { $0["path"] as? String }.sorted { $0! < $1! } == ["a.jpg", "b.jpg", "d.txt"], "\(found.text)")
    let text = try #require(items.first { $0["path"] as? String == "d.txt" }?["new"] as? [[String: Any]])
    #expect(text.count == 1 && text[0]["since"] as? String == "second" && text[0]["listed_then"] as? Bool == false)
    // A mirrored picture: the turned hashes were kept too.
    let mirrored = try #require(items.first { $0["path"] as? String == "b.jpg" })
    #expect(mirrored["verdict"] as? String == "review" && mirrored["exhibit"] as? String == "EX-1")
    let new = try #require(mirrored["new"] as? [[String: Any]])
    #expect(new[0]["used_then"] == nil && new[0]["list"] as? String == "national-pdq")
    #expect(try muhafiz("case", "list").text.contains("C-000001") == false)

    let recorded = try muhafiz("rematch", "--record", "--exhibit", "EX-1")
    #expect(recorded.exitCode == 1 && recorded.errorText.contains("3 new findings"), "\(recorded.errorText)")
    #expect(recorded.text.contains("listed since second; version"), "\(recorded.text)")
    #expect(try muhafiz("case", "list").text.contains("C-000003"))
    // It is in the record now, so it is new no more.
    #expect(try muhafiz("rematch").exitCode == 0)
    #expect(try muhafiz("rematch", "--exhibit", "EX-2").text.contains("0 contents compared"))
    #expect(try muhafiz("ledger", "verify").exitCode == 0)
  }

  @Test func whatCannotBeComparedIsNotClear() throws {
    try scanAndRemove()
    // No MD5 was taken then, because no list was asked by it.
    try importList("old", ["md5:" + String(repeating: "ab", count: 16)])
    let result = try muhafiz("rematch")
    #expect(result.exitCode == 3 && result.text.contains("INCOMPLETE: 4 contents lack a digest"), "\(result.text)")
  }
}
