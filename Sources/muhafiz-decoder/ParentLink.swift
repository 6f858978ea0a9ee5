import CSandbox
import Decoding
import Glibc

/// The socket to the parent, and the memory shared with it.
struct ParentLink {
  let input: UnsafeRawBufferPointer
  let output: UnsafeMutableRawBufferPointer

  /// Ends the process where the parent is gone.
  func say(_ packet: UnsafeRawBufferPointer) {
    while send(CInt(SANDBOX_SOCKET), packet.baseAddress, packet.count, CInt(MSG_NOSIGNAL)) < 0 {
      guard errno == EINTR else { exit(0) }
    }
  }

  /// The next packet, of at most `most` bytes; ends the process where the parent is gone.
  func hear(most: Int) -> [UInt8] {
    var packet = [UInt8](repeating: 0, count: most + 1)
    while true {
      let count = recv(CInt(SANDBOX_SOCKET), &packet, packet.count, 0)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { exit(0) }
      packet.removeSubrange(count...)
      return packet
    }
  }

  /// Tells the parent of an event, and waits until it may go on.
  ///
  /// - Returns: Bytes that the parent has put into the input.
  @discardableResult
  func tell(_ event: StreamEvent) -> Int {
    event.packet.withUnsafeBytes(say)
    if !event.kind.isAnswered { return 0 }
    guard let answer = hear(most: StreamAnswer.sizeInBytes).withUnsafeBytes(StreamAnswer.init(packet:)) else {
      exit(DecoderLoop.protocolBroken)
    }
    return min(Int(clamping: answer.count), input.count)
  }
}

/// A file under a parser's hands: wholly in memory, or asked for piece by piece.
struct ByteInput {
  let sizeInBytes: Int64
  private let held: UnsafeRawBufferPointer?
  private let link: ParentLink?

  private static let pieceInBytes = 1 << 18

  init(_ held: UnsafeRawBufferPointer) {
    self.held = held
    link = nil
    sizeInBytes = Int64(held.count)
  }

  /// The file of a request, wherever its bytes are.
  init(_ request: DecodeRequest, _ link: ParentLink) {
    sizeInBytes = Int64(clamping: request.inputSize)
    held = request.isPulled ? nil : UnsafeRawBufferPointer(rebasing: link.input[..<Int(request.inputSize)])
    self.link = link
  }

  /// Bytes from an offset on, some of them or none at the end; valid until the next call.
  func piece(at offset: Int64) -> UnsafeRawBufferPointer {
    let left = sizeInBytes - offset
    if left <= 0 || offset < 0 { return UnsafeRawBufferPointer(start: nil, count: 0) }
    let count = Int(min(left, Int64(Self.pieceInBytes)))
    if let held { return UnsafeRawBufferPointer(rebasing: held[Int(offset)..<Int(offset) + count]) }
    guard let link else { return UnsafeRawBufferPointer(start: nil, count: 0) }
    var event = StreamEvent(.input)
    event.first = UInt64(offset)
    event.second = UInt64(count)
    return UnsafeRawBufferPointer(rebasing: link.input[..<min(link.tell(event), count)])
  }
}
