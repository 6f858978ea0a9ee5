import COpenSSL
import Foundation
import Glibc
import Hashing
import Matching
import SystemPackage

/// The key that says which ledger a checkpoint is of.
///
///     muhafiz-3f2a90bb12cd+5b0c6f0a+AQ…        name, key id, Base64 of 0x01 and the 32 bytes of an Ed25519 public key
///
/// Source: C2SP `signed-note`, "Verifier keys".
public struct LedgerPublicKey: Sendable, Hashable, CustomStringConvertible {
  /// Also the origin line of the checkpoints.
  public let name: String
  let bytes: [UInt8]

  static let ed25519: UInt8 = 1  // C2SP `signed-note`, "Signature types".

  init(name: String, bytes: [UInt8]) {
    self.name = name
    self.bytes = bytes
  }

  /// Reads the text form; `nil` where it is none, or its key id is not its own.
  public init?(_ text: some StringProtocol) {
    let parts = text.trimmingCharacters(in: .whitespacesAndNewlines)
      .split(separator: "+", maxSplits: 2, omittingEmptySubsequences: false)
    guard parts.count == 3, Self.isName(parts[0]), let data = Data(strictBase64: parts[2]), data.count == 33,
      data.first == Self.ed25519
    else { return nil }
    self.init(name: String(parts[0]), bytes: Array(data.dropFirst()))
    guard Hashing.bytes(hex: parts[1].utf8) == id else { return nil }
  }

  /// The first four bytes of SHA-256(name ‖ 0x0A ‖ 0x01 ‖ public key).
  var id: [UInt8] { Self.digest(Array(name.utf8) + [0x0A, Self.ed25519] + bytes).prefix(4).map { $0 } }

  public var description: String {
    "\(name)+\(id.hex)+\(Data([Self.ed25519] + bytes).base64EncodedString())"
  }

  /// Whether `signature` is this key's over `message`.
  func verifies(_ signature: [UInt8], of message: [UInt8]) -> Bool {
    Ed25519PublicKey(bytes: bytes)?.isValid(signature, of: message) ?? false
  }

  /// The text of a signed note, once this key's signature on it is found good.
  ///
  /// - Throws: ``CaseworkError`` with `ledgerDamaged` for a note that is malformed, or that the key did not sign.
  public func text(ofSignedNote note: String) throws(CaseworkError) -> String { try SignedNote.open(note, key: self) }

  /// Not empty, and without what the note format gives a meaning to: white space and `+`.
  static func isName(_ name: some StringProtocol) -> Bool {
    !name.isEmpty && name.utf8.count <= 128
      && name.unicodeScalars.allSatisfy { scalar in
        scalar != "+" && !scalar.properties.isWhitespace && scalar.properties.generalCategory != .control
      }
  }

  static func digest(_ bytes: [UInt8]) -> [UInt8] {
    var result = [UInt8](repeating: 0, count: 32)
    precondition(EVP_Digest(bytes, bytes.count, &result, nil, EVP_sha256(), nil) == 1, "libcrypto has no sha256")
    return result
  }
}

/// The key that signs checkpoints. It is made on first use and never leaves its file.
public struct LedgerKey: Sendable {
  public let publicKey: LedgerPublicKey
  private let key: Ed25519PrivateKey

  /// - Parameter seed: The 32 bytes of an Ed25519 private key.
  init(name: String, seed: [UInt8]) throws(CaseworkError) {
    guard let key = Ed25519PrivateKey(seed: seed) else {
      throw CaseworkError(.keyUnusable, "this machine's OpenSSL has no Ed25519")
    }
    self.key = key
    publicKey = LedgerPublicKey(name: name, bytes: key.publicKey.bytes)
  }

  /// Reads `PRIVATE+KEY+name+id+Base64`, the form that other implementations of signed notes write too.
  init?(_ text: some StringProtocol) throws(CaseworkError) {
    let prefix = "PRIVATE+KEY+"
    let line = text.trimmingCharacters(in: .whitespacesAndNewlines)
    let parts = line.dropFirst(prefix.count).split(separator: "+", maxSplits: 2, omittingEmptySubsequences: false)
    guard line.hasPrefix(prefix), parts.count == 3, LedgerPublicKey.isName(parts[0]),
      let data = Data(strictBase64: parts[2]), data.count == 33, data.first == LedgerPublicKey.ed25519
    else { return nil }
    try self.init(name: String(parts[0]), seed: Array(data.dropFirst()))
    guard Hashing.bytes(hex: parts[1].utf8) == publicKey.id else { return nil }
  }

