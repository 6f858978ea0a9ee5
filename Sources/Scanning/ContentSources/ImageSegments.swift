import Decoding
import Glibc
import Hashing
import Matching
import SystemPackage

/// The files that a disk image consists of: itself, and where it is split those that lie beside it and go on with it.
final class ImageSegments {
  private var files: [(descriptor: FileDescriptor, sizeInBytes: Int64)]

  /// Opens the further segments of an image.
  ///
  /// - Parameters:
  ///   - place: Of the first segment. `image.001`, and `image.000` too, is followed by the next numbers, `image.E01` by
  ///     E02 … E99, EAA … EZZ, FAA … ZZZ, in capitals or not, as far as there are files of these names.
  ///   - first: Open for reading, and left open.
  /// - Throws: `Errno` where a segment is there and cannot be read, or all together are too long for any number.
  init(at place: ContentLocation.Place, _ first: FileDescriptor, _ type: MediaType) throws {
    files = [(first, try Self.size(of: first))]
    guard case .file(let path) = place, let name = path.lastComponent, let ending = name.extension else { return }
    var following = SegmentNames(ending, type)
    while let next = following.next() {
      let sibling = path.removingLastComponent().appending("\(name.stem).\(next)")
      let descriptor: FileDescriptor
      do {
        descriptor = try FileDescriptor.open(sibling, .readOnly, options: [.closeOnExec, .noFollow, .nonBlocking])
      } catch Errno.noSuchFileOrDirectory {
        break
      }
      files.append((descriptor, 0))
      let size = try Self.size(of: descriptor)
      // Sparse files may claim any size: together they must have one.
      guard size <= .max - files.reduce(0, { $0 + $1.sizeInBytes }) else { throw Errno.fileTooLarge }
      files[files.count - 1].sizeInBytes = size
    }
  }

  deinit { for file in files.dropFirst() { close(file.descriptor.rawValue) } }

  var count: Int { files.count }

  /// All segments' bytes, one after the other; valid as long as this object, which it keeps.
  var source: ByteSource {
    let sizes = files.map(\.sizeInBytes)
    return ByteSource(sizeInBytes: sizes.reduce(0, +), segments: sizes) { [self] offset, buffer in
      var start: Int64 = 0
      for file in files {
        if offset < start + file.sizeInBytes {
          let count = Int(min(Int64(buffer.count), start + file.sizeInBytes - offset))
          return try file.descriptor.read(
            fromAbsoluteOffset: offset - start, into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<count]))
        }
        start += file.sizeInBytes
      }
      return 0
    }
  }

  /// Of a file, or of a device.
  private static func size(of descriptor: FileDescriptor) throws -> Int64 { try descriptor.seek(offset: 0, from: .end) }
}

/// The endings of the files that follow a first segment.
private struct SegmentNames {
  private var letters: [UInt8]
  private let isNumber: Bool

  init(_ ending: String, _ type: MediaType) {
    letters = Array(ending.utf8)
    isNumber = type != .ewf && letters.count >= 3 && letters.allSatisfy { (0x30...0x39).contains($0) }
    let isFirst =
      type == .ewf
      ? letters.count == 3 && letters[0] | 0x20 == UInt8(ascii: "e") && letters[1...] == Array("01".utf8)[...]
      : isNumber && letters.dropLast().allSatisfy { $0 == UInt8(ascii: "0") } && letters.last! <= UInt8(ascii: "1")
    if !isFirst { letters = [] }
  }

  mutating func next() -> String? {
    guard var place = letters.indices.last else { return nil }
    if !isNumber && letters.suffix(2) == Array("99".utf8) {
      // Behind E99 comes EAA, and from then on all are letters.
      let first = letters[0] & 0x20 | UInt8(ascii: "A")
      letters = [letters[0], first, first]
      return String(decoding: letters, as: UTF8.self)
    }
    while true {
      switch letters[place] {
      case UInt8(ascii: "9"): letters[place] = UInt8(ascii: "0")
      case UInt8(ascii: "Z"): letters[place] = UInt8(ascii: "A")
      case UInt8(ascii: "z"): letters[place] = UInt8(ascii: "a")
      default:
        letters[place] += 1
        return String(decoding: letters, as: UTF8.self)
      }
      if place == 0 {
        letters = []
        return nil
      }
      place -= 1
    }
  }
}

extension MemberOrigin {
  /// The member's bytes on the medium; `nil` where not all of them are told to lie there.
  func source(of sizeInBytes: Int64, on medium: ByteSource) -> ByteSource? {
    var starts: [Int64] = []
    var total: Int64 = 0
    for run in runs {
      // A decoder says how long they are: more than the member is no more to be added up than it is to be read.
      guard run.length >= 0, run.length <= sizeInBytes - total else { return nil }
      starts.append(total)
      total += run.length
    }
    guard !isFragmentedFurther, total == sizeInBytes, !runs.isEmpty else { return nil }
    return ByteSource(sizeInBytes: sizeInBytes) { [runs] offset, buffer in
      guard let index = starts.lastIndex(where: { $0 <= offset }), offset < sizeInBytes else { return 0 }
      let skip = offset - starts[index]
      let piece = UnsafeMutableRawBufferPointer(
        rebasing: buffer[..<Int(min(Int64(buffer.count), runs[index].length - skip))])
      guard let start = runs[index].offset else {
        piece.initializeMemory(as: UInt8.self, repeating: 0)
        return piece.count
      }
      return try medium.bytes(at: start + skip, into: piece)
    }
  }
}
