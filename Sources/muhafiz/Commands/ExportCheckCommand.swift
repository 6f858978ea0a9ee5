import ArgumentParser
import Casework
import Exchange
import Foundation
import Matching
import SystemPackage

struct ExportCheck: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check", abstract: "Checks that the report of a run is what was signed, file by file.",
    discussion: """
      Needs the public key and nothing else: no record and no list. 'scan --report' writes such a folder.

      EXAMPLES
        muhafiz export check exhibit-7-report --key muhafiz.pub

      EXIT CODES
        0 as it was signed   14 it is not
      """)

  @Option(help: ArgumentHelp("The public key of the ledger: ledger/key.pub of its home.", valueName: "file"))
  var key: String
  @Argument(help: "The folder.") var folder: String

  func run() throws {
    guard let publicKey = LedgerPublicKey(try text(ofFile: key)) else {
      throw CaseworkError(
        .keyUnusable, "\(key) is no public key of a ledger", hint: "it is ledger/key.pub of the home it is of")
    }
    let note = try text(ofFile: FilePath(folder).appending("MANIFEST").string)
    let manifest = try ReportManifest(publicKey.text(ofSignedNote: note))
    let faults = try manifest.faults(in: FilePath(folder))
    for fault in faults { print(fault.forTerminal) }
    if !faults.isEmpty { throw ExitCode(ExitStatus.ledgerDamaged) }
    print("\(manifest.digests.count) files are as \(publicKey.name) signed them, of run \(manifest.run.forTerminal)")
  }
}
