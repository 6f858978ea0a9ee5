import Decoding
import Foundation
import Hashing
import Synchronization

/// A plane that outlives its lease.
struct Plane: Equatable {
  var width: Int
  var height: Int
  var isFloat: Bool
  var samples: [Float]
  var pictureWidth: Int
  var pictureHeight: Int

  init(_ picture: DecodedPicture) {
    (width, height) = (picture.luma.width, picture.luma.height)
    (pictureWidth, pictureHeight) = (picture.width, picture.height)
    switch picture.luma.samples {
    case .bytes(let bytes): (isFloat, samples) = (false, bytes.map(Float.init))
    case .floats(let floats): (isFloat, samples) = (true, Array(floats))
    }
  }
}

extension DecoderPool {
  /// One pool for the tests that need nothing special.
  static let shared = Result { try DecoderPool(size: 1) }

  func decode(
    _ file: [UInt8], as type: MediaType? = nil, page: Int = 0, smallestSide: Int? = nil
  ) throws -> Result<Plane, Unhashable> {
    try withLease { lease in
      try file.withUnsafeBytes { try lease.append($0) }
      let type = type ?? file.withUnsafeBytes(MediaType.sniff) ?? .png
      return try lease.decode(type, page: page, smallestSide: smallestSide, Plane.init)
    }
  }
}

func decode(
  _ file: [UInt8], as type: MediaType? = nil, page: Int = 0, smallestSide: Int? = nil
) throws -> Result<Plane, Unhashable> {
  try DecoderPool.shared.get().decode(file, as: type, page: page, smallestSide: smallestSide)
}

/// A field of /proc/PID/status, trimmed.
func statusField(_ name: String, of process: CInt) throws -> String? {
  let text = try String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)
  return text.split(separator: "\n").first { $0.hasPrefix(name + ":") }
    .map { $0.dropFirst(name.count + 1).trimmingCharacters(in: .whitespaces) }
}
