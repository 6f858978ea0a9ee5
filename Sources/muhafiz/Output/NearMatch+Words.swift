import Hashing
import Matching

extension NearMatch {
  /// What helps to judge the match, behind the sentence that names it.
  var explanation: String {
    var parts: [String] = []
    if let turn, turn != .original { parts.append("\(turn.words)") }
    if let queryQuality { parts.append("quality \(queryQuality)\(listedQuality.map { " and \($0)" } ?? "")") }
    if entriesWithin > 1 { parts.append("\(entriesWithin.grouped) entries within the distance") }
    switch discount {
    case .negativeList: parts.append("does not count: it looks like a picture on a negative list")
    case .quarantined: parts.append("does not count: the entry is quarantined")
    case nil: break
    }
    return parts.isEmpty ? "" : " (\(parts.joined(separator: "; ")))"
  }
}

extension VideoMatch {
  /// What of the two is the same.
  var words: String {
    let what =
      switch kind {
      case .whole: "with the listed video in it"
      case .clip: "a part of the listed video"
      case .frame: "by single frames"
      }
    return "\(what): \(listedFound.grouped) of \(listedFrames.grouped) listed frames found, "
      + "\(queryFound.grouped) of its own \(queryFrames.grouped)"
  }
}

extension Dihedral {
  /// How a picture was turned to meet an entry.
  fileprivate var words: String {
    switch self {
    case .original: "as it is"
    case .rotate90: "turned by 90°"
    case .rotate180: "turned by 180°"
    case .rotate270: "turned by 270°"
    case .flipX: "mirrored top to bottom"
    case .flipY: "mirrored left to right"
    case .flipPlus1, .flipMinus1: "turned and mirrored"
    }
  }
}
