import Glibc

@testable import Decoding

/// Feeds a text to one of the readers of pages. `MUHAFIZ_FUZZ_FORMAT` names it.
///
/// Whatever the bytes are, references or a reason come back, and what comes back is no more than what went in could hold.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = UnsafeBufferPointer(start: start, count: count)
  let text = String(decoding: bytes, as: UTF8.self)
  switch format {
  case "html": read { sink throws(Unhashable) in try HTMLReferences.read(bytes, into: sink) }
  case "xhtml": read { sink throws(Unhashable) in try HTMLReferences.read(bytes, isXML: true, into: sink) }
  case "hls": read { sink throws(Unhashable) in try HLSPlaylist.read(bytes, into: sink) }
  case "dash": read { sink throws(Unhashable) in try readManifest(text, into: sink) }
  case "css": for url in CSSURLs.find(in: text) { precondition(!url.text.isEmpty, "a URL is something") }
  case "linked-data":
    let (links, _) = JSONLinks.find(in: bytes)
    precondition(links.count <= count / 2, "a link is a string")
  case "srcset":
    for candidate in Srcset.candidates(in: text) {
      precondition(!candidate.url.isEmpty && !candidate.url.utf8.contains(where: isSpace), "a URL has no spaces")
    }
  case "data-url":
    if let url = DataURL("data:" + text) {
      precondition(url.bytes.count <= text.utf8.count, "it is no longer than written")
    }
  case "charset":
    _ = TextEncoding(mediaType: text)
    _ = TextEncoding(page: UnsafeRawBufferPointer(bytes))
    _ = PageFormat.tell(mediaType: text, head: UnsafeRawBufferPointer(bytes))
  default: fatalError("no format '\(format)'")
  }
  return 0
}

private let format = getenv("MUHAFIZ_FUZZ_FORMAT").map { String(cString: $0) } ?? "html"

private func read(_ body: (ReferenceSink) throws(Unhashable) -> Void) {
  var references = 0
  let sink = ReferenceSink(most: 1000) { reference, bytes in
    references += 1
    precondition(reference.role == .inline || bytes.isEmpty, "only inline contents have bytes")
    var event = reference.event
    if reference.role == .inline { event.first = UInt64(bytes.count) }
    let packet = event.packet
    precondition(packet.count <= StreamEvent.mostSizeInBytes, "an event fits in a packet")
    guard let heard = packet.withUnsafeBytes(StreamEvent.init(packet:)), let told = RawReference(heard) else {
      preconditionFailure("the parent understands what the worker says")
    }
    precondition(told.role == reference.role && told.byteRange == reference.byteRange, "and the same")
  }
  do throws(Unhashable) {
    try body(sink)
  } catch {
    precondition(!error.reason.isEmpty, "a reason is given")
  }
  precondition(references <= 1000, "no more than the limit")
}

/// Elements as lines: `+name key=value key=value` begins one, `-` ends one, anything else is text.
private func readManifest(_ text: String, into sink: ReferenceSink) throws(Unhashable) {
  var manifest = DASHManifest()
  for line in text.split(separator: "\n") {
    if line == "-" {
      manifest.end()
    } else if line.hasPrefix("+") {
      let words = line.dropFirst().split(separator: " ", omittingEmptySubsequences: false)
      var attributes: [String: String] = [:]
      for word in words.dropFirst() {
        let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        attributes[String(parts[0])] = parts.count > 1 ? String(parts[1]) : ""
      }
      try manifest.start(String(words.first ?? ""), attributes)
    } else {
      manifest.characters(Array(line.utf8))
    }
  }
  try manifest.finish(into: sink)
}
