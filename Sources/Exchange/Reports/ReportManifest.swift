import Hashing
import Matching
import SystemPackage

/// What the files of a report are, by their digests: the text that is signed.
///
///     muhafiz report, version 1
///     run 5d3c…
///     9f86d0…  items.csv          as sha256sum writes it, so that 'sha256sum -c MANIFEST' checks the files too
public struct ReportManifest: Sendable, Equatable {
  public let run: String
  /// SHA-256 by name of file.
  public var digests: [String: Digest] = [:]

  private static let heading = "muhafiz report, version 1"

  init(run: String) { self.run = run }

  /// The text, which ends in a line feed.
  var text: String {
    let lines = digests.sorted { $0.key < $1.key }.map { "\($0.value.hex)  \($0.key)\n" }
    return "\(Self.heading)\nrun \(run)\n" + lines.joined()
  }

  /// Reads the text of a manifest whose signature was found good.
  ///
  /// - Throws: ``ExchangeError`` with `malformed`.
  public init(_ text: String) throws(ExchangeError) {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    guard lines.count > 3, lines[0] == Self.heading, lines[1].hasPrefix("run "), lines.last == "" else {
      throw ExchangeError(.malformed, "this is no manifest of a report")
    }
    self.init(run: String(lines[1].dropFirst(4)))
    for line in lines[2...].dropLast() {
      let name = String(line.dropFirst(66))
      guard line.utf8.count > 66, line.dropFirst(64).hasPrefix("  "), let digest = Digest(.sha256, hex: line.prefix(64)),
        !name.contains("/"), digests.updateValue(digest, forKey: name) == nil
      else { throw ExchangeError(.malformed, "a line of the manifest is malformed") }
    }
  }

  /// Compares the files of a folder with what was signed.
  ///
  /// - Returns: What is not so, each in a line; empty for a folder that is as it was signed.
  /// - Throws: `MatchingError` for a folder or file that cannot be read.
  public func faults(in folder: FilePath) throws -> [String] {
    let present = Set(try DurableFile.names(in: folder))
    var faults: [String] = []
    for (name, digest) in digests.sorted(by: { $0.key < $1.key }) {
      if !present.contains(name) {
        faults.append("\(name) is missing")
      } else if try Self.digest(of: folder.appending(name)) != digest {
        faults.append("\(name) is not what was signed")
      }
    }
    for name in present.subtracting(digests.keys).subtracting([ReportFolder.manifestName]).sorted() {
      faults.append("\(name) is no part of the report")
    }
    return faults
  }

  private static func digest(of path: FilePath) throws -> Digest {
    let file: FileDescriptor
    do { file = try FileDescriptor.open(path, .readOnly, options: [.closeOnExec, .nonBlocking]) } catch let error as Errno {
      throw MatchingError(error, "open", path)
    }
    return try file.closeAfter {
      var digester = try Digester([.sha256])
      let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 4096)
      defer { buffer.deallocate() }
      while true {
        let count: Int
        do { count = try file.read(into: buffer) } catch let error as Errno { throw MatchingError(error, "read", path) }
        if count == 0 { return try digester.finish()[0] }
        try digester.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
      }
    }
  }
}
