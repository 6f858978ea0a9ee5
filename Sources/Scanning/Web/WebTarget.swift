import Decoding
import Matching
import Synchronization

/// A URL that a scan of the web visits, and how the scan came to it.
struct WebTarget: Sendable {
  let url: WebURL
  /// The reported URL that it belongs to, by its number in the scan.
  let root: Int
  /// Where a page refers to it; `nil` for a reported one.
  var reference: PageReference?
  /// What its page refers to it as; `nil` for a reported one.
  var role: RawReference.Role?
  /// Pages, playlists and style sheets between it and the reported URL.
  var depth = 0
  /// What the contents of its page may weigh together.
  var budget: PageBudget?
  /// Of a video in pieces.
  var piece: StreamAssembly.Piece?

  /// Whether a body of this format is read for further references: a picture that turns out to be a page is none of ours.
  func isRead(as format: PageFormat) -> Bool {
    switch (role, format) {
    case (nil, _), (.frame, _), (.redirect, _): true
    case (.styleSheet, .css): true
    case (.playlist, .hls), (.playlist, .dash), (.media, .hls), (.media, .dash), (.link, .hls), (.link, .dash): true
    default: false
    }
  }

  /// Why a reference of this target is not followed; `nil` where it is.
  func refusal(of reference: PageReferences.Reference) -> ItemState? {
    switch reference.role {
    case .frame where role == .frame || reference.raw.isWithinFrame: .skipped("a frame within a frame")
    case _ where depth >= Self.mostDepth: .error("limit: \(Self.mostDepth) pages within each other")
    default: nil
    }
  }

  /// A page, its frame, a playlist in it and the list of that, or style sheets of style sheets.
  private static let mostDepth = 4
}

/// Bytes that a page's contents may have together.
final class PageBudget: Sendable {
  private let most: Int
  private let used = Atomic(0)

  init(most: Int) { self.most = most }

  func take(_ bytes: Int) { used.add(bytes, ordering: .relaxed) }

  /// Why no more of the page is fetched; `nil` while there is room.
  var refusal: FetchFailure? {
    used.load(ordering: .relaxed) < most ? nil : FetchFailure(.tooLarge, "limit: \(most) bytes of one page")
  }
}
