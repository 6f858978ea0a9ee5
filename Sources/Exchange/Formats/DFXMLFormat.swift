import Hashing
import Matching

/// Digital Forensics XML: the digests of each `fileobject`.
///
/// Digests of parts of a file, inside `byte_run`, are not those of a content and are left out.
/// Source: hashdeep's `display.cpp` and `xml.h`.
enum DFXMLFormat {
  static func read(_ bytes: consuming ByteStream, _ sink: inout RecordSink) throws {
    var xml = XMLReader(bytes)
    guard try xml.next() == .start("dfxml") else { throw xml.malformed("'dfxml' was expected") }
    var number = 0
    while let event = try xml.next() {
      guard event == .start("fileobject") else { continue }
      number += 1
      try readFile(&xml, number, into: &sink)
    }
  }

  private static func readFile(_ xml: inout XMLReader, _ number: Int, into sink: inout RecordSink) throws {
    var entry = ListEntry(recordNumber: number, contributor: sink.options.contributor)
    var hashes: [HashText] = []
    var depth = 0
    var type: String?
    var hasOtherKinds = false
    while let event = try xml.next() {
      if case .start(let name) = event {
        depth += 1
        if depth == 1 && name == "hashdigest" { type = xml.attribute("type") }
        continue
      }
      if depth == 0 { break }
      depth -= 1
      if depth > 0 { continue }
      if event == .end("filename") {
        entry.id = xml.text.isEmpty ? nil : xml.text
      } else if event == .end("hashdigest"), let type {
        if HashText.knows(type) {
          hashes.append(HashText(named: type, xml.text))
        } else {
          hasOtherKinds = true
          sink.leaveOut(type)
        }
      }
    }
    try sink.add(hashes, to: entry, hasOtherKinds: hasOtherKinds)
  }
}
