import Foundation
import Hashing
import SystemPackage

/// The key that signs list files: an Ed25519 key in PEM.
public struct SigningKey: Sendable {
  private let key: Ed25519PrivateKey

  /// Reads a key file, as `openssl genpkey -algorithm ed25519` writes it.
  ///
  /// - Throws: ``MatchingError`` with `keyUnusable`, or what keeps the file from being read.
  public init(_ path: FilePath) throws(MatchingError) {
    guard let key = Ed25519PrivateKey(pem: try MappedFile.contents(of: path)) else {
      throw MatchingError(
        .keyUnusable, "\(path) is no Ed25519 key in PEM", hint: "make one: openssl genpkey -algorithm ed25519 -out FILE")
    }
    self.key = key
  }

  /// What stands beside a list file: the signature in Base64, a line.
  func sign(_ digest: Digest, _ version: ListVersion) throws(MatchingError) -> [UInt8] {
    do {
      let signature = try key.signature(of: ListSignature.message(digest, version))
      return Array((Data(signature).base64EncodedString() + "\n").utf8)
    } catch { throw MatchingError(.keyUnusable, "\(error)") }
  }
}

/// The keys of which one must have signed every list that is opened: `lists/TRUSTED`, public Ed25519 keys in PEM.
///
/// There is no such file unless somebody puts it there; then no list is signed or checked. To begin with:
///
///     openssl genpkey -algorithm ed25519 -out key.pem
///     openssl pkey -in key.pem -pubout >> lists/TRUSTED
struct TrustedKeys {
  private let folder: FilePath
  private let keys: [Ed25519PublicKey]

  /// - Returns: `nil` where no key is trusted, because there is no `TRUSTED`.
  /// - Throws: ``MatchingError`` with `keyUnusable` when there is one that cannot be read: nothing is trusted then.
  init?(in folder: FilePath) throws(MatchingError) {
    let path = folder.appending("TRUSTED")
    let text: [UInt8]
    do { text = try MappedFile.contents(of: path) } catch {
      if error.code == .listMissing { return nil }
      throw error
    }
    guard let keys = Ed25519PublicKey.keys(pem: text) else {
      throw MatchingError(.keyUnusable, "\(path) holds no Ed25519 public keys in PEM", hint: "take it away to trust all lists")
    }
    self.folder = folder
    self.keys = keys
  }

  /// - Throws: ``MatchingError`` with `unsigned`, or `wrongSignature` where none of the keys made it.
  func check(_ list: HashList) throws(MatchingError) {
    let path = ListSignature.path(of: list.version, in: folder)
    let text: [UInt8]
    do { text = try MappedFile.contents(of: path) } catch {
      guard error.code == .listMissing else { throw error }
      throw MatchingError(
        .unsigned,
        "list \(list.version.name) \(list.version.version) is not signed, and \(folder.appending("TRUSTED")) asks for it",
        hint: "import it with --sign-with KEY")
    }
    let signature = Data(strictBase64: String(decoding: text, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines))
    let message = ListSignature.message(list.digest, list.version)
    guard let signature, keys.contains(where: { $0.isValid(Array(signature), of: message) }) else {
      throw MatchingError(
        .wrongSignature, "the signature \(path) is not by a trusted key, or not of this list",
        hint: "do not use the list until you know why")
    }
  }
}

/// What is signed of a list, and where the signature stands.
enum ListSignature {
  /// Name, version and digest, so that a signature of one list or version is none of another.
  static func message(_ digest: Digest, _ version: ListVersion) -> [UInt8] {
    Array("muhafiz hash list\n\(version.name)\n\(version.version)\n\(digest.hex)\n".utf8)
  }

  static func path(of version: ListVersion, in folder: FilePath) -> FilePath {
    folder.appending(version.name).appending("\(version.version).hashlist.sig")
  }
}

extension ListCatalog {
  func signaturePath(of version: ListVersion) -> FilePath { ListSignature.path(of: version, in: folder) }
}
