import Glibc
import SystemPackage

/// A file read in pieces: memory does not grow with it.
struct ByteStream: ~Copyable {
  let fileName: String
  let descriptor: FileDescriptor
  private let pieceSize: Int
  private let memory: UnsafeMutableRawBufferPointer
  /// What was read and not yet taken: `memory[position..<end]`.
  private var position = 0
  private var end = 0
  /// Bytes of the file before `memory`.
  private var passed = 0

  /// Bytes that are looked at to tell the format.
  private static let headSize = 1 << 16

  /// - Parameters:
  ///   - descriptor: Open for reading; stays the caller's.
  ///   - pieceSize: Bytes read at once, at least 1.
  init(_ descriptor: FileDescriptor, fileName: String, pieceSize: Int) {
    self.fileName = fileName
    self.descriptor = descriptor
    self.pieceSize = pieceSize
    memory = .allocate(byteCount: max(pieceSize, Self.headSize), alignment: 16)
  }

  deinit { memory.deallocate() }

  /// Bytes taken so far.
  var offset: Int { passed + position }

  /// What lies ready, perhaps nothing. Valid until the next call that changes the stream.
  var piece: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(memory)[position..<end])
  }

  /// Takes bytes of ``piece``.
  mutating func advance(_ count: Int) { position += count }

  /// Reads the next piece when nothing lies ready.
  ///
  /// - Returns: `false` at the end of the file.
  mutating func fill() throws -> Bool {
    if position < end { return true }
    passed += end
    position = 0
    end = try read(into: UnsafeMutableRawBufferPointer(rebasing: memory[..<pieceSize]))
    return end > 0
  }

  /// The next byte without taking it; `nil` at the end of the file.
  @inline(__always)
  mutating func peek() throws -> UInt8? {
    if position == end {
      guard try fill() else { return nil }
    }
    return memory[position]
  }

  /// Takes the next byte; `nil` at the end of the file.
  @inline(__always)
  mutating func next() throws -> UInt8? {
    let byte = try peek()
    if byte != nil { position += 1 }
    return byte
  }

  /// Reads the beginning of the file for a look, and passes over a byte order mark.
  mutating func readHead() throws {
    while end < Self.headSize {
      let count = try read(into: UnsafeMutableRawBufferPointer(rebasing: memory[end..<Self.headSize]))
      if count == 0 { break }
      end += count
    }
    if piece.starts(with: [0xEF, 0xBB, 0xBF]) { advance(3) }
  }

  private func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    do { return try descriptor.read(into: buffer) } catch {
      throw ExchangeError(.cannotRead, "cannot read \(fileName): \(error)")
    }
  }
}
