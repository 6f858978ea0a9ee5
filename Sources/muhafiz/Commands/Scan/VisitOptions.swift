import ArgumentParser
import Foundation
import Glibc
import Matching

/// Which URLs a scan visits.
struct VisitOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp("Visit the URLs that a text has in it; - reads it from standard input.", valueName: "file"))
  var urlsFrom: [String] = []
  @Flag(help: "Visit the reported URLs that wait for a scan.") var reports = false

  /// Whether URLs are asked for, and no paths.
  func isAsked(_ arguments: [String]) -> Bool {
    !urlsFrom.isEmpty || reports || arguments.contains(where: Self.isURL)
  }

  /// What was meant as URLs, each once.
  func mentions(_ arguments: [String]) throws -> [URLMention] {
    if let path = arguments.first(where: { !Self.isURL($0) }) {
      throw UsageError("'\(path)' is no URL", hint: "files and URLs are two scans")
    }
    var text = arguments.joined(separator: "\n")
    for file in urlsFrom {
      let handle = file == "-" ? FileHandle.standardInput : FileHandle(forReadingAtPath: file)
      guard let handle, let bytes = try handle.readToEnd() ?? Data() as Data? else {
        throw UsageError("cannot read \(file): \(String(cString: strerror(errno)))")
      }
      let isWide = bytes.starts(with: [0xFE, 0xFF]) || bytes.starts(with: [0xFF, 0xFE])
      text += "\n" + ((isWide ? String(data: bytes, encoding: .utf16) : nil) ?? String(decoding: bytes, as: UTF8.self))
    }
    return URLMention.all(in: text)
  }

  /// Whether an argument is meant as a URL; a file of that name would be written `./…`.
  private static func isURL(_ argument: String) -> Bool {
    ["://", "[.]", "(.)", "[:]"].contains { argument.contains($0) } && !argument.hasPrefix("/")
      && !argument.hasPrefix(".")
  }
}
