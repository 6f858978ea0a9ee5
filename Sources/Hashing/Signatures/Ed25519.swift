import COpenSSL

/// A key that checks Ed25519 signatures.
public struct Ed25519PublicKey: Sendable, Hashable {
  /// 32 of them.
  public let bytes: [UInt8]

  /// - Returns: `nil` for another count than 32.
  public init?(bytes: some Sequence<UInt8>) {
    self.bytes = Array(bytes)
    if self.bytes.count != 32 { return nil }
  }

  /// Reads all keys of a text in PEM, one behind the other, as `openssl pkey -pubout` writes them.
  ///
  /// - Returns: `nil` when there is none, or one that is no Ed25519 key.
  public static func keys(pem: [UInt8]) -> [Ed25519PublicKey]? {
    guard let input = BIO_new_mem_buf(pem, Int32(clamping: pem.count)) else { return nil }
    defer { BIO_free(input) }
    var keys: [Ed25519PublicKey] = []
    while let key = PEM_read_bio_PUBKEY(input, nil, nil, nil) {
      defer { EVP_PKEY_free(key) }
      guard let known = Self(key) else { return nil }
      keys.append(known)
    }
    ERR_clear_error()  // That there is no further key.
    return keys.isEmpty ? nil : keys
  }

  fileprivate init?(_ key: OpaquePointer) {
    var count = 32
    var bytes = [UInt8](repeating: 0, count: count)
    guard EVP_PKEY_get_id(key) == EVP_PKEY_ED25519, EVP_PKEY_get_raw_public_key(key, &bytes, &count) == 1, count == 32 else {
      return nil
    }
    self.bytes = bytes
  }

  /// Whether `signature` is this key's over `message`.
  public func isValid(_ signature: [UInt8], of message: [UInt8]) -> Bool {
    guard let key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nil, bytes, bytes.count) else { return false }
    defer { EVP_PKEY_free(key) }
    guard let context = EVP_MD_CTX_new() else { return false }
    defer { EVP_MD_CTX_free(context) }
    defer { ERR_clear_error() }
    return EVP_DigestVerifyInit(context, nil, nil, nil, key) == 1
      && EVP_DigestVerify(context, signature, signature.count, message, message.count) == 1
  }
}

/// A key that makes Ed25519 signatures.
public struct Ed25519PrivateKey: Sendable {
  /// The 32 bytes that the key is made of.
  public let seed: [UInt8]
  public let publicKey: Ed25519PublicKey

  /// - Returns: `nil` for another count than 32, or where this machine's OpenSSL has no Ed25519.
  public init?(seed: some Sequence<UInt8>) {
    self.seed = Array(seed)
    guard self.seed.count == 32,
      let key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nil, self.seed, self.seed.count)
    else { return nil }
    defer { EVP_PKEY_free(key) }
    guard let known = Ed25519PublicKey(key) else { return nil }
    publicKey = known
  }

  /// Reads a key in PEM without a password, as `openssl genpkey -algorithm ed25519` writes it.
  ///
  /// - Returns: `nil` for anything else.
  public init?(pem: [UInt8]) {
    guard let input = BIO_new_mem_buf(pem, Int32(clamping: pem.count)) else { return nil }
    defer { BIO_free(input) }
    defer { ERR_clear_error() }
    // A password of no characters, so that OpenSSL does not ask for one on the terminal.
    var none: CChar = 0
    guard let key = PEM_read_bio_PrivateKey(input, nil, nil, &none) else { return nil }
    defer { EVP_PKEY_free(key) }
    var count = 32
    var seed = [UInt8](repeating: 0, count: count)
    guard EVP_PKEY_get_id(key) == EVP_PKEY_ED25519, EVP_PKEY_get_raw_private_key(key, &seed, &count) == 1 else { return nil }
    self.init(seed: seed)
  }

  /// The signature over a message: 64 bytes, the same for the same message.
  ///
  /// - Throws: ``HashingError`` with `signatureFailed`.
  public func signature(of message: [UInt8]) throws(HashingError) -> [UInt8] {
    var signature = [UInt8](repeating: 0, count: 64)
    var count = signature.count
    guard let key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nil, seed, seed.count) else { throw Self.failure }
    defer { EVP_PKEY_free(key) }
    guard let context = EVP_MD_CTX_new() else { throw Self.failure }
    defer { EVP_MD_CTX_free(context) }
    guard EVP_DigestSignInit(context, nil, nil, nil, key) == 1,
      EVP_DigestSign(context, &signature, &count, message, message.count) == 1, count == 64
    else { throw Self.failure }
    return signature
  }

  private static var failure: HashingError {
    HashingError(code: .signatureFailed, description: "OpenSSL failed while making an Ed25519 signature")
  }
}
