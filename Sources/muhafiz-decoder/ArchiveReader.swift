import CContainers
import Decoding
import Glibc

/// Reads archives with libarchive and tells the parent of their members.
struct ArchiveReader {
  let link: ParentLink
  private let mostDepth: Int

  /// Bytes of an archive within an archive: it is read from memory, since it can be read in no other way.
  static let mostNestedInBytes = 128 << 20
  static let pieceInBytes = 1 << 18

  init(_ link: ParentLink, mostDepth: Int) {
    self.link = link
    self.mostDepth = mostDepth
  }

  static func read(_ request: DecodeRequest, _ link: ParentLink) -> DecodeReply {
    let input = ByteInput(request, link)
    let reader = ArchiveReader(link, mostDepth: Int(clamping: request.most))
    let ending = reader.read(request.format, input, path: [], depth: 1)
    var reply = DecodeReply(status: ending.status)
    reply.reason = ending.reason
    return reply
  }

  /// Reads one archive to its end.
  ///
  /// - Parameter path: Of the archive, with a slash at the end; empty for the outermost.
  func read(_ format: DecodeRequest.Format, _ input: ByteInput, path: [UInt8], depth: Int) -> Ending {
    let layout: Layout
    switch format {
    case .pdf: return readPDF(input, path: path, depth: depth)
    case .gzip, .bzip2, .xz, .zstandard:
      // libarchive tells nothing of no bytes from damage.
      if Self.isNothing(format, input) { return .whole }
      switch peek(format, input) {
      case .success(let type): layout = type == .tar ? .tape : .single
      case .failure(let refusal): return refusal.ending
      }
    default: layout = .format
    }
    return withArchive(format, layout, input) { archive in
      while true {
        var entry: OpaquePointer?
        switch archive_read_next_header(archive, &entry) {
        case ARCHIVE_EOF: return .whole
        case ARCHIVE_OK, ARCHIVE_WARN: break
        case ARCHIVE_RETRY: continue
        default: return failure(of: archive)
        }
        guard let entry else { return failure(of: archive) }
        if let ending = member(archive, entry, path: path, depth: depth) { return ending }
      }
    }
  }

  /// What is to be read behind a compression.
  private enum Layout {
    /// The format is an archive's own.
    case format
    /// One member.
    case single
    /// A tape archive, read as it comes.
    case tape
  }

  private struct Refusal: Error { let ending: Ending }

  /// Tells the type of what is compressed. libarchive would take a page of zeros for the end of a tape without members.
  private func peek(_ format: DecodeRequest.Format, _ input: ByteInput) -> Result<MediaType?, Refusal> {
    var type: MediaType?
    let ending = withArchive(format, .single, input) { archive in
      var entry: OpaquePointer?
      if archive_read_next_header(archive, &entry) == ARCHIVE_EOF { return .whole }
      let count = archive_read_data(archive, link.output.baseAddress, MediaType.sniffedBytes)
      if count > 0 { type = MediaType.sniff(UnsafeRawBufferPointer(rebasing: link.output[..<count])) }
      return count >= 0 ? .whole : failure(of: archive)
    }
    return ending.status == .decoded ? .success(type) : .failure(Refusal(ending: ending))
  }

  /// Whether a file is the compressed form of no bytes, which is the shortest that there is.
  private static func isNothing(_ format: DecodeRequest.Format, _ input: ByteInput) -> Bool {
    switch format {
    case .bzip2: return input.sizeInBytes == 14
    case .xz: return input.sizeInBytes == 32
    case .zstandard: return input.sizeInBytes <= 13 && input.sizeInBytes >= 9
    default:
      // Header, perhaps a name, an empty block; then a sum of 0 and a length of 0. Source: RFC 1952.
      guard (20...1024).contains(input.sizeInBytes) else { return false }
      return input.piece(at: input.sizeInBytes - 10).elementsEqual([3, 0] + [UInt8](repeating: 0, count: 8))
    }
  }

