import ArgumentParser
import Exchange
import Matching
import SystemPackage

extension ListWriting: ExpressibleByArgument {}

struct ListExport: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export", abstract: "Writes the hashes of a list for others to import.",
    discussion: """
      FORMATS
        plain   sha256:HEX, sha1:HEX, md5:HEX, pdq:HEX, one hash a line
        pdq     HEX,entry: the pictures of the list, as PDQ's tools write them
        csv     every hash with its entry, contributor and category
        vpdq    frame,quality,HEX,seconds: the videos of the list, as vPDQ's tools write them, a file for each

      EXAMPLES
        muhafiz list export national --format csv -o national.csv
        muhafiz list export national --format vpdq -o videos/
      """)

  @OptionGroup var home: HomeOptions
  @Option(help: "plain, pdq, csv or vpdq.") var format = ListWriting.plain
  @Option(help: "Which version. Default: the one in force.") var listVersion: String?
  @Option(
    name: [.customShort("o"), .customLong("output")],
    help: ArgumentHelp(
      "Write to this file, which appears when all is written; for vpdq: to files in this folder.", valueName: "path"))
  var output: String?
  @Argument(help: "Name of the list.") var name: String

  func run() throws {
    let list = try chosen()
    if format == .vpdq { try writeVideos(of: list) } else { try writeLines(of: list) }
    for algorithm in MatchAlgorithm.allCases where !format.algorithms.contains(algorithm) {
      let count = list.count(of: algorithm)
      if count > 0 {
        complain("warning: left out: \(count.grouped) of \(algorithm.rawValue), which --format \(format.rawValue) does not write")
      }
    }
  }

  private func chosen() throws -> HashList {
    if let listVersion { return try home.catalog.open(ListVersion(name: name, version: listVersion)) }
    guard let active = try home.catalog.active().first(where: { $0.name == name }) else {
      throw UsageError(
        "no list '\(name)' is in force", hint: "name a version with --list-version; 'muhafiz list show \(name)' shows them")
    }
    return try home.catalog.open(ListVersion(name: name, version: active.version))
  }

  private func writeLines(of list: HashList) throws {
    let writer = try ResultWriter(output)
    if let heading = format.heading { try writer.write(line: heading) }
    for algorithm in format.algorithms {
      // Who says so is all that differs between the entries of one hash.
      var last: [String] = []
      try list.forEachEntry(of: algorithm) { entry in
        let lines = format.lines(of: entry)
        if format == .plain && lines == last { return }
        for line in lines { try writer.write(line: line) }
        last = lines
      }
    }
    try writer.finish()
  }

  private func writeVideos(of list: HashList) throws {
    guard let output else { throw UsageError("videos are written a file each", hint: "name a folder: -o FOLDER") }
    let folder = FilePath(output)
    try DurableFile.makeFolder(folder)
    var number = 0
    try list.forEachEntry(of: .vpdq) { entry in
      number += 1
      let writer = try ResultWriter(folder.appending(ListWriting.fileName(of: entry, number: number)).string)
      for line in format.lines(of: entry) { try writer.write(line: line) }
      try writer.finish()
    }
    complain("\(number.grouped) videos written to \(folder.forTerminal)")
  }
}
