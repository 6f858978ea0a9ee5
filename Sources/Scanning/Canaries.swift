import Decoding
import Foundation
import Hashing
import Matching
import SystemPackage

/// Harmless items with known answers that go the whole way of every scan: walk, read, digest, decode, match, deliver.
///
/// A scan that cannot find what is certainly there proves nothing by finding nothing. The canaries are listed on a list of
/// their own, beside the lists in force, and each list in force is asked for records that it holds.
public struct Canaries {
  private let blocklist: Blocklist
  private let options: ScanOptions
  private let decoders: DecoderPool?

  public init(blocklist: Blocklist, options: ScanOptions, decoders: DecoderPool?) {
    self.blocklist = blocklist
    self.options = options
    self.decoders = decoders
  }

  private static let list = "muhafiz-canaries"
  private static let text = Array("muhafiz canary\n".utf8)

  /// Runs the canaries.
  ///
  /// - Returns: What went wrong, one line each; empty when all is well.
  /// - Throws: What a scan throws: a damaged list, no decoder to be had; or that there is no room for a few kilobytes of
  ///   temporary files.
  public func run() throws -> [String] {
    let folder = FileManager.default.temporaryDirectory.appending(path: "muhafiz-canaries-\(UUID().uuidString)")
    try FileManager.default.createDirectory(
      at: folder, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
    defer {
      do { try FileManager.default.removeItem(at: folder) } catch {}  // A few kilobytes in the folder for such.
    }
    let tree = folder.appending(path: "tree")
    try FileManager.default.createDirectory(at: tree, withIntermediateDirectories: false)
    let listed = try Self.picture(CanaryPictures.listed)
    try listed.prefix(listed.count / 2).write(to: tree.appending(path: "broken.jpg"))
    try listed.write(to: tree.appending(path: "listed.jpg"))
    try Self.picture(CanaryPictures.lookalike).write(to: tree.appending(path: "lookalike.jpg"))
    try Self.picture(CanaryPictures.archive).write(to: tree.appending(path: "archive.zip"))
    try Data(Self.text).write(to: tree.appending(path: "text"))
    try Data(Self.text + Self.text).write(to: tree.appending(path: "unlisted"))

    let canaryList = try makeList(of: listed, in: FilePath(folder.path))
    let asked = Blocklist(blocklist.members + [Blocklist.Member(list: canaryList)])
    var items: [String: ScannedItem] = [:]
    let scanner = ContentScanner(blocklist: asked, options: options, decoders: decoders)
    let summary = try scanner.scan([FilePath(tree.path)]) { items[$0.member ?? $0.place.path?.lastComponent?.string ?? ""] = $0 }
    return try failures(items, summary) + probeLists()
  }

  private func makeList(of picture: Data, in folder: FilePath) throws -> HashList {
    var builder = HashListBuilder()
    let digests = try picture.withUnsafeBytes { try Digester.digests(of: $0, [.sha256]) }
    let hash = PerceptualHash(hex: Self.listedHash)!
    try builder.add(ListEntry(id: "picture", recordNumber: 1, digests: digests))
    try builder.add(ListEntry(id: "drawing", recordNumber: 2, perceptualHashes: [hash]))
    let ofText = try Self.text.withUnsafeBytes { try Digester.digests(of: $0, [.sha256]) }
    try builder.add(ListEntry(id: "text", recordNumber: 3, digests: ofText))
    let path = folder.appending("canaries.hashlist")
    let information = HashListInformation(
      name: Self.list, version: "1", source: "", created: Date(timeIntervalSince1970: 0))
    _ = try builder.write(to: path, information: information)
    return try HashList(opening: path)
  }

  /// The reference's hash of the listed picture, so that the decoder and PDQ are held against something from outside.
  private static let listedHash = "066dd4bc4a9474b7c6e31adc59146ab458d6788da32b8f563a2ea3bc4e3a54c3"

  private func failures(_ items: [String: ScannedItem], _ summary: ScanSummary) throws -> [String] {
    var failures: [String] = []
    func expect(_ condition: Bool, _ what: String) { if !condition { failures.append(what) } }
    func matches(_ name: String) -> [Match] { items[name]?.matches.filter { $0.list.name == Self.list } ?? [] }
    let expected = options.archives ? 7 : 6
    expect(summary.counts.found == expected && summary.counts.hashed == expected, "not all canary files were hashed")
    expect(matches("text").map(\.grade) == [.exact], "the listed text was not found")
    expect(matches("listed.jpg").contains { $0.grade == .exact }, "the listed picture was not found")
    expect(matches("unlisted").isEmpty, "an unlisted text was found")
    if options.archives {
      expect(matches("canary.txt").map(\.grade) == [.exact], "the listed text in an archive was not found")
    }
    if options.perceptual {
      expect(
        matches("listed.jpg").contains { $0.grade == .near && $0.distanceInBits <= 10 },
        "the listed picture's perceptual hash is wrong")
      expect(matches("lookalike.jpg").map(\.grade) == [.near], "the lookalike of the listed picture was not found")
      expect(items["broken.jpg"]?.isIncomplete == true, "half a picture was not called unhashable")
      expect(items["broken.jpg"]?.verdict == nil, "half a picture was given a verdict")
    }
    return failures
  }

  /// Asks each list in force for some records that it holds.
  private func probeLists() throws -> [String] {
    try blocklist.members.compactMap { member in
      try member.list.findsItsOwnRecords() ? nil : "list \(member.list.version.name) does not find its own records"
    }
  }

  private static func picture(_ base64: String) throws -> Data {
    guard let data = Data(base64Encoded: base64) else { throw CocoaError(.coderInvalidValue) }
    return data
  }
}
