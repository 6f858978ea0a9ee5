import Foundation
import TestSupport

/// The site of `site.py`, served until the object goes.
final class TestSite: @unchecked Sendable {  // Nothing changes after it has started.
  struct Description: Decodable {
    struct Planted: Decodable {
      let url: String
      /// Element and attribute, or nothing for a segment.
      let place: String
    }

    struct Page: Decodable {
      let url: String
      /// The header `Content-Type`.
      let type: String
      /// The body, in the site's folder.
      let file: String
      let planted: [Planted]
      /// Whether it refers to what never ends.
      let hostile: Bool
    }

    let origin: String
    let pages: [Page]
  }

  let folder: TemporaryDirectory
  let description: Description
  private let process = Process()
  private let input = Pipe()

  init(pages: Int) throws {
    folder = try TemporaryDirectory()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = [
      "python3", URL(filePath: #filePath).deletingLastPathComponent().appending(path: "site.py").path, folder.url.path,
      Corpus.packageRoot.appending(path: "testdata/pictures").path, String(pages),
    ]
    let output = Pipe()
    process.standardInput = input
    process.standardOutput = output
    try process.run()
    // It says "ready" once the folder is filled.
    _ = try output.fileHandleForReading.read(upToCount: 6)
    description = try JSONDecoder().decode(
      Description.self, from: Data(contentsOf: folder.url.appending(path: "site.json")))
  }

  deinit {
    // There is nobody to tell, and the process ends with its input in any case.
    try? input.fileHandleForWriting.close()
    process.waitUntilExit()
  }

  func body(of page: Description.Page) throws -> [UInt8] {
    try [UInt8](Data(contentsOf: folder.url.appending(path: page.file)))
  }

  /// What was asked for so far: "GET media /p/1/0.jpg".
  func requests() throws -> [String] {
    try String(contentsOf: folder.url.appending(path: "requests.log"), encoding: .utf8).split(separator: "\n").map(
      String.init)
  }
}
