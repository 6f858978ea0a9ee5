import CPDF
import Decoding
import Glibc

/// The pictures and the files that a PDF holds, found object by object with qpdf.
///
/// Text and drawings are no pictures. Pictures that stand within the drawing of a page, which are small, are not looked for.
extension ArchiveReader {
  /// Objects of one PDF that are looked at.
  private static let mostObjects = 1 << 20

  /// Has qpdf do once what it does at first use, while files can still be opened.
  static func preparePDF() {
    let smallest =
      "%PDF-1.0\n1 0 obj<</Pages 2 0 R>>endobj 2 0 obj<</Kids[]/Count 0>>endobj\ntrailer<</Root 1 0 R/Size 3>>\n%%EOF\n"
    _ = PDFDocument(Array(smallest.utf8))?.size
  }

  /// Reads a PDF to its end; its members are called by the numbers of their objects.
  func readPDF(_ input: ByteInput, path: [UInt8], depth: Int) -> Ending {
    guard input.sizeInBytes <= Int64(Self.mostNestedInBytes) else {
      return Ending(status: .limit, reason: "limit: a PDF of more than \(Self.mostNestedInBytes) bytes")
    }
    var bytes: [UInt8] = []
    while Int64(bytes.count) < input.sizeInBytes {
      let piece = input.piece(at: Int64(bytes.count))
      if piece.isEmpty { return Ending(status: .broken, reason: "premature end of data") }
      bytes.append(contentsOf: piece)
    }
    guard let document = PDFDocument(bytes) else { return Ending(status: .memory) }
    if let failure = document.failure { return failure }
    // What is not in the table that says how many there are may be there all the same, and takes some room.
    let count = max(document.size, min(bytes.count / 32, 1 << 16))
    for number in 1..<max(2, min(count, Self.mostObjects)) {
      guard let stream = document.stream(number) else { continue }
      if stream.isPicture {
        tell(path, "images/\(number)", stream.picture(), depth: depth)
      } else if stream.isFile {
        tell(path, "files/\(number)", stream.content().map { ("", $0) }, depth: depth)
      }
    }
    if count > Self.mostObjects {
      return Ending(status: .limit, reason: "limit: more than \(Self.mostObjects) objects in the PDF")
    }
    return document.damage ?? .whole
  }

  private func tell(
    _ path: [UInt8], _ name: String, _ content: Result<(suffix: String, bytes: [UInt8]), PDFStream.Refusal>, depth: Int
  ) {
    var event = StreamEvent(.file)
    switch content {
    case .failure(let refusal):
      event.text = path + Array(name.utf8)
      link.tell(event)
      link.end(.end, refusal.ending)
    case .success(let (suffix, bytes)):
      event.text = path + Array((name + suffix).utf8)
      link.tell(event)
      bytes.withUnsafeBytes { member($0, name: event.text, depth: depth) }
    }
  }

  /// Tells the bytes of a member that is in memory, and of its own members.
  private func member(_ bytes: UnsafeRawBufferPointer, name: [UInt8], depth: Int) {
    for start in stride(from: 0, to: bytes.count, by: Self.pieceInBytes) {
      let piece = UnsafeRawBufferPointer(rebasing: bytes[start..<min(start + Self.pieceInBytes, bytes.count)])
      link.output.copyMemory(from: piece)
      var event = StreamEvent(.bytes)
      event.second = UInt64(piece.count)
      link.tell(event)
    }
    link.end(.end, .whole)
    guard let type = MediaType.sniff(bytes), type.isArchive, let format = type.format else { return }
    var nested = Nested(type)
    nested.append(bytes, most: Self.mostNestedInBytes)
    open(format, nested, name: name, depth: depth)
  }
}

/// A PDF that qpdf has read.
private final class PDFDocument {
  fileprivate let data: qpdf_data
  /// Why it was not read.
  let failure: Ending?
  private let bytes: UnsafeMutableRawBufferPointer

