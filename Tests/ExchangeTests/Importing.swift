import Glibc
import Hashing
import Matching
import SystemPackage

@testable import Exchange

// Published digests of "abc" (RFC 1321, FIPS 180-4), and PDQ's example picture "bridge".
let md5 = "900150983cd24fb0d6963f7d28e17f72"
let sha1 = "a9993e364706816aba3e25717850c26c9cd0d89d"
let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
let pdq = "f8f8f0cce0f4e84d0e370a22028f67f0b36e2ed596623e1d33e6339c4e9c9b22"
let emptySHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

/// What an importer made of a file.
struct Imported {
  var entries: [ListEntry] = []
  var withdrawn: [ListEntry] = []
  var report: ImportReport

  var hashes: [String] { entries.flatMap(\.hashNames) }
  var ids: [String?] { entries.map(\.id) }
  var reasons: [String] { report.firstRejections.map(\.reason) }
}

extension ListEntry {
  var hashNames: [String] { digests.map(\.description) + perceptualHashes.map(\.description) }
}

/// Lends an open file with the given bytes. It has a name, by which a database is opened.
func withFile<Result>(_ bytes: some Sequence<UInt8>, _ body: (FileDescriptor) throws -> Result) throws -> Result {
  var path = Array("/tmp/muhafiz-test-XXXXXX".utf8CString)
  let file = FileDescriptor(rawValue: mkstemp(&path))
  defer {
    close(file.rawValue)
    unlink(path)
  }
  try file.writeAll(toAbsoluteOffset: 0, Array(bytes))
  return try body(file)
}

/// Imports bytes as a file of the given name.
func read(
  _ bytes: some Sequence<UInt8>, name: String = "list.txt", pieceSize: Int = 1 << 18,
  _ change: (inout ImportOptions) -> Void = { _ in }
) throws -> Imported {
  var options = ImportOptions()
  change(&options)
  var entries: [ListEntry] = []
  var withdrawn: [ListEntry] = []
  let report = try withFile(bytes) { file in
    try ListImporter(options, pieceSize: pieceSize).read(
      file, fileName: name, withdraw: { withdrawn.append($0) }, take: { entries.append($0) })
  }
  return Imported(entries: entries, withdrawn: withdrawn, report: report)
}

/// Imports a text as a file of the given name.
func read(
  _ text: String, name: String = "list.txt", pieceSize: Int = 1 << 18,
  _ change: (inout ImportOptions) -> Void = { _ in }
) throws -> Imported {
  try read(text.utf8, name: name, pieceSize: pieceSize, change)
}
