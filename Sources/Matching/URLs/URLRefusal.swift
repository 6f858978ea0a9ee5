/// Why a text is no URL that may be visited.
///
/// What two parsers read differently is refused too: a check of one host must not become a connection to another.
public enum URLRefusal: Error, Sendable, Hashable, CustomStringConvertible {
  /// Longer than ``WebURL/maximumSize`` bytes.
  case tooLong
  /// There is nothing, or a reference where a whole URL is needed.
  case noScheme
  /// Any other than http and https, in lower case.
  case scheme(String)
  /// The scheme is not followed by exactly two slashes and a host.
  case noHost
  /// A name or a password before the host.
  case credentials
  /// A slash to browsers, and none to other programs.
  case backslash
  /// A space or a control character within.
  case spaceOrControl
  /// A mark that changes the direction of the text around it, or is not seen at all.
  case hiddenMark
  /// Bytes that are no text.
  case brokenText
  /// The host has an escape: `%2e` is a dot to some and part of a name to others.
  case escapedHost
  /// The host has a character that no name has.
  case hostCharacter
  /// The host is longer than 253 bytes, or a label of it is empty or longer than 63.
  case hostLength
  /// The host is no international name by UTS 46.
  case internationalHost(String)
  /// The host ends in a number, and is no IPv4 address; or it is in brackets, and no IPv6 address.
  case address
  /// An IPv6 address with a zone, which means something on one machine only.
  case zone
  /// No number of 1…65535.
  case port

  /// One word for a table or a program.
  public var code: String {
    switch self {
    case .tooLong: "too-long"
    case .noScheme: "no-scheme"
    case .scheme: "scheme"
    case .noHost: "no-host"
    case .credentials: "credentials"
    case .backslash: "backslash"
    case .spaceOrControl: "space-or-control"
    case .hiddenMark: "hidden-mark"
    case .brokenText: "broken-text"
    case .escapedHost: "escaped-host"
    case .hostCharacter: "host-character"
    case .hostLength: "host-length"
    case .internationalHost: "international-host"
    case .address: "address"
    case .zone: "zone"
    case .port: "port"
    }
  }

  public var description: String {
    switch self {
    case .tooLong: "it is longer than \(WebURL.maximumSize) bytes"
    case .noScheme: "it does not begin with http:// or https://"
    case .scheme(let scheme): "its scheme is \(scheme), not http or https"
    case .noHost: "no host follows its scheme"
    case .credentials: "it has a user name in it"
    case .backslash: "it has a backslash in it, which programs read differently"
    case .spaceOrControl: "it has a space or a control character in it"
    case .hiddenMark: "it has a character in it that is not seen"
    case .brokenText: "it has bytes in it that are no text"
    case .escapedHost: "its host has an escape in it"
    case .hostCharacter: "its host has a character in it that no host has"
    case .hostLength: "its host, or a part of it, is empty or too long"
    case .internationalHost(let why): "its host is no international name: \(why)"
    case .address: "its host is no address that can be"
    case .zone: "its address has a zone"
    case .port: "its port is no number of 1 to 65535"
    }
  }
}
