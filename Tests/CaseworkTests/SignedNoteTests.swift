import Foundation
import Glibc
import Hashing
import SystemPackage
import TestSupport
import Testing

@testable import Casework

struct SignedNoteTests {
  /// The example of the reference implementation of signed notes (golang.org/x/mod/sumdb/note, `note_test.go`).
  private static let publicKey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
  private static let privateKey = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
  private static let text = """
    If you think cryptography is the answer to your problem,
    then you don't know what your problem is.

    """
  private static let note =
    text + """

      — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=

      """

  @Test func signsAndOpensThePublishedNote() throws {
    let key = try #require(LedgerPublicKey(Self.publicKey))
    #expect("\(key)" == Self.publicKey)
    #expect(try SignedNote.open(Self.note, key: key) == Self.text)
    let own = try #require(try LedgerKey(Self.privateKey))
    #expect(own.publicKey == key)
    #expect(try SignedNote.sign(Self.text, key: own) == Self.note)
  }

  @Test func refusesEveryChangeOfOneByte() throws {
    let key = try #require(LedgerPublicKey(Self.publicKey))
    let bytes = Array(Self.note.utf8)
    for position in bytes.indices {
      for value in [bytes[position] ^ 1, bytes[position] ^ 0x20, 0x0A, 0] where value != bytes[position] {
        var changed = bytes
        changed[position] = value
        guard let text = String(validating: changed, as: UTF8.self) else { continue }
        #expect(throws: CaseworkError(.ledgerDamaged, "")) { try SignedNote.open(text, key: key) }
      }
      #expect(throws: CaseworkError(.ledgerDamaged, "")) {
        try SignedNote.open(String(decoding: bytes[..<position], as: UTF8.self), key: key)
      }
    }
  }

  @Test func passesOverTheSignaturesOfOthersAndRefusesTwoOfItsOwn() throws {
    let key = try #require(LedgerPublicKey(Self.publicKey))
    let line = Self.note.split(separator: "\n").last!
    let witness =
      "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n"
    #expect(try SignedNote.open(Self.note + witness, key: key) == Self.text)
    #expect(throws: CaseworkError(.ledgerDamaged, "")) { try SignedNote.open(Self.text + "\n" + witness, key: key) }
    #expect(throws: CaseworkError(.ledgerDamaged, "")) { try SignedNote.open(Self.note + line + "\n", key: key) }
  }

  @Test func readsKeysAndRefusesWhatOnlyLooksLikeOne() throws {
    for end in 0..<Self.publicKey.count { #expect(LedgerPublicKey(Self.publicKey.prefix(end)) == nil) }
    let characters = Array(Self.publicKey)
    for position in characters.indices {
      var changed = characters
      changed[position] = changed[position] == "a" ? "b" : "a"
      #expect(LedgerPublicKey(String(changed)) == nil)
    }
    // A wrong length, and a kind of key that is not Ed25519, each with the id that it would have.
    #expect(LedgerPublicKey("PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==") == nil)
    #expect(LedgerPublicKey("PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW") == nil)
    #expect(try LedgerKey("PRIVATE+KEY+PeterNeumann+c74f20a4+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz") == nil)
  }

  @Test func keysAreMadeOnceForTheirOwnerOnly() throws {
    let scratch = try TemporaryDirectory()
    let path = FilePath(scratch.path("ledger/key"))
    let key = try LedgerKey.load(at: path)
    #expect(key.publicKey.name.hasPrefix("muhafiz-"))
    #expect(try LedgerKey.load(at: path).publicKey == key.publicKey)
    var status = stat()
    #expect(stat(path.string, &status) == 0 && status.st_mode & 0o777 == 0o600)
    let shown = try String(contentsOfFile: path.string + ".pub", encoding: .utf8)
    #expect(LedgerPublicKey(shown) == key.publicKey)
    #expect(throws: CaseworkError(.keyUnusable, "")) { try LedgerKey.load(at: path, name: "other.example/log") }
    try FileManager.default.removeItem(atPath: path.string + ".pub")
    #expect(try LedgerKey.load(at: path).publicKey == key.publicKey && LedgerKey.loadPublic(at: path) == key.publicKey)
    // A key is never made beside the public half of another.
    try FileManager.default.moveItem(atPath: path.string, toPath: path.string + ".away")
    #expect(throws: CaseworkError(.keyUnusable, "")) { try LedgerKey.load(at: path) }
    let other = try LedgerKey.load(at: FilePath(scratch.path("fourth/key")))
    try FileManager.default.copyItem(atPath: scratch.path("fourth/key"), toPath: path.string)
    #expect(throws: CaseworkError(.keyUnusable, "")) { try LedgerKey.load(at: path) }
    #expect(other.publicKey != key.publicKey)
    try Data("PRIVATE+KEY+changed".utf8).write(to: URL(filePath: path.string))
    #expect(throws: CaseworkError(.keyUnusable, "")) { try LedgerKey.load(at: path) }
    let named = try LedgerKey.load(at: FilePath(scratch.path("other/key")), name: "cell.example/ledger")
    #expect(named.publicKey.name == "cell.example/ledger")
    #expect(throws: CaseworkError(.keyUnusable, "")) {
      try LedgerKey.load(at: FilePath(scratch.path("third/key")), name: "a b")
    }
  }

  @Test func checkpointsAreReadStrictly() throws {
    let key = try #require(try LedgerKey(Self.privateKey))
    let checkpoint = try Checkpoint(size: 1042, root: TreeHasher.empty, key: key)
    #expect(try Checkpoint(checkpoint.note, signedBy: key.publicKey) == checkpoint)
    let root = TreeHasher.empty.base64
    for body in [
      "PeterNeumann\n1042\n", "other\n1\n\(root)\n", "PeterNeumann\n01\n\(root)\n", "PeterNeumann\n-1\n\(root)\n",
      "PeterNeumann\n+1\n\(root)\n", "PeterNeumann\n1\n\(root.dropLast())\n",
      "PeterNeumann\n99999999999999999999\n\(root)\n",
      "PeterNeumann\n1\nAAAA\n", "PeterNeumann\n1 \n\(root)\n",
    ] {
      let note = try SignedNote.sign(body, key: key)
      #expect(throws: CaseworkError(.ledgerDamaged, ""), "\(body)") { try Checkpoint(note, signedBy: key.publicKey) }
    }
    let extended = try SignedNote.sign("PeterNeumann\n7\n\(root)\nan extension\n", key: key)
    #expect(try Checkpoint(extended, signedBy: key.publicKey).size == 7)
  }
}
