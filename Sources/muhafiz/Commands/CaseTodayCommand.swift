import ArgumentParser
import Casework
import Foundation
import Matching

struct CaseToday: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "today", abstract: "Shows what is to be done today: proposals, deadlines, re-checks.",
    discussion: "EXAMPLES\n  muhafiz case today")

  @OptionGroup var home: HomeOptions
  @Option(help: "text or ndjson.") var format = OutputFormat.text

  func run() throws {
    let today = try home.requireCaseStore().today(at: Date())
    let figures = [
      ("open", today.open), ("proposed", today.proposed), ("appealed", today.appealed), ("to order", today.toOrder),
      ("to notify", today.toNotify), ("returned", today.returned), ("overdue", today.overdue),
      ("due soon", today.dueSoon),
      ("recheck due", today.recheckDue),
    ]
    guard format == .text else {
      var line = JSONLine(type: "today")
      for (name, count) in figures { line.add(name.replacing(" ", with: "_"), count) }
      line.show()
      for item in today.proposals { CaseLine.of(item).show() }
      for takedown in today.takedowns { TakedownLine.show(takedown, format) }
      return
    }
    for (name, count) in figures { print(name.padded(14) + count.grouped.leftPadded(9)) }
    if !today.proposals.isEmpty { print("\nWAITING FOR A SECOND PERSON") }
    for item in today.proposals {
      print(
        "\(item.number)  \(item.decision?.rawValue ?? "-"), proposed by \((item.proposedBy ?? "-").forTerminal), version \(item.version)"
      )
    }
    if !today.takedowns.isEmpty { print("\n" + TakedownLine.heading) }
    for takedown in today.takedowns { TakedownLine.show(takedown, format) }
  }
}
