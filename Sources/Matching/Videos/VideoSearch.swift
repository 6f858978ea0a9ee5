import Hashing

/// Looks for listed videos by the frames of one content, frame after frame.
///
/// Frames are a bag: their order and times do not count, as the reference has it. What looks like something on a negative
/// list is not counted. A picture is asked for as a video of one frame.
///
/// Source: vPDQ reference, `vpdq/README.md`, "Matching".
public struct VideoSearch {
  private var asked: [Asked]
  private let negatives: [Blocklist.Member]
  /// Frames of the content that tell anything.
  public private(set) var frameCount = 0

  /// A list that has videos, and what was found in it.
  fileprivate struct Asked {
    let member: Blocklist.Member
    /// Frame records that were met.
    var records: Set<Int> = []
    /// What each video met, by its number.
    var videos: [Int: Found] = [:]
  }

  fileprivate struct Found {
    var frames = 0
    /// The nearest pair of frames.
    var hit: HashList.Hit
    var quality: UInt8?
  }

  init(_ members: [Blocklist.Member]) {
    asked = members.filter { $0.list.count(of: .vpdq) > 0 }.map { Asked(member: $0) }
    negatives = members.filter { $0.action == .negative }
  }

  /// Whether there is any list to ask.
  public var isNeeded: Bool { !asked.isEmpty }

  /// Asks for the next frame.
  ///
  /// - Parameter groups: Its hashes, turned and mirrored, and those of what is within its borders; in each group the
  ///   upright hash first, whose quality is the group's.
  /// - Returns: Whether it met a listed frame that was not met before.
  /// - Throws: ``MatchingError`` when a list is damaged.
  @discardableResult
  public mutating func add(_ groups: [[PerceptualHash]]) throws(MatchingError) -> Bool {
    let forms = groups.filter { $0.first.map { $0.quality ?? 100 >= PerceptualHash.leastQuality } ?? false }.flatMap { $0 }
    guard isNeeded, !forms.isEmpty else { return false }
    for member in negatives {
      if !(try member.list.matches(near: forms, within: member.distanceInBits)).isEmpty { return false }
    }
    frameCount += 1
    var isNew = false
    for index in asked.indices { isNew = try asked[index].add(forms) || isNew }
    return isNew
  }

  /// What was found so far, most of the listed video first: one match for each entry.
  ///
  /// - Throws: ``MatchingError`` when a list is damaged.
  public func matches() throws(MatchingError) -> [Match] {
    var matches: [Match] = []
    for asked in asked { matches += try asked.matches(frameCount: frameCount) }
    return matches.sorted { $0.video?.listedPercent ?? 0 > $1.video?.listedPercent ?? 0 }
  }
}

extension VideoSearch.Asked {
  fileprivate mutating func add(_ forms: [PerceptualHash]) throws(MatchingError) -> Bool {
    let list = member.list
    guard let frames = list.records(.videoFrame) else { return false }
    let met = records.count
    var nearest: [Int: HashList.Hit] = [:]
    for (record, hit) in try list.hits(near: forms, within: member.distanceInBits, in: frames) {
      records.insert(record)
      for video in try list.videos(withFrame: record, in: frames) where nearest[video].map({ hit.distance < $0.distance }) ?? true
      {
        nearest[video] = hit
      }
    }
    for (video, hit) in nearest {
      var found = videos[video] ?? VideoSearch.Found(hit: hit, quality: forms[hit.query].quality)
      found.frames += 1
      if hit.distance < found.hit.distance { (found.hit, found.quality) = (hit, forms[hit.query].quality) }
      videos[video] = found
    }
    return records.count > met
  }

  fileprivate func matches(frameCount: Int) throws(MatchingError) -> [Match] {
    let list = member.list
    guard let frames = list.records(.videoFrame), let records = list.records(.video) else { return [] }
    var met: Set<PerceptualHash> = []
    for record in self.records {
      met.insert(
        PerceptualHash(
          bytes: UnsafeRawBufferPointer(start: try list.record(record, in: frames), count: PerceptualHash.byteCount))!)
    }
    var matches: [Match] = []
    for (number, found) in videos.sorted(by: { ($0.value.hit.distance, $0.key) < ($1.value.hit.distance, $1.key) }) {
      let listed = FrameRows(try list.frameRows(ofVideo: number)).filter(\.isComparable)
      let share = VideoMatch(
        listedFrames: listed.count, listedFound: listed.count { met.contains(PerceptualHash(bytes: $0.key)!) },
        queryFrames: frameCount, queryFound: found.frames)
      for index in [try list.entryIndex(of: number, in: records)] + (try list.furtherEntries(of: number, in: records)) {
        let entry = try list.entry(at: index)
        var near = NearMatch(
          // Each group has its hashes in the order of the turns.
          query: found.hit.query % Dihedral.allCases.count, queryQuality: found.quality, listedQuality: nil,
          entriesWithin: videos.count)
        if member.quarantined.contains(entry.displayName) { near.discount = .quarantined }
        matches.append(
          Match(
            list: list.version, entry: entry.displayName, algorithm: .vpdq, grade: .near,
            distanceInBits: found.hit.distance, category: entry.category, contributor: entry.contributor, near: near,
            video: share))
      }
    }
    return matches
  }
}
