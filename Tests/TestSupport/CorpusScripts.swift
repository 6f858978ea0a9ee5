import Foundation

extension Corpus {
  /// Runs one of the corpus's generators with a Python that has what it needs.
  ///
  /// - Returns: `false`, with a printed line, when there is no such Python: the test then skips.
  public static func generate(_ script: String, _ arguments: [String]) throws -> Bool {
    let named = ProcessInfo.processInfo.environment["MUHAFIZ_TEST_PYTHON"] ?? ""
    let python = named.isEmpty ? "python3" : named
    let result = try run("/usr/bin/env", [python, root.appending(path: "scripts/\(script)").path] + arguments)
    if result.exitCode == 0 { return true }
    let lastLine = result.errorText.split(separator: "\n").last ?? ""
    if result.errorText.contains("ModuleNotFoundError") || result.exitCode == 127 {
      print("skipped: \(script) needs Python with Pillow, numpy and pdqhash (\(lastLine))")
      return false
    }
    throw CocoaError(.executableLoad, userInfo: [NSLocalizedDescriptionKey: "\(script) failed: \(lastLine)"])
  }
}
