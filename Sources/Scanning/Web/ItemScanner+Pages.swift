import Matching

extension ItemScanner {
  /// Reads what a fetched page refers to, and begins that.
  mutating func readPage(
    _ fetched: Fetched, _ body: [UInt8], of target: WebTarget, _ run: WebRun, _ fetcher: Fetcher,
    _ items: inout [ScannedItem]
  ) throws {
    guard target.isPage, fetched.header("content-type")?.lowercased().hasPrefix("text/html") == true else { return }
    items[0].missMembers("what the page refers to is not read")
  }
}
