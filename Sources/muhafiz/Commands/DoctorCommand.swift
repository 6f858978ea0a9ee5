import ArgumentParser
import Decoding
import Foundation
import Glibc
import Hashing
import Matching
import Scanning
import SystemPackage

struct DoctorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor", abstract: "Checks this machine and installation: digests, sandbox, decoder, lists, home.")

  @OptionGroup var home: HomeOptions

  func run() throws {
    var isWell = true
    func check(_ what: String, _ body: () throws -> String) {
      do { print("ok    \(what.padded(12))\(try body())") } catch {
        isWell = false
        print("FAIL  \(what.padded(12))\(error)")
      }
    }
    check("digests") {
      let digests = try Array("abc".utf8).withUnsafeBytes { try Digester.digests(of: $0, DigestAlgorithm.allCases) }
      guard digests.last?.hex == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" else {
        throw UsageError("SHA-256 of 'abc' is wrong")
      }
      return digests.map(\.algorithm.name).joined(separator: ", ")
    }
    var decoders: DecoderPool?
    check("decoder") {
      let pool = try DecoderPool(size: processorCount)
      decoders = pool
      let sandbox = try pool.sandbox
      let landlock = sandbox.landlockABI > 0 ? "Landlock \(sandbox.landlockABI)" : "no Landlock in this kernel"
      let network = sandbox.hasOwnNetwork ? "no network" : "the network of this machine behind the filter"
      return "starts in its sandbox: seccomp lets \(sandbox.allowedSystemCalls) system calls through, \(landlock), \(network)"
    }
    check("sandbox") {
      guard let sandbox = try decoders?.sandbox else { throw UsageError("not tested: there is no decoder") }
      return "refused every way out: \(sandbox.refusedEscapes.joined(separator: ", ")); "
        + "\(sandbox.provenEscapes.count) of \(sandbox.refusedEscapes.count) work outside of it"
    }
    check("canaries") {
      let options = ScanOptions(workers: processorCount)
      let failures = try Canaries(blocklist: Blocklist([]), options: options, decoders: decoders).run()
      guard failures.isEmpty else { throw UsageError(failures.joined(separator: "; ")) }
      return "found, and nothing else"
    }
    check("disk images") {
      guard let decoders else { throw UsageError("not tested: there is no decoder") }
      if let failure = try DiskCanary.run(decoders) { throw UsageError(failure) }
      return "a file comes out of one; raw and split through libtsk, E01 through libewf"
    }
    check("lists") {
      let blocklist = try home.catalog.loadBlocklist()
      let hashes = blocklist.members.reduce(0) { $0 + $1.list.hashCount }
      return "\(blocklist.members.count) in force, \(hashes.grouped) hashes"
    }
    check("ledger") {
      guard let store = try home.openExistingCaseStore() else { return "nothing is recorded yet" }
      let ledger = home.ledger(of: store)
      let places = try ledger.places().count
      return "\(try store.entryCount().grouped) entries, key \(ledger.keyPath.forTerminal), "
        + (places == 0
          ? "no checkpoint is kept elsewhere: 'muhafiz ledger checkpoint --keep-in FOLDER'" : "\(places) places keep checkpoints")
    }
    check("home") {
      let path = home.path
      guard path.withPlatformString({ access($0, W_OK) }) == 0 else {
        throw UsageError("\(path): \(Errno(rawValue: errno))")
      }
      return path.forTerminal
    }
    if !isWell { throw ExitCode(ExitStatus.internalError) }
  }
}
