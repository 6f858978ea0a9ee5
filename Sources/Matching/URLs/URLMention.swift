/// A URL that stands in a text, or something that was meant as one.
public struct URLMention: Sendable, Hashable {
  /// As it stands in the text, without what is around it.
  public let text: String
  public let url: Result<WebURL, URLRefusal>

  /// A text that is a URL and nothing else, such as one that was recorded: nothing in it is taken for punctuation.
  public init(exactly text: String) {
    self.init(text: text, url: Result { () throws(URLRefusal) in try WebURL(text) })
  }

  fileprivate init(text: String, url: Result<WebURL, URLRefusal>) {
    self.text = text
    self.url = url
  }

  /// Finds what a person pasted: mails, chats, tables, Markdown, reports of others.
  ///
  /// Understood are URLs that were made safe to pass on (`hxxp`, `[.]`, `(.)`, `[:]//`), names without a scheme where
  /// they begin with `www.`, have a path or were made safe, and what people write around all of them.
  ///
  /// - Returns: Each URL once by its canonical form, and each refused text once, in order of appearance.
  public static func all(in text: String) -> [URLMention] {
    var mentions: [URLMention] = []
    var seen: Set<String> = []
    for token in text.unicodeScalars.split(whereSeparator: \.endsURL) {
      for mention in URLToken(String.UnicodeScalarView(token)).mentions {
        let key = (try? mention.url.get())?.description ?? mention.text
        if seen.insert(key).inserted { mentions.append(mention) }
      }
    }
    return mentions
  }
}

/// A piece of text without spaces, which may have URLs in it.
private struct URLToken {
  /// What it was before anything was put back in it.
  private let original: String
  private let text: [Unicode.Scalar]

  private static let spellings: [(String, String)] = [
    ("[://]", "://"), ("[:]", ":"), ("[/]", "/"), ("[.]", "."), ("(.)", "."), ("{.}", "."), ("[dot]", "."),
    ("(dot)", "."),
    ("[DOT]", "."), ("[s]", "s"), ("](", " "),
  ]
  private static let schemes = [
    "http", "hxxp", "h**p", "htxp", "hxtp", "https", "hxxps", "h**ps", "htxps", "hxtps",
  ]

  init(_ scalars: String.UnicodeScalarView) {
    original = String(scalars)
    var text = original
    for (written, meant) in Self.spellings { text = text.replacing(written, with: meant) }
    // JSON may write a slash so.
    if text.contains(":\\/\\/") { text = text.replacing("\\/", with: "/") }
    self.text = Array(text.unicodeScalars)
  }

  var mentions: [URLMention] {
    text.split(separator: " ").flatMap { part in
      let starts = starts(in: part)
      if starts.isEmpty { return bare(part).map { [$0] } ?? [] }
      return starts.indices.map { index in
        let (start, colon) = starts[index]
        let end = index + 1 < starts.count ? starts[index + 1].start : part.endIndex
        let scheme = String(part[start..<colon]).lowercased()
        let isHTTP = Self.schemes.contains(scheme)
        let meant = (isHTTP ? (scheme.hasSuffix("s") ? "https" : "http") : scheme) + String(trimmed(part[colon..<end]))
        return URLMention(
          text: String(trimmed(part[start..<end])), url: Result { () throws(URLRefusal) in try WebURL(meant) })
      }
    }
  }

  /// Where URLs begin, and where the colons behind their schemes are. One within another URL is a part of that.
  private func starts(in part: ArraySlice<Unicode.Scalar>) -> [(start: Int, colon: Int)] {
    var result: [(start: Int, colon: Int)] = []
    for colon in part.indices where part[colon] == ":" && part[colon...].dropFirst().prefix(2).allSatisfy(\.isSlash) {
      guard colon + 2 < part.endIndex else { break }
      var start = colon
      while start > part.startIndex, part[start - 1].isOfScheme { start -= 1 }
      let name = String(part[start..<colon]).lowercased()
      // A word may have run into it.
      if let known = Self.schemes.filter({ name.hasSuffix($0) }).max(by: { $0.count < $1.count }) {
        start = colon - known.unicodeScalars.count
      }
      guard start < colon else { continue }
      let isWithin = !result.isEmpty && !",;()[]".unicodeScalars.contains(part[start - 1])
      if !isWithin { result.append((start, colon)) }
    }
    return result
  }

  /// A name without a scheme.
  private func bare(_ part: ArraySlice<Unicode.Scalar>) -> URLMention? {
    let text = String(trimmed(part.drop { "([{'*_".unicodeScalars.contains($0) || $0.isHiddenMark }))
    let host = text.prefix { $0 != "/" && $0 != ":" && $0 != "?" }
    let labels = host.split(separator: ".", omittingEmptySubsequences: false)
    // A mail address is not a page.
    guard labels.count > 1, !host.contains("@"), labels.allSatisfy({ !$0.isEmpty }) else { return nil }
    let isDefanged = Self.spellings.contains { $0.1 == "." && original.contains($0.0) }
    let endsAsName =
      labels[labels.count - 1].unicodeScalars.count > 1 && labels[labels.count - 1].allSatisfy(\.isLetter)
    guard
      isDefanged || (endsAsName && (host.lowercased().hasPrefix("www.") || text.dropFirst(host.count).hasPrefix("/")))
    else { return nil }
    return URLMention(text: text, url: Result { () throws(URLRefusal) in try WebURL("http://" + text) })
  }

  /// Without the punctuation of the sentence around it.
  private func trimmed(_ part: ArraySlice<Unicode.Scalar>) -> String {
    var part = part
    let pairs: [Unicode.Scalar: Unicode.Scalar] = [")": "(", "]": "[", "}": "{"]
    // How many more are closed than opened, counted once: a hostile text may end in nothing else.
    var surplus: [Unicode.Scalar: Int] = [:]
    while let last = part.last {
      if let opening = pairs[last] {
        let more = surplus[last] ?? part.count { $0 == last } - part.count { $0 == opening }
        guard more > 0 else { break }
        surplus[last] = more - 1
      } else if !".,;:!?'*。".unicodeScalars.contains(last) && !last.isHiddenMark {
        break
      }
      part.removeLast()
    }
    return String(part)
  }
}

extension Unicode.Scalar {
  /// Whether no URL goes on behind it in a text.
  fileprivate var endsURL: Bool {
    if properties.isWhitespace || properties.generalCategory == .control { return true }
    return "<>\"`|“”„‘’«»‹›「」『』《》【】（），、；！？…،؛؟۔".unicodeScalars.contains(self)
  }

  fileprivate var isSlash: Bool { self == "/" || self == "\\" }

  fileprivate var isOfScheme: Bool {
    switch self {
    case "a"..."z", "A"..."Z", "0"..."9", "+", ".", "-", "*": true
    default: false
    }
  }
}

extension String {
  fileprivate init(_ scalars: some Sequence<Unicode.Scalar>) {
    var view = UnicodeScalarView()
    view.append(contentsOf: scalars)
    self.init(view)
  }
}
