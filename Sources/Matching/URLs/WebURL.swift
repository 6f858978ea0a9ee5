/// The address of a page or a file on the web, in the one form that all its spellings have.
///
/// The same value is checked, fetched, compared and recorded: no second parser ever reads another host out of it.
/// Parsing follows the URL Standard for http and https, and refuses what browsers and other programs read differently.
///
/// Source: https://url.spec.whatwg.org, sections 3.5 and 4.4.
public struct WebURL: Sendable, Hashable, CustomStringConvertible {
  public enum Scheme: String, Sendable {
    case http, https

    /// The port where a URL names none.
    public var port: UInt16 { self == .http ? 80 : 443 }
  }

  public let scheme: Scheme
  public let host: WebHost
  public let port: UInt16
  /// From the first slash on, with the query and its question mark; escaped, dots resolved.
  public let target: String

  /// Longer ones are no pages of anybody.
  public static let maximumSize = 8192

  /// The canonical form: scheme and host in lower case and ASCII, no default port, no fragment, escapes in capitals.
  public var description: String { "\(origin)\(target)" }

  /// Scheme, host and port; no slash at its end.
  public var origin: String { "\(scheme.rawValue)://\(host)\(port == scheme.port ? "" : ":\(port)")" }

  /// Reads a whole URL.
  ///
  /// - Parameter text: Space around it is no part of it.
  /// - Throws: ``URLRefusal``; also for spaces and backslashes within, which a reference on a page may have.
  public init(_ text: some StringProtocol) throws(URLRefusal) {
    let text = text.trimmed
    guard text.utf8.count <= Self.maximumSize else { throw .tooLong }
    for scalar in text.unicodeScalars {
      if scalar.properties.isWhitespace || scalar.properties.generalCategory == .control { throw .spaceOrControl }
      if scalar.isHiddenMark { throw .hiddenMark }
      if scalar == "\\" { throw .backslash }
      if scalar == "\u{FFFD}" { throw .brokenText }
    }
    guard let (scheme, rest) = Self.splitScheme(Array(text.utf8)[...]) else { throw .noScheme }
    try self.init(scheme, authority: rest)
  }

  /// Reads what a page or a redirect at this URL refers to.
  ///
  /// - Parameter reference: As a browser reads it: tabs and line feeds are dropped, spaces escaped.
  public func resolve(_ reference: some StringProtocol) throws(URLRefusal) -> WebURL {
    try resolve(bytes: Array(reference.utf8))
  }

  /// The same for the bytes of a header, which need not be UTF-8: they are escaped as they are.
  public func resolve(bytes: [UInt8]) throws(URLRefusal) -> WebURL {
    var text = bytes.filter { $0 != 0x09 && $0 != 0x0A && $0 != 0x0D }[...]
    text = text.drop { $0 <= 0x20 }
    while let last = text.last, last <= 0x20 { text.removeLast() }
    if let (scheme, rest) = Self.splitScheme(text) { return try WebURL(scheme, authority: rest) }
    guard text.count <= Self.maximumSize else { throw .tooLong }
    let backslashes = [UInt8(ascii: "/"), UInt8(ascii: "\\")]
    if text.count >= 2, backslashes.contains(text.first!), backslashes.contains(text.dropFirst().first!) {
      return try WebURL(scheme.rawValue, authority: text)
    }
    let (path, query) = Self.split(text)
    var own = target.utf8.split(separator: UInt8(ascii: "?"), maxSplits: 1, omittingEmptySubsequences: false).map(
      Array.init)
    if path.isEmpty {
      if let query { own = [own[0], query] }
      return try WebURL(scheme, host, port, path: own[0], query: own.count > 1 ? own[1] : nil)
    }
    let folder = backslashes.contains(path[0]) ? [] : own[0].prefix(through: own[0].lastIndex(of: UInt8(ascii: "/"))!)
    return try WebURL(scheme, host, port, path: folder + path, query: query)
  }

  /// - Parameter authority: What follows the colon of the scheme.
  private init(_ scheme: String, authority: ArraySlice<UInt8>) throws(URLRefusal) {
    guard let known = Scheme(rawValue: scheme) else { throw .scheme(String(scheme.prefix(32))) }
    guard authority.count <= Self.maximumSize else { throw .tooLong }
    let slash = UInt8(ascii: "/")
    if authority.prefix(2).contains(UInt8(ascii: "\\")) { throw .backslash }
    // With fewer slashes or more, browsers still find a host, and others find a path.
    guard authority.starts(with: [slash, slash]) else { throw .noHost }
    let rest = authority.dropFirst(2)
    let whole = rest.prefix {
      $0 != slash && $0 != UInt8(ascii: "?") && $0 != UInt8(ascii: "#") && $0 != UInt8(ascii: "\\")
    }
    let after = rest[whole.endIndex...]
    if after.first == UInt8(ascii: "\\") { throw .backslash }
    if whole.contains(UInt8(ascii: "@")) { throw .credentials }
    guard whole.allSatisfy({ $0 > 0x20 && $0 != 0x7F }) else { throw .spaceOrControl }
    var hostEnd = whole.endIndex
    if whole.first == UInt8(ascii: "[") {
      guard let close = whole.firstIndex(of: UInt8(ascii: "]")) else { throw .address }
      hostEnd = close + 1
      guard hostEnd == whole.endIndex || whole[hostEnd] == UInt8(ascii: ":") else { throw .address }
    } else if let colon = whole.firstIndex(of: UInt8(ascii: ":")) {
      hostEnd = colon
    }
    let host = try WebHost(whole[..<hostEnd])
    var port = known.port
    let digits = whole[hostEnd...].dropFirst()
    if !digits.isEmpty {
      guard digits.allSatisfy(isDigit), let number = UInt16(String(decoding: digits, as: UTF8.self)), number > 0
      else { throw .port }
      port = number
    }
    let (path, query) = Self.split(after)
    try self.init(known, host, port, path: path, query: query)
  }

