import COpenSSL
import Glibc
import Hashing
import Matching

/// A CMS EnvelopedData under way: bytes go in, ciphertext comes out.
final class SealedMessage {
  private let message: OpaquePointer
  /// The filters that encrypt, and behind them the memory that has what they write.
  private let input: OpaquePointer
  private let output: OpaquePointer
  private var buffer = [UInt8](repeating: 0, count: pieceSize)

  static let pieceSize = 1 << 16

  /// - Parameter certificate: Of whoever is to read, DER.
  /// - Throws: ``MatchingError`` with `keyUnusable` for one that nothing is encrypted to.
  init(to certificate: [UInt8]) throws {
    let flags = UInt32(CMS_BINARY | CMS_STREAM | CMS_PARTIAL)
    guard let message = CMS_encrypt(nil, nil, EVP_aes_256_cbc(), flags) else { throw SealingFailure.now() }
    do {
      try Self.addRecipient(certificate, to: message, flags)
      guard let output = BIO_new(BIO_s_mem()) else { throw SealingFailure.now() }
      guard let input = BIO_new_CMS(output, message) else {
        BIO_free(output)
        throw SealingFailure.now()
      }
      (self.message, self.input, self.output) = (message, input, output)
    } catch {
      CMS_ContentInfo_free(message)
      throw error
    }
  }

  deinit {
    BIO_free_all(input)
    CMS_ContentInfo_free(message)
  }

  /// - Parameter write: Called with the ciphertext that is ready, in pieces.
  func append(_ bytes: UnsafeRawBufferPointer, _ write: (UnsafeRawBufferPointer) throws -> Void) throws {
    var rest = bytes[...]
    while !rest.isEmpty {
      let piece = UnsafeRawBufferPointer(rebasing: rest.prefix(Self.pieceSize))
      guard BIO_write(input, piece.baseAddress, CInt(piece.count)) == piece.count else { throw SealingFailure.now() }
      rest = rest.dropFirst(piece.count)
      try drain(write)
    }
  }

  /// Brings the end of the message; nothing is appended afterwards.
  func finish(_ write: (UnsafeRawBufferPointer) throws -> Void) throws {
    guard BIO_ctrl(input, BIO_CTRL_FLUSH, 0, nil) == 1 else { throw SealingFailure.now() }
    try drain(write)
  }

  private func drain(_ write: (UnsafeRawBufferPointer) throws -> Void) throws {
    while true {
      let count = BIO_read(output, &buffer, CInt(buffer.count))
      guard count > 0 else { return }
      try buffer.withUnsafeBytes { try write(UnsafeRawBufferPointer(rebasing: $0[..<Int(count)])) }
    }
  }

  private static func addRecipient(
    _ certificate: [UInt8], to message: OpaquePointer, _ flags: UInt32
  ) throws {
    let parsed = certificate.withUnsafeBufferPointer { bytes in
      var start = bytes.baseAddress
      return d2i_X509(nil, &start, bytes.count)
    }
    guard let parsed else { throw SealingFailure.now() }
    defer { X509_free(parsed) }
    guard let key = X509_get0_pubkey(parsed) else { throw SealingFailure.unusable("it has no key that OpenSSL knows") }
    let isRSA = EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA
    guard !isRSA || EVP_PKEY_get_bits(key) >= 2048 else {
      throw SealingFailure.unusable("its RSA key has \(EVP_PKEY_get_bits(key)) bits, fewer than 2048")
    }
    let how = flags | (isRSA ? UInt32(CMS_KEY_PARAM) : 0)
    guard let recipient = CMS_add1_recipient_cert(message, parsed, how) else {
      throw SealingFailure.unusable("nothing can be encrypted to its key")
    }
    guard isRSA else { return }
    guard let context = CMS_RecipientInfo_get0_pkey_ctx(recipient),
      EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) == 1,
      EVP_PKEY_CTX_set_rsa_oaep_md(context, EVP_sha256()) == 1
    else { throw SealingFailure.now() }
  }
}

/// Why nothing can be sealed.
enum SealingFailure {
  static func unusable(_ reason: String) -> MatchingError {
    ERR_clear_error()
    return MatchingError(.keyUnusable, "the certificate to seal to cannot be used: \(reason)")
  }

  /// What OpenSSL says went wrong last.
  static func now() -> MatchingError {
    var text = [CChar](repeating: 0, count: 256)
    ERR_error_string_n(ERR_get_error(), &text, text.count)
    ERR_clear_error()
    let reason = String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    return MatchingError(.inputOutput, "a content cannot be sealed: \(reason)")
  }
}
