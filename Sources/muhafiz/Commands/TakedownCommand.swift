import ArgumentParser
import Casework
import Foundation
import Matching
import SystemPackage

struct TakedownCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "takedown", abstract: "Orders that a content is removed, and follows it until it is gone.",
    discussion: """
      Grounds and periods come from rule profiles ('muhafiz takedown profiles'), recipients from contacts.json of the home, \
      the sender from sender.json.
      """,
    subcommands: [
      TakedownIssue.self, TakedownList.self, TakedownShow.self, TakedownNotice.self, TakedownRecheck.self,
      TakedownUpdate.self,
      TakedownRemind.self, TakedownBlock.self, TakedownProfiles.self,
    ])
}

struct TakedownIssue: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "issue", abstract: "Orders takedowns of all places of a decided case, or of one.",
    discussion: """
      EXAMPLES
        muhafiz takedown issue C-12 --profile pk-peca-37 --reason 'decision of C-12'
        muhafiz takedown issue C-12 --profile pk-peca-37 --emergency --url https://host.example/x --reason '…'

      EXIT CODES
        0 ordered   2 refused; what was ordered before the refusal stands
      """)

  @OptionGroup var home: HomeOptions
  @OptionGroup var actor: ActorOptions
  @Option(help: "text or ndjson.") var format = OutputFormat.text
  @Option(help: "The rule profile.") var profile: String
  @Option(help: "Only this place. Default: every URL of the case.") var url: String?
  @Flag(help: "With the shorter period of the profile.") var emergency = false
  @Option(help: "Why.") var reason: String
  @Option(help: "What the host's name resolves to, for the contact table.") var address: String?
  @Argument(help: "The case, like C-000012 or 12.") var number: String

  func run() throws {
    let number = try caseNumber(number)
    let profile = try home.profile(profile)
    if !profile.confirmed {
      complain(
        "warning: rule profile \(profile.id) is not confirmed: \(profile.confirm ?? "the owner has to confirm it")")
    }
    let places = try url.map { [$0] } ?? home.requireCaseStore().places(toTakeDownIn: number)
    if places.isEmpty {
      throw UsageError("\(number) has no place with a URL", hint: "a takedown is ordered from whoever hosts one")
    }
    let contacts = try home.contacts()
    try home.deciding(actor) { store, actor in
      for place in places {
        let order = TakedownOrder(
          number, url: place, isEmergency: emergency, by: actor, reason: reason, address: address)
        TakedownLine.show(try store.order(order, profile: profile, contacts: contacts, at: Date()), format)
      }
    }
  }
}

struct TakedownList: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "Lists takedowns: the newest first, or the open ones by deadline.",
    discussion: "EXAMPLES\n  muhafiz takedown list --open\n  muhafiz takedown list --case C-12 --format ndjson")

  @OptionGroup var home: HomeOptions
  @Option(help: "text or ndjson.") var format = OutputFormat.text
  @Flag(help: "Only those that are open, the nearest deadline first.") var open = false
  @Option(name: .customLong("case"), help: "Only those of this case.") var caseFile: String?
  @Option(help: "At most so many.") var limit = 50

  func run() throws {
    guard limit > 0 else { throw UsageError("--limit is 1 or more") }
    let takedowns = try home.requireCaseStore().takedowns(of: caseFile.map(caseNumber), isOpen: open, limit: limit)
    if format == .text { print(TakedownLine.heading) }
    for takedown in takedowns { TakedownLine.show(takedown, format) }
  }
}

struct TakedownShow: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "Shows a takedown with its clocks and history.")

  @OptionGroup var home: HomeOptions
  @Option(help: "text or ndjson.") var format = OutputFormat.text
  @Argument(help: "The takedown, like T-000003 or 3.") var number: String

  func run() throws {
    let store = try home.requireCaseStore()
    let takedown = try store.takedown(takedownNumber(number))
    let history = try store.entries(about: .takedown(takedown.number))
    guard format == .text else {
      TakedownLine.show(takedown, format)
      for entry in history { print(String(decoding: entry.data, as: UTF8.self)) }
      return
    }
    func time(_ date: Date?) -> String { date?.formatted(.iso8601) ?? "-" }
    print(
      "takedown \(takedown.number) of case \(takedown.caseNumber), \(takedown.state.rawValue)\(takedown.isOverdue(at: Date()) ? ", OVERDUE" : "")"
    )
    print("  \(takedown.url.forTerminal)")
    print("  \(takedown.match.forTerminal)")
    print(
      "  under \(takedown.profile.forTerminal), \(takedown.hours) hours\(takedown.isEmergency ? " (emergency)" : ""), ordered by \(takedown.orderedBy.forTerminal)"
    )
    print("  to \("\(takedown.recipient.name) <\(takedown.recipient.email)>".forTerminal), \(takedown.recipient.role)")
    print(
      "  received \(time(takedown.receivedAt)), notified \(time(takedown.notifiedAt)), removed \(time(takedown.removedAt))"
    )
    print(
      "  deadline \(time(takedown.deadline)), next re-check \(time(takedown.nextCheckAt)), gone \(takedown.goneCount) in a row, returned \(takedown.returns) times"
    )
    History.show(history)
  }
}

