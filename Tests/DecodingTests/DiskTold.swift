import Decoding
import Foundation
import Hashing
import SystemPackage

/// What reading a disk image told, in a form to compare.
struct DiskTold {
  struct File {
    var bytes: [UInt8] = []
    var origin: MemberOrigin?
    var failure: Unhashable?
  }

  var files: [String: File] = [:]
  /// Paths of files, in order.
  var paths: [String] = []
  var withoutBytes: [String: ArchiveMember] = [:]
  var unopened: [String: Unhashable] = [:]
  var storedDigests: [Digest] = []
  var ending: Unhashable?

  init(
    _ image: [UInt8], as type: MediaType? = nil, segments: [Int64]? = nil, _ options: DiskOptions = [.deleted, .archives],
    from pool: DecoderPool? = nil, unreadable: Range<Int64>? = nil, atRead: ((String?, CInt?) -> Void)? = nil
  ) throws {
    let type = type ?? image.withUnsafeBytes(MediaType.sniff) ?? .diskImage
    var open: [String] = []
    var member: String?
    try (pool ?? DecoderPool.shared.get()).withArchiveLease { lease in
      let process = lease.process
      let source = ByteSource(sizeInBytes: Int64(image.count), segments: segments) { offset, buffer in
        atRead?(member, process)
        var end = min(image.count, Int(offset) + buffer.count)
        if let unreadable {
          if unreadable.contains(offset) { throw Errno.ioError }
          if offset < unreadable.lowerBound { end = min(end, Int(unreadable.lowerBound)) }
        }
        buffer.copyBytes(from: image[Int(offset)..<end])
        return end - Int(offset)
      }
      ending = try lease.readDisk(type, from: source, options) { event in
        switch event {
        case .member(let member) where member.kind != .file: withoutBytes[member.path] = member
        case .member(let next):
          paths.append(next.path)
          files[next.path] = File(origin: next.origin)
          member = next.path
        case .bytes(let bytes): files[paths.last!]!.bytes += bytes
        case .end(let failure): files[paths.last!]!.failure = failure
        case .opened: open.append(paths.last!)
        case .closed(let reason): unopened[open.removeLast()] = reason
        case .storedDigest(let digest): storedDigests.append(digest)
        }
      }
    }
  }

  /// Every reason that something was not read.
  var reasons: [Unhashable] { [ending].compactMap(\.self) + files.values.compactMap(\.failure) + unopened.values }

  /// Files of the image itself below a prefix, as ``TestDisks/filesByFLS(_:sectorOffset:)`` has them.
  func listing(below prefix: String) -> [String] {
    let all = files.mapValues(\.origin).merging(withoutBytes.mapValues(\.origin)) { $1 }
    return all.filter { $0.key.hasPrefix(prefix) && $0.value != nil }
      .map { ($0.value!.allocation == .deleted ? "*" : "") + $0.key.dropFirst(prefix.count) }.sorted()
  }
}