  private init(_ scheme: Scheme, _ host: WebHost, _ port: UInt16, path: [UInt8], query: [UInt8]?) throws(URLRefusal) {
    self.scheme = scheme
    self.host = host
    self.port = port
    var target = Self.resolvingDots(path)
    if let query { target += [UInt8(ascii: "?")] + Self.escaped(query, Self.isEscapedInQuery) }
    self.target = String(decoding: target, as: UTF8.self)
    // Each escape makes three bytes of one.
    guard description.utf8.count <= Self.maximumSize else { throw .tooLong }
  }
}

extension WebURL {
  /// The scheme in lower case, and what follows its colon; `nil` for a reference without.
  private static func splitScheme(_ text: ArraySlice<UInt8>) -> (String, ArraySlice<UInt8>)? {
    guard let first = text.first, (first | 0x20) >= 0x61, (first | 0x20) <= 0x7A else { return nil }
    let name = text.prefix { byte in
      switch byte {
      case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."): true
      default: false
      }
    }
    guard name.endIndex < text.endIndex, text[name.endIndex] == UInt8(ascii: ":") else { return nil }
    return (String(decoding: name, as: UTF8.self).lowercased(), text[(name.endIndex + 1)...])
  }

  /// Path and query, without the fragment.
  private static func split(_ text: ArraySlice<UInt8>) -> (path: [UInt8], query: [UInt8]?) {
    let text = text.prefix { $0 != UInt8(ascii: "#") }
    let path = text.prefix { $0 != UInt8(ascii: "?") }
    return (Array(path), path.endIndex == text.endIndex ? nil : Array(text[(path.endIndex + 1)...]))
  }

  /// The path escaped, without `.` and `..`, with a slash at its begin.
  private static func resolvingDots(_ path: [UInt8]) -> [UInt8] {
    var segments: [[UInt8]] = []
    let parts = path.split(omittingEmptySubsequences: false) { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "\\") }
    let first = parts.first?.isEmpty == true ? 1 : 0
    for (index, part) in parts.enumerated().dropFirst(first) {
      let isLast = index == parts.count - 1
      switch String(decoding: part, as: UTF8.self).lowercased().replacing("%2e", with: ".") {
      case "..":
        _ = segments.popLast()
        if isLast { segments.append([]) }
      case ".": if isLast { segments.append([]) }
      default: segments.append(escaped(part, isEscapedInPath))
      }
    }
    return [UInt8(ascii: "/")] + segments.joined(separator: [UInt8(ascii: "/")])
  }

  private static func escaped(_ text: some Collection<UInt8>, _ isEscaped: (UInt8) -> Bool) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(text.count)
    /// Hexadecimal digits of an escape that are still to come.
    var digits = 0
    var index = text.startIndex
    while index != text.endIndex {
      let byte = text[index]
      text.formIndex(after: &index)
      if digits > 0 {
        digits -= 1
        result.append((0x61...0x66).contains(byte) ? byte - 0x20 : byte)
      } else if byte == UInt8(ascii: "%") {
        let next = text[index...].prefix(2)
        if next.count == 2 && next.allSatisfy(isHexDigit) { digits = 2 }
        result.append(byte)
      } else if isEscaped(byte) {
        let hex = Array("0123456789ABCDEF".utf8)
        result += [UInt8(ascii: "%"), hex[Int(byte >> 4)], hex[Int(byte & 15)]]
      } else {
        result.append(byte)
      }
    }
    return result
  }

  /// Source: URL Standard, "path percent-encode set".
  private static func isEscapedInPath(_ byte: UInt8) -> Bool {
    byte <= 0x20 || byte >= 0x7F || "\"#<>?^`{}".utf8.contains(byte)
  }

  /// Source: URL Standard, "special-query percent-encode set".
  private static func isEscapedInQuery(_ byte: UInt8) -> Bool {
    byte <= 0x20 || byte >= 0x7F || "\"#<>'".utf8.contains(byte)
  }
}

extension StringProtocol {
  /// Without white space at both ends.
  fileprivate var trimmed: SubSequence {
    var rest = self[...]
    while let first = rest.unicodeScalars.first, first.properties.isWhitespace { rest = rest.dropFirst() }
    while let last = rest.unicodeScalars.last, last.properties.isWhitespace { rest = rest.dropLast() }
    return rest
  }
}
