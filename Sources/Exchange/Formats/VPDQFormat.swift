import Hashing
import Matching

/// The frames of one video as vPDQ's tools write them: frame number, quality, hash, seconds.
///
/// Each frame is an entry of its own, named by its number. Source: `vpdq/README.md` and `vpdq/cpp/io.cpp`.
struct VPDQFormat: LineParser {
  mutating func parse(_ line: UnsafeRawBufferPointer, number: Int, into sink: inout RecordSink) throws {
    let text = line.trimmed
    if text.isBlankOrComment { return }
    let fields = text.split(separator: .comma, omittingEmptySubsequences: false).map {
      UnsafeRawBufferPointer(rebasing: $0).trimmed
    }
    guard fields.count == 4 else { return try sink.reject(number, "\(fields.count) fields, expected 4") }
    guard let frame = Int(fields[0].text), frame >= 0, let quality = UInt8(fields[1].text), quality <= 100 else {
      return try sink.reject(number, "no frame number, or no quality of 0…100")
    }
    try sink.add(HashText(pdq: fields[2], quality: quality), number: number, id: "frame \(frame)")
  }
}
