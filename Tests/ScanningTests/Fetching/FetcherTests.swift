import Foundation
import Hashing
import Matching
import Testing

@testable import Scanning

struct FetcherTests {
  private static let shared = Result { try WebServer() }
  private let server = try! shared.get()

  private func fetch(_ path: String, _ change: (inout FetchPolicy) -> Void = { _ in }) throws -> Fetched {
    var policy = server.policy
    change(&policy)
    return try ScanningTests.fetch([server.url(path)], policy)[0]
  }

  private func failure(_ path: String, _ change: (inout FetchPolicy) -> Void = { _ in }) throws -> FetchFailure? {
    guard case .failure(let failure) = try fetch(path, change).body else { return nil }
    return failure
  }

  @Test func aBodyComesWithItsEvidence() throws {
    let fetched = try fetch("/text")
    #expect(try String(decoding: fetched.body.get(), as: UTF8.self) == "a landscape, as text\n")
    let hop = fetched.chain[0]
    #expect(
      fetched.chain.count == 1 && hop.status == 200 && hop.address == IPAddress("127.0.0.1")
        && hop.port == server.port("plain"))
    #expect(hop.security == nil && hop.sizeInBytes == 21 && abs(hop.startedAt.timeIntervalSinceNow) < 30)
    #expect(hop.headers.map(\.name) == ["content-type", "etag", "server", "content-length"])
    #expect(fetched.header("content-type") == "text/plain")
  }

  @Test func redirectsAreFollowedHopByHopAndRecorded() throws {
    let five = try fetch("/hops/5")
    #expect(five.chain.map(\.status) == [302, 302, 302, 302, 302, 200] && five.url.target == "/text")
    #expect(five.chain.dropLast().allSatisfy { $0.digest != nil && $0.headers.contains { $0.name == "location" } })
    let six = try fetch("/hops/1000")
    #expect(throws: FetchFailure(.badRedirect, "")) { try six.body.get() }
    #expect(six.chain.count == 6)
    let circle = try fetch("/circle/a")
    #expect(throws: FetchFailure(.badRedirect, "")) { try circle.body.get() }
    #expect(circle.chain.map(\.url.target) == ["/circle/a", "/circle/b"])
    #expect(try fetch("/raw-location").url.target == "/bytes/7?name=%E9")
  }

  @Test(arguments: [
    ("file:///etc/passwd", FetchFailure.Code.badRedirect), ("gopher://127.0.0.1/", .badRedirect),
    ("http://", .badRedirect),
    ("http://a%40b%40c/", .badRedirect), ("\\\\127.0.0.1\\x", .badRedirect), ("http://10.0.0.1/", .refused),
    ("http://169.254.169.254/latest/meta-data/", .refused), ("http://localhost/", .refused), ("//[::1]/", .refused),
  ])
  func aRedirectThatLeadsAstrayEndsTheChain(_ target: String, _ code: FetchFailure.Code) throws {
    let fetched = try fetch("/to?url=\(target.replacing("\\", with: "%5C"))")
    guard case .failure(let failure) = fetched.body else { return #expect(Bool(false), "it was followed") }
    #expect(failure.code == code && fetched.chain.count == 1 && fetched.chain[0].status == 302)
    #expect(fetched.chain[0].failure == failure)
  }

  @Test func whatIsFetchedOnItsOwnIsNotFetchedTwice() throws {
    let text = try server.url("/text/alone")
    nonisolated(unsafe) var results: [Fetched] = []
    let fetcher = try Fetcher(server.policy, claim: { url, _ in url != text }, deliver: { results.append($0) })
    fetcher.fetch([FetchRequest(url: try server.url("/to?url=/text/alone"))])
    fetcher.close()
    #expect(throws: FetchFailure(.elsewhere, "")) { try results[0].body.get() }
    #expect(try server.counts().requests["/text/alone"] == nil)
  }

  @Test(arguments: [
    ("/endless-headers", FetchFailure.Code.tooLarge), ("/one-long-header", .brokenAnswer), ("/endless", .tooLarge),
    ("/bomb", .tooLarge), ("/double-bomb", .tooLarge), ("/broken-gzip", .brokenAnswer), ("/says-more", .unreachable),
    ("/bad-chunk", .unreachable), ("/big-chunk", .unreachable), ("/nothing", .unreachable), ("/noise", .brokenAnswer),
    ("/old", .brokenAnswer), ("/status/404", .status), ("/status/500", .status), ("/status/304", .status),
    ("/slow-headers", .timedOut),
    ("/slow-body", .timedOut), ("/never", .timedOut),
  ])
  func aHostileAnswerIsAStateWithItsReason(_ path: String, _ code: FetchFailure.Code) throws {
    let failure = try failure(path) { policy in
      policy.deadline = .seconds(2)
      policy.mostBodyBytes = 1 << 20
    }
    #expect(failure?.code == code && failure?.reason.isEmpty == false)
  }

  @Test func lengthsThatAreTooShortCutTheBody() throws {
    #expect(try String(decoding: fetch("/says-less").body.get(), as: UTF8.self) == "longe")
    #expect(try String(decoding: fetch("/gzip").body.get(), as: UTF8.self) == "a landscape, as text\n")
    #expect(try fetch("/says-less").chain[0].headers.contains(FetchHop.Header(name: "content-length", value: "5")))
    let limit = try fetch("/bytes/1?size=1024") { $0.mostBodyBytes = 1024 }
    #expect(try limit.body.get().count == 1024)
    #expect(try failure("/bytes/1?size=1040") { $0.mostBodyBytes = 1024 }?.code == .tooLarge)
  }

  @Test func hostsThatDoNotAnswerAreToldApart() throws {
    var policy = server.policy
    policy.connectDeadline = .seconds(3)
    let closed = try ScanningTests.fetch([WebURL("http://127.0.0.1:\(server.port("closed"))/")], policy)[0]
    #expect(throws: FetchFailure(.unreachable, "")) { try closed.body.get() }
    let missing = try ScanningTests.fetch([WebURL("http://no-such-name.example:\(server.port("plain"))/")], policy)[0]
    #expect(throws: FetchFailure(.unresolvable, "")) { try missing.body.get() }
  }

  @Test func aBusyHostIsAskedAgainLater() throws {
    let fetched = try fetch("/busy/1") { $0.retries = 2 }
    #expect(try String(decoding: fetched.body.get(), as: UTF8.self) == "at last\n")
    #expect(try server.counts().requests["/busy/1"] == 3)
    #expect(try failure("/busy/2") { $0.retries = 1 }?.code == .status)
    #expect(try failure("/status/503?after=3600") { $0.retries = 2 }?.code == .status)
    #expect(try server.counts().requests["/status/503"] == 1)
  }

  @Test func certificatesAreCheckedAndRecorded() throws {
    let url = try server.url("/text", "https")
    let distrusted = try ScanningTests.fetch([url], server.policy)[0]
    #expect(throws: FetchFailure(.insecure, "")) { try distrusted.body.get() }
    let trusted = try ScanningTests.fetch([url], server.trusting(server.policy))[0]
    #expect(try trusted.body.get().count == 21)
    let security = try #require(trusted.chain[0].security)
    #expect(security.version.hasPrefix("TLSv1.") && security.certificate.algorithm == .sha256)
    // Not TLS at all, and a plain request to a port that speaks it.
    var policy = server.policy
    policy.connectDeadline = .seconds(1)
    let plain = try ScanningTests.fetch([WebURL("https://127.0.0.1:\(server.port("plain"))/")], policy)[0]
    #expect(throws: FetchFailure.self) { try plain.body.get() }
    #expect(throws: FetchFailure.self) {
      try ScanningTests.fetch([WebURL("http://127.0.0.1:\(server.port("secure"))/")], server.policy)[0].body.get()
    }
  }

  /// Its own host gets all of the page's URL, another one the origin, and one on an unsecured connection nothing.
  @Test func theReferrerDoesNotOutliveTheSecuredConnection() throws {
    let plain = try server.url("/text/unsecured")
    let first = try server.url("/to?url=\(plain)", "https")
    nonisolated(unsafe) var results: [Fetched] = []
    let fetcher = try Fetcher(server.trusting(server.policy)) { results.append($0) }
    fetcher.fetch([
      FetchRequest(url: first, referrer: try server.url("/page?private", "https")),
      FetchRequest(url: try server.url("/text/own"), referrer: try server.url("/page")),
      FetchRequest(url: try server.url("/text/other"), referrer: try WebURL("http://host.example/page")),
    ])
    fetcher.close()
    for result in results { _ = try result.body.get() }
    let seen = try server.counts().referrers
    #expect(seen["/to"] == "\(try server.url("/page?private", "https"))" && seen["/text/unsecured"] == nil)
    #expect(seen["/text/own"] == "\(try server.url("/page"))" && seen["/text/other"] == "http://host.example/")
  }

  @Test func whatAHostSaysInsteadIsDigestedWhole() throws {
    let short = try fetch("/status/404").chain[0]
    #expect(try short.digest == Array("no\n".utf8).withUnsafeBytes { try Digest.sha256(of: $0) })
    let long = try fetch("/long-status/404").chain[0]
    #expect(long.failure?.code == .status && long.digest == nil && long.sizeInBytes <= 1 << 20)
  }

  /// As with Tor: the proxy gets the name, and nobody here has asked a resolver for it.
  @Test func aSOCKSProxyGetsNamesAndEverythingElse() throws {
    var policy = server.policy
    policy.addresses = AddressPolicy()
    let port = server.port("socks")
    policy.proxy = FetchProxy("socks5h://127.0.0.1:\(port)")
    // Who is asked first waits for what keeps both processors busy; that is not what is looked at here.
    (policy.connectDeadline, policy.deadline, policy.patience) = (.seconds(60), .seconds(60), .seconds(60))
    let urls = try ["text", "to?url=http://10.0.0.1/", "to?url=http://other.example/text"].map {
      try WebURL("http://landscapes.onion/\($0)")
    }
    let results = try ScanningTests.fetch(urls + [WebURL("http://missing.onion/")], policy)
    #expect(try results[0].body.get().count == 21)
    #expect(results[0].chain[0].address == IPAddress("127.0.0.1") && results[0].chain[0].port == port)
    #expect(throws: FetchFailure(.refused, "")) { try results[1].body.get() }
    #expect(try results[2].body.get().count == 21 && results[2].chain.map(\.status) == [302, 200])
    #expect(throws: FetchFailure(.unreachable, "")) { try results[3].body.get() }
    #expect(try Set(server.counts().names) == ["landscapes.onion", "other.example", "missing.onion"])
    // Without one such names lead nowhere, and a proxy is where it was said to be.
    policy.proxy = nil
    #expect(throws: FetchFailure(.refused, "")) { try ScanningTests.fetch([urls[0]], policy)[0].body.get() }
    policy.proxy = FetchProxy("socks5h://127.0.0.1:\(server.port("closed"))")
    #expect(throws: FetchFailure(.unreachable, "")) { try ScanningTests.fetch([urls[0]], policy)[0].body.get() }
  }

  /// A server that speaks nothing else.
  @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/sbin/nghttpd"), "nghttpd is not installed"))
  func contentsComeOverHTTP2() throws {
    let port = server.port("second")
    var policy = server.trusting(server.policy)
    policy.addresses = AddressPolicy(
      allowing: [AddressPolicy.Endpoint(address: IPAddress("127.0.0.1")!, port: port)], ports: [port])
    let urls = try (0...100).map { try WebURL("https://127.0.0.1:\(port)/\($0)") }
    let results = try ScanningTests.fetch(urls, policy)
    for (number, fetched) in results.dropLast().enumerated() {
      let piece = String(repeating: "0", count: 8 - "\(number)".count) + "\(number)"
      #expect(try fetched.body.get() == Array(String(repeating: piece, count: number * 50 + 1).utf8))
      #expect(fetched.chain[0].status == 200 && fetched.chain[0].security?.version == "TLSv1.3")
      #expect(fetched.header("content-length") == "\(8 * (number * 50 + 1))")
    }
    #expect(throws: FetchFailure(.status, "")) { try results[100].body.get() }
    #expect(results[100].chain[0].status == 404)
  }

  @Test func nothingIsRememberedOfAHost() throws {
    for _ in 0..<2 { _ = try fetch("/cookie").body.get() }
    let urls = try (0..<4).map { try server.url("/cookie?\($0)") }
    _ = try ScanningTests.fetch(urls, server.policy)
    #expect(try server.counts().requests["credentials"] == nil)
  }

  @Test func eachBodyIsItsOwnHoweverManyAreFetchedAtOnce() throws {
    let urls = try (0..<500).map { try server.url("/bytes/\($0)?size=\(16 * ($0 % 40))") }
    let fetched = try ScanningTests.fetch(urls, server.policy)
    #expect(fetched.count == 500)
    for (number, fetched) in fetched.enumerated() {
      let expected = Array(
        repeating: Array(String(repeating: "0", count: 16 - "\(number)".count).utf8) + Array("\(number)".utf8),
        count: number % 40
      ).flatMap { $0 }
      #expect(try fetched.body.get() == expected)
    }
  }

  /// More arrives than may lie in memory; it waits for the one who takes it, and all of it comes.
  @Test func bodiesThatNobodyTakesHoldUpTheNetwork() throws {
    var policy = server.policy
    policy.mostBufferedBytes = 4 << 20
    policy.mostPerHost = 64
    nonisolated(unsafe) var waiting: [[UInt8]] = []
    let lock = NSLock()
    let fetcher = try Fetcher(policy) { fetched in
      lock.withLock { waiting.append((try? fetched.body.get()) ?? []) }
    }
    for number in 0..<64 {
      fetcher.fetch([FetchRequest(url: try server.url("/bytes/\(number)?size=1048576"), number: number)])
    }
    var (taken, most) = (0, 0)
    while taken < 64 {
      Thread.sleep(forTimeInterval: 0.02)
      let bodies = lock.withLock {
        defer { waiting = [] }
        return waiting
      }
      most = max(most, bodies.count)
      for body in bodies {
        #expect(body.count == 1_048_576)
        fetcher.release(body)
      }
      taken += bodies.count
    }
    fetcher.close()
    #expect(most <= 5)
  }

  /// 200 hosts that send a byte now and then, or nothing, or without end: each is let go when its time is up, and those
  /// that answer are all done before.
  @Test func slowHostsAreLetGoInTimeAndHoldUpNobody() throws {
    var policy = server.policy
    policy.deadline = .seconds(6)
    let port = server.port("many")
    let hosts = (2..<202).map { "127.0.0.\($0)" }
    let loopback = IPAddress("127.0.0.1")!
    policy.addresses = AddressPolicy(
      allowing: Set(
        hosts.map { AddressPolicy.Endpoint(address: IPAddress($0)!, port: port) }
          + [AddressPolicy.Endpoint(address: loopback, port: server.port("plain"))]))
    nonisolated(unsafe) var done: [(fetched: Fetched, at: Date)] = []
    let fetcher = try Fetcher(policy) { done.append(($0, Date())) }
    let paths = ["slow-body", "slow-headers", "never", "slow-body?again"]
    fetcher.fetch(
      try hosts.enumerated().map { FetchRequest(url: try WebURL("http://\($1):\(port)/\(paths[$0 % 4])")) })
    fetcher.fetch(try (1...300).map { FetchRequest(url: try server.url("/bytes/\($0)?alone"), number: $0) })
    fetcher.close()
    #expect(done.count == 500 && done.prefix(300).allSatisfy { $0.fetched.request.number > 0 })
    for (fetched, _) in done.prefix(300) { #expect(try fetched.body.get().count == 1024) }
    for (fetched, time) in done.dropFirst(300) {
      #expect(throws: FetchFailure(.timedOut, "")) { try fetched.body.get() }
      let taken = try time.timeIntervalSince(#require(fetched.chain.first).startedAt)
      // Twice the deadline: other tests run beside this one.
      #expect(taken > 5.5 && taken < 12, "\(fetched.request.url)")
    }
  }

  /// What waits elsewhere is asked for when it may begin, not before, and one host that is busy keeps no other waiting.
  @Test func moreIsAskedForWhenItMayBegin() throws {
    var policy = server.policy
    (policy.mostAtOnce, policy.mostPerHost) = (3, 2)
    let (plain, many) = (server.port("plain"), server.port("many"))
    policy.addresses = AddressPolicy(
      allowing: [
        AddressPolicy.Endpoint(address: IPAddress("127.0.0.1")!, port: plain),
        AddressPolicy.Endpoint(address: IPAddress("127.0.0.2")!, port: many),
      ])
    let (busy, other) = ("http://127.0.0.1:\(plain)", "http://127.0.0.2:\(many)")
    nonisolated(unsafe) var given: [String] = []
    nonisolated(unsafe) var results: [Fetched] = []
    let fetcher = try Fetcher(
      policy,
      more: { isBusy in
        guard let host = [busy, other].first(where: { !isBusy($0) }), given.count < 100 else { return nil }
        given.append(host)
        return try? FetchRequest(url: WebURL("\(host)/never?\(given.count)"), number: given.count)
      }, deliver: { results.append($0) })
    Thread.sleep(forTimeInterval: 0.5)
    fetcher.stop()
    fetcher.close()
    #expect(given == [busy, busy, other])
    #expect(results.count == 3)
  }

  @Test func stoppedRequestsAreSaidToBe() throws {
    nonisolated(unsafe) var results: [Fetched] = []
    var policy = server.policy
    policy.mostAtOnce = 1
    let fetcher = try Fetcher(policy) { results.append($0) }
    for number in 0..<10 { fetcher.fetch([FetchRequest(url: try server.url("/never?\(number)"), number: number)]) }
    Thread.sleep(forTimeInterval: 0.3)
    fetcher.stop()
    fetcher.close()
    let codes = results.map { result -> FetchFailure.Code? in
      if case .failure(let failure) = result.body { failure.code } else { nil }
    }
    #expect(codes == Array(repeating: .stopped, count: 10))
  }
}
