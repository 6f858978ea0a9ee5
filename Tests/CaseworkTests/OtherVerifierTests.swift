import Foundation
import SystemPackage
import TestSupport
import Testing

@testable import Casework

/// Programs that share nothing with this one read what it writes, and refuse it once it was changed.
struct OtherVerifierTests {
  private static let script = Corpus.packageRoot.appending(path: "Tests/CaseworkTests/ledger_verifier.py").path

  /// What the verifier ends with; `nil`, with a printed line, where its Python lacks what it needs.
  private func verify(_ what: String, _ path: URL, _ home: TestHome) throws -> Int32? {
    let result = try run("/usr/bin/env", ["python3", Self.script, what, path.path, home.file("ledger/key.pub").path])
    if result.exitCode == 3 || result.exitCode == 127 {
      print("skipped: the independent verifier needs Python with 'cryptography'")
      return nil
    }
    if result.exitCode != 0 && !result.text.hasPrefix("refused:") { Issue.record("\(result.text)\(result.errorText)") }
    return result.exitCode
  }

  @Test func ledgersOfAllShapesAreAccepted() throws {
    for size in [1, 255, 256, 257, 1000] {
      let home = try TestHome()
      try home.appendEntries(0..<size - size / 4)
      try home.record(1...3)
      _ = try home.ledger.publish()
      try home.appendEntries(size - size / 4..<size)
      _ = try home.ledger.publish()
      guard let status = try verify("ledger", home.file("ledger"), home) else { return }
      #expect(status == 0, "\(size)")
    }
  }

  @Test func changedLedgersAreRefused() throws {
    let home = try TestHome()
    try home.appendEntries(0..<300)
    let note = try home.ledger.publish().checkpoint.note
    for name in [
      "tile/0/000", "tile/0/001.p/44", "tile/entries/000", "tile/entries/001.p/44", "tile/1/000.p/1", "checkpoint",
    ] {
      let file = home.file("ledger/\(name)")
      let bytes = try Data(contentsOf: file)
      var changed = bytes
      changed[bytes.count / 2] ^= 1
      try changed.write(to: file)
      guard let status = try verify("ledger", home.file("ledger"), home) else { return }
      #expect(status == 1, "\(name)")
      try bytes.write(to: file)
    }
    #expect(try verify("ledger", home.file("ledger"), home) == 0)
    #expect(try home.ledger.publish().checkpoint.note == note)
  }

  @Test func proofsAreAcceptedAndChangedOnesRefused() throws {
    let home = try TestHome()
    let number = try home.record(1...70)[33]
    let text = try home.ledger.proof(of: .caseFile(number)).text
    let file = home.file("case.tlog-proof")
    try Data(text.utf8).write(to: file)
    guard let status = try verify("proof", file, home) else { return }
    #expect(status == 0)
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    for line in lines.indices where lines[line].count > 12 {
      var changed = lines.map { Array($0.utf8) }
      changed[line][10] ^= 1
      try Data(changed.joined(separator: [0x0A])).write(to: file)
      #expect(try verify("proof", file, home) == 1, "\(lines[line])")
    }
  }

  @Test func openSSLVerifiesTheSignatureOfACheckpoint() throws {
    let home = try TestHome()
    try home.appendEntries(0..<5)
    let note = try home.ledger.publish().checkpoint.note
    let key = try home.ledger.key().publicKey
    // RFC 8410: an Ed25519 public key is 12 bytes that say so, and the key.
    let prefix: [UInt8] = [0x30, 0x2A, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x03, 0x21, 0x00]
    try Data(prefix + key.bytes).write(to: home.file("key.der"))
    let end = try #require(note.range(of: "\n\n"))
    let signature = try #require(Data(base64Encoded: String(note.split(separator: " ").last!.dropLast()))).dropFirst(4)
    try signature.write(to: home.file("signature"))
    func accepts(_ text: String) throws -> Bool {
      try Data(text.utf8).write(to: home.file("text"))
      return try run(
        "/usr/bin/env",
        [
          "openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", "key.der", "-rawin", "-in", "text",
          "-sigfile", "signature",
        ],
        in: home.scratch.url
      ).exitCode == 0
    }
    guard try run("/usr/bin/env", ["openssl", "version"]).exitCode == 0 else {
      print("skipped: there is no openssl program")
      return
    }
    let text = String(note[..<end.lowerBound]) + "\n"
    #expect(try accepts(text))
    #expect(try !accepts(text.replacing("\n5\n", with: "\n6\n")))
  }
}
