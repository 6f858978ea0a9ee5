import ArgumentParser
import Matching
import Scanning

/// How URLs are visited.
struct FetchOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Fetch through a proxy, which has to keep to a policy of its own: http://ADDRESS:PORT, or socks5h:// for Tor.",
      valueName: "url"))
  var proxy: String?
  @Option(help: ArgumentHelp("What hosts are told of the program.", valueName: "text")) var userAgent: String?
  @Option(help: ArgumentHelp("Ports that are visited. Default 80,443,8080,8443.", valueName: "ports")) var ports: String?
  @Option(help: ArgumentHelp("Seconds for one URL, redirects included. Default 30.", valueName: "seconds"))
  var limitFetchSeconds: Double?
  @Option(help: ArgumentHelp("Bytes of one body. Default 256 MiB.", valueName: "bytes")) var limitBodyBytes: Int?
  @Option(help: ArgumentHelp("URLs in hand at once. Default 512.", valueName: "count")) var fetches: Int?
  @Option(help: ArgumentHelp("Of them, to one host. Default 6.", valueName: "count")) var fetchesPerHost: Int?
  @Option(help: ArgumentHelp("Seconds between two requests to one host. Default 0.", valueName: "seconds"))
  var hostSpacing: Double?

  func policy() throws -> FetchPolicy {
    var policy = FetchPolicy()
    policy.userAgent = userAgent ?? "Mozilla/5.0 (compatible; muhafiz/\(Muhafiz.toolVersion))"
    guard policy.userAgent.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) else {
      throw UsageError("--user-agent is printable ASCII")
    }
    if let proxy {
      guard let place = FetchProxy(proxy) else {
        throw UsageError("'\(proxy)' is no proxy", hint: "like socks5h://127.0.0.1:9050; its host is an address")
      }
      policy.proxy = place
    }
    if let ports {
      let numbers = ports.split(separator: ",").map { UInt16($0) }
      guard !numbers.isEmpty, numbers.allSatisfy({ $0 != nil && $0 != 0 }) else {
        throw UsageError("--ports takes numbers of 1…65535 with commas between")
      }
      policy.addresses = AddressPolicy(ports: Set(numbers.compactMap { $0 }))
    }
    try take("limit-fetch-seconds", limitFetchSeconds) { policy.deadline = .seconds(min($0, 86_400)) }
    try take("limit-body-bytes", limitBodyBytes) { policy.mostBodyBytes = $0 }
    try take("fetches", fetches) { policy.mostAtOnce = min($0, 4096) }
    try take("fetches-per-host", fetchesPerHost) { policy.mostPerHost = $0 }
    try take("host-spacing", hostSpacing) { policy.spacing = .seconds(min($0, 86_400)) }
    return policy
  }
}
