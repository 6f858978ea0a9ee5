import Glibc
import Hashing
import SystemPackage

@testable import Matching

/// Opens, searches and verifies a hash list file that somebody has tampered with.
///
/// An input is a whole file, when it begins as one, or patches: a byte that chooses one of the golden files of
/// `MUHAFIZ_FUZZ_LISTS`, then groups of 3 bytes of offset and 4 bytes to put there. Patched files get the digests that they
/// ought to have, as whoever means harm would give them; otherwise the first digest would end every try.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let input = UnsafeRawBufferPointer(start: start, count: count)
  if input.starts(with: HashListLayout.magic) {
    use(Array(input))
  } else if let choice = input.first {
    var bytes = goldenFiles[Int(choice & 0x7F) % goldenFiles.count]
    for at in stride(from: 1, through: input.count - 7, by: 7) {
      let offset = (0..<3).reduce(0) { $0 << 8 | Int(input[at + $1]) } % (bytes.count - 3)
      for index in 0..<4 { bytes[offset + index] = input[at + 3 + index] }
    }
    // The top bit of the choice: leave the digests as they were.
    if choice & 0x80 == 0 { seal(&bytes) }
    use(bytes)
  }
  return 0
}

private let goldenFiles: [[UInt8]] = ["one.hashlist", "mixed.hashlist"].map { name in
  guard let folder = getenv("MUHAFIZ_FUZZ_LISTS").map({ String(cString: $0) }),
    let file = try? FileDescriptor.open(FilePath(folder).appending(name), .readOnly)
  else { fatalError("MUHAFIZ_FUZZ_LISTS names no folder with \(name)") }
  var bytes = [UInt8](repeating: 0, count: 1 << 20)
  let count = bytes.withUnsafeMutableBytes { (try? file.read(into: $0)) ?? 0 }
  return Array(bytes[..<count])
}

private let path = "/dev/shm/muhafiz-fuzz-\(getpid()).hashlist"

private func use(_ bytes: [UInt8]) {
  let file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
  precondition(file >= 0 && write(file, bytes, bytes.count) == bytes.count && close(file) == 0, "a file in /dev/shm")
  defer { unlink(path) }
  do {
    let list = try HashList(opening: FilePath(path))
    // Keys that may be there: bytes of the file itself.
    for at in stride(from: 4096, to: min(bytes.count - 32, 1 << 16), by: 4096) {
      let key = Array(bytes[at..<at + 32])
      for algorithm in DigestAlgorithm.allCases {
        _ = try list.matches(for: Digest(algorithm, bytes: key.prefix(algorithm.byteCount))!)
      }
      let hash = key.withUnsafeBytes { PerceptualHash(bytes: $0)! }
      for distance in [0, 31] { _ = try list.matches(near: [hash], within: distance) }
    }
    _ = try list.attributions()
    _ = try list.findsItsOwnRecords()
    try list.verify()
  } catch {
    // Refused, which is an answer; only a trap is none.
  }
}

/// Gives tree and header the digests that they ought to have, as far as the header's numbers make sense.
private func seal(_ bytes: inout [UInt8]) {
  let block = HashListLayout.blockSize
  func digest(_ range: Range<Int>) -> [UInt8] {
    bytes.withUnsafeBytes { (try? sha256(UnsafeRawBufferPointer(rebasing: $0[range])))?.bytes ?? [] }
  }
  var start = bytes.withUnsafeBytes {
    Int(truncatingIfNeeded: $0.load(UInt64.self, at: HashListLayout.treeOffsetOffset))
  }
  var below = block..<max(block, start)
  while start > block && start % block == 0 && start < bytes.count {
    var level: [UInt8] = []
    for at in stride(from: below.lowerBound, to: below.upperBound, by: block) { level += digest(at..<at + block) }
    let size = HashListLayout.blocks(level.count) * block
    guard start + size <= bytes.count else { break }
    bytes.replaceSubrange(start..<start + level.count, with: level)
    below = start..<start + size
    start += size
    if below.count == block {
      bytes.replaceSubrange(HashListLayout.rootOffset..<HashListLayout.rootOffset + 32, with: digest(below))
      break
    }
  }
  let end = HashListLayout.headerDigestOffset
  bytes.replaceSubrange(end..<end + 32, with: digest(0..<end))
}
