/// One thing that a page, a playlist or a manifest refers to, as it is written there.
///
/// Nothing in it is resolved or believed: the URL is text, and so are the names around it.
public struct RawReference: Sendable, Equatable {
  /// What a reference is for.
  public enum Role: UInt32, Sendable, CaseIterable {
    /// Shown with the page, or named as its picture or video.
    case media = 1
    /// A link whose path ends as media do.
    case link
    /// Another page shown within this one.
    case frame
    /// A page to go to instead.
    case redirect
    /// A style sheet, which may name pictures.
    case styleSheet
    /// No content: references after it are relative to this one. See ``RawReference/level``.
    case base
    /// A playlist of HLS: a variant of the video, or sound or text for it.
    case playlist
    /// No content: a stream begins, whose segments follow. Of the tracks of a period a player shows one at a time.
    case track
    /// The next piece of the track; all of them one behind the other are the video.
    case segment
    /// What stands before the segments that follow: boxes without samples.
    case initialization
    /// Bytes within the page: a `data:` URL. ``RawReference/url`` is its beginning.
    case inline
  }

  public var role: Role

  /// Name of the element or tag, in lower case: `img`, `meta`, `representation`, `ext-x-media`; `style` for CSS.
  public var element: String

  /// Which part of the element: `src`, `og:image`, `icon`, `contentUrl`.
  public var attribute: String

  /// The URL as in the page, characters decoded and white space around it left out.
  public var url: String

  /// What is said beside the URL: `2x` or `640w` in a srcset, a media type, the type of an alternative playlist.
  public var descriptor = ""

  /// Bits a second of a playlist or track; 0 where it is not said.
  public var bandwidth: UInt64 = 0

  /// Pixels of a playlist or track; 0 where it is not said.
  public var width: UInt32 = 0
  public var height: UInt32 = 0

  /// The bytes of the resource that are meant; `nil` for all of it.
  public var byteRange: Range<UInt64>?

  /// For a base, how deep it lies, from 0: it replaces those of its level and below. For a track, its period, from 0.
  public var level: UInt32 = 0

  /// Whether it stands in a document within the document: `srcdoc`, or a page as a `data:` URL.
  public var isWithinFrame = false

  /// Whether the segments are encrypted, so that they cannot be hashed.
  public var isEncrypted = false

  /// Whether the URL has more than ``mostURLInBytes``, or the page more inline bytes than the decoder can hand over: what is
  /// here is cut.
  package(set) public var isTooLong = false

  /// Bytes of a URL at most; browsers and servers agree on less.
  public static let mostURLInBytes = 7000

  package init(_ role: Role, _ element: String, _ attribute: String, _ url: String) {
    self.role = role
    self.element = element
    self.attribute = attribute
    self.url = url
  }
}

extension RawReference {
  /// Bytes of a name or a descriptor at most; longer ones are cut.
  private static let mostNameInBytes = 255

  private static let withinFrame: UInt32 = 1 << 8
  private static let encrypted: UInt32 = 1 << 9
  private static let tooLong: UInt32 = 1 << 10
  private static let ranged: UInt32 = 1 << 11

  /// As the decoder says it: see ``StreamEvent``. That of an inline reference gets the count of its bytes as first number.
  package var event: StreamEvent {
    var event = StreamEvent(role == .inline ? .inline : .reference)
    event.first = byteRange?.lowerBound ?? bandwidth
    event.second = byteRange?.upperBound ?? UInt64(level)
    event.width = width
    event.height = height
    event.flags =
      role.rawValue | (isWithinFrame ? Self.withinFrame : 0) | (isEncrypted ? Self.encrypted : 0)
      | (byteRange != nil ? Self.ranged : 0)
      | (isTooLong || url.utf8.count > Self.mostURLInBytes ? Self.tooLong : 0)
    for name in [element, attribute, descriptor] {
      event.text += name.utf8.prefix(Self.mostNameInBytes).map { $0 == 0 ? 0x3f : $0 } + [0]
    }
    event.text += url.utf8.prefix(Self.mostURLInBytes)
    return event
  }

  /// - Returns: `nil` where the event is none of a reference: the decoder breaks the protocol.
  init?(_ event: StreamEvent) {
    let fields = event.text.split(separator: 0, maxSplits: 3, omittingEmptySubsequences: false)
    guard let role = Role(rawValue: event.flags & 0xff), fields.count == 4,
      event.kind == (role == .inline ? .inline : .reference)
    else { return nil }
    self.init(
      role, String(decoding: fields[0], as: UTF8.self), String(decoding: fields[1], as: UTF8.self),
      String(decoding: fields[3], as: UTF8.self))
    descriptor = String(decoding: fields[2], as: UTF8.self)
    (width, height) = (event.width, event.height)
    if event.flags & Self.ranged != 0 {
      guard event.first < event.second else { return nil }
      byteRange = event.first..<event.second
    } else if role != .inline {
      bandwidth = event.first
      level = UInt32(clamping: event.second)
    }
    isWithinFrame = event.flags & Self.withinFrame != 0
    isEncrypted = event.flags & Self.encrypted != 0
    isTooLong = event.flags & Self.tooLong != 0
  }
}

/// Takes references as they are found, up to a limit.
package final class ReferenceSink {
  private let most: Int
  private var count = 0
  private let take: (RawReference, [UInt8]) -> Void

  /// The first limit that cost references without ending the reading.
  package private(set) var notedLimit: Unhashable?

  /// - Parameters:
  ///   - most: References of all roles together.
  ///   - take: Gets each, with its bytes where it is ``RawReference/Role/inline``.
  package init(most: Int, take: @escaping (RawReference, [UInt8]) -> Void) {
    self.most = most
    self.take = take
  }

  /// - Throws: A limit, where there were enough before.
  func add(_ reference: RawReference, bytes: [UInt8] = []) throws(Unhashable) {
    guard count < most else { throw Unhashable(.limit, "limit: more than \(most) references") }
    count += 1
    take(reference, bytes)
  }

  package func note(_ limit: Unhashable) { notedLimit = notedLimit ?? limit }
}
