import Foundation
import Hashing
import Matching

/// The pictures and videos of a run in the shape of a Project VIC case, one `Media` record for each place.
///
/// The category is left open: a match says what a list says, never what the content is. Items without an MD5 cannot be
/// named in this format and are counted.
///
/// Source: the keys that public readers and writers of VICS 2.0 use.
struct VICSReport: ItemReport {
  let fileName = "vics.json"
  let head: [UInt8]
  private let exhibit: String?
  private var count = 0
  private var unnamed = 0

  init(_ run: RunDescription) {
    exhibit = run.exhibit
    var file = JSONLine()
    file.add(
      "@odata.context", "http://github.com/VICSDATAMODEL/ProjectVic/DataModels/2.0.xml/CUSTOM/$metadata#Cases")
    var record = JSONLine()
    record.add("CaseID", run.id)
    record.add("CaseNumber", run.exhibit ?? run.id)
    record.add("ContactName", run.examiner)
    record.add("SourceApplicationName", run.tool)
    record.add("SourceApplicationVersion", run.toolVersion)
    record.add("CaseMetadata", run.lists) { list, object in
      object.add("CaseID", run.id)
      object.add("PropertyName", "HashList")
      object.add("PropertyValue", "\(list.version.name) \(list.version.version) sha256:\(list.sha256.hex)")
    }
    // The object stays open for the items, which are too many to be held.
    head = file.object.dropLast() + Array(",\"value\":[".utf8) + record.object.dropLast() + Array(",\"Media\":[\n".utf8)
  }

  mutating func text(of item: ScannedItem) -> [UInt8] {
    guard item.state == .hashed, let fingerprint = item.fingerprint, let type = item.mediaType,
      type.hasPrefix("image/") || type.hasPrefix("video/")
    else { return [] }
    guard let md5 = fingerprint.digest(.md5)?.hex.uppercased() else {
      unnamed += 1
      return []
    }
    let name = item.displayName
    let path = name.replacing("/", with: "\\")
    count += 1
    var media = JSONLine()
    media.add("MediaID", count)
    media.addNull("Category")
    media.add("MD5", md5)
    media.add("SHA1", fingerprint.digest(.sha1)?.hex.uppercased())
    media.add("MediaSize", fingerprint.sizeInBytes)
    media.add("MimeType", type)
    media.add("RelativeFilePath", path)
    media.add("IsPrecategorized", "false")
    let matches = item.matches.map {
      "matches list \($0.list.name) version \($0.list.version), entry \($0.entry), \($0.grade.rawValue)"
    }
    media.add("Comments", matches.isEmpty ? nil : matches.joined(separator: "; "))
    media.add("AlternativeHashes", hashes(fingerprint)) { hash, object in
      object.add("HashName", hash.name)
      object.add("HashValue", hash.value)
      object.add("MD5", md5)
    }
    media.add("MediaFiles", [item]) { item, file in
      file.add("MD5", md5)
      file.add("FileName", name.split(separator: "/").last.map(String.init) ?? name)
      file.add("FilePath", path)
      file.add("Written", item.modifiedAt?.utc)
      file.add("Unallocated", "false")
      file.add("SourceID", exhibit)
    }
    return (count > 1 ? Array(",\n".utf8) : []) + media.object
  }

  private func hashes(_ fingerprint: Fingerprint) -> [(name: String, value: String)] {
    [("SHA256", fingerprint.digest(.sha256)?.hex), ("PDQ", fingerprint.perceptualHash?.hex)].compactMap { name, value in
      value.map { (name, $0) }
    }
  }

  func tail(_ result: RunResult, _ summary: JSONLine) -> [UInt8] {
    var rest = JSONLine()
    rest.add("TotalMediaFiles", count)
    rest.add("MuhafizMediaWithoutMD5", unnamed)
    rest.add("MuhafizOutcome", result.outcome)
    return Array("\n],".utf8) + rest.object.dropFirst() + Array("]}\n".utf8)
  }
}
