import ArgumentParser
import Casework
import Foundation
import Matching
import Scanning
import SystemPackage

struct LedgerCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ledger", abstract: "Checks, signs and proves the record of everything that happened.",
    subcommands: [
      LedgerVerify.self, LedgerCheckpoint.self, LedgerProve.self, LedgerCheck.self, LedgerKeyCommand.self,
      LedgerBench.self,
    ])
}

struct LedgerVerify: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify", abstract: "Reads the ledger from end to end and compares it with every checkpoint at hand.",
    discussion: """
      Compared are the tiles, the checkpoint of the ledger's folder, those kept with the entries and in the configured \
      places, and those given with --from. Only a checkpoint that was kept elsewhere shows that a whole ledger was put \
      back to an earlier state, or was written anew with the same key.

      EXAMPLES
        muhafiz ledger verify
        muhafiz ledger verify --from /mnt/court/muhafiz-3f2a90bb12cd-1042.checkpoint

      EXIT CODES
        0 sound   12 the key cannot be read   14 not as it was recorded or signed
      """)

  @OptionGroup var home: HomeOptions
  @Option(help: "text or ndjson.") var format = OutputFormat.text
  @Option(help: ArgumentHelp("A checkpoint that somebody kept; can be given more than once.", valueName: "file"))
  var from: [String] = []

  func run() throws {
    let ledger = home.ledger(of: try home.requireCaseStore())
    let given = try from.map { name in (name: name, note: try text(ofFile: name)) }
    let began = ContinuousClock.now
    let result = try ledger.verify(against: given, workers: max(2, processorCount))
    let seconds = (ContinuousClock.now - began) / .seconds(1)
    for place in result.unreadable { complain("warning: \(place)") }
    switch format {
    case .text:
      for fault in result.faults { print("\(fault.kind.rawValue.padded(20))\(fault.description.forTerminal)") }
      if result.faultCount > result.faults.count {
        print("and \((result.faultCount - result.faults.count).grouped) more of the same kinds")
      }
      print(
        "\(result.isSound ? "sound" : "NOT SOUND"): \(result.size.grouped) entries, \(result.signed.grouped) of them signed, "
          + "compared with \(result.checkpoints.grouped) checkpoints in \(String(format: "%.1f", seconds)) s")
      print("root \(result.root.hex)")
    case .ndjson:
      for fault in result.faults {
        var line = JSONLine(type: "fault")
        line.add("kind", fault.kind.rawValue)
        line.add("first", fault.entries?.lowerBound)
        line.add("last", fault.entries.map { $0.upperBound - 1 })
        line.add("reason", fault.description)
        line.show()
      }
      var line = JSONLine(type: "ledger")
      line.add("status", result.isSound ? "sound" : "damaged")
      line.add("entries", result.size)
      line.add("signed", result.signed)
      line.add("checkpoints", result.checkpoints)
      line.add("faults", result.faultCount)
      line.add("root", result.root.hex)
      line.add("seconds", thousandths: seconds)
      line.show()
    }
    if !result.isSound { throw ExitCode(ExitStatus.ledgerDamaged) }
  }
}

struct LedgerCheckpoint: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "checkpoint",
    abstract: "Signs the ledger as it now is, and copies the checkpoint to every configured place.",
    discussion: """
      The checkpoint goes to standard output: print it, mail it, hand it to an auditor. --keep-in adds a folder that gets \
      this and every later one; choose one that others control.

      EXAMPLES
        muhafiz ledger checkpoint
        muhafiz ledger checkpoint --keep-in /mnt/auditor/checkpoints
      """)

  @OptionGroup var home: HomeOptions
  @Option(help: ArgumentHelp("A folder that gets a copy of every checkpoint from now on.", valueName: "folder"))
  var keepIn: [String] = []

  func run() throws {
    let ledger = home.ledger(of: try home.requireCaseStore())
    for place in keepIn {
      let path = FilePath(place)
      do { _ = try FileStatus.exists(path) } catch { throw UsageError("\(place): \(error)") }
      try ledger.addPlace(FileStatus.absolute(path))
    }
    let published = try ledger.publish()
    print(published.checkpoint.note, terminator: "")
    for copy in published.copies { complain("copied to \(copy)") }
    for failure in published.failures { complain("warning: not copied to \(failure)") }
    if !published.failures.isEmpty { throw ExitCode(ExitStatus.permission) }
  }
}

