import ArgumentParser
import Glibc

/// The command line.
struct Muhafiz: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "muhafiz",
    abstract: "Finds known material by its hashes, and keeps a record of it.",
    discussion: """
      Results go to standard output, progress and warnings to standard error.

      EXAMPLES
        muhafiz list import --name national known.sha256
        muhafiz scan /media/exhibit-7 --record --exhibit EX-7
        muhafiz case list

      EXIT CODES of scan and match
        0 complete, no match      1 complete, with a match     2 wrong usage
        3 incomplete, no match    4 incomplete, with a match   5 internal error
        10 list missing or damaged   11 locked   12 permission   13 disk full   14 ledger damaged   130 interrupted
      """,
    version: "muhafiz \(toolVersion)",
    subcommands: [
      ListCommand.self, HashCommand.self, MatchCommand.self, ScanCommand.self, ExhibitCommand.self, RematchCommand.self,
      ReportCommand.self,
      CaseCommand.self, TakedownCommand.self, LedgerCommand.self, ExportCommand.self,
      BenchCommand.self, DoctorCommand.self,
    ])

  /// What reports name as the tool.
  static let toolVersion = "0.1.0"
}

@main
enum Main {
  static func main() {
    // A reader that goes away is an error of the write, not the end of the program.
    signal(SIGPIPE, SIG_IGN)
    do {
      var command = try Muhafiz.parseAsRoot()
      try command.run()
    } catch {
      exit(ExitStatus.report(error))
    }
  }
}
