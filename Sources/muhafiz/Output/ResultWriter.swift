import Foundation
import Glibc
import Matching
import SystemPackage

/// Where results go: standard output, or a file that appears when all is written.
final class ResultWriter {
  private let place: String
  private var file: DurableFile?
  private var buffer: [UInt8] = []
  private let isLive: Bool

  private static let bufferSize = 1 << 16

  /// - Parameters:
  ///   - path: `nil` or `-` for standard output.
  ///   - isLive: Whether each result goes out at once, which a terminal has in any case: for those that are long in coming,
  ///     where a program may read along.
  ///   - isSecondTry: The first was cut off, and has left what it had written beside the place.
  init(_ path: String?, isLive: Bool = false, isSecondTry: Bool = false) throws {
    if let path, path != "-" {
      place = path
      if isSecondTry { try DurableFile.sweepOrphans(of: FilePath(path)) }
      file = try DurableFile(replacing: FilePath(path))
      self.isLive = false
    } else {
      place = "standard output"
      self.isLive = isLive || isatty(STDOUT_FILENO) == 1
    }
  }

  func write(_ bytes: some Sequence<UInt8>) throws {
    buffer.append(contentsOf: bytes)
    if isLive || buffer.count >= Self.bufferSize { try flush() }
  }

  func write(line: String) throws { try write((line + "\n").utf8) }

  /// Writes what is left; a file appears at its place.
  func finish() throws {
    try flush()
    if let file = file.take() { try file.commit() }
  }

  func flush() throws {
    defer { buffer.removeAll(keepingCapacity: true) }
    if file != nil {
      try buffer.withUnsafeBytes { try file!.append($0) }
    } else {
      do { try buffer.withUnsafeBytes { _ = try FileDescriptor.standardOutput.writeAll($0) } } catch let error as Errno {
        throw OutputError(cause: error, place: place)
      }
    }
  }
}
