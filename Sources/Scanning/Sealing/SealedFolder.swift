import COpenSSL
import Hashing
import Matching
import Synchronization
import SystemPackage

/// A folder for contents that only the competent authority can read.
///
/// A content is encrypted to the authority's certificate piece by piece and its ciphertext alone is written: the plaintext
/// is never on a disk, and whoever scans has no key to it. There is no function that opens one: the authority does, with
///
///     openssl cms -decrypt -binary -inform DER -in FILE.cms -inkey KEY.pem -out CONTENT
///
/// The format is CMS EnvelopedData, AES-256 in CBC mode under a key of its own for each content; that key for RSA by OAEP,
/// and for an elliptic curve by key agreement. The digest in the finding's evidence says whether what comes out is what was
/// fetched.
///
/// Source: RFC 5652, sections 6.1 and 6.3; RFC 3560; RFC 5753.
public final class SealedFolder: Sendable {
  public let path: FilePath
  /// SHA-256 of the certificate that is sealed to.
  public let recipient: Digest
  private let certificate: [UInt8]
  /// Names of files that are there, or that somebody is writing.
  private let names = Mutex<Set<String>>([])

  /// - Parameter pem: The certificate of whoever is to read, PEM.
  /// - Throws: ``MatchingError`` with `keyUnusable` for one that nothing can be encrypted to, or that is not in force now.
  public init(_ path: FilePath, sealingTo pem: [UInt8]) throws {
    self.path = path
    guard let input = BIO_new_mem_buf(pem, CInt(clamping: pem.count)) else { throw SealingFailure.now() }
    defer { BIO_free(input) }
    guard let parsed = PEM_read_bio_X509(input, nil, nil, nil) else {
      throw SealingFailure.unusable("it is no certificate in PEM form")
    }
    defer { X509_free(parsed) }
    guard X509_cmp_current_time(X509_get0_notBefore(parsed)) < 0, X509_cmp_current_time(X509_get0_notAfter(parsed)) > 0
    else { throw SealingFailure.unusable("it is not valid today") }
    var bytes: UnsafeMutablePointer<UInt8>?
    let size = i2d_X509(parsed, &bytes)
    guard size > 0, let bytes else { throw SealingFailure.unusable("it cannot be encoded") }
    defer { CRYPTO_free(bytes, nil, 0) }
    certificate = Array(UnsafeBufferPointer(start: bytes, count: Int(size)))
    recipient = try certificate.withUnsafeBytes { try Digest.sha256(of: $0) }
    // Before anything is visited: whatever it cannot do, it cannot do for nothing at all either.
    do {
      try encrypt(UnsafeRawBufferPointer(start: nil, count: 0)) { _ in }
    } catch let error as MatchingError where error.code == .inputOutput {
      throw SealingFailure.unusable("nothing can be encrypted to its key: \(error)")
    }
  }

  /// Seals a content, once.
  ///
  /// - Returns: The file's name: the content's SHA-256, and the first of the certificate's.
  /// - Throws: ``MatchingError``; then there is no file.
  func seal(_ body: UnsafeRawBufferPointer, _ digest: Digest) throws -> String {
    let name = "\(digest.hex)-\(recipient.hex.prefix(8)).cms"
    guard names.withLock({ $0.insert(name).inserted }) else { return name }
    do {
      var file = try DurableFile(replacing: path.appending(name), permissions: .ownerReadWrite)
      try encrypt(body) { try file.append($0) }
      try file.commit()
    } catch {
      _ = names.withLock { $0.remove(name) }
      throw error
    }
    return name
  }

  private static let pieceSize = 1 << 16

  /// - Parameter write: Called with the ciphertext, in pieces.
  private func encrypt(_ body: UnsafeRawBufferPointer, _ write: (UnsafeRawBufferPointer) throws -> Void) throws {
    let flags = UInt32(CMS_BINARY | CMS_STREAM | CMS_PARTIAL)
    guard let message = CMS_encrypt(nil, nil, EVP_aes_256_cbc(), flags) else { throw SealingFailure.now() }
    defer { CMS_ContentInfo_free(message) }
    try addRecipient(to: message, flags)
    guard let output = BIO_new(BIO_s_mem()) else { throw SealingFailure.now() }
    defer { BIO_free(output) }
    guard let input = BIO_new_CMS(output, message) else { throw SealingFailure.now() }
    defer {
      // The filters of the message; what they write to is behind them.
      var filter: OpaquePointer? = input
      while let this = filter, this != output {
        filter = BIO_pop(this)
        BIO_free(this)
      }
    }
    var buffer = [UInt8](repeating: 0, count: Self.pieceSize)
    func drain() throws {
      while true {
        let count = BIO_read(output, &buffer, CInt(buffer.count))
        guard count > 0 else { return }
        try buffer.withUnsafeBytes { try write(UnsafeRawBufferPointer(rebasing: $0[..<Int(count)])) }
      }
    }
    var rest = body[...]
    while !rest.isEmpty {
      let piece = UnsafeRawBufferPointer(rebasing: rest.prefix(Self.pieceSize))
      guard BIO_write(input, piece.baseAddress, CInt(piece.count)) == piece.count else { throw SealingFailure.now() }
      rest = rest.dropFirst(piece.count)
      try drain()
    }
    guard BIO_ctrl(input, BIO_CTRL_FLUSH, 0, nil) == 1 else { throw SealingFailure.now() }
    try drain()
  }

  private func addRecipient(to message: OpaquePointer, _ flags: UInt32) throws {
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

private enum SealingFailure {
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