struct TakedownProfiles: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "profiles",
    abstract: "Lists the rule profiles: ground, periods, and whether the owner has confirmed them.",
    discussion: "A file ID.json in profiles/ of the home takes the place of the program's own of that id.")

  @OptionGroup var home: HomeOptions

  func run() throws {
    for profile in try RuleProfile.all(in: home.path.appending("profiles")) {
      print("\(profile.id.forTerminal): \(profile.name.forTerminal)")
      print("  \(profile.authority.forTerminal); \(profile.legalGround.forTerminal)")
      print(
        "  \(profile.hours) hours, \(profile.emergencyHours) in an emergency; from \(profile.effectiveFrom) to \(profile.effectiveUntil ?? "further notice")"
          + (profile.isInForce(at: Date()) ? "" : " (NOT IN FORCE)"))
      if !profile.confirmed {
        print("  NOT CONFIRMED: \((profile.confirm ?? "the owner has to confirm it").forTerminal)")
      }
    }
  }
}

/// Takedowns as lines, for people and for programs.
enum TakedownLine {
  static let heading = "TAKEDOWN   CASE       STATE         DEADLINE              NEXT CHECK            URL"

  static func show(_ takedown: Takedown, _ format: OutputFormat) {
    let overdue = takedown.isOverdue(at: Date())
    switch format {
    case .text:
      print(
        takedown.number.description.padded(11) + takedown.caseNumber.description.padded(11)
          + (takedown.state.rawValue + (overdue ? " LATE" : "")).padded(14)
          + (takedown.deadline?.formatted(.iso8601) ?? "-").padded(22)
          + (takedown.nextCheckAt?.formatted(.iso8601) ?? "-").padded(22) + takedown.url.forTerminal)
    case .ndjson:
      var line = JSONLine(type: "takedown")
      line.add("takedown", takedown.number.description)
      line.add("case", takedown.caseNumber.description)
      line.add("url", takedown.url)
      line.add("state", takedown.state.rawValue)
      line.add("profile", takedown.profile)
      line.add("hours", takedown.hours)
      line.add("recipient", takedown.recipient.email)
      line.add("received", takedown.receivedAt.formatted(.iso8601))
      line.add("ordered", takedown.orderedAt.formatted(.iso8601))
      line.add("notified", takedown.notifiedAt?.formatted(.iso8601))
      line.add("removed", takedown.removedAt?.formatted(.iso8601))
      line.add("deadline", takedown.deadline?.formatted(.iso8601))
      line.add("overdue", overdue ? "yes" : "no")
      line.add("next_check", takedown.nextCheckAt?.formatted(.iso8601))
      line.add("gone_in_a_row", takedown.goneCount)
      line.add("returns", takedown.returns)
      line.show()
    }
  }
}

func takedownNumber(_ text: String) throws -> TakedownNumber {
  guard let number = TakedownNumber(text) else {
    throw UsageError("'\(text)' is no takedown number", hint: "like T-000003, or 3")
  }
  return number
}

extension HomeOptions {
  func profile(_ id: String) throws -> RuleProfile {
    let profiles = try RuleProfile.all(in: path.appending("profiles"))
    guard let profile = profiles.first(where: { $0.id == id }) else {
      throw UsageError(
        "there is no rule profile '\(id)'", hint: "there are \(profiles.map(\.id).joined(separator: ", "))")
    }
    return profile
  }

  func contacts() throws -> ContactTable { try ContactTable.load(path.appending("contacts.json")) }

  func sender() throws -> NoticeSender {
    let file = path.appending("sender.json")
    do { return try JSONDecoder().decode(NoticeSender.self, from: Data(contentsOf: URL(filePath: file.string))) } catch {
      throw UsageError("cannot read \(file)", hint: #"it holds {"org": "…", "contact": "notices@…", "domain": "…"}"#)
    }
  }
}
