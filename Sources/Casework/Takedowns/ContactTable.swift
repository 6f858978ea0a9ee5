import Foundation
import Glibc
import SystemPackage

/// Whom to write to about a host or an address: kept offline, so that a notice never waits for a look-up.
///
///     {"v": 1, "contacts": [{"role": "host", "name": "Example Hosting", "email": "abuse@host.example",
///       "hosts": ["host.example"], "networks": ["192.0.2.0/24", "2001:db8::/32"], "country": "PK", "language": "ur",
///       "shared": true}]}
public struct ContactTable: Sendable {
  public struct Contact: Sendable, Equatable, Codable {
    /// `host`, `upstream`, `registrar` or another rung of a profile's ladder.
    public var role: String
    public var name: String
    public var email: String
    /// Names it answers for, with all below them.
    public var hosts: [String]?
    /// Addresses it answers for.
    public var networks: [String]?
    /// Two letters, ISO 3166.
    public var country: String?
    /// Of the notice: `en` or `ur`.
    public var language: String?
    /// Whether many who have nothing to do with each other share its names: blocking one of them blocks all.
    public var shared: Bool?
  }

  private struct File: Codable {
    var v: Int
    var contacts: [Contact]
  }

  private let entries: [(contact: Contact, hosts: [String], networks: [Network])]

  public init() { entries = [] }

  /// Reads a table.
  ///
  /// - Throws: ``CaseworkError`` with `unusableData`, naming the contact.
  public init(json: Data) throws(CaseworkError) {
    let file: File
    do { file = try JSONDecoder().decode(File.self, from: json) } catch {
      throw CaseworkError(.unusableData, "the contact table is no JSON of contacts: \(error)")
    }
    guard file.v == 1 else {
      throw CaseworkError(.unusableData, "the contact table has version \(file.v), this program reads 1")
    }
    var entries: [(Contact, [String], [Network])] = []
    for contact in file.contacts {
      func refused(_ why: String) -> CaseworkError {
        CaseworkError(.unusableData, "contact '\(contact.name.prefix(60))': \(why)")
      }
      // A line break in an address would let a table write headers of a mail.
      guard contact.email.contains("@"),
        contact.email.unicodeScalars.allSatisfy({ $0.value > 0x20 && $0.value != 0x7F })
      else {
        throw refused("its email is none")
      }
      var networks: [Network] = []
      for text in contact.networks ?? [] {
        guard let network = Network(text) else { throw refused("'\(text.prefix(60))' is no network") }
        networks.append(network)
      }
      entries.append((contact, (contact.hosts ?? []).map { $0.lowercased() }, networks))
    }
    self.entries = entries
  }

  /// Reads `contacts.json`; an empty table where there is none.
  public static func load(_ path: FilePath) throws(CaseworkError) -> ContactTable {
    guard let bytes = try LedgerFiles.read(path) else { return ContactTable() }
    return try ContactTable(json: Data(bytes))
  }

  /// The contact of a role that knows a host best: by the longest name, else by the smallest network.
  ///
  /// - Parameters:
  ///   - host: A name or an address.
  ///   - address: What the name resolved to, where that is known.
  public func contact(role: String, host: String, address: String? = nil) -> Contact? {
    let ofRole = entries.filter { $0.contact.role == role }
    let byName = ofRole.flatMap { entry in
      entry.hosts.filter { Self.covers($0, host) }.map { ($0.count, entry.contact) }
    }
    if let best = byName.max(by: { $0.0 < $1.0 }) { return best.1 }
    guard let bytes = Network.bytes(address ?? host) else { return nil }
    let byAddress = ofRole.flatMap { entry in
      entry.networks.filter { $0.contains(bytes) }.map { ($0.length, entry.contact) }
    }
    return byAddress.max { $0.0 < $1.0 }?.1
  }

  /// Whether the table says that nobody but its owner uses a host's name. Where it is silent, others may.
  public func isKnownUnshared(_ host: String) -> Bool {
    let said = entries.filter { entry in entry.hosts.contains { Self.covers($0, host) } }.compactMap(\.contact.shared)
    return !said.isEmpty && !said.contains(true)
  }

  private static func covers(_ name: String, _ host: String) -> Bool { host == name || host.hasSuffix("." + name) }
}

/// A range of addresses: `192.0.2.0/24`.
struct Network: Sendable {
  /// 4 or 16.
  let bytes: [UInt8]
  /// Bits that count.
  let length: Int

  init?(_ text: String) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard (1...2).contains(parts.count), let bytes = Self.bytes(String(parts[0])) else { return nil }
    guard let length = parts.count == 2 ? Int(parts[1]) : bytes.count * 8, (0...bytes.count * 8).contains(length) else {
      return nil
    }
    self.bytes = bytes
    self.length = length
  }

  func contains(_ address: [UInt8]) -> Bool {
    guard address.count == bytes.count else { return false }
    return (0..<length).allSatisfy { bit in (address[bit / 8] ^ bytes[bit / 8]) & (0x80 >> UInt8(bit % 8)) == 0 }
  }

  /// The bytes of an address as text; `nil` for a name.
  static func bytes(_ text: String) -> [UInt8]? {
    for (family, count) in [(AF_INET, 4), (AF_INET6, 16)] {
      var bytes = [UInt8](repeating: 0, count: count)
      if inet_pton(family, text, &bytes) == 1 { return bytes }
    }
    return nil
  }
}
