/// Finds what an HTML page refers to.
///
/// Names of attributes are those of the HTML standard and of the libraries that load pictures when they come into view;
/// what says nothing of itself is taken where its path ends as media do. Scripts are never run: what only they load is not
/// seen.
package struct HTMLReferences {
  private let bytes: UnsafeBufferPointer<UInt8>
  private let isXML: Bool
  private let isWithinFrame: Bool
  private let sink: ReferenceSink
  /// The element at hand, without a prefix.
  private var element = ""

  /// - Parameters:
  ///   - bytes: UTF-8.
  ///   - isXML: Whether it is XHTML.
  /// - Throws: A limit.
  package static func read(
    _ bytes: UnsafeBufferPointer<UInt8>, isXML: Bool = false, into sink: ReferenceSink
  ) throws(Unhashable) {
    var references = HTMLReferences(bytes: bytes, isXML: isXML, isWithinFrame: false, sink: sink)
    try references.read(HTMLTokenizer(bytes, isXML: isXML))
  }

  /// Reads a style sheet of its own.
  ///
  /// - Throws: A limit.
  package static func readStyleSheet(_ bytes: UnsafeBufferPointer<UInt8>, into sink: ReferenceSink) throws(Unhashable) {
    let references = HTMLReferences(bytes: bytes, isXML: false, isWithinFrame: false, sink: sink)
    try references.readStyles(String(decoding: bytes, as: UTF8.self), element: "style", attribute: "")
  }

  private init(bytes: UnsafeBufferPointer<UInt8>, isXML: Bool, isWithinFrame: Bool, sink: ReferenceSink) {
    self.bytes = bytes
    self.isXML = isXML
    self.isWithinFrame = isWithinFrame
    self.sink = sink
  }

  private mutating func read(_ tokenizer: HTMLTokenizer, readsRawText: Bool = true) throws(Unhashable) {
    var tokenizer = tokenizer
    while let tag = tokenizer.next(readsRawText: readsRawText) {
      // "svg:image" and, in XML, "html:img".
      element = tag.name.lastIndex(of: ":").map { String(tag.name[tag.name.index(after: $0)...]) } ?? tag.name
      var seen: Set<String> = []
      for attribute in tag.attributes where tag.name(of: attribute, beginsWithOneOf: Self.initials) {
        let name = tag.name(of: attribute)
        guard Self.names.contains(name) || name.hasPrefix("data-"), seen.insert(name).inserted else { continue }
        try read(name, tag.value(of: attribute), tag)
      }
      guard !tag.content.isEmpty else { continue }
      if element == "script" {
        try readScript(tag)
        continue
      }
      if element == "style" {
        try readStyles(String(decoding: bytes[tag.content], as: UTF8.self), element: "style", attribute: "")
      }
      // Whether it is text depends on what is around it, within SVG for one: a picture in there is taken for one.
      try read(HTMLTokenizer(bytes, in: tag.content, isXML: isXML), readsRawText: false)
    }
  }

  /// Attributes that are asked for their value, with those that begin with `data-`.
  private static let names: Set = [
    "src", "srcset", "imagesrcset", "poster", "data", "href", "xlink:href", "background", "style", "srcdoc", "content",
    "lowsrc", "dynsrc",
  ]
  private static let initials = Set((Array(names) + ["data-"]).compactMap(\.utf8.first))

  private func read(_ name: String, _ value: String, _ tag: HTMLTag) throws(Unhashable) {
    switch name {
    case "srcset", "imagesrcset": try readSrcset(value, name)
    case "style": try readStyles(value, element: element, attribute: "style")
    case "href": try readLink(value, tag)
    case "content": try readMeta(value, tag)
    case "srcdoc": if element == "iframe" { try readFrame(value) }
    case "background", "poster", "lowsrc", "dynsrc": try add(.media, name, value)
    case "data": if element == "object" { try add(.media, name, value) }
    case "xlink:href":
      if ["image", "feimage"].contains(element) { try add(.media, name, value) }
    case "src":
      switch element {
      case "img", "image", "video", "audio", "source", "embed", "input", "amp-img", "amp-video", "amp-anim":
        try add(.media, name, value)
      case "iframe", "frame": try add(.frame, name, value)
      case "script", "track": break
      default: if MediaExtension.ends(value) { try add(.media, name, value) }
      }
    default: try readData(name, value)
    }
  }

  /// Pictures that are loaded when they come into view have their place in an attribute that begins with `data-`.
  private func readData(_ name: String, _ value: String) throws(Unhashable) {
    if name.hasSuffix("srcset") {
      try readSrcset(value, name)
    } else if name.hasSuffix("style") || value.utf8.count > 4 && value.lowercased().contains("url(") {
      try readStyles(value, element: element, attribute: name)
    } else if Self.lazyNames.contains(name), ["img", "video", "source", "div", "picture", "amp-img"].contains(element) {
      try add(.media, name, value)
    } else if MediaExtension.ends(value) {
      try add(.media, name, value)
    }
  }

  private static let lazyNames: Set = [
    "data-src", "data-original", "data-lazy", "data-lazy-src", "data-poster", "data-bg", "data-background",
    "data-background-image", "data-image", "data-image-src", "data-hi-res-src", "data-full-src", "data-large-file",
    "data-video-src", "data-echo",
  ]

  private func readLink(_ value: String, _ tag: HTMLTag) throws(Unhashable) {
    switch element {
    case "a", "area": if MediaExtension.ends(value) { try add(.link, "href", value) }
    case "image", "feimage": try add(.media, "href", value)
    case "base": try add(.base, "href", value)
    case "link":
      let relations = tag.value("rel")?.lowercased().split(whereSeparator: \.isWhitespace) ?? []
      let kind = tag.value("as")?.trimmed.lowercased() ?? ""
      for relation in relations {
        switch relation {
        case "stylesheet": return try add(.styleSheet, "stylesheet", value)
        case "preload", "prefetch":
          if ["image", "video", "audio"].contains(kind) || MediaExtension.ends(value) {
            return try add(.media, String(relation), value)
          }
        case "icon", "image_src", "mask-icon", "fluid-icon", "apple-touch-icon", "apple-touch-icon-precomposed",
          "apple-touch-startup-image":
          return try add(.media, String(relation), value)
        default: break
        }
      }
      if let property = tag.value("itemprop")?.lowercased(), Self.properties.contains(property) {
        try add(.media, property, value)
      } else if MediaExtension.ends(value) {
        try add(.media, "href", value)
      }
    default: if MediaExtension.ends(value) { try add(.link, "href", value) }
    }
  }

  private func readMeta(_ value: String, _ tag: HTMLTag) throws(Unhashable) {
    guard element == "meta" else { return }
    if tag.value("http-equiv")?.trimmed.lowercased() == "refresh" {
      if let target = Self.refreshTarget(value) { try add(.redirect, "refresh", target) }
      return
    }
    for attribute in ["property", "name", "itemprop"] {
      guard let property = tag.value(attribute)?.trimmed.lowercased() else { continue }
      if Self.players.contains(property) { return try add(.frame, property, value) }
      if Self.properties.contains(property) || MediaExtension.ends(value) { return try add(.media, property, value) }
    }
  }

  /// Source: ogp.me; X's card markup; schema.org.
  private static let properties: Set = [
    "og:image", "og:image:url", "og:image:secure_url", "og:video", "og:video:url", "og:video:secure_url", "og:audio",
    "og:audio:url", "og:audio:secure_url", "twitter:image", "twitter:image:src", "twitter:player:stream", "thumbnail",
    "msapplication-tileimage", "msapplication-square70x70logo", "msapplication-square150x150logo",
    "msapplication-wide310x150logo", "msapplication-square310x310logo", "image", "thumbnailurl", "contenturl", "photo",
  ]

  /// Pages that show a video.
  private static let players: Set = ["twitter:player", "embedurl", "og:video:iframe"]

  /// Source: HTML standard, "shared declarative refresh steps": a time, then `url=` and perhaps quotes.
  static func refreshTarget(_ content: String) -> String? {
    var rest = Array(content.utf8).drop(while: isSpace)
    let time = rest
    rest = rest.drop { isDigit($0) || $0 == UInt8(ascii: ".") }
    guard rest.startIndex > time.startIndex, let separator = rest.first,
      isSpace(separator) || separator == UInt8(ascii: ";") || separator == UInt8(ascii: ",")
    else { return nil }
    rest = rest.drop(while: isSpace)
    if rest.first == UInt8(ascii: ";") || rest.first == UInt8(ascii: ",") {
      rest = rest.dropFirst().drop(while: isSpace)
    }
    if rest.count > 3, rest.prefix(3).map(lowercased).elementsEqual("url".utf8) {
      let value = rest.dropFirst(3).drop(while: isSpace)
      if value.first == UInt8(ascii: "=") { rest = value.dropFirst().drop(while: isSpace) }
    }
    if let quote = rest.first, quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'") {
      rest = rest.dropFirst().prefix { $0 != quote }
    }
    return rest.isEmpty ? nil : String(decoding: rest, as: UTF8.self)
  }

  private func readSrcset(_ value: String, _ name: String) throws(Unhashable) {
    for candidate in Srcset.candidates(in: value) {
      try add(.media, name, candidate.url, descriptor: candidate.descriptor)
    }
  }

  private func readStyles(_ text: String, element: String, attribute: String) throws(Unhashable) {
    for url in CSSURLs.find(in: text) {
      if url.isImport {
        try add(.styleSheet, "@import", url.text, of: element)
      } else if !MediaExtension.endsAsFont(url.text) {
        try add(.media, attribute, url.text, of: element)
      }
    }
  }

  private func readScript(_ tag: HTMLTag) throws(Unhashable) {
    let type = tag.value("type")?.trimmed.lowercased() ?? ""
    guard type.hasSuffix("json") else { return }
    let (links, limit) = JSONLinks.find(in: bytes[tag.content])
    for link in links { try add(link.isPage ? .frame : .media, link.name, link.url, of: "script") }
    if let limit { sink.note(limit) }
  }

  /// A page within the page, one level deep.
  private func readFrame(_ text: String) throws(Unhashable) {
    guard !isWithinFrame else { return sink.note(Unhashable(.limit, "limit: a page within a page within the page")) }
    try Array(text.utf8).withUnsafeBufferPointer { bytes throws(Unhashable) in
      var inner = HTMLReferences(bytes: bytes, isXML: false, isWithinFrame: true, sink: sink)
      try inner.read(HTMLTokenizer(bytes))
    }
  }

  private func add(
    _ role: RawReference.Role, _ attribute: String, _ url: String, descriptor: String = "", of element: String? = nil
  ) throws(Unhashable) {
    let url = url.trimmed
    // A place within the page, or nothing at all.
    guard !url.isEmpty, !url.hasPrefix("#") else { return }
    var reference = RawReference(role, element ?? self.element, attribute, url)
    reference.descriptor = descriptor
    reference.isWithinFrame = isWithinFrame
    guard let data = DataURL(url) else { return try sink.add(reference) }
    if role == .frame, data.mediaType == PageFormat.html.rawValue {
      return try readFrame(String(decoding: data.bytes, as: UTF8.self))
    }
    guard role == .media || role == .link, !data.isFont else { return }
    reference.role = .inline
    reference.descriptor = data.mediaType
    reference.url = String(decoding: url.utf8.prefix(64), as: UTF8.self)
    try sink.add(reference, bytes: data.bytes)
  }
}
