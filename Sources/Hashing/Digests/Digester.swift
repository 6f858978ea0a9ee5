import COpenSSL

/// Several digests of one content in one pass over its bytes.
///
/// A digester is made once for each thread and used for one content after another: fetching an
/// algorithm from libcrypto costs more than digesting a small file.
///
///     var digester = try Digester([.sha256])
///     try digester.update(bytes)
///     let digests = try digester.finish()  // and it is ready for the next content
public struct Digester: ~Copyable {
  fileprivate var contexts: [Context] = []

  /// The algorithms, in ascending order, each once.
  public var algorithms: [DigestAlgorithm] { contexts.map(\.algorithm) }

  fileprivate struct Context {
    let algorithm: DigestAlgorithm
    let implementation: OpaquePointer  // EVP_MD
    let state: OpaquePointer  // EVP_MD_CTX
  }

  /// Makes a digester for the algorithms asked for; others cost nothing.
  ///
  /// - Throws: ``HashingError`` with `algorithmUnavailable` where libcrypto's policy forbids one.
  public init(_ algorithms: some Sequence<DigestAlgorithm>) throws {
    for algorithm in Set(algorithms).sorted() {
      guard let implementation = EVP_MD_fetch(nil, algorithm.evpName, nil), let state = EVP_MD_CTX_new(),
        EVP_DigestInit_ex2(state, implementation, nil) == 1
      else {
        throw HashingError(
          code: .algorithmUnavailable, description: "this machine's OpenSSL refuses to make \(algorithm.name) digests")
      }
      contexts.append(Context(algorithm: algorithm, implementation: implementation, state: state))
    }
  }

  deinit {
    for context in contexts {
      EVP_MD_CTX_free(context.state)
      EVP_MD_free(context.implementation)
    }
  }

  /// Takes the next bytes of the content; any count, also none.
  public mutating func update(_ bytes: UnsafeRawBufferPointer) throws {
    for context in contexts where EVP_DigestUpdate(context.state, bytes.baseAddress, bytes.count) != 1 {
      throw context.failure
    }
  }

  /// Ends the content and begins the next.
  ///
  /// - Returns: One digest for each algorithm, in ascending order.
  public mutating func finish() throws -> [Digest] {
    var digests: [Digest] = []
    digests.reserveCapacity(contexts.count)
    for context in contexts {
      let digest = try withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Int(EVP_MAX_MD_SIZE)) { buffer in
        var length: UInt32 = 0
        guard EVP_DigestFinal_ex(context.state, buffer.baseAddress, &length) == 1,
          let digest = Digest(
            context.algorithm, bytes: UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<Int(length)]))
        else { throw context.failure }
        return digest
      }
      digests.append(digest)
    }
    try reset()
    return digests
  }

  /// Forgets the bytes taken so far.
  public mutating func reset() throws {
    for context in contexts where EVP_DigestInit_ex2(context.state, nil, nil) != 1 { throw context.failure }
  }

  /// Digests bytes that are in memory already.
  public static func digests(
    of bytes: UnsafeRawBufferPointer, _ algorithms: some Sequence<DigestAlgorithm>
  ) throws -> [Digest] {
    var digester = try Digester(algorithms)
    try digester.update(bytes)
    return try digester.finish()
  }
}

extension Digester.Context {
  fileprivate var failure: HashingError {
    HashingError(code: .digestFailed, description: "OpenSSL failed while making a \(algorithm.name) digest")
  }
}

extension DigestAlgorithm {
  fileprivate var evpName: String {
    switch self {
    case .md5: "MD5"
    case .sha1: "SHA1"
    case .sha256: "SHA256"
    }
  }
}
