import Foundation
import Matching
import Synchronization
import Testing

@testable import Scanning

struct WebScannerTests {
  private static let shared = Result { try WebServer() }
  private let server = try! shared.get()

  private func scan(_ urls: [WebURL], _ policy: FetchPolicy) throws -> [ScannedItem] {
    let scanner = WebScanner(
      blocklist: Blocklist([]), options: ScanOptions(perceptual: false, workers: 2), policy: policy, decoders: nil)
    nonisolated(unsafe) var items: [ScannedItem] = []  // Delivered one at a time.
    _ = try scanner.scan(urls.map { URLMention(exactly: $0.description) }) { items.append($0) }
    return items
  }

  @Test func piecesOfVideosCountAsMemoryAndLeaveRoomForOthers() {
    let budget = BodyBudget(most: 1000)
    #expect(budget.hold(500) && !budget.hold(1))
    #expect(budget.hasRoom && budget.isStuck)
    #expect(budget.take(500, evenIfFull: false) && !budget.take(1, evenIfFull: false) && !budget.hasRoom)
    budget.deliver(500)
    budget.release(500)
    budget.letGo(500)
    #expect(budget.hasRoom && budget.hold(500))
  }

  /// Bodies that nobody scans keep further ones from being begun, long before the memory for them is used up.
  @Test func theNetworkDoesNotRunFarAhead() throws {
    var policy = server.policy
    policy.mostWaitingBytes = 64 << 10
    policy.mostAtOnce = 4
    let arrived = Mutex<[[UInt8]]>([])
    let fetcher = try Fetcher(policy) { fetched in arrived.withLock { $0.append((try? fetched.body.get()) ?? []) } }
    fetcher.fetch(try (0..<40).map { FetchRequest(url: try server.url("/bytes/\($0)?size=16384"), number: $0) })
    var taken = 0
    while taken < 40 {
      Thread.sleep(forTimeInterval: 0.2)
      let bodies = arrived.withLock { arrived in
        defer { arrived = [] }
        return arrived
      }
      // Those that were under way come to their end.
      #expect(bodies.count <= 5 + 4)
      for body in bodies { fetcher.release(body) }
      taken += bodies.count
    }
    fetcher.close()
  }

  /// Reported are a URL and what it redirects to: each is an item, and the content is asked for once.
  @Test func whatIsReportedItselfIsNotTakenByARedirectToIt() throws {
    for round in 0..<20 {
      let target = try server.url("/text/both/\(round)")
      let items = try scan([server.url("/to?url=/text/both/\(round)"), target], server.policy)
      #expect(items.count == 2)
      let found = try #require(items.first { $0.place == .url(target.description) })
      #expect(found.state == .hashed && found.chain.map(\.status) == [200])
      let redirect = try #require(items.first { $0.place != .url(target.description) })
      #expect(redirect.chain.map(\.status) == [302])
      guard case .skipped(let reason) = redirect.state else { return #expect(Bool(false), "\(redirect.state)") }
      #expect(reason.hasPrefix("elsewhere: "))
      #expect(try server.counts().requests["/text/both/\(round)"] == 1)
    }
  }
}
