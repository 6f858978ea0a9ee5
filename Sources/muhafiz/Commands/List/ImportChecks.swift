import Exchange
import Glibc
import Matching

/// One line on standard error that says how far an import is, where somebody sees it.
struct ImportProgress {
  private let isShown = isatty(STDERR_FILENO) == 1
  private var entries = 0
  private let begun = ContinuousClock.now
  private var last = ContinuousClock.now

  mutating func count(_ more: Int = 1) {
    let stretch = entries >> 16
    entries += more
    guard isShown, entries >> 16 != stretch, ContinuousClock.now - last > .milliseconds(500) else { return }
    last = ContinuousClock.now
    let rate = Int(Double(entries) / ((last - begun) / .seconds(1)))
    standardError("\r\u{1B}[K\(entries.grouped) entries read, \(rate.grouped)/s")
  }

  func say(_ what: String) {
    if isShown { standardError("\r\u{1B}[K\(entries.grouped) entries read, \(what) …") }
  }

  func end() {
    if isShown { standardError("\r\u{1B}[K") }
  }
}

/// Tells of entries that look like pictures on a negative list: they would match harmless pictures, and such matches will
/// not count.
struct NegativeCheck {
  private let negatives: [Blocklist.Member]
  private var count = 0
  private var first: [String] = []

  private static let most = 20

  /// - Parameter name: The list that is imported, which is not asked.
  init(_ catalog: ListCatalog, except name: String) throws {
    let active = try catalog.active().filter { $0.action == .negative && $0.name != name }
    negatives = try active.map { active in
      let list = try catalog.open(ListVersion(name: active.name, version: active.version))
      return Blocklist.Member(list: list, action: active.action, distanceInBits: active.distance)
    }
  }

  mutating func check(_ entry: ListEntry) throws {
    if negatives.isEmpty { return }
    for hash in entry.perceptualHashes {
      for member in negatives {
        guard let match = try member.list.matches(near: [hash], within: member.distanceInBits).first else { continue }
        count += 1
        if first.count < Self.most {
          first.append(
            "entry \(entry.displayName) is \(match.distanceInBits) bits from entry \(match.entry) of the negative list \(match.list.name)"
          )
        }
      }
    }
  }

  func report() {
    for line in first { complain("warning: \(line)") }
    if count > first.count { complain("warning: and \((count - first.count).grouped) more near a negative list") }
  }
}
