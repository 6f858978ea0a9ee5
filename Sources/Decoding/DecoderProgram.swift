import Glibc
import SystemPackage

/// Where the decoder's program is.
enum DecoderProgram {
  static func find() throws(DecodingError) -> FilePath {
    if let named = getenv("MUHAFIZ_DECODER") {
      let path = FilePath(String(cString: named))
      guard isExecutable(path) else {
        throw DecodingError(.decoderMissing, "$MUHAFIZ_DECODER names no program: \(path)")
      }
      return path
    }
    let beside = try runningProgram().removingLastComponent()
    let places = [
      beside.appending("muhafiz-decoder"),
      beside.removingLastComponent().appending("libexec/muhafiz/muhafiz-decoder"),
    ]
    if let place = places.first(where: isExecutable) { return place }
    throw DecodingError(
      .decoderMissing, "muhafiz-decoder is neither at \(places[0]) nor at \(places[1]); set MUHAFIZ_DECODER to its path"
    )
  }

  private static func isExecutable(_ path: FilePath) -> Bool { access(path.string, X_OK) == 0 }

  private static func runningProgram() throws(DecodingError) -> FilePath {
    var target = [UInt8](repeating: 0, count: Int(PATH_MAX))
    let count = target.withUnsafeMutableBytes { bytes in
      readlink("/proc/self/exe", bytes.baseAddress!.assumingMemoryBound(to: CChar.self), bytes.count)
    }
    guard count > 0 else { throw DecodingError(.decoderMissing, "cannot read /proc/self/exe: \(describe(errno))") }
    return FilePath(String(decoding: target[..<count], as: UTF8.self))
  }
}
