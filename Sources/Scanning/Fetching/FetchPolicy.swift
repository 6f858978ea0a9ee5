import Matching

/// How hosts on the web are visited: what they may cost us, and what we may cost them.
public struct FetchPolicy: Sendable {
  public var addresses = AddressPolicy()
  /// From the first connection to the last byte, redirects included.
  public var deadline = Duration.seconds(30)
  /// To be connected.
  public var connectDeadline = Duration.seconds(10)
  /// Bytes a second; slower for ``patience`` ends it.
  public var minimumRate = 256
  public var patience = Duration.seconds(10)
  public var mostRedirects = 5
  /// Of one body, decompressed.
  public var mostBodyBytes = 256 << 20
  /// Of all headers of one answer.
  public var mostHeaderBytes = 64 << 10
  /// Of all bodies that have arrived and are not scanned yet: past it, only the oldest goes on.
  public var mostBufferedBytes = 512 << 20
  /// Of bodies that wait to be scanned: past it, no more are begun.
  public var mostWaitingBytes = 16 << 20
  public var mostAtOnce = 512
  public var mostPerHost = 6
  /// Between two requests to one host.
  public var spacing = Duration.zero
  /// After 429, 503 and failures that may pass.
  public var retries = 2
  /// Before the first retry; twice as long before each further one, unless the host names a time.
  public var backOff = Duration.seconds(2)
  /// The longest wait that a host may ask for.
  public var longestBackOff = Duration.seconds(60)
  /// Through which everything goes; `nil` for straight to the hosts.
  public var proxy: FetchProxy?
  public var userAgent = "Mozilla/5.0 (compatible; muhafiz)"
  /// A file of certificates to trust instead of the system's; for tests.
  var authorities: String?

  public init() {}
}

/// A proxy that everything is fetched through: an egress proxy of the house, or Tor.
///
/// The proxy resolves the names and chooses the addresses, so it has to keep to a policy of its own.
public struct FetchProxy: Sendable, Hashable {
  /// `socks5h` for Tor.
  public enum Kind: String, Sendable, CaseIterable { case http, socks5h }

  public let kind: Kind
  public let address: IPAddress
  public let port: UInt16

  /// Reads `socks5h://127.0.0.1:9050`; the host has to be an address, so that it is this one and no other.
  public init?(_ text: String) {
    guard let separator = text.range(of: "://"), let kind = Kind(rawValue: String(text[..<separator.lowerBound])),
      let url = try? WebURL("http" + text[separator.lowerBound...]), case .address(let address) = url.host,
      url.target == "/"
    else { return nil }
    self.kind = kind
    self.address = address
    port = url.port
  }

  var text: String {
    if case .v6 = address { return "\(kind.rawValue)://[\(address)]:\(port)" }
    return "\(kind.rawValue)://\(address):\(port)"
  }
}
