import Decoding
import Glibc

/// Converts text to UTF-8 with the C library.
///
/// The library loads a module from a file for each encoding, which the sandbox does not let it do: all of them are loaded
/// before. `iconv_open` is looked up behind this program's own, which refuses every name: see charsets.c.
enum TextConverter {
  private nonisolated(unsafe) static var converters: [String: iconv_t] = [:]

  /// Opens every converter that this machine has.
  static func prepare() {
    typealias Open = @convention(c) (UnsafePointer<CChar>, UnsafePointer<CChar>) -> iconv_t
    let behindThisProgram = UnsafeMutableRawPointer(bitPattern: -1)  // RTLD_NEXT
    guard let symbol = dlsym(behindThisProgram, "iconv_open") else { return }
    let open = unsafeBitCast(symbol, to: Open.self)
    for name in TextEncoding.converters {
      let converter = open("UTF-8", name)
      if converter != iconv_t(bitPattern: -1) { converters[name] = converter }
    }
  }

  /// - Throws: That there is no converter on this machine; what `body` throws.
  static func withUTF8(
    _ input: UnsafeRawBufferPointer, _ encoding: TextEncoding,
    _ body: (UnsafeBufferPointer<UInt8>) throws(Unhashable) -> Void
  ) throws(Unhashable) {
    var text: [UInt8]
    switch encoding {
    // Tags end where they end, however broken the text in them.
    case .utf8: return try body(input.assumingMemoryBound(to: UInt8.self))
    case .utf16LittleEndian: text = wide(input, highByte: 1)
    case .utf16BigEndian: text = wide(input, highByte: 0)
    default:
      guard let converter = converters[encoding.converter] else {
        throw Unhashable(.unsupported, "this machine cannot read the character set \(encoding.converter)")
      }
      text = convert(input, converter)
    }
    text.append(0)  // never without an address
    try text.withUnsafeBufferPointer { text throws(Unhashable) in
      try body(UnsafeBufferPointer(rebasing: text.dropLast()))
    }
  }

  private static func wide(_ input: UnsafeRawBufferPointer, highByte: Int) -> [UInt8] {
    let units = stride(from: 0, to: input.count - 1, by: 2).map { place in
      UInt16(input[place + highByte]) << 8 | UInt16(input[place + 1 - highByte])
    }
    return Array(String(decoding: units, as: UTF16.self).utf8)
  }

  private static func convert(_ input: UnsafeRawBufferPointer, _ converter: iconv_t) -> [UInt8] {
    iconv(converter, nil, nil, nil, nil)
    var text: [UInt8] = []
    text.reserveCapacity(input.count + input.count / 2)
    var next = UnsafeMutablePointer(mutating: input.baseAddress?.assumingMemoryBound(to: CChar.self))
    var left = input.count
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 1 << 14) { piece in
      while left > 0 {
        var out = piece.baseAddress
        var room = piece.count
        let result = iconv(converter, &next, &left, &out, &room)
        let error = errno
        text.append(contentsOf: UnsafeRawBufferPointer(start: piece.baseAddress, count: piece.count - room))
        guard result == Int(bitPattern: UInt.max) else { break }
        if error == E2BIG { continue }
        // One byte that means nothing, or a character that the end cuts.
        text += [0xef, 0xbf, 0xbd]
        if left > 0 {
          next = next.map { $0 + 1 }
          left -= 1
        }
      }
    }
    return text
  }
}

/// Tells in which encoding a page is written.
enum PageEncoding {
  /// Bytes of a page in which it may say so itself; browsers look at 1024 and begin again where they were wrong.
  private static let searchedInBytes = 1 << 14

  /// - Parameter declared: By the server.
  static func tell(
    _ input: UnsafeRawBufferPointer, _ format: DecodeRequest.Format, declared: TextEncoding?
  ) -> TextEncoding {
    if let encoding = TextEncoding(mark: input) ?? declared { return encoding }
    let head = UnsafeRawBufferPointer(rebasing: input.prefix(searchedInBytes))
    let own = format == .css ? TextEncoding(styleSheet: head) : TextEncoding(page: head)
    // A page that could say so is not written in units of two bytes.
    if let own { return own == .utf16LittleEndian || own == .utf16BigEndian ? .utf8 : own }
    return String(validating: input, as: UTF8.self) != nil ? .utf8 : .windows1252
  }
}
