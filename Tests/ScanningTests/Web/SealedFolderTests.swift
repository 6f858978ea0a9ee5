import Foundation
import Hashing
import Matching
import SystemPackage
import TestSupport
import Testing

@testable import Scanning

struct SealedFolderTests {
  private let scratch = try! TemporaryDirectory()

  private static let rsa = ["-newkey", "rsa:2048"]
  private static let ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]

  /// Of the year 2020, made with `openssl ca -selfsign -startdate 20200101000000Z -enddate 20210101000000Z`; its key is gone.
  private static let past = """
    -----BEGIN CERTIFICATE-----
    MIIBBTCBrAIBATAKBggqhkjOPQQDAjAPMQ0wCwYDVQQDDARwYXN0MB4XDTIwMDEw
    MTAwMDAwMFoXDTIxMDEwMTAwMDAwMFowDzENMAsGA1UEAwwEcGFzdDBZMBMGByqG
    SM49AgEGCCqGSM49AwEHA0IABBNR2RZ1SlfKOVQkcy7Yxt1j1wecx2lzY3AVa7i7
    KanN/7pSiniJQNtCgfKz4e3bXv4aZqQrzQIczFDqCzIrYEowCgYIKoZIzj0EAwID
    SAAwRQIgC8xkM4Emogp72TaInA79ULDNKoezPmJQYgXBPiIEGNACIQDNw0oJv41q
    BIHBKX/X/7CjNrZ/SKccR5+zlUuCe60LgA==
    -----END CERTIFICATE-----

    """

  /// A certificate and the key to it: `NAME.pem`, `NAME.key`.
  @discardableResult
  private func makeCertificate(_ name: String, _ key: [String]) throws -> [UInt8] {
    let arguments =
      ["req", "-x509"] + key + [
        "-nodes", "-days", "2", "-keyout", scratch.path("\(name).key"), "-out", scratch.path("\(name).pem"),
        "-subj", "/CN=authority.example",
      ]
    try #require(try run("/usr/bin/openssl", arguments).exitCode == 0)
    return try [UInt8](Data(contentsOf: scratch.url.appending(path: "\(name).pem")))
  }

  private func open(_ file: String, _ name: String) throws -> Data? {
    let out = scratch.path("opened")
    let result = try run(
      "/usr/bin/openssl",
      ["cms", "-decrypt", "-binary", "-inform", "DER", "-in", file, "-inkey", scratch.path("\(name).key"), "-out", out])
    return result.exitCode == 0 ? try Data(contentsOf: URL(filePath: out)) : nil
  }

  @Test(arguments: [rsa, ec])
  func theAuthorityAloneOpensWhatIsSealed(_ key: [String]) throws {
    let folder = try SealedFolder(FilePath(scratch.url.path), sealingTo: makeCertificate("authority", key))
    try makeCertificate("other", key)
    for size in [0, 1, 15, 16, 65_535, 65_536, 65_537, 1_000_003] {
      let body = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 8) }
      let digest = try body.withUnsafeBytes { try Digest.sha256(of: $0) }
      let name = try body.withUnsafeBytes { try folder.seal($0, digest) }
      #expect(name.hasPrefix(digest.hex) && name.hasSuffix(".cms"))
      #expect(try open(scratch.path(name), "authority") == Data(body))
      // A key that is not the right one gives nothing, or noise.
      #expect(try open(scratch.path(name), "other") != Data(body) || size == 0)
      let stored = try Data(contentsOf: scratch.url.appending(path: name))
      if size >= 65_535 { #expect(stored.range(of: Data(body[..<64])) == nil && stored.count > size) }
    }
  }

  @Test func aContentIsSealedOnceAndToOneRecipient() throws {
    let folder = try SealedFolder(FilePath(scratch.url.path), sealingTo: makeCertificate("authority", Self.ec))
    let body = Array("a landscape".utf8)
    let digest = try body.withUnsafeBytes { try Digest.sha256(of: $0) }
    let names = Set(try (0..<3).map { _ in try body.withUnsafeBytes { try folder.seal($0, digest) } })
    #expect(names.count == 1)
    let other = try SealedFolder(FilePath(scratch.url.path), sealingTo: makeCertificate("other", Self.ec))
    #expect(try body.withUnsafeBytes { try other.seal($0, digest) } != names.first)
    #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.url.path).count { $0.hasSuffix(".cms") } == 2)
  }

  @Test func whatNothingCanBeSealedToIsRefusedAtOnce() throws {
    for pem in [
      [], Array("no certificate".utf8), try makeCertificate("weak", ["-newkey", "rsa:1024"]),
      try makeCertificate("signing", ["-newkey", "ed25519"]), Array(Self.past.utf8),
    ] {
      #expect { try SealedFolder(FilePath(scratch.url.path), sealingTo: pem) } throws: { error in
        (error as? MatchingError)?.code == .keyUnusable
      }
    }
  }

  @Test func aFolderThatIsGoneEndsWithAnErrorAndNoFile() throws {
    let folder = try SealedFolder(
      FilePath(scratch.path("nowhere")), sealingTo: makeCertificate("authority", Self.ec))
    let body: [UInt8] = [1]
    let digest = try body.withUnsafeBytes { try Digest.sha256(of: $0) }
    for _ in 0..<2 {
      #expect(throws: MatchingError.self) { try body.withUnsafeBytes { _ = try folder.seal($0, digest) } }
    }
  }
}
