import Matching

/// Requests that wait, by host: each host gets only so many at once, and not too fast.
struct HostQueues {
  /// A request that waits for its first attempt or a further one.
  struct Waiting {
    let request: FetchRequest
    let attempt: Int
    /// Not before.
    let due: ContinuousClock.Instant
  }

  private struct Host {
    var waiting: [Waiting] = []
    /// Place of the first that still waits; those before it are gone.
    var first = 0
    var active = 0
    /// When it may be asked again; `nil` while it was not asked.
    var due: ContinuousClock.Instant?

    var isIdle: Bool { first == waiting.count && active == 0 }

    func isDue(at now: ContinuousClock.Instant) -> Bool { due.map { $0 <= now } ?? true }
  }

  private var hosts: [String: Host] = [:]
  /// Hosts with something that waits, in turn.
  private var turns: [String] = []
  private var turn = 0
  private(set) var count = 0
  private let mostPerHost: Int
  private let spacing: Duration

  init(mostPerHost: Int, spacing: Duration) {
    self.mostPerHost = mostPerHost
    self.spacing = spacing
  }

  mutating func add(_ waiting: Waiting) {
    let key = waiting.request.url.origin
    if hosts[key] == nil {
      hosts[key] = Host()
      turns.append(key)
    }
    hosts[key]!.waiting.append(waiting)
    count += 1
  }

  /// The next request that may begin now, each host in its turn; `nil` for none.
  mutating func next(at now: ContinuousClock.Instant) -> Waiting? {
    if count == 0 { return nil }
    for _ in 0..<turns.count {
      turn = (turn + 1) % turns.count
      let key = turns[turn]
      var host = hosts[key]!
      guard host.first < host.waiting.count, host.active < mostPerHost, host.isDue(at: now) else { continue }
      guard let place = host.waiting[host.first...].firstIndex(where: { $0.due <= now }) else { continue }
      hosts[key] = nil
      host.waiting.swapAt(host.first, place)
      let next = host.waiting[host.first]
      host.first += 1
      if host.first > 1024 {
        host.waiting.removeFirst(host.first)
        host.first = 0
      }
      host.active += 1
      host.due = now + spacing
      hosts[key] = host
      count -= 1
      return next
    }
    return nil
  }

  /// Whether a request of a host, as ``WebURL/origin`` names it, would have to wait.
  func isBusy(_ host: String, at now: ContinuousClock.Instant) -> Bool {
    guard let host = hosts[host] else { return false }
    return host.first < host.waiting.count || host.active >= mostPerHost || !host.isDue(at: now)
  }

  /// A request that was begun is done.
  mutating func end(_ request: FetchRequest) {
    hosts[request.url.origin]!.active -= 1
    // A host is remembered until it may be asked again.
    let now = ContinuousClock.now
    for key in turns where hosts[key]!.isIdle && hosts[key]!.isDue(at: now) { hosts[key] = nil }
    turns.removeAll { hosts[$0] == nil }
    turn = min(turn, max(0, turns.count - 1))
  }

  /// Takes all that wait.
  mutating func removeAll() -> [FetchRequest] {
    var requests: [FetchRequest] = []
    for key in turns {
      requests += hosts[key]!.waiting[hosts[key]!.first...].map(\.request)
      hosts[key]!.waiting = []
      hosts[key]!.first = 0
    }
    count = 0
    turns.removeAll { hosts[$0]!.active == 0 }
    hosts = hosts.filter { $0.value.active > 0 }
    turn = 0
    return requests
  }
}
