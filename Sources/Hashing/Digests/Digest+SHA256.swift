import COpenSSL

extension Digest {
  /// SHA-256 of bytes in memory: for many small contents, where a ``Digester`` would cost more to make than to use.
  ///
  /// - Throws: ``HashingError``.
  public static func sha256(of bytes: UnsafeRawBufferPointer) throws(HashingError) -> Digest {
    guard let implementation = SHA256Implementation.shared.pointer else {
      throw HashingError(code: .algorithmUnavailable, description: "this machine's OpenSSL refuses to make sha256 digests")
    }
    var words = SIMD4<UInt64>.zero
    let made = withUnsafeMutableBytes(of: &words) { target in
      EVP_Digest(
        bytes.baseAddress, bytes.count, target.baseAddress!.assumingMemoryBound(to: UInt8.self), nil, implementation, nil)
    }
    guard made == 1 else {
      throw HashingError(code: .digestFailed, description: "OpenSSL failed while making a sha256 digest")
    }
    return withUnsafeBytes(of: words) { Digest(.sha256, bytes: $0)! }
  }
}

/// OpenSSL's SHA-256, fetched once for the whole program: fetching costs more than digesting a block.
private struct SHA256Implementation: @unchecked Sendable {  // Never changed; OpenSSL counts references atomically.
  let pointer = EVP_MD_fetch(nil, "SHA256", nil)
  static let shared = SHA256Implementation()
}
