import Hashing

/// A digest that is all its record in a source says, with the record's number. Most lists are millions of these.
public struct NumberedDigest: Sendable, Equatable {
  public let digest: Digest
  /// Line or record in the source, counted from 1.
  public let recordNumber: Int

  @inlinable
  public init(_ digest: Digest, recordNumber: Int) {
    self.digest = digest
    self.recordNumber = recordNumber
  }
}
