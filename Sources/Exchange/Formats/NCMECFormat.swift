import Hashing
import Matching

/// What the hash sharing service of NCMEC answers, version 2: entries of all members, and those that were deleted.
///
/// An entry is one member's; several members' entries on one content are all kept. A deletion names member and id.
enum NCMECFormat {
  private static let entries: Set = ["image", "video", "deletedImage", "deletedVideo"]

  static func read(_ bytes: consuming ByteStream, _ sink: inout RecordSink) throws {
    var xml = XMLReader(bytes)
    guard try xml.next() == .start("queryResult") else { throw xml.malformed("'queryResult' was expected") }
    var number = 0
    while let event = try xml.next() {
      if case .start(let name) = event, entries.contains(name) {
        number += 1
        try readEntry(&xml, name, number, into: &sink)
      } else if event == .end("next") && !xml.text.isEmpty {
        sink.warn("the file is one page of an answer: it says that more pages follow")
      }
    }
  }

  private static func readEntry(
    _ xml: inout XMLReader, _ element: String, _ number: Int, into sink: inout RecordSink
  ) throws {
    var entry = ListEntry(recordNumber: number, contributor: sink.options.contributor)
    var memberID: String?
    var hashes: [HashText] = []
    var hasOtherKinds = false
    /// Elements that are open inside the entry.
    var path: [String] = []
    while let event = try xml.next() {
      switch event {
      case .start(let name):
        path.append(name)
        if path == ["member"] { memberID = xml.attribute("id") }
        continue
      case .end(let name) where path.isEmpty:
        guard name == element else { throw xml.malformed("'\(element)' was expected to end") }
        if element.hasPrefix("deleted") { return try sink.withdraw(hashes, of: entry) }
        return try sink.add(hashes, to: entry, hasOtherKinds: hasOtherKinds)
      case .end(let name):
        let text = xml.text
        if path == ["member"] {
          entry.contributor = [text, memberID.map { "(\($0))" } ?? ""].filter { !$0.isEmpty }.joined(separator: " ")
        } else if path == ["id"] {
          entry.id = text.isEmpty ? nil : text
        } else if path == ["classification"] && !text.isEmpty {
          entry.category = Category(scheme: "NCMEC", label: text)
        } else if path.count == 2 && path[0] == "fingerprints" {
          if HashText.knows(name) {
            if !text.isEmpty { hashes.append(HashText(named: name, text)) }
          } else {
            hasOtherKinds = true
            sink.leaveOut(name)
          }
        }
        path.removeLast()
      }
    }
  }
}
