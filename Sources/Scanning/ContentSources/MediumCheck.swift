import Hashing

/// Takes the digests of a whole medium that images store of it, beside those that a scan is asked for.
struct MediumCheck: ~Copyable {
  private var digester: Digester?
  /// Of the medium, once it has been read.
  private(set) var digests: [Digest] = []
  private var isAtStart = true

  /// The name of the member that the whole medium is; it comes first.
  private static let name = "medium"

  /// - Parameter isImage: Whether the members are those of a disk image.
  mutating func begin(_ member: String, isImage: Bool) throws {
    defer { isAtStart = false }
    if isImage && isAtStart && member == Self.name { digester = try Digester([.md5, .sha1]) }
  }

  mutating func update(_ bytes: UnsafeRawBufferPointer) throws { try digester?.update(bytes) }

  mutating func end() throws {
    if let taken = try digester?.finish() { digests = taken }
    digester = nil
  }

  /// Whether the member that is being read is the medium.
  func isMedium(_ member: String) -> Bool { member == Self.name && digester != nil }
}
