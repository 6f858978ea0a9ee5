import ArgumentParser
import Casework
import Foundation
import Glibc
import Scanning
import SystemPackage

extension RecheckAnswer: ExpressibleByArgument {}
extension NoticeLanguage: ExpressibleByArgument {}
extension XARFReport.Classification: ExpressibleByArgument {}

struct TakedownNotice: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "notice",
    abstract: "Writes the notice of a takedown: text, PDF, or XARF for abuse desks that read it by machine.",
    discussion: """
      The content is never attached, and the notice says which list entry was met, never what the content is. XARF asks for a \
      classification, which is the sender's to give: no hash list decides it.

      EXAMPLES
        muhafiz takedown notice T-3 --language ur
        muhafiz takedown notice T-3 --pdf -o T-3.pdf
        muhafiz takedown notice T-3 --xarf --classification baseline -o T-3.json
      """)

  @OptionGroup var home: HomeOptions
  @Option(help: "en or ur. Default: the recipient's.") var language: NoticeLanguage?
  @Flag(help: "As PDF.") var pdf = false
  @Flag(help: "As XARF v4.") var xarf = false
  @Option(
    help: ArgumentHelp("For XARF: \(XARFReport.Classification.allCases.map(\.rawValue).joined(separator: ", "))."))
  var classification: XARFReport.Classification?
  @Option(
    name: [.customShort("o"), .customLong("output")], help: ArgumentHelp("Write it to this file.", valueName: "file"))
  var output: String?
  @Argument(help: "The takedown, like T-000003 or 3.") var number: String

  func run() throws {
    let takedown = try home.requireCaseStore().takedown(takedownNumber(number))
    if pdf && xarf { throw UsageError("--pdf and --xarf are two notices") }
    if pdf && output == nil && isatty(STDOUT_FILENO) == 1 {
      throw UsageError("a PDF file is not for a terminal", hint: "use -o")
    }
    let writer = try ResultWriter(output)
    if xarf {
      guard let classification else { throw UsageError("--xarf needs --classification") }
      let report = try XARFReport(takedown, sender: home.sender(), classification: classification, id: UUID())
      try writer.write(report.json)
      try writer.write("\n".utf8)
    } else {
      let language = language ?? takedown.recipient.language.flatMap { NoticeLanguage(rawValue: $0) } ?? .english
      let notice = Notice(takedown, language: language)
      try writer.write(pdf ? notice.pdf(title: "Takedown \(takedown.number)") : Array(notice.text.utf8))
    }
    try writer.finish()
  }
}

struct TakedownRecheck: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "recheck", abstract: "Visits what was to be taken down, or records what a person found.",
    discussion: """
      Two answers of 'gone' in a row, at least 15 minutes apart, close a takedown; 'unreachable' is not 'gone'. A content that \
      is up again after it was closed reopens it.

      EXAMPLES
        muhafiz takedown recheck                          those that are due
        muhafiz takedown recheck --fetch                  visits those that are due, and records what it finds
        muhafiz takedown recheck T-3 --answer gone --detail 'HTTP 410'
      """)

  @OptionGroup var home: HomeOptions
  @OptionGroup var actor: ActorOptions
  @Option(help: "text or ndjson.") var format = OutputFormat.text
  @Flag(help: "Visit those that are due.") var fetch = false
  @OptionGroup(title: "Web") var fetching: FetchOptions
  @OptionGroup var limits: LimitOptions
  @Option(help: ArgumentHelp("What was found: \(RecheckAnswer.allCases.map(\.rawValue).joined(separator: ", "))."))
  var answer: RecheckAnswer?
  @Option(help: "What was seen: a status, the address it moved to.") var detail: String?
  @Argument(help: "The takedown, like T-000003 or 3.") var number: String?

  func run() throws {
    if fetch {
      guard number == nil, answer == nil else { throw UsageError("--fetch visits all that are due") }
      return try visitDue()
    }
    let store = try home.requireCaseStore()
    guard let number else {
      guard answer == nil else { throw UsageError("--answer is about one takedown") }
      if format == .text { print(TakedownLine.heading) }
      for takedown in try store.dueForRecheck(at: Date()) { TakedownLine.show(takedown, format) }
      return
    }
    guard let answer else { throw UsageError("--answer says what was found") }
    let takedown = try store.takedown(takedownNumber(number))
    let profile = try home.profile(takedown.profile)
    let after = try home.deciding(actor) { store, actor in
      try store.rechecked(takedown.number, answer, detail: detail, profile: profile, by: actor, at: Date())
    }
    TakedownLine.show(after, format)
  }
}

