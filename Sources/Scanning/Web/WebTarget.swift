import Matching
import Synchronization

/// A URL that a scan of the web visits, and how the scan came to it.
struct WebTarget: Sendable {
  let url: WebURL
  /// The reported URL that it belongs to, by its number in the scan.
  let root: Int
  /// Where a page refers to it; `nil` for a reported one.
  var reference: PageReference?
  /// Pages, playlists and style sheets between it and the reported URL.
  var depth = 0
  /// Whether it is read as a page if it is one: a picture that turns out to be a page is none of ours.
  var isPage = true
  /// What the contents of its page may weigh together.
  var budget: PageBudget?
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
