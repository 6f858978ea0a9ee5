import Foundation

/// A name that an order blocks.
public struct DNSBlock: Sendable, Equatable {
  public let takedown: TakedownNumber
  /// A name, or an address.
  public let host: String
  public let orderedBy: String
  public let orderedAt: Date
  public let expiresAt: Date
  /// Whether many may share the name, so that a second person must agree.
  public let needsApproval: Bool
  public let approvedBy: String?

  /// Whether resolvers are to block it.
  public func isInForce(at time: Date) -> Bool { time < expiresAt && (!needsApproval || approvedBy != nil) }

  /// Whether a zone can name the host: letters, digits, hyphens and underscores, and no top-level domain by itself.
  static func canName(_ host: String) -> Bool {
    if Network.bytes(host) != nil { return true }
    let labels = host.split(separator: ".", omittingEmptySubsequences: false)
    return labels.count >= 2 && host.utf8.count <= 180
      && labels.allSatisfy { label in
        (1...63).contains(label.utf8.count) && !label.hasPrefix("-") && !label.hasSuffix("-")
          && label.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"),
              UInt8(ascii: "_"):
              true
            default: false
            }
          }
      }
  }
}

/// A response policy zone: what resolvers answer with "no such name".
///
/// It blocks names and not pages, so it is the last rung of the ladder, expires by itself, and needs a second person where
/// it is not known that nobody shares the name. Source: draft-vixie-dnsop-dns-rpz-00, sections 3 and 4.
public struct RPZZone: Sendable {
  public let text: String

  /// - Parameters:
  ///   - origin: Of the zone, without a final dot: `block.rpz.example`.
  ///   - time: Now: what has expired is left out, and the serial number grows with it.
  /// - Throws: ``CaseworkError`` with `unusableData` for a name that no zone can have.
  public init(_ blocks: [DNSBlock], origin: String, at time: Date) throws(CaseworkError) {
    guard DNSBlock.canName(origin), Network.bytes(origin) == nil, origin.utf8.count <= 60 else {
      throw CaseworkError(.unusableData, "'\(origin.prefix(80))' cannot name a zone", hint: "like block.rpz.example")
    }
    // Every name in the zone is one that is blocked, so its name server has to be elsewhere.
    var lines = [
      "$TTL 300", "$ORIGIN \(origin).",
      "@ SOA localhost. hostmaster.\(origin). ( \(UInt32(clamping: Int64(time.timeIntervalSince1970))) 300 60 86400 60 )",
      "  NS localhost.",
    ]
    for block in blocks.sorted(by: { ($0.host, $0.takedown.value) < ($1.host, $1.takedown.value) })
    where block.isInForce(at: time) {
      lines.append("; id=\(block.takedown) expires=\(LedgerTime.text(block.expiresAt.milliseconds))")
      if let bytes = Network.bytes(block.host) {
        lines.append("\(Self.trigger(bytes)) CNAME .")
      } else {
        lines.append("\(block.host) CNAME .")
        lines.append("*.\(block.host) CNAME .")
      }
    }
    var seen: Set<String> = []
    // Two orders for one name are one answer.
    text = lines.filter { $0.hasPrefix(";") || seen.insert($0).inserted }.joined(separator: "\n") + "\n"
  }

  /// `32.1.2.0.192.rpz-ip`: the length of the prefix, then the parts of the address in reverse order.
  private static func trigger(_ bytes: [UInt8]) -> String {
    if bytes.count == 4 { return "32." + bytes.reversed().map(String.init).joined(separator: ".") + ".rpz-ip" }
    let words = stride(from: 0, to: 16, by: 2).map { UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1]) }
    // The longest run of two zero words or more is 'zz', as '::' is in an address.
    var best = 0..<0
    for start in words.indices {
      let end = words[start...].firstIndex { $0 != 0 } ?? words.count
      if end - start > max(1, best.count) { best = start..<end }
    }
    var parts = words.map { String($0, radix: 16) }
    if !best.isEmpty { parts.replaceSubrange(best, with: ["zz"]) }
    return "128." + parts.reversed().joined(separator: ".") + ".rpz-ip"
  }
}