  /// - Returns: `nil` when there is no memory.
  init?(_ content: [UInt8]) {
    guard let data = qpdf_init() else { return nil }
    self.data = data
    // qpdf reads from it as long as it lives.
    bytes = .allocate(byteCount: max(content.count, 1), alignment: 16)
    bytes.copyBytes(from: content)
    qpdf_silence_errors(data)
    qpdf_set_suppress_warnings(data, 1)
    let status = qpdf_read_memory(data, "pdf", bytes.baseAddress!.assumingMemoryBound(to: CChar.self), UInt64(content.count), nil)
    guard status & 2 != 0, let error = qpdf_get_error(data) else {
      failure = nil
      return
    }
    failure =
      qpdf_get_error_code(data, error) == qpdf_e_password
      ? Ending(status: .encrypted) : Self.broken(qpdf_get_error_message_detail(data, error))
  }

  deinit {
    var data: qpdf_data? = data
    qpdf_cleanup(&data)
    bytes.deallocate()
  }

  /// What was found to be wrong so far. qpdf mends much, but nobody knows what a damaged PDF held.
  var damage: Ending? {
    while qpdf_more_warnings(data) != 0, let warning = qpdf_next_warning(data) {
      let message = qpdf_get_error_message_detail(data, warning)
      // Some writers have free numbers in the table as objects at the start of the file: they are nothing, and harmless.
      if let message, strcmp(message, "object has offset 0") == 0 { continue }
      return Self.broken(message)
    }
    return nil
  }

  private static func broken(_ message: UnsafePointer<CChar>?) -> Ending {
    Ending(status: .broken, reason: "pdf: " + (message.map { String(cString: $0) } ?? "damaged"))
  }

  /// One more than the highest number of an object, as the PDF says.
  var size: Int {
    defer { qpdf_oh_release_all(data) }
    return max(0, Int(clamping: integer(qpdf_get_trailer(data), "/Size") ?? 0))
  }

  /// An object that is a stream; valid until the next is asked for.
  func stream(_ number: Int) -> PDFStream? {
    qpdf_oh_release_all(data)
    for generation: CInt in 0...1 {
      let object = qpdf_get_object_by_id(data, CInt(number), generation)
      if qpdf_oh_is_stream(data, object) != 0 { return PDFStream(self, object) }
      if qpdf_oh_is_null(data, object) == 0 { return nil }
    }
    return nil
  }

  func key(_ object: qpdf_oh, _ name: String) -> qpdf_oh? {
    guard qpdf_oh_is_dictionary(data, object) != 0, qpdf_oh_has_key(data, object, name) != 0 else { return nil }
    return qpdf_oh_get_key(data, object, name)
  }

  func integer(_ object: qpdf_oh, _ key: String) -> Int64? {
    guard let value = self.key(object, key), qpdf_oh_is_integer(data, value) != 0 else { return nil }
    return qpdf_oh_get_int_value(data, value)
  }

  func name(_ object: qpdf_oh) -> String? {
    qpdf_oh_is_name(data, object) != 0 ? qpdf_oh_get_name(data, object).map { String(cString: $0) } : nil
  }

  /// The items of an array; of anything else, that alone.
  func items(_ object: qpdf_oh) -> [qpdf_oh] {
    guard qpdf_oh_is_array(data, object) != 0 else { return [object] }
    return (0..<min(qpdf_oh_get_array_n_items(data, object), 64)).map { qpdf_oh_get_array_item(data, object, $0) }
  }
}

/// A stream of a PDF: a picture, a file, or what nobody asks for.
private struct PDFStream {
  struct Refusal: Error {
    let ending: Ending
    init(_ status: DecodeReply.Status, _ reason: String) { ending = Ending(status: status, reason: reason) }
  }

  private let document: PDFDocument
  private let object: qpdf_oh
  private let dictionary: qpdf_oh

  init(_ document: PDFDocument, _ object: qpdf_oh) {
    self.document = document
    self.object = object
    dictionary = qpdf_oh_get_dict(document.data, object)
  }

  var isPicture: Bool { document.key(dictionary, "/Subtype").flatMap(document.name) == "/Image" }
  var isFile: Bool { document.key(dictionary, "/Type").flatMap(document.name) == "/EmbeddedFile" }

  private var filters: [String] {
    document.key(dictionary, "/Filter").map { document.items($0).compactMap(document.name) } ?? []
  }

