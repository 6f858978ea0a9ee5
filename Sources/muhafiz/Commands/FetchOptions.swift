import ArgumentParser
import Foundation
import Glibc
import Matching
import Scanning

/// Which URLs are visited, and how.
struct FetchOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp("Visit the URLs that a text has in it; - reads it from standard input.", valueName: "file"))
  var urlsFrom: [String] = []
  @Flag(help: "Visit the reported URLs that wait for a scan.") var reports = false
  @Option(
    help: ArgumentHelp(
      "Fetch through a proxy, which has to keep to a policy of its own: http://ADDRESS:PORT, or socks5h:// for Tor.",
      valueName: "url"))
  var proxy: String?
  @Option(help: ArgumentHelp("What hosts are told of the program.", valueName: "text")) var userAgent: String?
  @Option(help: ArgumentHelp("Ports that are visited. Default 80,443,8080,8443.", valueName: "ports")) var ports:
    String?
  @Option(help: ArgumentHelp("Seconds for one URL, redirects included. Default 30.", valueName: "seconds"))
  var limitFetchSeconds: Double?
  @Option(help: ArgumentHelp("Bytes of one body. Default 256 MiB.", valueName: "bytes")) var limitBodyBytes: Int?
  @Option(help: ArgumentHelp("URLs in hand at once. Default 512.", valueName: "count")) var fetches: Int?
  @Option(help: ArgumentHelp("Of them, to one host. Default 6.", valueName: "count")) var fetchesPerHost: Int?
  @Option(help: ArgumentHelp("Seconds between two requests to one host. Default 0.", valueName: "seconds"))
  var hostSpacing: Double?

  /// Whether URLs are asked for, and no paths.
  func isAsked(_ arguments: [String]) -> Bool {
    !urlsFrom.isEmpty || reports || arguments.contains(where: Self.isURL)
  }

  /// What was meant as URLs, each once.
  func mentions(_ arguments: [String]) throws -> [URLMention] {
    if let path = arguments.first(where: { !Self.isURL($0) }) {
      throw UsageError("'\(path)' is no URL", hint: "files and URLs are two scans")
    }
    var text = arguments.joined(separator: "\n")
    for file in urlsFrom {
      let handle = file == "-" ? FileHandle.standardInput : FileHandle(forReadingAtPath: file)
      guard let handle, let bytes = try handle.readToEnd() ?? Data() as Data? else {
        throw UsageError("cannot read \(file): \(String(cString: strerror(errno)))")
      }
      let isWide = bytes.starts(with: [0xFE, 0xFF]) || bytes.starts(with: [0xFF, 0xFE])
      text += "\n" + ((isWide ? String(data: bytes, encoding: .utf16) : nil) ?? String(decoding: bytes, as: UTF8.self))
    }
    return URLMention.all(in: text)
  }

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
    func take<Value: Comparable & Numeric>(_ name: String, _ value: Value?, _ set: (Value) -> Void) throws {
      guard let value else { return }
      guard value > 0 else { throw UsageError("--\(name) is \(value); it is more than 0") }
      set(value)
    }
    try take("limit-fetch-seconds", limitFetchSeconds) { policy.deadline = .seconds(min($0, 86_400)) }
    try take("limit-body-bytes", limitBodyBytes) { policy.mostBodyBytes = $0 }
    try take("fetches", fetches) { policy.mostAtOnce = min($0, 4096) }
    try take("fetches-per-host", fetchesPerHost) { policy.mostPerHost = $0 }
    try take("host-spacing", hostSpacing) { policy.spacing = .seconds(min($0, 86_400)) }
    return policy
  }

  /// Whether an argument is meant as a URL; a file of that name would be written `./…`.
  private static func isURL(_ argument: String) -> Bool {
    ["://", "[.]", "(.)", "[:]"].contains { argument.contains($0) } && !argument.hasPrefix("/") && !argument.hasPrefix(".")
  }
}
