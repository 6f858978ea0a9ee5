import Decoding

/// Reads pages, playlists and manifests, and tells the parent what they refer to.
enum PageReader {
  static func read(_ request: DecodeRequest, _ link: ParentLink) -> DecodeReply {
    let input = UnsafeRawBufferPointer(rebasing: link.input[..<Int(request.inputSize)])
    let sink = ReferenceSink(most: Int(clamping: request.most)) { reference, bytes in
      var event = reference.event
      if reference.role == .inline {
        if bytes.count <= link.output.count {
          link.output.copyBytes(from: bytes)
          event.first = UInt64(bytes.count)
        } else {
          var reference = reference
          reference.isTooLong = true
          event = reference.event
        }
      }
      link.tell(event)
    }
    do throws(Unhashable) {
      try read(request, input, into: sink)
      return DecodeReply(sink.notedLimit)
    } catch {
      return DecodeReply(error)
    }
  }

  private static func read(
    _ request: DecodeRequest, _ input: UnsafeRawBufferPointer, into sink: ReferenceSink
  ) throws(Unhashable) {
    if request.format == .dash { return try ManifestReader.read(input, into: sink) }
    let declared = request.picture == 0 ? nil : TextEncoding(number: request.picture - 1)
    // Source: RFC 8216, section 4: a playlist is UTF-8.
    let encoding = request.format == .hls ? .utf8 : PageEncoding.tell(input, request.format, declared: declared)
    try TextConverter.withUTF8(input, encoding) { text throws(Unhashable) in
      switch request.format {
      case .html: try HTMLReferences.read(text, into: sink)
      case .xhtml: try HTMLReferences.read(text, isXML: true, into: sink)
      case .css: try HTMLReferences.readStyleSheet(text, into: sink)
      case .hls: try HLSPlaylist.read(text, into: sink)
      default: preconditionFailure("no page")
      }
    }
  }
}

extension DecodeReply {
  /// What came of reading a page; `nil`: all of it was read.
  fileprivate init(_ failure: Unhashable?) {
    let status: Status =
      switch failure?.code {
      case nil: .decoded
      case .limit: .limit
      case .unsupported: .unsupported
      case .encrypted: .encrypted
      case .broken, .crashed, .timedOut: .broken
      }
    self.init(status: status)
    reason = failure?.reason ?? ""
  }
}
