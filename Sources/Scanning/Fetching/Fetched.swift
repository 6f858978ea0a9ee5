import Matching

/// What is to be fetched.
struct FetchRequest: Sendable {
  let url: WebURL
  /// The page that refers to it, which hosts like to be told.
  var referrer: WebURL?
  /// Whatever belongs to it on the caller's side.
  var number = 0
  /// What the contents of its page may weigh together.
  var budget: PageBudget?
  /// The bytes of the resource that are meant; `nil` for all of it.
  var byteRange: Range<UInt64>?
  /// Where the content is sealed while it comes; `nil` where it is not.
  var sealing: SealedFolder?
}

/// What became of a request.
struct Fetched: Sendable {
  let request: FetchRequest
  /// From the URL asked for to the last one; of the last attempt.
  var chain: [FetchHop]
  /// The body, decompressed. Whoever has taken it tells the ``Fetcher``.
  let body: Result<[UInt8], FetchFailure>
  /// The body as it was sealed while it came; `nil` where that was not asked for, or nothing came.
  var sealed: SealedContent?

  /// Where the body came from in the end.
  var url: WebURL { chain.last?.url ?? request.url }

  /// Value of a header of the last answer.
  func header(_ name: String) -> String? { chain.last?.headers.first { $0.name == name }?.value }
}
