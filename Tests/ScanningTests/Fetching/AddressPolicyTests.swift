import Matching
import Testing

@testable import Scanning

struct AddressPolicyTests {
  /// First and last of each range that is not public, and the forms that smuggle one in.
  @Test(arguments: [
    "0.0.0.0", "0.255.255.255", "10.0.0.0", "10.255.255.255", "100.64.0.0", "100.100.100.200", "100.127.255.255",
    "127.0.0.1",
    "127.255.255.255", "169.254.0.0", "169.254.169.254", "169.254.255.255", "172.16.0.0", "172.31.255.255", "192.0.0.0",
    "192.0.0.192", "192.0.0.255", "192.0.2.1", "192.31.196.1", "192.52.193.1", "192.88.99.1", "192.168.0.0",
    "192.168.255.255", "192.175.48.1", "198.18.0.0", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1",
    "239.255.255.255", "240.0.0.0", "255.255.255.255", "168.63.129.16", "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1",
    "::ffff:8.8.8.8", "::ffff:0:127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::8.8.8.8", "64:ff9b:1::1", "100::1", "2001::1",
    "2001:0:53aa:64c:0:fbff:80ff:fffe", "2001:2::1", "2001:10::1", "2001:20::1", "2001:1ff::1", "2001:db8::1",
    "2002:7f00:1::1", "2002:808:808::1", "2620:4f:8000::1", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1",
    "febf::1", "fec0::1", "ff02::1", "4000::1", "1fff::1", "8000::1",
  ])
  func specialAddressesAreRefused(_ text: String) throws {
    let address = try #require(IPAddress(text))
    #expect(AddressPolicy().refusal(of: address, port: 80) != nil)
  }

  @Test(arguments: [
    "1.0.0.0", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0",
    "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.0", "192.167.255.255", "192.169.0.0",
    "198.17.255.255", "198.20.0.0", "223.255.255.255", "2001:200::1", "2606:2800:220:1::1", "2a00::1", "3ffe::1",
  ])
  func neighboursOfSpecialRangesArePublic(_ text: String) throws {
    let address = try #require(IPAddress(text))
    #expect(AddressPolicy().refusal(of: address, port: 443) == nil)
  }

  @Test(arguments: [
    "http://host.example:22/", "http://host.example:25/", "http://host.example:6379/", "https://host.example:9200/",
    "http://localhost/", "http://www.localhost/", "http://router/", "http://metadata.google.internal/",
    "http://printer.local/",
    "http://abcdefghijklmnop.onion/", "http://1.0.0.127.in-addr.arpa/", "http://127.0.0.1/", "http://2130706433/",
    "http://[::1]/", "http://8.8.8.8:53/", "http://0xA9FEA9FE/latest/meta-data/", "http://LOCALHOST./",
    "http://nas.lan/",
  ])
  func placesWithinAHouseAreRefusedByName(_ text: String) throws {
    #expect(try AddressPolicy().refusal(of: WebURL(text)) != nil)
  }

  @Test func usualPortsOfPublicHostsAreVisited() throws {
    for port in [80, 443, 8080, 8443] {
      #expect(try AddressPolicy().refusal(of: WebURL("http://host.example:\(port)/")) == nil)
    }
    #expect(try AddressPolicy().refusal(of: WebURL("http://abcdefghijklmnop.onion/"), isOnion: true) == nil)
  }

  /// Every spelling of this machine goes the whole way of a fetch, and a server that listens there hears nothing.
  @Test func noSpellingOfThisMachineGetsAConnection() throws {
    let server = try WebServer()
    let port = server.port("canary")
    let hosts = [
      "127.0.0.1", "127.1", "127.0.1", "0", "0.0.0.0", "2130706433", "0x7f000001", "0x7f.1", "017700000001",
      "0177.0.0.01",
      "127.0.0.1.", "127.255.255.254", "１２７.０.０.１", "①②⑦.⓪.⓪.①", "127。0。0。1", "localhost", "LOCALHOST", "localhost.",
      "a.localhost", "[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]",
      "[::ffff:0:127.0.0.1]", "[64:ff9b::127.0.0.1]", "[2002:7f00:1::]", "[::ffff:0.0.0.0]",
    ]
    let urls = try ["http", "https"].flatMap { scheme in try hosts.map { try WebURL("\(scheme)://\($0):\(port)/") } }
    var policy = server.policy
    policy.connectDeadline = .seconds(1)
    let redirects = try hosts.map { host in
      try server.url("/to?url=http://\(host):\(port)/".addingPercentEncoding)
    }
    for fetched in try fetch(urls + redirects, policy) {
      #expect(throws: FetchFailure(.refused, "")) { try fetched.body.get() }
    }
    #expect(try server.counts().canary == 0)
    // The same server answers where the policy allows it: the count would have seen a connection.
    policy.addresses = AddressPolicy(allowing: [.init(address: IPAddress("127.0.0.1")!, port: port)], ports: [port])
    #expect(try fetch([WebURL("http://127.0.0.1:\(port)/")], policy)[0].chain[0].status == 200)
    #expect(try server.counts().canary == 1)
  }

  @Test func aProxyIsAnAddress() {
    #expect(FetchProxy("socks5h://127.0.0.1:9050")?.text == "socks5h://127.0.0.1:9050")
    #expect(FetchProxy("http://[2001:db8::1]:3128/")?.text == "http://[2001:db8::1]:3128")
    for text in [
      "socks5h://proxy.example:9050", "ftp://127.0.0.1:1", "127.0.0.1:9050", "http://u@127.0.0.1:1", "http://1.1.1.1/x",
    ] {
      #expect(FetchProxy(text) == nil)
    }
  }
}

extension String {
  /// As a value within a query.
  fileprivate var addingPercentEncoding: String {
    unicodeScalars.map {
      $0.isASCII ? String($0) : String($0).utf8.map { "%" + String($0, radix: 16, uppercase: true) }.joined()
    }.joined()
  }
}
