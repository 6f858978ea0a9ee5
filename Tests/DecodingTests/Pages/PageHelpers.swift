import Decoding

/// What a page referred to, in a form to compare.
struct Page {
  private(set) var references: [RawReference] = []
  private(set) var inline: [[UInt8]] = []
  private(set) var failure: Unhashable?

  /// "img src a.jpg", "img srcset a.jpg 2x".
  var lines: [String] {
    references.map { reference in
      [reference.element, reference.attribute, reference.url, reference.descriptor].filter { !$0.isEmpty }
        .joined(separator: " ")
    }
  }

  var urls: [String] { references.map(\.url) }

  /// Reads in a worker.
  init(
    _ bytes: some Sequence<UInt8>, as format: PageFormat = .html, charset: String? = nil,
    from pool: DecoderPool? = nil
  ) throws {
    let pool = try pool ?? DecoderPool.shared.get()
    failure = try pool.withLease { lease in
      try Array(bytes).withUnsafeBytes { try lease.append($0) }
      return try lease.readReferences(format, charset: charset) { reference, bytes in
        references.append(reference)
        if reference.role == .inline { inline.append(Array(bytes)) }
      }
    }
  }

  init(_ text: String, as format: PageFormat = .html, from pool: DecoderPool? = nil) throws {
    try self.init(text.utf8, as: format, from: pool)
  }
}
