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
  /// - Returns: The parent's answer; to an event that wants none, one that says nothing.
  @discardableResult
  func tell(_ event: StreamEvent) -> StreamAnswer {
    event.packet.withUnsafeBytes(say)
    if !event.kind.isAnswered { return StreamAnswer() }
    guard let answer = hear(most: StreamAnswer.sizeInBytes).withUnsafeBytes(StreamAnswer.init(packet:)) else {
      exit(DecoderLoop.protocolBroken)
    }
    return answer
  }

  /// Asks the parent for bytes, or for what else it puts into the input.
  func ask(_ event: StreamEvent) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: input[..<min(Int(clamping: tell(event).count), input.count)])
  }
}

/// How a member, an archive or an image came to its end.
struct Ending {
  var status: DecodeReply.Status
  var reason = ""
  static let whole = Ending(status: .decoded)
}

extension ParentLink {
  /// Tells of a member with bytes.
  func begin(_ name: [UInt8]) {
    var event = StreamEvent(.file)
    event.text = name
    tell(event)
  }

  /// Tells of a member without bytes.
  func tell(_ kind: ArchiveMember.Kind, _ name: [UInt8]) {
    var event = StreamEvent(.link)
    event.status = kind.status
    event.text = name
    tell(event)
  }

  /// Tells of bytes at the start of the output; returns whether more are wanted.
  func tellBytes(_ count: Int) -> Bool {
    var event = StreamEvent(.bytes)
    event.second = UInt64(count)
    return tell(event).demand != .refused
  }

  func end(_ kind: StreamEvent.Kind, _ ending: Ending) {
    var event = StreamEvent(kind)
    event.status = ending.status.rawValue
    event.text = Array(ending.reason.utf8)
    tell(event)
  }
}

/// A file under a parser's hands: wholly in memory, asked for piece by piece, or a file of a disk image.
struct ByteInput {
  let sizeInBytes: Int64
  private let held: UnsafeRawBufferPointer?
  private let link: ParentLink?
  private let read: ((_ offset: Int64, _ count: Int) -> UnsafeRawBufferPointer)?

  static let pieceInBytes = 1 << 18

  init(_ held: UnsafeRawBufferPointer) {
    self.held = held
    (link, read) = (nil, nil)
    sizeInBytes = Int64(held.count)
  }

  /// - Parameter read: Answers bytes that stay until the next call; fewer than asked for, or none, at the end and where
  ///   they cannot be had.
  init(sizeInBytes: Int64, read: @escaping (_ offset: Int64, _ count: Int) -> UnsafeRawBufferPointer) {
    self.sizeInBytes = sizeInBytes
    self.read = read
    (held, link) = (nil, nil)
  }

  /// The file of a request, wherever its bytes are.
  init(_ request: DecodeRequest, _ link: ParentLink) {
    sizeInBytes = Int64(clamping: request.inputSize)
    held = request.isPulled ? nil : UnsafeRawBufferPointer(rebasing: link.input[..<Int(request.inputSize)])
    self.link = link
    read = nil
  }

  /// Bytes from an offset on, some of them or none at the end; valid until the next call.
  func piece(at offset: Int64) -> UnsafeRawBufferPointer {
    let left = sizeInBytes - offset
    if left <= 0 || offset < 0 { return UnsafeRawBufferPointer(start: nil, count: 0) }
    let count = Int(min(left, Int64(Self.pieceInBytes)))
    if let held { return UnsafeRawBufferPointer(rebasing: held[Int(offset)..<Int(offset) + count]) }
    if let read { return read(offset, count) }
    guard let link else { return UnsafeRawBufferPointer(start: nil, count: 0) }
    var event = StreamEvent(.input)
    event.first = UInt64(offset)
    event.second = UInt64(count)
    return UnsafeRawBufferPointer(rebasing: link.ask(event).prefix(count))
  }
}
