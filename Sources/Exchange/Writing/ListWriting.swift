import Foundation
import Hashing
import Matching

/// How the entries of a list are written for a partner: forms that `list import` and others' tools read.
public enum ListWriting: String, Sendable, CaseIterable {
  /// `sha256:HEX`, `pdq:HEX`: one hash a line, and nothing of who says so.
  case plain
  /// `HEX,name` as PDQ's tools have it: the pictures of a list.
  case pdq
  /// All that a list keeps of pictures and digests, a line for each hash and entry.
  case csv
  /// The frames of a video as vPDQ's tools have them: one video a file.
  case vpdq

  /// The kinds of hashes that can be written so.
  public var algorithms: [MatchAlgorithm] {
    switch self {
    case .plain, .csv: [.sha256, .sha1, .md5, .pdq]
    case .pdq: [.pdq]
    case .vpdq: [.vpdq]
    }
  }

  /// The line before all others, if there is one.
  public var heading: String? {
    self == .csv ? "sha256,sha1,md5,pdq,quality,id,contributor,category,category_scheme,listed_at" : nil
  }

  /// The lines of an entry, without their ends; see ``HashList/forEachEntry(of:_:)``.
  public func lines(of entry: ListEntry) -> [String] {
    switch self {
    case .plain: entry.digests.map(\.description) + entry.perceptualHashes.map(\.description)
    case .pdq: entry.perceptualHashes.map { "\($0.hex),\(entry.displayName.onOneLine)" }
    case .csv: [Self.row(of: entry)]
    case .vpdq: (entry.video?.frames ?? []).enumerated().map { $1.vpdqLine(index: $0) }
    }
  }

  /// A name for the file of a video: what of its own is safe in one, and its place in the list.
  public static func fileName(of entry: ListEntry, number: Int) -> String {
    let name = entry.displayName.prefix(80).map { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-") ? $0 : "_" }
    return "\(number)-\(String(name)).txt"
  }

  private static func row(of entry: ListEntry) -> String {
    let digests = [DigestAlgorithm.sha256, .sha1, .md5].map { algorithm in
      entry.digests.first { $0.algorithm == algorithm }?.hex ?? ""
    }
    let hash = entry.perceptualHashes.first
    let said = [
      hash?.hex, hash?.quality.map { String($0) }, entry.id, entry.contributor, entry.category?.label,
      entry.category?.scheme, entry.listedAt?.formatted(.iso8601),
    ]
    return (digests + said.map { ($0 ?? "").csvField(quotedFor: ";\t") }).joined(separator: ",")
  }
}
