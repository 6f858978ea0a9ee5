import COpenSSL
import Hashing

/// Makes the hashes of the ledger's tree, with a context of libcrypto that is kept for all of them.
///
/// Source: RFC 6962, section 2.1: a leaf is SHA-256(0x00 ‖ entry), a node SHA-256(0x01 ‖ left ‖ right), so that neither
/// can be taken for the other.
struct TreeHasher: ~Copyable {
  private let implementation: OpaquePointer  // EVP_MD
  private let state: OpaquePointer  // EVP_MD_CTX

  /// - Throws: ``CaseworkError`` with `inputOutput` where libcrypto has no SHA-256 to offer.
  init() throws(CaseworkError) {
    guard let implementation = EVP_MD_fetch(nil, "SHA256", nil), let state = EVP_MD_CTX_new(),
      EVP_DigestInit_ex2(state, implementation, nil) == 1
    else { throw CaseworkError(.inputOutput, "this machine's OpenSSL refuses to make sha256 digests") }
    self.implementation = implementation
    self.state = state
  }

  deinit {
    EVP_MD_CTX_free(state)
    EVP_MD_free(implementation)
  }

  /// The root of a tree without entries: SHA-256 of nothing.
  static let empty = Digest(.sha256, hex: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")!

  /// The hash of an entry.
  func leaf(_ entry: UnsafeRawBufferPointer) -> Digest {
    begin()
    var prefix: UInt8 = 0
    check(EVP_DigestUpdate(state, &prefix, 1))
    check(EVP_DigestUpdate(state, entry.baseAddress, entry.count))
    return finish()
  }

  func leaf(_ entry: [UInt8]) -> Digest { entry.withUnsafeBytes { leaf($0) } }

  /// The hash of two subtrees, the left one full.
  func node(_ left: Digest, _ right: Digest) -> Digest {
    begin()
    // One call for all: each costs as much as digesting half of these bytes.
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 65) { bytes in
      bytes[0] = 1
      let target = UnsafeMutableRawBufferPointer(bytes)
      left.withBytes { UnsafeMutableRawBufferPointer(rebasing: target[1..<33]).copyMemory(from: $0) }
      right.withBytes { UnsafeMutableRawBufferPointer(rebasing: target[33...]).copyMemory(from: $0) }
      check(EVP_DigestUpdate(state, target.baseAddress, 65))
    }
    return finish()
  }

  private func begin() { check(EVP_DigestInit_ex2(state, nil, nil)) }

  private func finish() -> Digest {
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Int(EVP_MAX_MD_SIZE)) { buffer in
      var length: UInt32 = 0
      check(EVP_DigestFinal_ex(state, buffer.baseAddress, &length))
      return Digest(.sha256, bytes: UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<Int(length)]))!
    }
  }

  /// A context that was made can digest whatever memory holds; anything else is a fault of this program.
  private func check(_ status: Int32) { precondition(status == 1, "libcrypto failed while making a sha256 digest") }
}