  private var text: String {
    let parts = publicKey.description.split(separator: "+", maxSplits: 2)
    return "PRIVATE+KEY+\(parts[0])+\(parts[1])+" + Data([LedgerPublicKey.ed25519] + key.seed).base64EncodedString()
  }

  /// A text with the signature under it, as C2SP `signed-note` has it.
  ///
  /// - Parameter text: Ends in a line feed.
  public func signedNote(_ text: String) throws(CaseworkError) -> String { try SignedNote.sign(text, key: self) }

  /// The signature over a message: 64 bytes, the same for the same message.
  func signature(of message: [UInt8]) throws(CaseworkError) -> [UInt8] {
    do { return try key.signature(of: message) } catch { throw CaseworkError(.keyUnusable, "\(error)") }
  }

  /// Reads the key of a folder, and makes one where there is none.
  ///
  /// - Parameters:
  ///   - path: The private key, readable by its owner only. The public key stands beside it, with `.pub` to its name.
  ///   - name: For a new key; `nil` for one that is made of the key itself.
  /// - Throws: ``CaseworkError`` with `keyUnusable` or `permission`.
  public static func load(at path: FilePath, name: String? = nil) throws -> LedgerKey {
    guard path.withPlatformString({ access($0, F_OK) }) == 0 else {
      // A new key beside an old ledger would sign what nobody could check against the checkpoints that are kept.
      guard try LedgerFiles.read(publicPath(of: path)) == nil else {
        throw CaseworkError(.keyUnusable, "the ledger's key \(path) is gone", hint: "put back the file as it was")
      }
      return try make(at: path, name: name)
    }
    let text: String
    do { text = try String(contentsOf: URL(filePath: path.string), encoding: .utf8) } catch {
      throw CaseworkError(
        .permission, "cannot read the ledger's key \(path)", hint: "only the user who made it can sign")
    }
    guard let key = try LedgerKey(text) else {
      throw CaseworkError(
        .keyUnusable, "\(path) is no signing key, or was changed", hint: "put back the file as it was")
    }
    switch try loadPublic(at: path) {
    case nil: try key.publish(at: path)  // The power may have failed between the two.
    case key.publicKey: break
    default: throw CaseworkError(.keyUnusable, "\(publicPath(of: path)) is not the public key of \(path)")
    }
    if let name, name != key.publicKey.name {
      throw CaseworkError(.keyUnusable, "the ledger has a key already, named \(key.publicKey.name)")
    }
    return key
  }

  /// Where the public key of a private one stands.
  private static func publicPath(of path: FilePath) -> FilePath {
    path.removingLastComponent().appending("\(path.lastComponent!.string).pub")
  }

  /// Reads the public key of a folder; `nil` where no key was ever made.
  ///
  /// - Throws: ``CaseworkError`` with `keyUnusable` where the file is none.
  static func loadPublic(at path: FilePath) throws -> LedgerPublicKey? {
    guard let text = try LedgerFiles.text(publicPath(of: path)) else { return nil }
    guard let key = LedgerPublicKey(text) else {
      throw CaseworkError(.keyUnusable, "\(publicPath(of: path)) is no public key of a ledger, or was changed")
    }
    return key
  }

  private static func make(at path: FilePath, name: String?) throws -> LedgerKey {
    if let name, !LedgerPublicKey.isName(name) {
      throw CaseworkError(.keyUnusable, "'\(name)' cannot name a ledger", hint: "use a name without spaces and '+'")
    }
    var seed = [UInt8](repeating: 0, count: 32)
    guard RAND_priv_bytes(&seed, Int32(seed.count)) == 1 else {
      throw CaseworkError(.keyUnusable, "OpenSSL has no random numbers for a key")
    }
    let unnamed = try LedgerKey(name: "muhafiz", seed: seed)
    let own = "muhafiz-\(LedgerPublicKey.digest(unnamed.publicKey.bytes).prefix(6).hex)"
    let key = try LedgerKey(name: name ?? own, seed: seed)
    let folder = path.removingLastComponent()
    try DurableFile.makeFolder(folder)
    var file = try DurableFile(replacing: path, permissions: .ownerReadWrite)
    try Array("\(key.text)\n".utf8).withUnsafeBytes { try file.append($0) }
    try file.commit()
    try key.publish(at: path)
    return key
  }

  private func publish(at path: FilePath) throws {
    try DurableFile.replace(Self.publicPath(of: path), with: Array("\(publicKey)\n".utf8))
  }
}

extension Sequence<UInt8> {
  /// Lower-case hexadecimal digits.
  var hex: String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }
}
