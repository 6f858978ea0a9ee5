import ArgumentParser
import Casework
import Foundation
import Glibc
import Hashing
import Matching
import Scanning
import SystemPackage

struct LedgerBench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Measures the ledger and the record on this machine, in a folder that is removed after.",
    discussion: """
      Entries are of some 200 bytes; each group, and each single entry, is durable when it counts. Findings are made up, ten \
      to a case.

      EXAMPLES
        muhafiz ledger bench --folder /var/tmp --entries 1000000 --findings 1000000
      """)

  @Option(help: "Where to measure: the disk decides how long durable takes.") var folder = NSTemporaryDirectory()
  @Option(help: "Entries that are appended in groups of 1000, and verified.") var entries = 1_000_000
  @Option(help: "Entries that are appended one by one.") var single = 2000
  @Option(help: "Findings in the record that cases are listed from; 0 for none.") var findings = 1_000_000

  func run() throws {
    guard entries >= 1000, single > 0, findings >= 0 else {
      throw UsageError("--entries is 1000 or more, --single more than 0")
    }
    let place = FilePath(folder).appending("muhafiz-bench-\(getpid())")
    defer { try? FileManager.default.removeItem(atPath: place.string) }
    try DurableFile.makeFolder(place)
    try measureLedger(place)
    if findings > 0 { try measureCases(place) }
  }

  private func event(_ number: Int) -> LedgerEvent {
    .listChanged(
      action: "import", list: ListVersion(name: "list \(number)", version: "1"),
      sha256: String(repeating: "0f", count: 32))
  }

  private func measureLedger(_ place: FilePath) throws {
    let store = try CaseStore(at: place.appending("ledger.sqlite"))
    let ledger = Ledger(store, folder: place.appending("ledger"))
    let grouped = try seconds {
      for group in stride(from: 0, to: entries, by: 1000) {
        try store.append((group..<min(entries, group + 1000)).map(event), by: "bench", at: Date())
      }
    }
    show("append in groups of 1000, each durable", Double(entries) / grouped, "entries/s")
    let alone = try seconds { for number in 0..<single { try store.append([event(number)], by: "bench", at: Date()) } }
    show("append one by one, each durable", Double(single) / alone, "entries/s")
    let threads = 16
    let together = try seconds {
      let failures = Failures()
      DispatchQueue.concurrentPerform(iterations: threads) { thread in
        failures.catching {
          for number in 0..<single / 4 { try store.append([event(thread * single + number)], by: "bench", at: Date()) }
        }
      }
      try failures.rethrow()
    }
    show(
      "append one by one from \(threads) threads, each durable", Double(single / 4 * threads) / together, "entries/s")
    let published = try seconds { _ = try ledger.publish() }
    let size = try store.entryCount()
    show("publish tiles and checkpoint", Double(size) / published, "entries/s")
    var verification: LedgerVerification?
    let verified = try seconds { verification = try ledger.verify(workers: max(2, processorCount)) }
    guard verification?.isSound == true else {
      throw CaseworkError(.ledgerDamaged, "the ledger that was just written is not sound")
    }
    show("verify, with tiles and bundles", Double(size) / verified, "entries/s")
    var proof: LedgerProof?
    let proved = try seconds { proof = try ledger.proof(ofEntry: size / 3) }
    show("prove one entry", proved * 1000, "ms")
    show("proof of one entry of \(size.grouped)", Double(proof!.text.utf8.count), "bytes")
  }

  private func measureCases(_ place: FilePath) throws {
    let store = try CaseStore(at: place.appending("cases.sqlite"))
    let list = ListVersion(name: "national", version: "1")
    try store.beginRun(
      RunStart(id: "bench", startedAt: Date(), tool: "bench", examiner: "bench", exhibit: nil, roots: [], lists: [list])
    )
    var generator = SystemRandomNumberGenerator()
    let filled = try seconds {
      for group in stride(from: 0, to: findings, by: 1000) {
        // Ten places to a content, so ten findings to a case.
        let batch = (group..<min(findings, group + 1000)).map { number -> Finding in
          let content = UInt64(number / 10)
          let mixed = (content &+ 1) &* 0x9E37_79B9_7F4A_7C15
          let bytes = (0..<32).map { UInt8(truncatingIfNeeded: mixed >> UInt64($0 % 8 * 8)) }
          let match = Match(list: list, entry: "e\(content)", algorithm: .sha256, grade: .exact)
          return Finding(
            location: ContentLocation(
              place: .url("https://host\(number % 5000).example/\(number).jpg"),
              exhibit: number % 100 == 0 ? "EX-\(number % 7)" : nil),
            fingerprint: Fingerprint(sizeInBytes: 1000, digests: [Digest(.sha256, bytes: bytes)!]),
            mediaType: "image/jpeg",
            matches: [match], verdict: Bool.random(using: &generator) ? .block : .review, listsUsed: [list])
        }
        _ = try store.record(batch, run: "bench", at: Date())
      }
    }
    show("record findings in batches of 1000", Double(findings) / filled, "findings/s")
    let cases = try store.caseCount()
    let queries: [(String, () throws -> Void)] = [
      ("newest", { _ = try store.cases() }),
      ("open", { _ = try store.cases(matching: CaseFilter(state: .open)) }),
      ("proposed, of which there are none", { _ = try store.cases(matching: CaseFilter(state: .proposed)) }),
      ("of an exhibit", { _ = try store.cases(matching: CaseFilter(exhibit: "EX-3")) }),
      ("a page in the middle", { _ = try store.cases(matching: CaseFilter(before: CaseNumber(Int64(cases / 2)))) }),
      ("count of all", { _ = try store.caseCount() }),
      ("the day's queue", { _ = try store.today(at: Date()) }),
    ]
    for (name, query) in queries {
      let times = try (0..<7).map { _ in try seconds(query) }.sorted()
      show("case list, \(findings.grouped) findings in \(cases.grouped) cases: \(name)", times[3] * 1000, "ms")
    }
  }

  private func seconds(_ body: () throws -> Void) rethrows -> Double {
    let begun = ContinuousClock.now
    try body()
    return (ContinuousClock.now - begun) / .seconds(1)
  }

  private func show(_ what: String, _ figure: Double, _ unit: String) {
    print(
      what.padded(76) + (figure >= 100 ? Int(figure).grouped : String(format: "%.2f", figure)).leftPadded(14) + " "
        + unit)
    // A measurement of minutes is watched.
    fflush(nil)
  }
}

/// `@unchecked`: a lock guards the error.
private final class Failures: @unchecked Sendable {
  private let lock = NSLock()
  private var first: (any Error)?

  func catching(_ body: () throws -> Void) {
    do { try body() } catch { lock.withLock { first = first ?? error } }
  }

  func rethrow() throws { if let first { throw first } }
}
