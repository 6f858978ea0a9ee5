/// A digest or a signature that could not be made: the cryptographic library refused.
///
/// Hashing has no other failure: any bytes have digests, and any picture has a defined perceptual hash.
public struct HashingError: Error, Equatable, CustomStringConvertible {
  public enum Code: Sendable {
    /// libcrypto does not offer the algorithm, as under a policy that forbids MD5.
    case algorithmUnavailable
    /// libcrypto failed while digesting.
    case digestFailed
    /// libcrypto failed while signing.
    case signatureFailed
  }

  public let code: Code
  public let description: String

  public static func == (left: Self, right: Self) -> Bool { left.code == right.code }
}
