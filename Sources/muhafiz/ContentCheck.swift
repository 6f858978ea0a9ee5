import Casework
import Glibc
import Hashing
import Matching
import Scanning

/// What a second visit says of a content that was to go.
struct ContentCheck {
  let answer: RecheckAnswer
  /// What was seen.
  let detail: String

  /// - Parameters:
  ///   - items: What a scan of the takedown's URL found there.
  ///   - digest: SHA-256 of the content that was to go; `nil` where it is not known.
  ///   - isBlocked: Whether an order of ours hides the host's name.
  init(_ items: [ScannedItem], expecting digest: Digest?, isBlocked: Bool = false) {
    guard let visited = items.first(where: { $0.reference == nil }), let hop = visited.chain.last else {
      (answer, detail) = (.unreachable, "it was not visited")
      return
    }
    let seen = [hop.status.map { "HTTP status \($0)" }, hop.address.map { "at \($0)" }].compactMap { $0 }.joined(
      separator: " ")
    let found = items.first { item in
      item.verdict == .block || item.verdict == .review
        || digest.map { item.fingerprint?.digests.contains($0) == true } ?? false
    }
    if let found {
      answer = .stillUp
      detail = found.reference.map { "\(seen), \($0.element) of the page" } ?? seen
      return
    }
    if let failure = hop.failure {
      answer = Self.answer(failure, hop, isBlocked: isBlocked)
      detail = failure.reason
      return
    }
    if let gap = items.first(where: \.isIncomplete) {
      // What was not compared may be what is looked for.
      (answer, detail) = (.unreachable, "\(seen), not all could be compared: \(gap.reason ?? gap.state.name)")
    } else if visited.chain.count > 1 {
      (answer, detail) = (.moved, "\(seen), to \(hop.url)")
    } else {
      (answer, detail) = (.changed, seen)
    }
  }

  private static func answer(_ failure: FetchFailure, _ hop: FetchHop, isBlocked: Bool) -> RecheckAnswer {
    switch failure.code {
    case .status:
      switch hop.status {
      case 404, 410: .gone
      case 451: .blockedHere
      default: .unreachable
      }
    // A resolver that blocks a name leads it to an address within the house, or nowhere.
    case .refused: .blockedHere
    case .unresolvable where isBlocked: .blockedHere
    case .unresolvable: nobodyHas(hop.url.host.name) ? .gone : .unreachable
    default: .unreachable
    }
  }

  /// Whether the resolver says that there is no such name, and not that it cannot tell.
  private static func nobodyHas(_ name: String) -> Bool {
    var found: UnsafeMutablePointer<addrinfo>?
    let status = getaddrinfo(name, nil, nil, &found)
    if let found { freeaddrinfo(found) }
    return status == EAI_NONAME
  }
}
