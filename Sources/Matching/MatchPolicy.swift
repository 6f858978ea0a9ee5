import Hashing

/// What a match on a list leads to.
public enum ListAction: String, Sendable, CaseIterable, Codable {
  /// An exact match is a verdict of `block`; anything weaker of `review`.
  case block
  /// Every match is for a person to look at.
  case review
  /// The list holds content known to be harmless.
  case known
  /// The list holds pictures that many harmless ones look like, as blanks and logos: near matches of what looks like one
  /// of them do not count.
  case negative
  /// The list is kept but not asked.
  case off
}

/// How matches become one verdict.
///
/// Four rules hold whatever the lists say: a near match alone never blocks, MD5 or SHA-1 alone never blocks, a
/// blocking list outweighs a known-good one, and an exact match counts whatever a negative list says.
public struct MatchPolicy: Sendable {
  private let actions: [ListVersion: ListAction]

  public init(actions: [ListVersion: ListAction]) {
    self.actions = actions
  }

  /// The verdict on a content with these matches; `clear` for none.
  ///
  /// Whether the content was compared in full is the caller's to know: see ``Verdict/clear``.
  public func verdict(for matches: [Match]) -> Verdict {
    matches.map(verdict).max { $0.weight < $1.weight } ?? .clear
  }

  private func verdict(for match: Match) -> Verdict {
    if match.near?.discount != nil { return .clear }
    return switch (actions[match.list] ?? .review, match.grade) {
    case (.block, .exact): .block
    case (.block, _), (.review, _): .review
    // A known-good list must not hide anything that merely looks like one of its pictures.
    case (.known, .exact), (.known, .legacyExact): .known
    case (.known, .near), (.negative, _), (.off, _): .clear
    }
  }
}

extension Verdict {
  /// Which of two verdicts on one content stands: the heavier.
  fileprivate var weight: Int {
    switch self {
    case .clear: 0
    case .known: 1
    case .review: 2
    case .block: 3
    }
  }
}
