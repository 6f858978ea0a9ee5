import Foundation
import Hashing
import Matching

/// Digital Forensics XML: a `fileobject` for each item, with what the lists said in elements of our own name space.
///
/// Source: hashdeep's `display.cpp` and `xml.h`.
struct DFXMLReport: ItemReport {
  let fileName = "dfxml.xml"
  let head: [UInt8]

  init(_ run: RunDescription) {
    var text = """
      <?xml version="1.0" encoding="UTF-8"?>
      <dfxml xmlns="http://www.forensicswiki.org/wiki/Category:Digital_Forensics_XML"
             xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:muhafiz="urn:muhafiz:dfxml" version="1.0">
       <metadata><dc:type>Hash List</dc:type></metadata>
       <creator>

      """
    text += "  \(XML.element("program", run.tool))\(XML.element("version", run.toolVersion))\n"
    text += "  <execution_environment>\(XML.element("os_sysname", "Linux"))\(XML.element("host", run.host))"
    text += XML.element("command_line", run.commandLine.joined(separator: " "))
    text += XML.element("username", run.examiner)
    text += "\(XML.element("start_time", run.begunAt.utc))</execution_environment>\n </creator>\n"
    text += " <source>\(XML.element("image_filename", run.exhibit))</source>\n"
    text += " <muhafiz:run id=\"\(XML.escaped(run.id))\">"
    for list in run.lists {
      text += "<muhafiz:list name=\"\(XML.escaped(list.version.name))\" version=\"\(XML.escaped(list.version.version))\""
      text += " entries=\"\(list.entries)\" sha256=\"\(list.sha256.hex)\"/>"
    }
    head = Array((text + "</muhafiz:run>\n").utf8)
  }

  func text(of item: ScannedItem) -> [UInt8] {
    var text = " <fileobject>\(XML.element("filename", item.displayName))"
    if let bytes = item.place.path?.bytes, String(validating: bytes, as: UTF8.self).map(XML.canBeWritten) != true {
      text += XML.element("muhafiz:path_base64", Data(bytes).base64EncodedString())
    }
    text += XML.element("muhafiz:member", item.member)
    text += XML.element("filesize", item.sizeInBytes.map { String($0) })
    text += XML.element("mtime", item.modifiedAt?.utc)
    text += XML.element("libmagic", item.mediaType)
    for digest in item.fingerprint?.digests ?? [] {
      text += "<hashdigest type=\"\(digest.algorithm.name.uppercased())\">\(digest.hex)</hashdigest>"
    }
    text += XML.element("muhafiz:pdq", item.fingerprint?.perceptualHash?.hex)
    text += XML.element("muhafiz:status", item.state.name)
    text += XML.element("muhafiz:verdict", item.verdict?.rawValue)
    for match in item.matches {
      text += "<muhafiz:match list=\"\(XML.escaped(match.list.name))\" version=\"\(XML.escaped(match.list.version))\""
      text += " entry=\"\(XML.escaped(match.entry))\" algorithm=\"\(match.algorithm.rawValue)\""
      text += " grade=\"\(match.grade.rawValue)\" distance=\"\(match.distanceInBits)\"/>"
    }
    // What was not hashed, in whole or in part, says why.
    text += XML.element("error", item.reason)
    return Array("\(text)</fileobject>\n".utf8)
  }

  func tail(_ result: RunResult, _ summary: JSONLine) -> [UInt8] {
    Array(" \(XML.element("muhafiz:outcome", result.outcome))\n</dfxml>\n".utf8)
  }
}

/// Text as it may stand in XML 1.0.
enum XML {
  /// An element; nothing for `nil`.
  static func element(_ name: String, _ text: String?) -> String {
    text.map { "<\(name)>\(escaped($0))</\(name)>" } ?? ""
  }

  /// Characters that XML has no way to write become U+FFFD.
  static func escaped(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      // As they are they would be read as spaces.
      case "\t", "\n", "\r": result += "&#\(scalar.value);"
      case _ where isWritable(scalar): result.unicodeScalars.append(scalar)
      default: result += "\u{FFFD}"
      }
    }
    return result
  }

  /// Whether a reader gets back the same text.
  static func canBeWritten(_ text: String) -> Bool {
    text.unicodeScalars.allSatisfy { isWritable($0) || $0 == "\t" || $0 == "\n" || $0 == "\r" }
  }

  /// XML 1.0, production 2, `Char`.
  private static func isWritable(_ scalar: Unicode.Scalar) -> Bool {
    scalar.value >= 0x20 && scalar.value != 0xFFFE && scalar.value != 0xFFFF
  }
}
