import Foundation
import Glibc
import SystemPackage

/// A file that is no report, or none with an end.
public struct ReportError: Error, Sendable, CustomStringConvertible {
  public let description: String

  init(_ description: String) { self.description = description }
}

/// Reads a report in NDJSON version 1, a line at a time.
final class ReportLines {
  struct Begin {
    let run: String
    let roots: [String]
    let hasAllItems: Bool
  }

  struct Item {
    /// With its line feed.
    let line: [UInt8]
    let path: FilePath
    let member: String?
    let status: String
    let reason: String?
    let size: Int64?
    let sha256: String?
  }

  struct End {
    let reportDigest: String
    let counts: [String: Int]
  }

  private let path: FilePath
  private let stream: UnsafeMutablePointer<FILE>
  private var number = 0
  private var buffer: UnsafeMutablePointer<CChar>?
  private var room = 0
  private var summary: [String: Any]?

  init(opening path: FilePath) throws {
    guard let stream = path.withPlatformString({ fopen($0, "re") }) else {
      throw ReportError("cannot read \(path): \(Errno(rawValue: errno))")
    }
    self.path = path
    self.stream = stream
  }

  deinit {
    free(buffer)
    fclose(stream)
  }

  /// The first line.
  func begin() throws -> Begin {
    guard let (_, object) = try next(), object["type"] as? String == "begin", let run = object["run"] as? String,
      let roots = object["roots"] as? [String]
    else { throw ReportError("\(path) does not begin as the report of a scan with its paths") }
    return Begin(run: run, roots: roots, hasAllItems: object["all"] as? String == "true")
  }

  /// The next item; `nil` before the last line.
  func nextItem() throws -> Item? {
    guard summary == nil, let (line, object) = try next() else { return nil }
    if object["type"] as? String == "summary" {
      summary = object
      return nil
    }
    let bytes: [UInt8]? =
      (object["path"] as? String).map { Array($0.utf8) }
      ?? (object["path_base64"] as? String).flatMap { Data(base64Encoded: $0) }.map { Array($0) }
    guard object["type"] as? String == "item", let bytes, !bytes.contains(0), let status = object["status"] as? String
    else { throw ReportError("\(path): line \(number) is no item of a scanned path") }
    return Item(
      line: line, path: FilePath(platformString: bytes.map(CChar.init(bitPattern:)) + [0]),
      member: object["member"] as? String, status: status, reason: object["reason"] as? String,
      size: (object["size"] as? NSNumber)?.int64Value, sha256: object["sha256"] as? String)
  }

  /// The last line.
  func end() throws -> End {
    guard let summary, let digest = summary["report_sha256"] as? String else {
      throw ReportError("\(path) has no end: the scan was cut off while it was written")
    }
    if try next() != nil { throw ReportError("\(path): line \(number) stands behind the end") }
    let words = ["hashed": "hashed", "unhashable": "unhashable", "skipped": "skipped", "error": "errors"]
    return End(reportDigest: digest, counts: words.compactMapValues { summary[$0] as? Int })
  }

  private func next() throws -> (line: [UInt8], object: [String: Any])? {
    let length = getline(&buffer, &room, stream)
    guard length >= 0, let buffer else {
      if ferror(stream) != 0 { throw ReportError("cannot read \(path): \(Errno(rawValue: errno))") }
      return nil
    }
    number += 1
    let line = Array(UnsafeRawBufferPointer(start: buffer, count: length))
    guard let object = try? JSONSerialization.jsonObject(with: Data(line)) as? [String: Any], object["v"] as? Int == 1
    else {
      throw ReportError("\(path): line \(number) is no line of NDJSON version 1")
    }
    return (line, object)
  }
}
