import COpenSSL
import Hashing
import Matching
import Synchronization
import SystemPackage

/// A folder for contents that only the competent authority can read.
///
/// A content is encrypted to the authority's certificate while it comes; if it is to be kept, its ciphertext is written, and
/// nothing else. The plaintext is never on a disk, and whoever scans has no key to it. There is no function that opens one: the authority does, with
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
  private let fileSystem: any DurableFileSystem
  /// Names of files that are there, or that somebody is about to make appear.
  private let names = Mutex<Set<String>>([])

  /// - Parameter pem: The certificate of whoever is to read, PEM.
  /// - Throws: ``MatchingError`` with `keyUnusable` for one that nothing can be encrypted to, or that is not in force now.
  public convenience init(_ path: FilePath, sealingTo pem: [UInt8]) throws {
    try self.init(path, sealingTo: pem, on: HostFileSystem())
  }

  init(_ path: FilePath, sealingTo pem: [UInt8], on fileSystem: any DurableFileSystem) throws {
    self.path = path
    self.fileSystem = fileSystem
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
      _ = try SealedMessage(to: certificate).finish()
    } catch let error as MatchingError where error.code == .inputOutput {
      throw SealingFailure.unusable("nothing can be encrypted to its key: \(error)")
    }
  }

  /// Begins a content that is yet to come. There is nothing of it in the folder unless it is kept.
  func begin() -> SealedContent { SealedContent(in: self) }

  fileprivate func beginMessage() throws -> SealedMessage { try SealedMessage(to: certificate) }

  /// Makes a content appear, once.
  ///
  /// - Parameter message: Lends the whole ciphertext; not called for a content that is there.
  fileprivate func keep(_ digest: Digest, _ message: () throws -> UnsafeRawBufferPointer) throws -> String {
    let name = "\(digest.hex)-\(recipient.hex.prefix(8)).cms"
    guard names.withLock({ $0.insert(name).inserted }) else { return name }
    do {
      var file = try DurableFile(replacing: path.appending(name), permissions: .ownerReadWrite, on: fileSystem)
      try file.append(try message())
      try file.commit()
    } catch {
      _ = names.withLock { $0.remove(name) }
      throw error
    }
    return name
  }
}

/// A content on its way into a ``SealedFolder``: encrypted as it comes, and on the disk once it is kept. It is used by one
/// thread at a time.
final class SealedContent: @unchecked Sendable {
  private let folder: SealedFolder
  /// What went wrong first in its place. It matters only if the content is to be kept.
  private var message: Result<SealedMessage, any Error>
  private var size = 0

  fileprivate init(in folder: SealedFolder) {
    self.folder = folder
    message = Result { try folder.beginMessage() }
  }

  /// Takes the next bytes of the content.
  func append(_ bytes: UnsafeRawBufferPointer) {
    size += bytes.count
    guard case .success(let sound) = message else { return }
    do { try sound.append(bytes) } catch { message = .failure(error) }
  }

  /// Makes the content appear in the folder. To be called once.
  ///
  /// - Parameter body: The content, whose bytes were all appended: what its name is made of.
  /// - Returns: The file's name: the content's SHA-256, and the first of the certificate's.
  /// - Throws: ``MatchingError`` for whatever went wrong since the content was begun; then there is no file, unless it was the
  ///   folder that could not be synced.
  func keep(_ body: UnsafeRawBufferPointer) throws -> String {
    let message = try message.get()
    precondition(size == body.count, "a content is sealed whole")
    return try withExtendedLifetime(message) {
      try folder.keep(Digest.sha256(of: body)) { try message.finish() }
    }
  }
}
