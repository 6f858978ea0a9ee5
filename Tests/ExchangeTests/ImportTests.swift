import Foundation
import Hashing
import Matching
import SystemPackage
import TestSupport
import Testing

@testable import Exchange

struct ImportTests {
  @Test func readsPlainLinesByLengthAndByName() throws {
    let text =
      "\u{FEFF}# a comment\r\n\(md5.uppercased())\r\n\n  \(sha1)\t\n\"\(sha256)\"\nSHA-256:\(sha256)\npdq:\(pdq)"
    let imported = try read(text)
    #expect(imported.report.format == .plain)
    #expect(imported.hashes == ["md5:\(md5)", "sha1:\(sha1)", "sha256:\(sha256)", "sha256:\(sha256)", "pdq:\(pdq)"])
    #expect(imported.entries.map(\.recordNumber) == [2, 4, 5, 6, 7])
  }

  @Test func readsSumLinesOfBothKinds() throws {
    let text = """
      \(sha256)  a file.jpg
      \(md5) *binary
      \\\(sha1)  new\\nline\\\\back
      SHA256 (odd) = name) = \(sha256)
      MD5 (x (v2).jpg) = \(md5)

      """
    let imported = try read(text)
    #expect(imported.report.format == .sums && imported.report.rejected == 0)
    #expect(imported.ids == ["a file.jpg", "binary", "new\nline\\back", "odd) = name", "x (v2).jpg"])
  }

  @Test func readsZeroTerminatedSums() throws {
    let imported = try read("\(sha256)  with\nline feed\0\(md5)  b\0")
    #expect(imported.ids == ["with\nline feed", "b"])
  }

