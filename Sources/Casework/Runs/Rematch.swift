import Foundation
import Hashing
import Matching

/// Asks today's lists for what past runs have seen, by the hashes that were kept: the evidence is not needed.
public struct Rematch {
  private let store: CaseStore
  private let blocklist: Blocklist
  /// The versions of a list that are on disk, oldest first.
  private let versions: (String) throws -> [HashList]
  private var breaker = FloodBreaker()
  private var known: [String: [HashList]] = [:]

  /// - Parameter versions: Of a list, oldest first: by them it is told which one made a difference.
  public init(_ store: CaseStore, _ blocklist: Blocklist, versions: @escaping (String) throws -> [HashList]) {
    self.store = store
    self.blocklist = blocklist
    self.versions = versions
  }

  /// Entries that met too many pictures; from then on their near matches did not count.
  public var floods: [FloodBreaker.Trip] { breaker.trips }

  /// A match that the record does not have yet, and why it comes only now.
  public struct NewMatch: Sendable {
    public let match: Match
    /// The version of its list that was used when the content was looked at; `nil` where the list was not in force.
    public let usedThen: ListVersion?
    /// Whether that version has the entry already, for this content; `nil` where its file is gone or there was none.
    public let wasListedThen: Bool?
    /// The first version on disk after the one used then with which the content is met.
    public let since: ListVersion

    /// What made the difference, in words.
    public var explanation: String {
      guard let usedThen else { return "list \(match.list.name) was not in force then; listed in \(since.version)" }
      return switch wasListedThen {
      case nil: "listed in \(since.version); version \(usedThen.version) was used then and is no longer on disk"
      case false?: "listed since \(since.version); version \(usedThen.version) was used then"
      case true?: "version \(usedThen.version), used then, has it too: it was compared in another way then"
      }
    }
  }

  /// A content at a place with matches that are new there.
  public struct News: Sendable {
    public let finding: Finding
    public let new: [NewMatch]
    /// The run that had the evidence.
    public let runThen: String
  }

  /// What was compared, and what could not be.
  public struct Summary: Sendable, Equatable {
    public var contents = 0
    public var matched = 0
    /// Places with a new match.
    public var news = 0
    public var block = 0
    public var review = 0
    /// Contents without a digest that some list is asked by.
    public var withoutDigest = 0
    /// Pictures and videos of which no perceptual hash was kept.
    public var withoutPerceptualHash = 0

    public init() {}

    public var isComplete: Bool { withoutDigest == 0 && withoutPerceptualHash == 0 }
  }

  private static let pageSize = 500

  /// Compares all that is kept.
  ///
  /// - Parameters:
  ///   - exhibit: Only what was seen there.
  ///   - found: Gets each place that has a new match, with a verdict of `block` or `review`.
  /// - Throws: `MatchingError` for a damaged list, ``CaseworkError`` for a damaged record, and what `found` threw.
  public mutating func run(on exhibit: String? = nil, found: (News) throws -> Void) throws -> Summary {
    var summary = Summary()
    var last: Int64 = 0
    while true {
      let page = try store.keptContents(after: last, on: exhibit, limit: Self.pageSize)
      guard let end = page.last?.id else { return summary }
      last = end
      for content in page { try compare(content, on: exhibit, &summary, found) }
    }
  }

  private mutating func compare(
    _ content: KeptContent, on exhibit: String?, _ summary: inout Summary, _ found: (News) throws -> Void
  ) throws {
    summary.contents += 1
    if !blocklist.digestAlgorithms.isSubset(of: content.fingerprint.digests.map(\.algorithm)) {
      summary.withoutDigest += 1
    }
    let isMedia = content.mediaType.map { $0.hasPrefix("image/") || $0.hasPrefix("video/") } ?? false
    if isMedia && blocklist.hasPerceptualHashes && content.queries.isEmpty { summary.withoutPerceptualHash += 1 }
    let matches = breaker.pass(try Self.matches(of: content, in: blocklist), isPicture: !content.queries.isEmpty)
    let verdict = blocklist.policy.verdict(for: matches)
    guard verdict == .block || verdict == .review else { return }
    summary.matched += 1
    // Most places of a content were looked at by one run, with one version of a list.
    var explained: [Question: NewMatch] = [:]
    for place in try store.places(of: content, on: exhibit) {
      let new = try matches.filter {
        !place.recorded.contains(RecordedEntry(list: $0.list.name, entry: $0.entry)) && $0.near?.discount == nil
      }.map { match in
        let question = Question(
          entry: RecordedEntry(list: match.list.name, entry: match.entry),
          usedThen: place.lists.first { $0.name == match.list.name })
        if let answer = explained[question] { return answer }
        let answer = try explain(match, content, question.usedThen)
        explained[question] = answer
        return answer
      }
      if new.isEmpty { continue }
      summary.news += 1
      if verdict == .block { summary.block += 1 } else { summary.review += 1 }
      let finding = Finding(
        location: place.location, fingerprint: content.fingerprint, mediaType: content.mediaType, matches: matches,
        verdict: verdict, listsUsed: blocklist.versions)
      try found(News(finding: finding, new: new, runThen: place.run))
    }
  }

  private struct Question: Hashable {
    let entry: RecordedEntry
    let usedThen: ListVersion?
  }

  /// What a content meets by its digests, and by each of the hashes that it was looked for with.
  private static func matches(of content: KeptContent, in blocklist: Blocklist) throws(MatchingError) -> [Match] {
    var fingerprint = content.fingerprint
    fingerprint.perceptualHash = nil
    var matches = try blocklist.matches(for: fingerprint)
    // What is within borders counts as a frame of its own here; the share of the listed video is the same.
    var videos = blocklist.makeVideoSearch()
    for hashes in content.queries {
      for match in try blocklist.matches(near: hashes) { matches.add(match) }
      try videos.add([hashes])
    }
    for match in try videos.matches() { matches.add(match) }
    return matches
  }

  /// Looks through the versions of the match's list for the one that made the difference.
  private mutating func explain(_ match: Match, _ content: KeptContent, _ usedThen: ListVersion?) throws -> NewMatch {
    let name = match.list.name
    if known[name] == nil { known[name] = try versions(name) }
    let all = known[name]!
    let position = usedThen.flatMap { used in all.firstIndex { $0.version == used } }
    let distance = blocklist.members.first { $0.list.version == match.list }?.distanceInBits
    func has(_ list: HashList) throws -> Bool {
      let member = Blocklist.Member(list: list, distanceInBits: distance ?? PerceptualHash.matchDistance)
      return try Self.matches(of: content, in: Blocklist([member])).contains { $0.entry == match.entry }
    }
    // Of a version that is gone it is not known what was before it: all that are here may be later.
    let later = position.map { all[($0 + 1)...] } ?? all[...]
    let since = try later.first { try has($0) }?.version ?? match.list
    return NewMatch(
      match: match, usedThen: usedThen, wasListedThen: try position.map { try has(all[$0]) }, since: since)
  }
}