  /// All bytes, unpacked as far as they must be.
  func content(_ level: qpdf_stream_decode_level_e = qpdf_dl_specialized) -> Result<[UInt8], Refusal> {
    var (isFiltered, buffer, count): (QPDF_BOOL, UnsafeMutablePointer<UInt8>?, Int) = (0, nil, 0)
    let status = qpdf_oh_get_stream_data(document.data, object, level, &isFiltered, &buffer, &count)
    defer { free(buffer) }
    if status & 2 != 0 {
      _ = qpdf_get_error(document.data)
      return .failure(Refusal(.broken, "pdf: the data of object \(qpdf_oh_get_object_id(document.data, object)) is damaged"))
    }
    if level != qpdf_dl_none && isFiltered == 0 && !filters.isEmpty {
      return .failure(Refusal(.unsupported, "pdf: \(filters.joined(separator: " ")) is not decoded"))
    }
    return .success(Array(UnsafeRawBufferPointer(start: buffer, count: count)))
  }

  /// A file of the picture: the JPEG that it is, or its samples as a portable map.
  func picture() -> Result<(suffix: String, bytes: [UInt8]), Refusal> {
    switch filters {
    case ["/DCTDecode"]: content(qpdf_dl_none).map { (".jpg", $0) }
    case ["/JPXDecode"]: content(qpdf_dl_none).map { (".jp2", $0) }
    default: content(qpdf_dl_all).flatMap(map)
    }
  }

  private func map(_ samples: [UInt8]) -> Result<(suffix: String, bytes: [UInt8]), Refusal> {
    let isMask = document.key(dictionary, "/ImageMask").map { qpdf_oh_get_bool_value(document.data, $0) != 0 } ?? false
    guard let width = document.integer(dictionary, "/Width"), let height = document.integer(dictionary, "/Height"),
      (1...PDFSamples.longestSide).contains(width), (1...PDFSamples.longestSide).contains(height)
    else { return .failure(Refusal(.broken, "pdf: a picture without a size")) }
    guard width * height <= PDFSamples.mostPixels else {
      return .failure(Refusal(.limit, "limit: \(width) x \(height) pixels in a PDF, at most \(PDFSamples.mostPixels)"))
    }
    let bits = Int(
      clamping: isMask || filters.last == "/DCTDecode" ? (isMask ? 1 : 8) : document.integer(dictionary, "/BitsPerComponent") ?? 8
    )
    let colours = document.key(dictionary, "/ColorSpace").map(colourSpace) ?? (isMask ? .gray : nil)
    guard let colours, [1, 2, 4, 8, 16].contains(bits) else {
      return .failure(Refusal(.unsupported, "pdf: a colour space that is not decoded"))
    }
    guard let bytes = PDFSamples(width: Int(width), height: Int(height), bits: bits, colours: colours).map(samples) else {
      return .failure(Refusal(.broken, "premature end of data"))
    }
    return .success((colours == .gray ? ".pgm" : ".ppm", bytes))
  }

  /// - Returns: `nil` for one whose samples say nothing without a table of inks or a profile of its own.
  private func colourSpace(_ object: qpdf_oh) -> PDFSamples.Colours? {
    let parts = document.items(object)
    switch parts.first.flatMap(document.name) {
    case "/DeviceGray", "/CalGray": return .gray
    case "/DeviceRGB", "/CalRGB": return .rgb
    case "/DeviceCMYK": return .cmyk
    case "/ICCBased" where parts.count == 2 && qpdf_oh_is_stream(document.data, parts[1]) != 0:
      switch document.integer(qpdf_oh_get_dict(document.data, parts[1]), "/N") {
      case 1: return .gray
      case 3: return .rgb
      case 4: return .cmyk
      default: return nil
      }
    case "/Indexed" where parts.count == 4:
      // A palette of a palette is not allowed, and would never end.
      guard document.items(parts[1]).first.flatMap(document.name) != "/Indexed", let base = colourSpace(parts[1]),
        let table = table(parts[3])
      else { return nil }
      return .indexed(base.palette(table))
    default: return nil
    }
  }

  private func table(_ object: qpdf_oh) -> [UInt8]? {
    if qpdf_oh_is_stream(document.data, object) != 0 {
      return switch PDFStream(document, object).content() {
      case .success(let bytes): bytes
      case .failure: nil
      }
    }
    var count = 0
    guard qpdf_oh_is_string(document.data, object) != 0,
      let text = qpdf_oh_get_binary_string_value(document.data, object, &count)
    else { return nil }
    return Array(UnsafeRawBufferPointer(start: text, count: count))
  }
}