  private func withArchive(
    _ format: DecodeRequest.Format, _ layout: Layout, _ input: ByteInput, _ body: (OpaquePointer) -> Ending
  ) -> Ending {
    guard let archive = archive_read_new() else { return Ending(status: .memory) }
    let cursor = Cursor(input)
    defer { withExtendedLifetime(cursor) { _ = archive_read_free(archive) } }
    guard Self.prepare(archive, for: format, layout) else {
      return Ending(status: .unsupported, reason: "not built in")
    }
    return Self.open(archive, cursor) ? body(archive) : failure(of: archive)
  }

  /// Only what the sniffed type needs is switched on: no parser sees what it was not called for.
  private static func prepare(_ archive: OpaquePointer, for format: DecodeRequest.Format, _ layout: Layout) -> Bool {
    /// One layer of compression.
    func compressed(_ filter: CInt) -> Bool {
      guard archive_read_append_filter(archive, filter) >= ARCHIVE_WARN else { return false }
      return layout == .tape
        ? archive_read_support_format_tar(archive) == ARCHIVE_OK
        : archive_read_support_format_raw(archive) == ARCHIVE_OK
    }
    return switch format {
    case .zip: archive_read_support_format_zip(archive) == ARCHIVE_OK
    case .tar: archive_read_support_format_tar(archive) == ARCHIVE_OK
    case .gzip: compressed(ARCHIVE_FILTER_GZIP)
    case .bzip2: compressed(ARCHIVE_FILTER_BZIP2)
    case .xz: compressed(ARCHIVE_FILTER_XZ)
    case .zstandard: compressed(ARCHIVE_FILTER_ZSTD)
    case .sevenZip: archive_read_support_format_7zip(archive) == ARCHIVE_OK
    case .rar:
      archive_read_support_format_rar(archive) == ARCHIVE_OK && archive_read_support_format_rar5(archive) == ARCHIVE_OK
    case .cabinet: archive_read_support_format_cab(archive) == ARCHIVE_OK
    case .iso9660: archive_read_support_format_iso9660(archive) == ARCHIVE_OK
    default: false
    }
  }

  private func failure(of archive: OpaquePointer) -> Ending {
    // Asked before it has told a format, libarchive 3.6 reads beyond its table of formats.
    if archive_format(archive) != 0 && archive_read_has_encrypted_entries(archive) == 1 {
      return Ending(status: .encrypted)
    }
    if archive_errno(archive) == ENOMEM { return Ending(status: .memory) }
    return Ending(status: .broken, reason: Self.complaint(of: archive))
  }

  private static func complaint(of archive: OpaquePointer) -> String {
    archive_error_string(archive).map { "archive: " + String(cString: $0) } ?? "archive: damaged"
  }

  /// Takes one member to its end.
  ///
  /// - Returns: Why the archive ends with it; `nil` to go on.
  private func member(_ archive: OpaquePointer, _ entry: OpaquePointer, path: [UInt8], depth: Int) -> Ending? {
    let kind = mode_t(archive_entry_filetype(entry))
    if kind == S_IFDIR { return nil }
    let name = path + Self.name(of: entry)
    if archive_entry_hardlink(entry) != nil || (kind != S_IFREG && kind != 0) {
      link.tell(kind == S_IFLNK ? .symbolicLink : archive_entry_hardlink(entry) != nil ? .hardLink : .special, name)
      return nil
    }
    link.begin(name)
    if archive_entry_is_data_encrypted(entry) == 1 {
      link.end(.end, Ending(status: .encrypted))
      return nil
    }
    return content(archive, name: name, depth: depth)
  }

