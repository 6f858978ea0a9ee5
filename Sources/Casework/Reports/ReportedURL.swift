import Foundation

/// A URL as somebody submitted it, and the one form that all its spellings have.
public struct ReportedURL: Sendable, Hashable {
  /// Two reports are about the same page when these are equal: scheme and host in lower case, no default port, no
  /// fragment, a path of at least `/`, escapes in capitals.
  public let normalised: String
  /// The host in lower case, without a final dot: a name, or an address without brackets.
  public let host: String

  /// Longer ones are no pages of anybody.
  static let maximumSize = 8192

  /// Reads a URL, also one that was made safe to pass on: `hxxp`, `[.]`, `[:]`.
  ///
  /// - Throws: ``CaseworkError`` with `unusableData` and what is wrong.
  public init(_ text: String) throws(CaseworkError) {
    let trimmed = text.trimmingCharacters(in: .whitespacesAndNewlines)
    func refused(_ why: String) -> CaseworkError {
      CaseworkError(.unusableData, "'\(trimmed.prefix(80))' is no URL that can be reported: \(why)")
    }
    guard trimmed.utf8.count <= Self.maximumSize else { throw refused("it is longer than \(Self.maximumSize) bytes") }
    let whole = Self.refanged(trimmed)
    guard
      whole.unicodeScalars.allSatisfy({ scalar in
        // A backslash is a slash to browsers and none to others; what two programs read differently is refused.
        scalar != "\\" && !scalar.properties.isWhitespace && scalar.properties.generalCategory != .control
      })
    else { throw refused("it has a space, a control character or a backslash in it") }
    guard let parts = URLComponents(string: whole), let scheme = parts.scheme?.lowercased(),
      let given = parts.encodedHost,
      !given.isEmpty
    else { throw refused("it has no scheme and host") }
    guard scheme == "http" || scheme == "https" else { throw refused("its scheme is \(scheme), not http or https") }
    guard parts.user == nil && parts.password == nil else { throw refused("it has a user name in it") }
    if let port = parts.port, !(1...65_535).contains(port) { throw refused("its port is \(port)") }
    var host = given.lowercased()
    if host.hasSuffix(".") { host.removeLast() }
    guard !host.isEmpty else { throw refused("it has no host") }
    let port = parts.port.map { $0 == (scheme == "http" ? 80 : 443) ? "" : ":\($0)" } ?? ""
    let path = parts.percentEncodedPath.isEmpty ? "/" : Self.capitalisedEscapes(parts.percentEncodedPath)
    let query = parts.percentEncodedQuery.map { "?" + Self.capitalisedEscapes($0) } ?? ""
    normalised = "\(scheme)://\(host)\(port)\(path)\(query)"
    self.host = host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : host
  }

  private static func refanged(_ text: String) -> String {
    var text = text.replacing("[.]", with: ".").replacing("(.)", with: ".").replacing("[:]", with: ":")
    let lower = text.lowercased()
    for (defanged, scheme) in [("hxxps://", "https://"), ("hxxp://", "http://")] where lower.hasPrefix(defanged) {
      text = scheme + text.dropFirst(defanged.count)
    }
    return text
  }

  private static func capitalisedEscapes(_ text: String) -> String {
    var result = ""
    var escaped = 0
    for character in text {
      if character == "%" { escaped = 3 }
      result += escaped > 0 ? character.uppercased() : String(character)
      escaped = max(0, escaped - 1)
    }
    return result
  }
}
