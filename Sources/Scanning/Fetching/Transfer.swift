import CCurl
import Foundation
import Glibc
import Hashing
import Matching
import SystemPackage

/// One request on its way, from its first hop to its last. It lives on the fetcher's thread.
final class Transfer {
  let request: FetchRequest
  let number: Int
  private let policy: FetchPolicy
  private let budget: BodyBudget
  /// Attempts that came before.
  let attempt: Int
  private(set) var chain: [FetchHop] = []
  private(set) var easy: OpaqueCurl
  private let begun = ContinuousClock.now
  private var pausedSince: ContinuousClock.Instant?
  private var paused = Duration.zero

  private(set) var body: [UInt8] = []
  private var sealed: SealedContent?
  private var headerBytes = 0
  private(set) var location: [UInt8]?
  private(set) var retryAfter: Duration?
  /// What one of the callbacks has found, which says more than the library's code.
  private(set) var failure: FetchFailure?
  /// Whether this one goes on where the memory for bodies is used up.
  var isOldest = false

  /// Bodies of answers that are not the content: evidence of what was said instead.
  private static let mostOtherBytes = 1 << 20
  private static let headersKept: Set = [
    "content-type", "content-length", "content-disposition", "last-modified", "etag", "date", "server", "location",
    "retry-after", "via", "age",
  ]

  init(_ request: FetchRequest, number: Int, attempt: Int, policy: FetchPolicy, budget: BodyBudget) throws {
    self.request = request
    self.number = number
    self.attempt = attempt
    self.policy = policy
    self.budget = budget
    guard let easy = curl_easy_init() else { throw Errno.noMemory }
    self.easy = easy
    try prepare()
    try go(to: request.url)
  }

  deinit { curl_easy_cleanup(easy) }

  var url: WebURL { chain[chain.count - 1].url }

  var status: Int? { chain[chain.count - 1].status }

  /// Begins the next hop.
  func go(to url: WebURL) throws {
    chain.append(FetchHop(url, at: Date()))
    headerBytes = 0
    location = nil
    (body, sealed) = ([], nil)
    try set(CURLOPT_URL, url.description)
    if let range = request.byteRange { try set(CURLOPT_RANGE, "\(range.lowerBound)-\(range.upperBound - 1)") }
    try set(CURLOPT_REFERER, referrer(to: url))
  }

  /// What a host is told of the page: all of it only its own, and nothing where anybody might read along.
  private func referrer(to url: WebURL) -> String? {
    guard let page = request.referrer, !(page.scheme == .https && url.scheme == .http) else { return nil }
    return page.origin == url.origin ? page.description : page.origin + "/"
  }

  /// Ends the hop that is under way, for this reason.
  func end(_ reason: FetchFailure?) {
    chain[chain.count - 1].failure = reason
    chain[chain.count - 1].sizeInBytes = Int64(body.count)
  }

  /// Takes the digest of a body that is not the content; there is none of a body that was cut.
  func digestBody() throws {
    if failure != nil { return }
    chain[chain.count - 1].digest = try body.withUnsafeBytes { try Digest.sha256(of: $0) }
  }

  /// Gives the body away.
  func takeBody() -> ([UInt8], SealedContent?) {
    defer { (body, sealed) = ([], nil) }
    return (body, sealed)
  }

  /// Gives back the memory of a body that nobody is to see.
  func dropBody() {
    budget.give(body.count)
    (body, sealed) = ([], nil)
  }

  /// Time that the host had.
  var elapsed: Duration {
    ContinuousClock.now - begun - paused - (pausedSince.map { ContinuousClock.now - $0 } ?? .zero)
  }

  var isPaused: Bool { pausedSince != nil }

  func resume() {
    guard let since = pausedSince else { return }
    paused += ContinuousClock.now - since
    pausedSince = nil
    curl_easy_pause(easy, CURLPAUSE_CONT)
  }

