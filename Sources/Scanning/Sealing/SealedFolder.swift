import COpenSSL
import Hashing
import Matching
import Synchronization
import SystemPackage

/// A folder for contents that only the competent authority can read.
///
/// A content is encrypted to the authority's certificate while it comes and its ciphertext alone is written: the plaintext
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
  private let fileSystem: any DurableFileSystem
  private struct State {
    /// Contents begun.
    var begun = 0
    /// Names of files that are there, or that somebody is about to make appear.
    var names: Set<String> = []
  }

  private let state = Mutex(State())

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
      try SealedMessage(to: certificate).finish { _ in }
    } catch let error as MatchingError where error.code == .inputOutput {
      throw SealingFailure.unusable("nothing can be encrypted to its key: \(error)")
    }
  }

  /// Begins a content that is yet to come. There is nothing of it in the folder unless it is kept.
  func begin() -> SealedContent { SealedContent(in: self) }

  /// Begins the file of a content. What is kept gets the content's name; a number tells those apart that are under way.
  fileprivate func beginFile() throws -> DurableFile {
    let number = state.withLock { state in
      state.begun += 1
      return state.begun
    }
    return try DurableFile(
      replacing: path.appending("\(recipient.hex.prefix(8))-\(number)"), permissions: .ownerReadWrite,
      pieceSize: SealedMessage.pieceSize, on: fileSystem)
  }

  fileprivate func beginMessage() throws -> SealedMessage { try SealedMessage(to: certificate) }

  /// Makes a content appear, once.
  ///
  /// - Parameter commit: Not called for a content that is there.
  fileprivate func keep(_ digest: Digest, commit: (String) throws -> Void) throws -> String {
    let name = "\(digest.hex)-\(recipient.hex.prefix(8)).cms"
    guard state.withLock({ $0.names.insert(name).inserted }) else { return name }
    do { try commit(name) } catch {
      _ = state.withLock { $0.names.remove(name) }
      throw error
    }
    return name
  }
}

/// A content on its way into a ``SealedFolder``: encrypted as it comes, and there only once it is kept. It is used by one
/// thread at a time.
final class SealedContent: @unchecked Sendable {
  private let folder: SealedFolder
  private var message: SealedMessage?
  private var file: DurableFile?
  /// What went wrong first. It matters only if the content is to be kept.
  private var failure: (any Error)?
  private var size = 0

  fileprivate init(in folder: SealedFolder) {
    self.folder = folder
    do {
      message = try folder.beginMessage()
      file = try folder.beginFile()
    } catch {
      failure = error
    }
  }

  /// Takes the next bytes of the content.
  func append(_ bytes: UnsafeRawBufferPointer) {
    guard failure == nil else { return }
    size += bytes.count
    do { try message!.append(bytes) { try file!.append($0) } } catch { give(up: error) }
  }

  /// Makes the content appear in the folder.
  ///
  /// - Parameter body: The content, whose bytes were all appended: what its name is made of.
  /// - Returns: The file's name: the content's SHA-256, and the first of the certificate's.
  /// - Throws: ``MatchingError`` for whatever went wrong since the content was begun; then there is no file.
  func keep(_ body: UnsafeRawBufferPointer) throws -> String {
    if let failure { throw failure }
    precondition(size == body.count, "a content is sealed whole")
    return try folder.keep(Digest.sha256(of: body)) { name in
      do {
        try message!.finish { try file!.append($0) }
        try file.take()!.commit(as: name)
      } catch {
        give(up: error)
        throw error
      }
    }
  }

  /// Nothing can come of it any more; what there is on the disk goes.
  private func give(up error: any Error) {
    failure = error
    file = nil
    message = nil
  }
}
