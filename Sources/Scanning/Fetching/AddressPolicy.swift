import Matching

/// Which hosts and addresses may be visited: those of the public web, and nothing within a house.
///
/// Whoever reports a URL chooses where we connect to. Names prove nothing, since a name may lead to any address and to
/// another one a moment later; so the address is judged when a socket is opened for it, on every hop.
///
/// Source: IANA special-purpose address registries, RFC 6890; a range that is only in part not public is refused whole.
public struct AddressPolicy: Sendable {
  /// An address with a port on it.
  struct Endpoint: Sendable, Hashable {
    let address: IPAddress
    let port: UInt16
  }

  /// Ports of web servers that people run for others.
  public static let usualPorts: Set<UInt16> = [80, 443, 8080, 8443]

  let ports: Set<UInt16>
  /// Allowed whatever they are. Only tests can name any: no option and no file leads here.
  let exceptions: Set<Endpoint>

  public init(ports: Set<UInt16> = usualPorts) {
    self.ports = ports
    exceptions = []
  }

  init(allowing exceptions: Set<Endpoint>, ports: Set<UInt16> = usualPorts) {
    self.ports = ports
    self.exceptions = exceptions
  }

  /// Why a URL is not to be visited, as far as the URL itself says; `nil` where it may be.
  ///
  /// - Parameter isOnion: Whether names of onion services lead anywhere: by a proxy that knows them.
  func refusal(of url: WebURL, isOnion: Bool = false) -> String? {
    switch url.host {
    case .address(let address): return refusal(of: address, port: url.port)
    case .domain(let name):
      let labels = name.split(separator: ".")
      // A name of one label is completed by the resolver with the names of the house.
      guard labels.count > 1, let last = labels.last else { return "'\(name)' is a name within a network" }
      if Self.innerNames.contains(String(last)) && !(last == "onion" && isOnion) {
        return ".\(last) is no name of the web"
      }
      return exceptions.contains { $0.port == url.port } ? nil : refusal(ofPort: url.port)
    }
  }

  /// Why an address is not to be connected to; `nil` where it may be.
  func refusal(of address: IPAddress, port: UInt16) -> String? {
    if exceptions.contains(Endpoint(address: address, port: port)) { return nil }
    if let range = Self.special.first(where: { $0.contains(address) }) { return "\(address) is \(range.meaning)" }
    if case .v6(let high, _) = address, high >> 61 != 1 { return "\(address) is no public address" }
    return refusal(ofPort: port)
  }

  private func refusal(ofPort port: UInt16) -> String? {
    ports.contains(port) ? nil : "port \(port) is not one of those that are visited"
  }

  /// Source: IANA special-use domain names; `internal` is ICANN's for names of houses and clouds.
  private static let innerNames: Set = [
    "localhost", "local", "internal", "intranet", "lan", "home", "corp", "private", "arpa", "invalid", "test", "onion",
    "alt",
  ]
}

extension AddressPolicy {
  /// A range of addresses that is not public.
  private struct Range: Sendable {
    let first: IPAddress
    let bits: Int
    let meaning: String

    init(_ text: String, _ meaning: String) {
      let parts = text.split(separator: "/")
      first = IPAddress(parts[0])!
      bits = Int(parts[1])!
      self.meaning = meaning
    }

    func contains(_ address: IPAddress) -> Bool {
      switch (first, address) {
      case (.v4(let first), .v4(let address)): return (first ^ address) >> (32 - UInt32(bits)) == 0
      case (.v6(let high, let low), .v6(let addressHigh, let addressLow)):
        if bits <= 64 { return (high ^ addressHigh) >> (64 - UInt64(bits)) == 0 }
        return high == addressHigh && (low ^ addressLow) >> (128 - UInt64(bits)) == 0
      default: return false
      }
    }
  }

  private static let special: [Range] = [
    Range("0.0.0.0/8", "this network"), Range("10.0.0.0/8", "private"), Range("100.64.0.0/10", "shared by a provider"),
    Range("127.0.0.0/8", "this machine"), Range("169.254.0.0/16", "link-local"), Range("172.16.0.0/12", "private"),
    Range("192.0.0.0/24", "reserved for protocols"), Range("192.0.2.0/24", "for documentation"),
    Range("192.31.196.0/24", "for AS112"), Range("192.52.193.0/24", "for AMT"), Range("192.88.99.0/24", "a 6to4 relay"),
    Range("192.168.0.0/16", "private"), Range("192.175.48.0/24", "for AS112"), Range("198.18.0.0/15", "for benchmarks"),
    Range("198.51.100.0/24", "for documentation"), Range("203.0.113.0/24", "for documentation"),
    Range("224.0.0.0/4", "multicast"), Range("240.0.0.0/4", "reserved"),
    // Not in the registry: the host of a virtual machine answers here on one cloud.
    Range("168.63.129.16/32", "a cloud's own"),
    Range("::/128", "no address"), Range("::1/128", "this machine"),
    Range("::ffff:0:0/96", "an IPv4 address within IPv6"),
    Range("::/96", "an IPv4 address within IPv6"), Range("64:ff9b::/96", "an IPv4 address by NAT64"),
    Range("64:ff9b:1::/48", "an IPv4 address by NAT64"), Range("100::/64", "discarded"),
    Range("2001::/32", "a Teredo tunnel"), Range("2001::/23", "reserved for protocols"),
    Range("2001:db8::/32", "for documentation"),
    Range("2002::/16", "an IPv4 address by 6to4"), Range("2620:4f:8000::/48", "for AS112"),
    Range("3fff::/20", "for documentation"), Range("5f00::/16", "for segment routing"), Range("fc00::/7", "private"),
    Range("fe80::/10", "link-local"), Range("fec0::/10", "site-local"), Range("ff00::/8", "multicast"),
  ]
}