  private func content(_ archive: OpaquePointer, name: [UInt8], depth: Int) -> Ending? {
    var isFirst = true
    var nested = Nested()
    while true {
      let count = archive_read_data(archive, link.output.baseAddress, Self.pieceInBytes)
      if count == Int(ARCHIVE_RETRY) { continue }
      if count < 0 {
        let status: DecodeReply.Status = archive_errno(archive) == ENOMEM ? .memory : .broken
        let ending = Ending(status: status, reason: Self.complaint(of: archive))
        link.end(.end, ending)
        // A damaged member costs itself; a damaged archive cannot go on.
        return count == Int(ARCHIVE_FATAL) ? ending : nil
      }
      if count == 0 { break }
      let bytes = UnsafeRawBufferPointer(rebasing: link.output[..<count])
      if isFirst, let type = MediaType.sniff(bytes), type.isArchive { nested = Nested(type) }
      isFirst = false
      nested.append(bytes, most: Self.mostNestedInBytes)
      if !link.tellBytes(count) {
        link.end(.end, Self.left)
        return Self.left
      }
    }
    link.end(.end, .whole)
    if let format = nested.format { open(format, nested, name: name, depth: depth) }
    return nil
  }

  /// The parent has heard enough, and knows why.
  private static let left = Ending(status: .limit, reason: "limit")

  /// Reads an archive within the archive.
  func open(_ format: DecodeRequest.Format, _ nested: Nested, name: [UInt8], depth: Int) {
    link.tell(StreamEvent(.opened))
    let ending: Ending =
      if depth >= mostDepth {
        Ending(status: .limit, reason: "limit: archives within archives, \(mostDepth) deep")
      } else if nested.isTooLong {
        Ending(
          status: .limit, reason: "limit: an archive within an archive of more than \(Self.mostNestedInBytes) bytes")
      } else {
        nested.bytes.withUnsafeBytes { read(format, ByteInput($0), path: name + [UInt8(ascii: "/")], depth: depth + 1) }
      }
    link.end(.closed, ending)
  }

  private static func name(of entry: OpaquePointer) -> [UInt8] {
    guard let name = archive_entry_pathname(entry) ?? archive_entry_pathname_utf8(entry) else { return Array("?".utf8) }
    return Array(UnsafeRawBufferPointer(start: name, count: strlen(name)).prefix(4096))
  }
}

/// The bytes of a member that is an archive itself.
struct Nested {
  private(set) var format: DecodeRequest.Format?
  private(set) var bytes: [UInt8] = []
  private(set) var isTooLong = false

  init(_ type: MediaType? = nil) { format = type?.format }

  mutating func append(_ piece: UnsafeRawBufferPointer, most: Int) {
    if format == nil || isTooLong { return }
    isTooLong = bytes.count + piece.count > most
    if isTooLong { bytes = [] } else { bytes.append(contentsOf: piece) }
  }
}

/// Where libarchive is in the file.
private final class Cursor {
  let input: ByteInput
  var offset: Int64 = 0
  init(_ input: ByteInput) { self.input = input }
}

extension ArchiveReader {
  /// Opens the archive at the cursor, which must outlive it.
  private static func open(_ archive: OpaquePointer, _ cursor: Cursor) -> Bool {
    let context = Unmanaged.passUnretained(cursor).toOpaque()
    archive_read_set_callback_data(archive, context)
    archive_read_set_read_callback(archive) { _, context, start in
      let cursor = Unmanaged<Cursor>.fromOpaque(context!).takeUnretainedValue()
      let piece = cursor.input.piece(at: cursor.offset)
      start?.pointee = piece.baseAddress
      cursor.offset += Int64(piece.count)
      return piece.count
    }
    archive_read_set_skip_callback(archive) { _, context, count in
      let cursor = Unmanaged<Cursor>.fromOpaque(context!).takeUnretainedValue()
      let skipped = min(max(count, 0), max(cursor.input.sizeInBytes - cursor.offset, 0))
      cursor.offset += skipped
      return skipped
    }
    archive_read_set_seek_callback(archive) { _, context, offset, whence in
      let cursor = Unmanaged<Cursor>.fromOpaque(context!).takeUnretainedValue()
      let from = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? cursor.offset : cursor.input.sizeInBytes
      let (place, overflows) = from.addingReportingOverflow(offset)
      guard !overflows, place >= 0 else { return Int64(ARCHIVE_FATAL) }
      cursor.offset = place
      return place
    }
    return archive_read_open1(archive) == ARCHIVE_OK
  }
}
