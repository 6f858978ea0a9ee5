import COpenSSL
import Glibc
import Hashing
import Matching

/// A CMS EnvelopedData under way, in memory: as long as what went into it, and a little more.
final class SealedMessage {
  private let message: OpaquePointer
  /// The filters that encrypt, and behind them the memory that has what they write.
  private let input: OpaquePointer
  private let output: OpaquePointer

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

  func append(_ bytes: UnsafeRawBufferPointer) throws {
    var rest = bytes[...]
    while !rest.isEmpty {
      let piece = UnsafeRawBufferPointer(rebasing: rest.prefix(1 << 20))
      guard BIO_write(input, piece.baseAddress, CInt(piece.count)) == piece.count else { throw SealingFailure.now() }
      rest = rest.dropFirst(piece.count)
    }
  }

  /// Ends the message; nothing is appended afterwards.
  ///
  /// - Returns: All of it, valid as long as this object.
  func finish() throws -> UnsafeRawBufferPointer {
    guard BIO_ctrl(input, BIO_CTRL_FLUSH, 0, nil) == 1 else { throw SealingFailure.now() }
    var start: UnsafeMutableRawPointer?
    let count = BIO_ctrl(output, BIO_CTRL_INFO, 0, &start)
    guard let start, count > 0 else { throw SealingFailure.now() }
    return UnsafeRawBufferPointer(start: start, count: count)
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
