import Foundation
import Hashing
import Matching

/// CSV (RFC 4180, with line feeds): a row for each match, and one for an item without any.
///
/// No field begins with what a spreadsheet takes for a formula: such text has an apostrophe before it.
public struct CSVReport: ItemReport {
  let fileName = "items.csv"

  public init() {}

  /// The names of the columns.
  public static let header =
    "path,path_base64,size,media_type,status,perceptual,reason,md5,sha1,sha256,pdq,pdq_quality,verdict,"
    + "list,version,entry,algorithm,grade,distance,category_scheme,category,contributor,member,contents,url"

  var head: [UInt8] { Array("\(Self.header)\n".utf8) }

  func text(of item: ScannedItem) -> [UInt8] { Self.rows(of: item).flatMap { Array("\($0)\n".utf8) } }

  func tail(_ result: RunResult, _ summary: JSONLine) -> [UInt8] { [] }

  /// The rows of an item, without their line feeds.
  public static func rows(of item: ScannedItem) -> [String] {
    let bytes = item.place.path?.bytes
    let text = bytes.flatMap { String(validating: $0, as: UTF8.self) }
    var (perceptual, contents) = ("", "")
    if case .unhashable = item.perceptual { perceptual = "unhashable" }
    if case .incomplete = item.contents { contents = "incomplete" }
    let digests = item.fingerprint?.digests ?? []
    func digest(_ name: String) -> String { digests.first { $0.algorithm.name == name }?.hex ?? "" }
    let hash = item.fingerprint?.perceptualHash
    let common = [
      text ?? "", (text == nil ? bytes : nil).map { Data($0).base64EncodedString() } ?? "",
      item.sizeInBytes.map { String($0) } ?? "",
      item.mediaType ?? "", item.state.name, perceptual, item.reason ?? "", digest("md5"), digest("sha1"), digest("sha256"),
      hash?.hex ?? "", hash?.quality.map { String($0) } ?? "", item.verdict?.rawValue ?? "",
    ]
    let matches = item.matches.map { match in
      [
        match.list.name, match.list.version, match.entry, match.algorithm.rawValue, match.grade.rawValue,
        String(match.distanceInBits), match.category?.scheme ?? "", match.category?.label ?? "", match.contributor ?? "",
      ]
    }
    let none = [String](repeating: "", count: 9)
    var url = ""
    if case .url(let text) = item.place { url = text }
    let place = [item.member ?? "", contents, url]
    return (matches.isEmpty ? [none] : matches).map {
      (common + $0 + place).map { $0.withoutFormula.csvField() }.joined(separator: ",")
    }
  }
}
