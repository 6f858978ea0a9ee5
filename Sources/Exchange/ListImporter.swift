import Glibc
import Matching
import SystemPackage

/// Reads partners' list files as a stream: memory does not grow with the file.
public struct ListImporter: Sendable {
  private let options: ImportOptions
  private let bufferSize: Int

  public init(_ options: ImportOptions = ImportOptions()) {
    self.init(options, bufferSize: 1 << 18)
  }

  /// - Parameter bufferSize: Bytes read at once; tests make it small so that lines lie across its end.
  package init(_ options: ImportOptions, bufferSize: Int) {
    self.options = options
    self.bufferSize = bufferSize
  }

  /// Longest line that is looked at, in bytes. What is longer is refused without being kept.
  static let longestLine = 1 << 16

  /// Reads one file.
  ///
  /// - Parameters:
  ///   - path: `-` for standard input.
  ///   - take: Gets each entry, in the order of the file. What it throws ends the reading.
  /// - Throws: ``ExchangeError``.
  public func read(_ path: FilePath, take: (ListEntry) throws -> Void) throws -> ImportReport {
    let isInput = path == "-"
    let descriptor: FileDescriptor
    do { descriptor = isInput ? .standardInput : try FileDescriptor.open(path, .readOnly, options: [.closeOnExec]) } catch {
      throw ExchangeError(.cannotRead, "cannot read \(path): \(error)")
    }
    defer { if !isInput { close(descriptor.rawValue) } }
    return try withoutActuallyEscaping(take) { take in
      try read(descriptor, fileName: isInput ? "standard input" : path.string, take: take)
    }
  }

  private func read(
    _ descriptor: FileDescriptor, fileName: String, take: @escaping (ListEntry) throws -> Void
  ) throws -> ImportReport {
    var lines = LineReader(descriptor, fileName: fileName, bufferSize: max(bufferSize, 16))
    let (format, isZeroTerminated) = try lines.withHead { head in
      let sniffer = FormatSniffer(head: head, fileName: fileName)
      try sniffer.checkEncoding()
      return (try options.format ?? sniffer.format(), sniffer.isZeroTerminated)
    }
    var sink = RecordSink(
      options: options, fileName: fileName, report: ImportReport(format: format), take: take)
    var parser = format.makeParser(options)
    try lines.forEach(separator: isZeroTerminated ? 0 : UInt8(ascii: "\n")) { line, number in
      if let line {
        try parser.parse(line, number: number, into: &sink)
      } else {
        try sink.reject(number, "longer than \(Self.longestLine) bytes")
      }
    }
    try parser.finish(into: &sink)
    return sink.report
  }
}

/// Cuts a file into lines while it is read.
private struct LineReader {
  private let descriptor: FileDescriptor
  private let fileName: String
  private let bufferSize: Int
  /// The first bytes, which were read to tell the format.
  private var head: [UInt8] = []

  private static let headSize = 1 << 16
  private static let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]

  init(_ descriptor: FileDescriptor, fileName: String, bufferSize: Int) {
    self.descriptor = descriptor
    self.fileName = fileName
    self.bufferSize = bufferSize
  }

  private func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    do { return try descriptor.read(into: buffer) } catch {
      throw ExchangeError(.cannotRead, "cannot read \(fileName): \(error)")
    }
  }

  /// Lends the first bytes of the file, after any byte order mark.
  mutating func withHead<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) throws -> Result {
    var piece = [UInt8](repeating: 0, count: Self.headSize)
    while head.count < Self.headSize {
      let count = try piece.withUnsafeMutableBytes { try read(into: $0) }
      if count == 0 { break }
      head += piece[..<count]
    }
    if head.starts(with: Self.byteOrderMark) { head.removeFirst(Self.byteOrderMark.count) }
    return try head.withUnsafeBytes(body)
  }

  /// Hands over every line with its number from 1, without the separator; `nil` for one that is too long.
  mutating func forEach(separator: UInt8, _ body: (UnsafeRawBufferPointer?, Int) throws -> Void) throws {
    var number = 0
    /// The beginning of a line that goes on in the next piece.
    var begun: [UInt8] = []
    var isTooLong = false

    func end(_ rest: UnsafeRawBufferPointer) throws {
      number += 1
      if isTooLong || begun.count + rest.count > ListImporter.longestLine {
        try body(nil, number)
      } else if begun.isEmpty {
        try body(rest, number)
      } else {
        begun.append(contentsOf: rest)
        try begun.withUnsafeBytes { try body($0, number) }
      }
      begun.removeAll(keepingCapacity: true)
      isTooLong = false
    }

    func cut(_ piece: UnsafeRawBufferPointer) throws {
      var start = 0
      while start < piece.count, let found = memchr(piece.baseAddress! + start, Int32(separator), piece.count - start) {
        let stop = UnsafeRawPointer(found) - piece.baseAddress!
        try end(piece.from(start, to: stop))
        start = stop + 1
      }
      let rest = piece.from(start)
      if begun.count + rest.count > ListImporter.longestLine { isTooLong = true } else { begun.append(contentsOf: rest) }
      if isTooLong { begun.removeAll(keepingCapacity: true) }
    }

    try head.withUnsafeBytes { try cut($0) }
    head = []
    var piece = [UInt8](repeating: 0, count: bufferSize)
    while true {
      let count = try piece.withUnsafeMutableBytes { try read(into: $0) }
      if count == 0 { break }
      try piece.withUnsafeBytes { try cut($0.from(0, to: count)) }
    }
    if !begun.isEmpty || isTooLong { try end(UnsafeRawBufferPointer(start: nil, count: 0)) }
  }
}