struct LedgerProve: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "prove", abstract: "Writes a proof of what the ledger says about a case or a takedown.",
    discussion: """
      The proof holds the last entry about it, with as much of what came before as stays under 4 KiB, and the signed \
      checkpoint. Anybody who has the public key can check it with 'muhafiz ledger check', with nothing else at hand.

      EXAMPLES
        muhafiz ledger prove C-000012 > case-12.tlog-proof
        muhafiz ledger prove T-000003 --whole -o takedown-3.tlog-proof
      """)

  @OptionGroup var home: HomeOptions
  @Flag(help: "With all that came before, however long.") var whole = false
  @Option(
    name: [.customShort("o"), .customLong("output")],
    help: ArgumentHelp("Write the proof to this file.", valueName: "file"))
  var output: String?
  @Argument(help: "A case, a takedown or a report, like C-000012 or T-000003; or the number of an entry.") var subject: String

  func run() throws {
    let ledger = home.ledger(of: try home.requireCaseStore())
    let proof: LedgerProof
    if let index = Int64(subject) {
      proof = try ledger.proof(ofEntry: index)
    } else if let subject = LedgerSubject(subject) {
      proof = try ledger.proof(of: subject, whole: whole)
    } else {
      throw UsageError(
        "'\(subject)' is no case, takedown, report or entry", hint: "like C-000012, T-000003, R-000007 or 1042")
    }
    let writer = try ResultWriter(output)
    try writer.write(proof.text.utf8)
    try writer.finish()
    complain(
      "\(proof.text.utf8.count.grouped) bytes: \(proof.entries.count) entries, \(proof.isWhole ? "from the first" : "with more before them; --whole adds those")"
    )
  }
}

struct LedgerCheck: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check", abstract: "Checks a proof with the public key; needs no record and no list.",
    discussion: """
      Prints the entries that are proven, one JSON object a line.

      EXAMPLES
        muhafiz ledger check case-12.tlog-proof --key muhafiz.pub

      EXIT CODES
        0 the proof holds   14 it does not
      """)

  @Option(help: ArgumentHelp("The public key of the ledger: ledger/key.pub of its home.", valueName: "file"))
  var key: String
  @Argument(help: "The proof; - for standard input.") var proof: String

  func run() throws {
    guard let publicKey = LedgerPublicKey(try text(ofFile: key)) else {
      throw CaseworkError(
        .keyUnusable, "\(key) is no public key of a ledger", hint: "it is ledger/key.pub of the home it is of")
    }
    let proof = try LedgerProof(checking: text(ofFile: proof), key: publicKey)
    for entry in proof.entries { print(String(decoding: entry, as: UTF8.self).forTerminal) }
    complain(
      "the proof holds: entry \(proof.index) of the \(proof.checkpoint.size.grouped) that \(publicKey.name) signed"
        + (proof.isWhole ? ", with all that came before about the same" : ", with some of what came before"))
  }
}

struct LedgerKeyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "key", abstract: "Prints the public key that checkpoints are signed with, and makes one on first use.")

  @OptionGroup var home: HomeOptions
  @Option(help: "Name for a new key, the origin of its checkpoints: like cell.example/ledger.") var name: String?

  func run() throws {
    let ledger = home.ledger(of: try home.openCaseStore())
    print(try ledger.key(named: name).publicKey)
    complain("the private key is in \(ledger.keyPath); keep a copy of it where only its owner can read")
  }
}

/// A file of text, or standard input for `-`.
func text(ofFile name: String) throws -> String {
  let data: Data
  do {
    data = name == "-" ? FileHandle.standardInput.readDataToEndOfFile() : try Data(contentsOf: URL(filePath: name))
  } catch { throw UsageError("cannot read \(name): \((error as NSError).localizedDescription)") }
  guard let text = String(validating: data, as: UTF8.self) else { throw UsageError("\(name) is not text") }
  return text
}

extension JSONLine {
  /// Writes the line to standard output.
  func show() { print(String(decoding: bytes, as: UTF8.self), terminator: "") }
}
