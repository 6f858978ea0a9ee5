/// Where a member of a disk image lies on the medium.
public struct MemberOrigin: Sendable, Hashable, Codable {
  public enum Allocation: String, Sendable, CaseIterable, Codable {
    case allocated, deleted, carved
  }

  /// Bytes that lie together.
  public struct Run: Sendable, Hashable, Codable {
    /// In bytes from the start of the medium; `nil` for a hole, which reads as zeros.
    public let offset: Int64?
    public let length: Int64

    package init(offset: Int64?, length: Int64) {
      self.offset = offset
      self.length = length
    }
  }

  /// Number of the volume in order on the medium, from 1; 0 outside of all volumes.
  public let volume: Int

  /// Metadata address: inode, MFT entry or what the file system has. `nil` where something was carved.
  public let inode: UInt64?

  public let allocation: Allocation

  /// The member's bytes in their order; none where they lie within metadata or are compressed.
  public let runs: [Run]

  /// Whether there are more runs than are told.
  public let isFragmentedFurther: Bool

  package init(
    volume: Int, inode: UInt64?, allocation: Allocation, runs: [Run] = [], isFragmentedFurther: Bool = false
  ) {
    self.volume = volume
    self.inode = inode
    self.allocation = allocation
    self.runs = runs
    self.isFragmentedFurther = isFragmentedFurther
  }
}