  /// What the library's code means, unless a callback knows better.
  func failure(_ code: CURLcode) -> FetchFailure? {
    if code == CURLE_OK { return nil }
    if let failure { return failure }
    let reason = String(cString: curl_easy_strerror(code)).lowercased()
    switch code {
    case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY:
      return FetchFailure(.unresolvable, "the name '\(url.host)' leads nowhere")
    case CURLE_OPERATION_TIMEDOUT: return FetchFailure(.timedOut, "the host is too slow")
    case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CONNECT_ERROR, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER,
      CURLE_SSL_ISSUER_ERROR, CURLE_SSL_INVALIDCERTSTATUS:
      return FetchFailure(.insecure, reason)
    case CURLE_COULDNT_CONNECT, CURLE_RECV_ERROR, CURLE_SEND_ERROR, CURLE_GOT_NOTHING, CURLE_PARTIAL_FILE, CURLE_PROXY:
      return FetchFailure(.unreachable, reason)
    default: return FetchFailure(.brokenAnswer, reason)
    }
  }
}

extension Transfer {
  /// - Parameter text: `nil` for what it was at first.
  private func set(_ option: CURLoption, _ text: String?) throws { try check(ccurl_set_text(easy, option, text)) }

  private func set(_ option: CURLoption, _ value: Int) throws { try check(ccurl_set_long(easy, option, value)) }

  private func check(_ code: CURLcode) throws {
    guard code == CURLE_OK else {
      throw FetchFailure(.brokenAnswer, "libcurl refuses an option: \(String(cString: curl_easy_strerror(code)))")
    }
  }

  private func prepare() throws {
    try set(CURLOPT_PROTOCOLS_STR, "http,https")
    // Hops are ours: each is judged and recorded.
    try set(CURLOPT_FOLLOWLOCATION, 0)
    try set(CURLOPT_DISALLOW_USERNAME_IN_URL, 1)
    // The URL is in canonical form; libcurl is not to have a form of its own.
    try set(CURLOPT_PATH_AS_IS, 1)
    try set(CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_2TLS)
    try set(CURLOPT_ACCEPT_ENCODING, "")
    try set(CURLOPT_USERAGENT, policy.userAgent)
    try set(CURLOPT_NETRC, 0)
    try set(CURLOPT_NOSIGNAL, 1)
    try set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
    try set(CURLOPT_CONNECTTIMEOUT_MS, policy.connectDeadline.milliseconds)
    try set(CURLOPT_LOW_SPEED_LIMIT, policy.minimumRate)
    try set(CURLOPT_LOW_SPEED_TIME, max(1, policy.patience.milliseconds / 1000))
    // Empty, and no environment names one.
    try set(CURLOPT_PROXY, policy.proxy?.text ?? "")
    if let authorities = policy.authorities { try set(CURLOPT_CAINFO, authorities) }
    let context = Unmanaged.passUnretained(self).toOpaque()
    try check(
      ccurl_set_callbacks(
        easy,
        { bytes, size, count, context in
          Transfer.of(context).header(UnsafeRawBufferPointer(start: bytes, count: size * count))
        },
        { bytes, size, count, context in
          Transfer.of(context).take(UnsafeRawBufferPointer(start: bytes, count: size * count))
        },
        { context, _, address in Transfer.of(context).open(address) },
        { context, remote, _, port, _ in Transfer.of(context).connected(remote, port) }, context))
  }

  private static func of(_ context: UnsafeMutableRawPointer?) -> Transfer {
    Unmanaged<Transfer>.fromOpaque(context!).takeUnretainedValue()
  }

  /// Opens a socket for an address that may be connected to.
  private func open(_ place: UnsafeMutablePointer<curl_sockaddr>?) -> curl_socket_t {
    guard let place, let (address, port) = Self.endpoint(place) else { return CURL_SOCKET_BAD }
    if let refusal = refusal(of: address, port) {
      failure = FetchFailure(.refused, refusal)
      return CURL_SOCKET_BAD
    }
    return socket(place.pointee.family, place.pointee.socktype | CInt(SOCK_CLOEXEC.rawValue), place.pointee.protocol)
  }

  private func refusal(of address: IPAddress, _ port: UInt16) -> String? {
    guard let proxy = policy.proxy else { return policy.addresses.refusal(of: address, port: port) }
    return address == proxy.address && port == proxy.port ? nil : "\(address) is not the proxy"
  }

