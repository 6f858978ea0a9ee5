import CXML
import Decoding

/// Reads DASH manifests with libxml2: its parser gives elements, no tree is built and no other file is opened.
enum ManifestReader {
  private final class Builder {
    var manifest = DASHManifest()
    var failure: Unhashable?
    var parser: xmlParserCtxtPtr?

    func fail(_ reason: Unhashable) {
      failure = failure ?? reason
      xmlStopParser(parser)
    }

    static func of(_ context: UnsafeMutableRawPointer?) -> Builder {
      Unmanaged.fromOpaque(context!).takeUnretainedValue()
    }
  }

  static func read(_ input: UnsafeRawBufferPointer, into sink: ReferenceSink) throws(Unhashable) {
    let builder = Builder()
    var handler = xmlSAXHandler()
    handler.initialized = XML_SAX2_MAGIC
    handler.internalSubset = { context, _, _, _ in
      Builder.of(context).fail(Unhashable(.unsupported, "the manifest has a document type"))
    }
    handler.startElementNs = { context, name, _, _, _, _, count, _, attributes in
      let builder = Builder.of(context)
      do throws(Unhashable) {
        try builder.manifest.start(ManifestReader.text(name), ManifestReader.dictionary(attributes, count: Int(count)))
      } catch {
        builder.fail(error)
      }
    }
    handler.endElementNs = { context, _, _, _ in Builder.of(context).manifest.end() }
    handler.characters = { context, start, count in
      Builder.of(context).manifest.characters(UnsafeBufferPointer(start: start, count: Int(count)))
    }
    handler.cdataBlock = handler.characters
    let context = Unmanaged.passUnretained(builder).toOpaque()
    guard let parser = xmlCreatePushParserCtxt(&handler, context, nil, 0, nil) else {
      throw Unhashable(.limit, "limit: memory for the manifest")
    }
    builder.parser = parser
    defer { xmlFreeParserCtxt(parser) }
    let quiet = XML_PARSE_NONET.rawValue | XML_PARSE_NOERROR.rawValue | XML_PARSE_NOWARNING.rawValue
    xmlCtxtUseOptions(parser, CInt(quiet))
    var result: CInt = 0
    var at = 0
    while at < input.count, result == 0, builder.failure == nil {
      let count = min(1 << 16, input.count - at)
      let piece = input.baseAddress! + at
      result = xmlParseChunk(parser, piece.assumingMemoryBound(to: CChar.self), CInt(count), 0)
      at += count
    }
    if result == 0, builder.failure == nil { result = xmlParseChunk(parser, nil, 0, 1) }
    if let failure = builder.failure { throw failure }
    // What was told before the damage is told; the rest is missing, and said to be.
    if result != 0 { sink.note(Unhashable(.broken, "the manifest's XML is broken (libxml2 error \(result))")) }
    try builder.manifest.finish(into: sink)
  }

  fileprivate static func text(_ name: UnsafePointer<xmlChar>?) -> String { name.map { String(cString: $0) } ?? "" }

  /// libxml2 gives five pointers for each: name, prefix, namespace, and the value's start and end.
  fileprivate static func dictionary(
    _ attributes: UnsafeMutablePointer<UnsafePointer<xmlChar>?>?, count: Int
  ) -> [String: String] {
    var dictionary: [String: String] = [:]
    for place in 0..<count {
      guard let fields = attributes.map({ $0 + 5 * place }), let start = fields[3], let end = fields[4] else {
        continue
      }
      let value = UnsafeBufferPointer(start: start, count: end - start)
      dictionary[text(fields[0])] = String(decoding: value, as: UTF8.self)
    }
    return dictionary
  }
}
