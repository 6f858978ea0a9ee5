import Foundation
import Hashing
import Matching

/// The signed head of a ledger: whoever keeps one can tell later whether the record still begins with what it was.
///
///     muhafiz-3f2a90bb12cd        origin, the name of the key
///     1042                        entries
///     qZ…=                        root hash, Base64
///                                 an empty line
///     — muhafiz-3f2a90bb12cd …=   name, and Base64 of key id ‖ Ed25519 signature over the lines above the empty one
///
/// Source: C2SP `tlog-checkpoint` and `signed-note`.
public struct Checkpoint: Sendable, Equatable {
  public let origin: String
  /// Entries that the root is over.
  public let size: Int64
  public let root: Digest
  /// The text with its signatures, as it is kept and handed on.
  public let note: String

  /// Signs a head.
  init(size: Int64, root: Digest, key: LedgerKey) throws(CaseworkError) {
    origin = key.publicKey.name
    self.size = size
    self.root = root
    note = try SignedNote.sign("\(origin)\n\(size)\n\(Data(root.bytes).base64EncodedString())\n", key: key)
  }

  /// Reads a checkpoint and checks the signature of `key` on it; those of others, as of witnesses, are passed over.
  ///
  /// - Throws: ``CaseworkError`` with `ledgerDamaged` for a note that is malformed, or that the key did not sign.
  public init(_ note: String, signedBy key: LedgerPublicKey) throws(CaseworkError) {
    let text = try SignedNote.open(note, key: key)
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    // The body ends in a line feed, so the last piece is empty; lines after the root are extensions.
    guard lines.count >= 4, lines.dropLast().allSatisfy({ !$0.isEmpty }), lines[0] == key.name,
      let size = Int64(lines[1]), size >= 0, String(size) == lines[1], let root = Digest(base64: lines[2])
    else { throw CaseworkError(.ledgerDamaged, "a checkpoint of ledger \(key.name) is malformed") }
    self.init(origin: key.name, size: size, root: root, note: note)
  }

  private init(origin: String, size: Int64, root: Digest, note: String) {
    self.origin = origin
    self.size = size
    self.root = root
    self.note = note
  }
}

/// Text with signatures under it. Source: C2SP `signed-note`.
enum SignedNote {
  /// - Parameter text: Ends in a line feed.
  static func sign(_ text: String, key: LedgerKey) throws(CaseworkError) -> String {
    precondition(text.hasSuffix("\n"))
    let signature = try key.signature(of: Array(text.utf8))
    return text + "\n— \(key.publicKey.name) \(Data(key.publicKey.id + signature).base64EncodedString())\n"
  }

  /// The text, once the key's signature on it is found good.
  static func open(_ note: String, key: LedgerPublicKey) throws(CaseworkError) -> String {
    func refused(_ why: String) -> CaseworkError { CaseworkError(.ledgerDamaged, "a note of \(key.name) \(why)") }
    // Bytes, not characters: "\r\n" is one character and must not pass for a line feed.
    let bytes = Array(note.utf8)
    guard bytes.count <= 1 << 20, bytes.last == 0x0A, bytes.allSatisfy({ $0 >= 0x20 || $0 == 0x0A }),
      let split = bytes.indices.dropLast().last(where: { bytes[$0] == 0x0A && bytes[$0 + 1] == 0x0A })
    else { throw refused("is malformed") }
    let text = Array(bytes[...split])
    let lines = bytes[(split + 2)...].dropLast().split(separator: 0x0A, omittingEmptySubsequences: false)
    var isSigned = false
    for line in lines {
      let parts = String(decoding: line, as: UTF8.self).split(separator: " ", omittingEmptySubsequences: false)
      guard parts.count == 3, parts[0] == "—", LedgerPublicKey.isName(parts[1]),
        let data = Data(strictBase64: parts[2]), data.count >= 5
      else { throw refused("has a malformed signature") }
      guard parts[1] == key.name, Array(data.prefix(4)) == key.id else { continue }
      // A key signs once: two signatures, one of them false, would leave it open which was meant.
      guard !isSigned, data.count == 68, key.verifies(Array(data.dropFirst(4)), of: text) else {
        throw refused("was not signed with its key, or was changed")
      }
      isSigned = true
    }
    guard isSigned else { throw refused("was not signed with its key \(key.id.hex)") }
    return String(decoding: text, as: UTF8.self)
  }
}

extension Digest {
  /// Reads the Base64 of a SHA-256 digest.
  init?(base64 text: some StringProtocol) {
    guard let data = Data(strictBase64: text) else { return nil }
    self.init(.sha256, bytes: data)
  }

  var base64: String { Data(bytes).base64EncodedString() }
}
