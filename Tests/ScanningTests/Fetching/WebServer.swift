import Foundation
import Matching
import Synchronization

@testable import Scanning

/// The servers of `hostile_server.py`, running until the object goes.
final class WebServer: @unchecked Sendable {  // Nothing changes after it has started.
  struct Counts: Decodable {
    let connections: Int
    let canary: Int
    let requests: [String: Int]
    let referrers: [String: String]
    let names: [String]
  }

  private struct Description: Decodable {
    let ports: [String: UInt16]
    let certificate: String
  }

  private let process = Process()
  private let input = Pipe()
  private let description: Description

  init() throws {
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = [
      "python3", URL(filePath: #filePath).deletingLastPathComponent().appending(path: "hostile_server.py").path,
    ]
    let output = Pipe()
    process.standardInput = input
    process.standardOutput = output
    try process.run()
    var line = Data()
    while line.last != UInt8(ascii: "\n"), let byte = try output.fileHandleForReading.read(upToCount: 1), !byte.isEmpty {
      line += byte
    }
    description = try JSONDecoder().decode(Description.self, from: line)
  }

  deinit {
    try? input.fileHandleForWriting.close()
    process.waitUntilExit()
  }

  func port(_ name: String) -> UInt16 { description.ports[name]! }

  func url(_ path: String, _ scheme: String = "http") throws -> WebURL {
    try WebURL("\(scheme)://127.0.0.1:\(port(scheme == "http" ? "plain" : "secure"))\(path)")
  }

  /// Allows the servers and nothing else, and waits for nobody.
  var policy: FetchPolicy {
    var policy = FetchPolicy()
    let loopback = IPAddress("127.0.0.1")!
    policy.addresses = AddressPolicy(
      allowing: Set(["plain", "secure", "closed"].map { AddressPolicy.Endpoint(address: loopback, port: port($0)) }),
      ports: Set(description.ports.values))
    policy.retries = 0
    policy.backOff = .milliseconds(20)
    policy.deadline = .seconds(20)
    return policy
  }

  func trusting(_ policy: FetchPolicy) -> FetchPolicy {
    var policy = policy
    policy.authorities = description.certificate
    return policy
  }

  func counts() throws -> Counts {
    let fetched = try fetch([url("/count")], policy)[0]
    return try JSONDecoder().decode(Counts.self, from: Data(fetched.body.get()))
  }
}

/// Fetches all, and returns what became of each in the order of the URLs.
func fetch(_ urls: [WebURL], _ policy: FetchPolicy) throws -> [Fetched] {
  let results = Mutex<[Fetched]>([])
  let fetcher = try Fetcher(policy) { fetched in results.withLock { $0.append(fetched) } }
  fetcher.fetch(urls.enumerated().map { FetchRequest(url: $1, number: $0) })
  fetcher.close()
  return results.withLock { $0 }.sorted { $0.request.number < $1.request.number }
}
