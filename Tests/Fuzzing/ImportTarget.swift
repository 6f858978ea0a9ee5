import Glibc
import Matching
import SystemPackage

@testable import Exchange

/// Feeds a partner's file to an importer. `MUHAFIZ_FUZZ_FORMAT` names the format; without it the content tells.
///
/// Whatever the bytes are, an answer or an error comes back: a trap ends the fuzzer. The same bytes read in tiny pieces, or
/// with their bare digests taken many at once, must come to the same.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = UnsafeRawBufferPointer(start: start, count: count)
  let whole = outcome(bytes, pieceSize: 1 << 12)
  precondition(outcome(bytes, pieceSize: 1 << 12, takesDigests: true) == whole, "so does not how they are taken")
  // The first 64 KiB are one piece in any case.
  if count > 1 << 16 { precondition(outcome(bytes, pieceSize: 16) == whole, "the size of the pieces changes nothing") }
  return 0
}

/// What an import came to; `nil` where the file was refused.
private struct Outcome: Equatable {
  var entries = 0
  /// All digests in the order of the file.
  var digests: [NumberedDigest] = []
  var otherHashes = 0
  var rejected = 0
}

private let scratch = ScratchFile()
private let options: ImportOptions = {
  var options = ImportOptions()
  if let name = getenv("MUHAFIZ_FUZZ_FORMAT").map({ String(cString: $0) }), name != "auto" {
    guard let format = ListFormat(rawValue: name) else { fatalError("no format '\(name)'") }
    options.format = format
  }
  return options
}()

private func outcome(_ bytes: UnsafeRawBufferPointer, pieceSize: Int, takesDigests: Bool = false) -> Outcome? {
  scratch.replace(with: bytes)
  var outcome = Outcome()
  do {
    let report = try ListImporter(options, pieceSize: pieceSize).read(
      scratch.file, fileName: "fuzzed", withdraw: { check($0) },
      takeDigests: {
        guard takesDigests else { return false }
        outcome.digests += $0
        outcome.entries += $0.count
        return true
      },
      take: { entry in
        check(entry)
        precondition(entry.hasHashes, "an entry has a hash")
        outcome.entries += 1
        outcome.digests += entry.digests.map { NumberedDigest($0, recordNumber: entry.recordNumber) }
        outcome.otherHashes += entry.perceptualHashes.count + (entry.video?.frames.count ?? 0)
      })
    precondition(report.entries == outcome.entries, "every entry is counted")
    precondition(
      report.firstRejections.count == min(report.rejected, ImportReport.mostRejections), "refusals are named")
    outcome.rejected = report.rejected
    return outcome
  } catch {
    precondition(error is ExchangeError, "a failure is one of this module's")
    return nil
  }
}

private func check(_ entry: ListEntry) {
  precondition(entry.recordNumber > 0, "records count from 1")
  precondition(!entry.digests.contains { $0.isOfEmptyContent }, "the empty file is on no list")
}

/// A file in memory, used again for each input. It has a name, by which a database is opened.
private struct ScratchFile {
  let file: FileDescriptor

  private static let path = "/dev/shm/muhafiz-fuzz-\(getpid())"

  init() {
    file = FileDescriptor(rawValue: open(Self.path, O_RDWR | O_CREAT | O_TRUNC, 0o600))
    precondition(file.rawValue >= 0, "a file in /dev/shm")
    atexit { unlink(ScratchFile.path) }
  }

  func replace(with bytes: UnsafeRawBufferPointer) {
    precondition(ftruncate(file.rawValue, 0) == 0 && lseek(file.rawValue, 0, SEEK_SET) == 0)
    precondition(write(file.rawValue, bytes.baseAddress, bytes.count) == bytes.count)
    precondition(lseek(file.rawValue, 0, SEEK_SET) == 0)
  }
}
