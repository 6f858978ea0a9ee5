import Casework
import Decoding
import Foundation
import Glibc
import Hashing
import Matching
import Scanning

extension TakedownRecheck {
  /// Visits the URLs of takedowns that are due, one after the other, and records what is there.
  func visitDue() throws {
    let blocklist = try home.catalog.loadBlocklist()
    let options = ScanOptions(workers: 2)
    let profiles = try RuleProfile.all(in: home.path.appending("profiles"))
    let scanner = WebScanner(
      blocklist: blocklist, options: options, policy: try fetching.policy(),
      decoders: try limits.decoderPool(size: options.workers))
    let after = try home.deciding(actor) { store, actor in
      let blocked = Set(try store.dnsBlocks().filter { $0.isInForce(at: Date()) }.map(\.host))
      return try store.recheckDue(profiles: profiles, by: actor, at: Date()) { takedown in
        nonisolated(unsafe) var items: [ScannedItem] = []  // Delivered one at a time.
        _ = try scanner.scan([URLMention(exactly: takedown.url)]) { items.append($0) }
        let check = ContentCheck(items, expecting: takedown.sha256, isBlocked: blocked.contains(takedown.host))
        return (check.answer, check.detail)
      }
    }
    if format == .text { print(TakedownLine.heading) }
    for takedown in after { TakedownLine.show(takedown, format) }
  }
}
