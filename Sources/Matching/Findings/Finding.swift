import Hashing
import SystemPackage

/// Where a content was found.
public struct ContentLocation: Sendable, Hashable {
  public enum Place: Sendable, Hashable {
    /// A file, by the path it was opened under. Names need not be UTF-8.
    case file(FilePath)
    case url(String)

    /// The path, where the place is a file.
    public var path: FilePath? {
      if case .file(let path) = self { path } else { nil }
    }
  }

  public let place: Place
  /// The path inside the archive at `place`, if the content is a member of one.
  public let member: String?
  /// The seized medium that the place is on, as the examiner named it.
  public let exhibit: String?
  /// Where on the medium the member lies, if it is a file on a disk image.
  public let origin: MemberOrigin?

  public init(place: Place, member: String? = nil, exhibit: String? = nil, origin: MemberOrigin? = nil) {
    self.place = place
    self.member = member
    self.exhibit = exhibit
    self.origin = origin
  }
}

/// One content at one place, with the entries it met: what a case is opened on.
public struct Finding: Sendable, Hashable {
  public let location: ContentLocation
  public let fingerprint: Fingerprint
  /// What the bytes are, by their first bytes and never by their name: `image/jpeg`. `nil` if unknown.
  public let mediaType: String?
  public let matches: [Match]
  public let verdict: Verdict
  /// All list versions that were asked, also those that had nothing to say.
  public let listsUsed: [ListVersion]
  /// How the content was fetched, for one at a URL.
  public var chain: [FetchHop] = []
  /// The page that refers to the content, for one that was found on a page.
  public var reference: PageReference?
  /// The file that has the content sealed, where it was kept at all.
  public var sealedName: String?

  public init(
    location: ContentLocation, fingerprint: Fingerprint, mediaType: String?, matches: [Match], verdict: Verdict,
    listsUsed: [ListVersion]
  ) {
    self.location = location
    self.fingerprint = fingerprint
    self.mediaType = mediaType
    self.matches = matches
    self.verdict = verdict
    self.listsUsed = listsUsed
  }
}
