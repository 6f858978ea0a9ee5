import Foundation
import TestSupport
import Testing

/// A bundle of hashes that somebody makes of files that stay where they are.
struct SubmissionTests {
  private let scratch = try! TemporaryDirectory()
  private static let testdata = Corpus.packageRoot.appending(path: "testdata").path

  private func muhafiz(_ arguments: String...) throws -> ProgramResult {
    try run(builtProgram("muhafiz"), arguments, environment: ["MUHAFIZ_HOME": scratch.path("home")], in: scratch.url)
  }

  @Test func aBundleHoldsHashesOnlyAndBecomesAList() throws {
    let own = scratch.url.appending(path: "private name")
    try FileManager.default.createDirectory(at: own, withIntermediateDirectories: true)
    for (name, copy) in [("dunes", "one"), ("harbour", "two"), ("dunes", "one again")] {
      try FileManager.default.copyItem(
        atPath: "\(Self.testdata)/pictures/\(name).jpg", toPath: own.appending(path: "\(copy).jpg").path)
    }
    let made = try muhafiz("hash", "--submission", "-o", "bundle.csv", own.path)
    #expect(made.exitCode == 0 && made.text.isEmpty && made.errorText.contains("2 contents in the bundle"))
    let text = try String(contentsOf: scratch.url.appending(path: "bundle.csv"), encoding: .utf8)
    let lines = text.split(separator: "\n")
    #expect(lines.count == 3 && lines[1] < lines[2])
    // Nothing but hexadecimal digits, a quality and the heading.
    #expect(
      lines.dropFirst().allSatisfy {
        $0.wholeMatch(of: /[0-9a-f]{64},[0-9a-f]{40},[0-9a-f]{32},[0-9a-f]{64},\d+/) != nil
      })
    #expect(!text.contains("private") && !text.contains("one"))
    #expect(try muhafiz("list", "import", "--name", "submitted", "bundle.csv").exitCode == 0)
    #expect(try muhafiz("scan", "\(Self.testdata)/changed/dunes-saved-again.jpg").text.contains("submitted"))
    #expect(try muhafiz("scan", "\(Self.testdata)/pictures/harbour.jpg").exitCode == 1)
  }

  @Test func whatCannotBeHashedIsSaidAndNeverLeftOutInSilence() throws {
    let result = try muhafiz("hash", "--submission", "\(Self.testdata)/broken/half-a-lagoon.jpg")
    // Its digests were taken; that it has no perceptual hash makes the run incomplete.
    #expect(result.exitCode == 3 && result.text.split(separator: "\n").count == 2)
  }
}