  private static func endpoint(_ place: UnsafeMutablePointer<curl_sockaddr>) -> (IPAddress, UInt16)? {
    // libcurl's structure has room for any address behind the part that is declared.
    let start = UnsafeRawPointer(place) + MemoryLayout<curl_sockaddr>.offset(of: \.addr)!
    func endpoint(_ size: Int, _ address: Range<Int>) -> (IPAddress, UInt16)? {
      let bytes = UnsafeRawBufferPointer(start: start, count: size)
      return IPAddress(bytes: bytes[address]).map { ($0, UInt16(bytes[2]) << 8 | UInt16(bytes[3])) }
    }
    switch place.pointee.family {
    case AF_INET: return endpoint(MemoryLayout<sockaddr_in>.size, 4..<8)
    case AF_INET6: return endpoint(MemoryLayout<sockaddr_in6>.size, 8..<24)
    default: return nil
    }
  }

  /// There is a connection, new or used before; nothing was asked yet.
  private func connected(_ remote: UnsafeMutablePointer<CChar>?, _ port: CInt) -> CInt {
    guard let remote, let address = IPAddress(String(cString: remote)), let port = UInt16(exactly: port) else {
      failure = FetchFailure(.refused, "the address of the connection is not known")
      return CURL_PREREQFUNC_ABORT
    }
    if let refusal = refusal(of: address, port) {
      failure = FetchFailure(.refused, refusal)
      return CURL_PREREQFUNC_ABORT
    }
    // Another address of the name may have been refused before.
    failure = nil
    chain[chain.count - 1].address = address
    chain[chain.count - 1].port = port
    var version = [CChar](repeating: 0, count: 16)
    var certificate = [UInt8](repeating: 0, count: 32)
    if url.scheme == .https, ccurl_security(easy, &version, version.count, &certificate) == 1,
      let digest = Digest(.sha256, bytes: certificate)
    {
      let name = String(decoding: version.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
      chain[chain.count - 1].security = FetchHop.Security(version: name, certificate: digest)
    }
    return CURL_PREREQFUNC_OK
  }

  private func header(_ line: UnsafeRawBufferPointer) -> Int {
    headerBytes += line.count
    guard headerBytes <= policy.mostHeaderBytes else {
      failure = FetchFailure(.tooLarge, "limit: \(policy.mostHeaderBytes) bytes of headers")
      return 0
    }
    if line.starts(with: "HTTP/".utf8) {
      // The answer after one that was only preliminary begins anew.
      chain[chain.count - 1].headers = []
      chain[chain.count - 1].status = ccurl_status(easy)
      location = nil
      retryAfter = nil
      return line.count
    }
    guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { return line.count }
    let name = String(decoding: line[..<colon], as: UTF8.self).lowercased()
    guard Self.headersKept.contains(name) else { return line.count }
    var value = Array(line[(colon + 1)...].drop { $0 <= 0x20 })
    while let last = value.last, last <= 0x20 { value.removeLast() }
    chain[chain.count - 1].headers.append(
      FetchHop.Header(name: name, value: Self.printable(value)))
    if name == "location" && location == nil { location = value }
    if name == "retry-after" {
      retryAfter = Int(String(decoding: value, as: UTF8.self)).map { .seconds(max(0, min($0, 86_400))) }
    }
    return line.count
  }

  /// A header's value as it is kept: printable ASCII, 256 characters at most.
  private static func printable(_ value: [UInt8]) -> String {
    String(decoding: value.prefix(256).map { (0x20...0x7E).contains($0) ? $0 : UInt8(ascii: "?") }, as: UTF8.self)
  }

  private func take(_ bytes: UnsafeRawBufferPointer) -> Int {
    let isContent = (200..<300).contains(status ?? 0)
    let most = isContent ? policy.mostBodyBytes : Self.mostOtherBytes
    guard body.count + bytes.count <= most else {
      failure =
        isContent
        ? FetchFailure(.tooLarge, "limit: \(most) bytes of a body")
        : FetchFailure(.status, "HTTP status \(status ?? 0)")
      return 0
    }
    guard budget.take(bytes.count, evenIfFull: isOldest) else {
      pausedSince = .now
      return Int(CURL_WRITEFUNC_PAUSE)
    }
    body += bytes
    if isContent, let folder = request.sealing {
      if sealed == nil { sealed = folder.begin() }
      sealed!.append(bytes)
    }
    return bytes.count
  }
}

typealias OpaqueCurl = UnsafeMutableRawPointer

extension Duration {
  var milliseconds: Int { Int(self / .milliseconds(1)) }
}
