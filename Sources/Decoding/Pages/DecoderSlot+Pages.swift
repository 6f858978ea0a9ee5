extension DecoderSlot {
  /// See ``DecoderLease/readReferences(_:charset:_:)``.
  func readReferences(
    _ format: PageFormat, charset: String?, _ body: (RawReference, UnsafeRawBufferPointer) throws -> Void
  ) throws -> Unhashable? {
    let size = min(appendedInBytes, limits.page.sizeInBytes)
    if let limit = try padInput() { return limit }
    var request = DecodeRequest(
      format: format.format, inputSize: UInt64(size), mostPixels: 0, smallestSide: 0)
    // 0: the page says it itself, or nobody does.
    request.picture =
      charset.flatMap { TextEncoding(mediaType: $0) ?? TextEncoding(label: $0) }.map { $0.number + 1 } ?? 0
    request.most = UInt64(clamping: format.isList ? limits.page.segments : limits.page.references)
    let failure = try converse(request, nil, each: limits.page.time, total: limits.page.time) { event in
      let count = event.kind == .inline ? event.first : 0
      guard let reference = RawReference(event), count <= UInt64(output.sizeInBytes) else {
        return .end(Unhashable(.crashed, "decoder crashed: it breaks the protocol"))
      }
      try body(reference, try output.view(Int(count)))
      return .goOn
    }
    if failure == nil, appendedInBytes > size {
      return Unhashable(.limit, "limit: only the first \(size) bytes of the page were read")
    }
    return failure
  }
}

extension PageFormat {
  var format: DecodeRequest.Format {
    switch self {
    case .html: .html
    case .xhtml: .xhtml
    case .css: .css
    case .hls: .hls
    case .dash: .dash
    }
  }

  /// Whether it lists segments.
  var isList: Bool { self == .hls || self == .dash }
}
