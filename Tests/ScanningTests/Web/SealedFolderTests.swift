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

  /// Seals a content that comes in pieces of odd sizes.
  private func seal(_ body: UnsafeRawBufferPointer, in folder: SealedFolder) throws -> String {
    let content = folder.begin()
    var rest = body[...]
    var size = 1
    while !rest.isEmpty {
      content.append(UnsafeRawBufferPointer(rebasing: rest.prefix(size)))
      rest = rest.dropFirst(size)
      size = size * 5 + 3
    }
    return try content.keep(body)
  }

  private func files() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: scratch.url.path).filter {
      $0.hasSuffix(".cms") || $0.hasSuffix(".partial")
    }
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
      let name = try body.withUnsafeBytes { try seal($0, in: folder) }
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
    let names = Set(try (0..<3).map { _ in try body.withUnsafeBytes { try seal($0, in: folder) } })
    #expect(names.count == 1)
    let other = try SealedFolder(FilePath(scratch.url.path), sealingTo: makeCertificate("other", Self.ec))
    #expect(try body.withUnsafeBytes { try seal($0, in: other) } != names.first)
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
    for _ in 0..<2 {
      #expect(throws: MatchingError.self) { try body.withUnsafeBytes { _ = try seal($0, in: folder) } }
    }
  }

  @Test func whatIsNotKeptIsNowhere() throws {
    let folder = try SealedFolder(FilePath(scratch.url.path), sealingTo: makeCertificate("authority", Self.ec))
    let content = folder.begin()
    [UInt8](repeating: 7, count: 1_000_000).withUnsafeBytes { content.append($0) }
    #expect(try files().isEmpty)
  }

  /// Wherever the disk fails, the content is not said to be kept, and nothing of it is left.
  @Test func aDiskThatFailsIsSaid() throws {
    let certificate = try makeCertificate("authority", Self.ec)
    let body = [UInt8](repeating: 7, count: 200_000)
    let disk = FaultFileSystem()
    let folder = try SealedFolder(FilePath(scratch.url.path), sealingTo: certificate, on: disk)
    var call = 0
    while true {
      disk.inject(.fails(.noSpace), into: call..<call + 1)
      do {
        _ = try body.withUnsafeBytes { try seal($0, in: folder) }
        break
      } catch let error as MatchingError {
        #expect(error.code == .diskFull && disk.fired == 1)
      }
      // What was renamed before its folder could not be synced is whole.
      #expect(try files().allSatisfy { $0.hasSuffix(".cms") })
      call += 1
    }
    #expect(disk.fired == 0)
    // To create, write, sync, rename and sync the folder.
    #expect(call >= 5)
  }
}