  @Test func readsCSVByHeaderOrByMapping() throws {
    let text = "File_Name;SHA-256;Category;MD5;Contributor\n\"a; \"\"b\"\"\nc\";\(sha256);2;\(md5);Agency\nd;;;;\n"
    let imported = try read(text) { $0.categoryScheme = "S" }
    #expect(imported.report.format == .csv)
    #expect(imported.ids == ["a; \"b\"\nc"])
    #expect(imported.entries[0].digests.count == 2 && imported.entries[0].contributor == "Agency")
    #expect(imported.entries[0].category == Category(scheme: "S", label: "2"))
    #expect(imported.report.firstRejections.map(\.reason) == ["no hash in the record"])
    let mapped = try read("x\t\(sha256)\ty\nz\t\(sha256.reversed().map(String.init).joined())\tw\n") {
      $0.format = .csv
      $0.hasHeader = false
      $0.columns = [ColumnMapping("sha256=2")!, ColumnMapping("id=3")!]
    }
    #expect(mapped.ids == ["y", "w"])
    #expect(throws: ExchangeError(.unknownColumn, "")) { try read(text) { $0.columns = [ColumnMapping("sha256=9")!] } }
    #expect(throws: ExchangeError(.unknownColumn, "")) {
      try read(text) { $0.columns = [ColumnMapping("md5=Nowhere")!] }
    }
    #expect(throws: ExchangeError(.missingHeader, "")) { try read("a,b\n1,2\n") { $0.format = .csv } }
    #expect(ColumnMapping("sha256") == nil && ColumnMapping("size=1") == nil)
  }

  @Test func readsHashdeepWithCommasInNames() throws {
    let text = """
      %%%% HASHDEEP-1.0
      %%%% SIZE,md5,sha256,tiger,filename
      ## Invoked from: /cases/demo
      3,\(md5),\(sha256),0011,/a,b.jpg
      and the name goes on
      3,\(md5),short,0011,/c
      """
    let imported = try read(text)
    #expect(imported.report.format == .hashdeep && imported.ids == ["/a,b.jpg", "/c"])
    #expect(imported.entries.map(\.digests.count) == [2, 1])
    #expect(imported.report.warnings.count == 1 && imported.report.rejected == 1)
    #expect(throws: ExchangeError(.missingHeader, "")) { try read("3,\(md5),x\n") { $0.format = .hashdeep } }
  }

  @Test func tellsPDQFromSHA256() throws {
    #expect(try read("\(pdq),bridge.jpg\n").hashes == ["pdq:\(pdq)"])
    #expect(try read("\(pdq)\n").hashes == ["sha256:\(pdq)"])
    #expect(try read("\(pdq)\n", name: "hashes.pdq").hashes == ["pdq:\(pdq)"])
    #expect(try read("\(pdq)\n") { $0.format = .pdq }.hashes == ["pdq:\(pdq)"])
  }

  @Test func refusesRecordsWithTheirLineAndReason() throws {
    let bad: [(String, String)] = [
      (String(md5.dropLast()), "31 characters"), (sha256.replacing("b", with: "g"), "not a hex digit"),
      (emptySHA256, "empty file"), ("\u{202E}" + sha256, "67 characters"), ("\u{1B}[31m" + md5, "37 characters"),
      ("md4:" + md5, "not an algorithm"), ("sha1:" + md5, "sha1 has 32 hex digits, expected 40"),
      ("pdq:" + String(repeating: "0", count: 64), "nearly constant"),
      (String(repeating: "a", count: 1_000_000), "longer than"),
    ]
    let imported = try read(([md5] + bad.map(\.0) + [sha1]).joined(separator: "\n"))
    #expect(imported.hashes == ["md5:\(md5)", "sha1:\(sha1)"])
    #expect(imported.report.rejected == bad.count)
    for (rejection, (line, reason)) in zip(imported.report.firstRejections, bad) {
      #expect(rejection.reason.contains(reason), "\(rejection)")
      #expect(!rejection.reason.contains(line.prefix(16)), "a message holds no hash")
      #expect(rejection.reason.unicodeScalars.allSatisfy { $0.isASCII && $0.value >= 0x20 })
    }
    #expect(imported.report.firstRejections.map(\.recordNumber) == Array(2..<2 + bad.count))
    let quality = try read("pdq,quality\n\(pdq),49\n\(pdq),50\n")
    #expect(quality.hashes.count == 1 && quality.report.rejected == 1)
  }

  @Test func strictRefusesTheWholeFile() throws {
    #expect(throws: ExchangeError(.rejectedRecord, "")) { try read("\(md5)\nnonsense\n") { $0.strict = true } }
  }

  @Test func refusesWhatIsNoListInText() throws {
    #expect(throws: ExchangeError(.wrongEncoding, "")) { try read(sha256.data(using: .utf16)!) }
    #expect(throws: ExchangeError(.malformed, "")) { try read("SQLite format 3\0") }
    for text in ["<xml/>", "{\"value\":[]}", "[]", "hello\nworld\n", ""] {
      #expect(throws: ExchangeError(.unknownFormat, "")) { try read(text) }
    }
    #expect(throws: ExchangeError(.cannotRead, "")) { try ListImporter().read("/nowhere/at all") { _ in } }
  }

  @Test func aLoneQuoteCostsOneLineAndNoOther() throws {
    let rows = (0..<3000).map { "\(md5),\(sha1),name \($0)" }
    let middle =
      "md5,sha1,id\n" + rows[..<10].joined(separator: "\n") + "\n\(md5),\(sha1),\"lone\n"
      + rows[10...].joined(separator: "\n")
    let imported = try read(middle)
    #expect(imported.entries.count == 3000 && imported.reasons == ["a quote is not closed within 65536 bytes"])
    #expect(
      imported.report.firstRejections.map(\.recordNumber) == [12] && imported.entries.map(\.recordNumber).last == 3002)
    let last = try read("md5,id\n\(md5),\"x\n\(md5),y\n\(md5),z")
    #expect(last.ids == ["y", "z"] && last.reasons == ["a quote is not closed by the end of the file"])
  }

  @Test func aMillionMalformedLinesAreEachCounted() throws {
    // Each line with whether it is refused. One in ten is good, one is blank.
    let block: [(String, Bool)] = [
      (sha256, false), ("", false), (String(sha256.dropLast()), true), (sha256.replacing("b", with: "g"), true),
      (emptySHA256, true),
      ("\u{1B}[31m\(sha256)", true), ("\u{202E}\(sha256)", true), ("  \(sha256.uppercased()) \r", false),
      ("\0\(md5)", true),
      ("sha1:\(md5)", true),
    ]
    let text = Array((block.map(\.0).joined(separator: "\n") + "\n").utf8)
    let longLine = [UInt8](repeating: UInt8(ascii: "a"), count: 10_000_000) + [UInt8(ascii: "\n")]
    let bytes = text + longLine + (1..<100_000).lazy.flatMap { _ in text }
    var entries = 0
    let report = try withFile(bytes) {
      try ListImporter().read($0, fileName: "list", withdraw: { _ in }, take: { _ in entries += 1 })
    }
    #expect(entries == 200_000 && report.rejected == 700_001)
    #expect(report.firstRejections.count == ImportReport.mostRejections)
    let refused = block.indices.filter { block[$0].1 }.map { $0 + 1 }
    #expect(report.firstRejections.map(\.recordNumber).starts(with: refused + [block.count + 1]))
    #expect(report.firstRejections[refused.count].reason == "longer than 65536 bytes")
  }

  @Test func everyFirstInputOfTheFuzzTargetsIsReadOrRefused() throws {
    let corpus = Corpus.packageRoot.appending(path: "Tests/Fuzzing/Corpus")
    for format in ListFormat.allCases {
      let folder = corpus.appending(path: format.rawValue)
      for file in try FileManager.default.contentsOfDirectory(atPath: folder.path) {
        let bytes = try Data(contentsOf: folder.appending(path: file))
        let imported = try read(bytes)
        #expect(imported.report.format == format && !imported.entries.isEmpty, "\(format)/\(file)")
      }
    }
  }

  @Test func linesMayLieAcrossAnyBuffer() throws {
    var generator = SeededGenerator(seed: 1)
    let digests = (0..<3000).map { _ in generator.digest() }
    let text = digests.map { "\($0.hex)  name \($0.hex.prefix(5))" }.joined(separator: "\r\n")
    let whole = try read(text)
    #expect(whole.hashes == digests.map(\.description))
    for size in [17, 64, 1021] { #expect(try read(text, pieceSize: size).entries == whole.entries) }
  }

  @Test func hostileBytesNeverTrap() throws {
    var generator = SeededGenerator(seed: 2)
    let samples = [
      "\(sha256)  a\n\\\(md5)  b\\n\n", "sha256,md5,id\n\(sha256),\(md5),\"x\"\n",
      "%%%% HASHDEEP-1.0\n%%%% size,md5,filename\n1,\(md5),a\n",
      "\(pdq),a\n", "MD5 (a) = \(md5)\n",
    ].map { Array($0.utf8) }
    for round in 0..<1000 {
      var bytes = samples[round % samples.count]
      for _ in 0..<Int.random(in: 0...12, using: &generator) {
        let index = Int.random(in: 0..<bytes.count, using: &generator)
        switch Int.random(in: 0...2, using: &generator) {
        case 0: bytes[index] = UInt8.random(in: 0...255, using: &generator)
        case 1: bytes.insert("\0\n\\\"(),; =%".utf8.randomElement(using: &generator)!, at: index)
        default: bytes.removeSubrange(index..<min(bytes.count - 1, index + 3))
        }
      }
      for format in [nil] + ListFormat.allCases.map(Optional.some) {
        do { _ = try read(bytes) { $0.format = format } } catch { #expect(error is ExchangeError) }
      }
    }
  }
}

struct QueryTests {
  @Test func readsEachFormAndSaysWhatIsWrong() throws {
    #expect(try Query(md5).description == "md5:\(md5)")
    #expect(try Query(sha1).description == "sha1:\(sha1)")
    #expect(try Query(sha256.uppercased()).description == "sha256:\(sha256)")
    #expect(try Query("PDQ:\(pdq)").description == "pdq:\(pdq)")
    for (text, reason) in [
      (String(sha256.dropLast()), "63 characters"),
      ("sha256:" + sha256.dropLast(), "sha256 has 63 hex digits, expected 64"),
      ("foo:" + md5, "'foo' is not an algorithm"), ("", "0 characters"), (":", "is not an algorithm"),
    ] {
      do {
        _ = try Query(text)
        Issue.record("\(text) was read")
      } catch { #expect(error.description.contains(reason)) }
    }
  }
}