struct TakedownUpdate: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "update", abstract: "Records that the host was told or has answered; escalates, closes or withdraws.",
    discussion: """
      EXAMPLES
        muhafiz takedown update T-3 notified --text 'mail <20260102.1@cell.example>'
        muhafiz takedown update T-3 acknowledged --text 'ticket 4711'
        muhafiz takedown update T-3 escalate
        muhafiz takedown update T-3 close --text 'the site is gone as a whole'
      """)

  enum Step: String, CaseIterable, ExpressibleByArgument { case notified, acknowledged, escalate, close, withdraw }

  @OptionGroup var home: HomeOptions
  @OptionGroup var actor: ActorOptions
  @Option(help: "text or ndjson.") var format = OutputFormat.text
  @Option(help: "How the host was told, its own number for it, or the reason.") var text = ""
  @Option(help: "What the host's name resolves to, for the contact table.") var address: String?
  @Argument(help: "The takedown, like T-000003 or 3.") var number: String
  @Argument(help: ArgumentHelp("\(Step.allCases.map(\.rawValue).joined(separator: ", ")).")) var step: Step

  func run() throws {
    let number = try takedownNumber(number)
    let after = try home.deciding(actor) { store, actor in
      switch step {
      case .notified: try store.notified(number, how: text, by: actor, at: Date())
      case .acknowledged: try store.acknowledged(number, reference: text, by: actor, at: Date())
      case .close, .withdraw: try store.end(number, withdraw: step == .withdraw, reason: text, by: actor, at: Date())
      case .escalate:
        try store.escalate(
          number, profile: home.profile(store.takedown(number).profile), contacts: home.contacts(), address: address,
          by: actor, at: Date())
      }
    }
    TakedownLine.show(after, format)
  }
}

struct TakedownRemind: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "remind",
    abstract: "Records and prints the reminders that are due before deadlines; run it every hour.")

  @OptionGroup var home: HomeOptions
  @OptionGroup var actor: ActorOptions
  @Option(help: "text or ndjson.") var format = OutputFormat.text

  func run() throws {
    let profiles = try RuleProfile.all(in: home.path.appending("profiles"))
    let reminded = try home.deciding(actor) { try $0.remind(profiles: profiles, by: $1, at: Date()) }
    if format == .text { print(TakedownLine.heading) }
    for takedown in reminded { TakedownLine.show(takedown, format) }
  }
}

struct TakedownBlock: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "block", abstract: "Orders that resolvers block the host's name: the last rung, and it expires.",
    discussion: """
      It blocks a name and with it everything under it. Unless the contact table says that nobody shares the name \
      ("shared": false), somebody else has to approve it. 'muhafiz export rpz' writes the zone.

      EXAMPLES
        muhafiz takedown block T-3 --days 30 --reason 'no answer in 48 hours'
        muhafiz takedown block T-3 --approve --reason 'one site only' --as reviewer
      """)

  @OptionGroup var home: HomeOptions
  @OptionGroup var actor: ActorOptions
  @Option(help: "Until it expires. Default: those of the profile.") var days: Int?
  @Flag(help: "Approve what somebody else has ordered.") var approve = false
  @Option(help: "Why.") var reason: String
  @Argument(help: "The takedown, like T-000003 or 3.") var number: String

  func run() throws {
    let number = try takedownNumber(number)
    let block = try home.deciding(actor) { store, actor in
      if approve { return try store.approveBlock(number, reason: reason, by: actor, at: Date()) }
      return try store.block(
        number, days: days, reason: reason, profile: home.profile(store.takedown(number).profile),
        contacts: home.contacts(), by: actor, at: Date())
    }
    let state = block.isInForce(at: Date()) ? "in force" : "waits until somebody else approves it"
    print("block of \(block.host.forTerminal) \(state), expires \(block.expiresAt.formatted(.iso8601))")
  }
}
