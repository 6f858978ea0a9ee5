import ArgumentParser
import Decoding
import Exchange
import Foundation
import Hashing
import Matching
import Scanning
import SystemPackage

extension DigestAlgorithm: ExpressibleByArgument {
  public init?(argument: String) { self.init(name: argument) }
}

struct HashCommand: ParsableCommand {
  enum Format: String, CaseIterable, ExpressibleByArgument { case text, ndjson, vpdq }

  static let configuration = CommandConfiguration(
    commandName: "hash", abstract: "Prints the fingerprints of files; needs no list.",
    discussion: """
      Folders are walked, archives are opened. A picture has a perceptual hash (PDQ) besides its digests; one that cannot \
      be decoded says why.

      EXAMPLES
        muhafiz hash photo.jpg
        muhafiz hash --format ndjson --digests sha256 folder
        muhafiz hash --format vpdq film.mp4 > film.txt     its frames, for a list of videos
        muhafiz hash --submission -o mine.csv folder     hashes only, for a list; the files stay where they are
      """)

  @Option(help: "text, ndjson, or vpdq for the frames of one video as vPDQ's tools write them.") var format = Format.text
  @Option(help: "Digests to take, with commas between: md5, sha1, sha256. SHA-256 is always among them.") var digests =
    "md5,sha1,sha256"
  @Flag(help: "Take digests only.") var noPerceptual = false
  @Flag(help: "Take archives as they are: no member is looked at.") var noArchives = false
  @OptionGroup var limits: LimitOptions
  @Flag(help: "Write a bundle of hashes that 'list import' takes: no names, no sizes, no order.") var submission = false
  @Option(name: [.customShort("o"), .customLong("output")], help: ArgumentHelp("Write to this file.", valueName: "file"))
  var output: String?
  @Option(help: "Items in hand at once.") var jobs: Int?
  @Argument(help: "Files or folders.") var paths: [String]

  func run() throws {
    let roots = try existing(paths)
    let options = try limits.limiting(
      ScanOptions(
        digests: digestAlgorithms(digests), perceptual: !noPerceptual, fullVideo: limits.fullVideo,
        archives: !noArchives, workers: workers(jobs)))
    let decoders = options.needsDecoders ? try limits.decoderPool(size: options.workers) : nil
    let writer = try ResultWriter(output)
    let format = format
    let bundle = submission ? SubmissionBundle() : nil
    var videos = 0
    let scanner = ContentScanner(blocklist: Blocklist([]), options: options, decoders: decoders)
    let summary = try scanner.scan(roots) { item in
      if let bundle { return bundle.add(item) }
      switch format {
      case .ndjson: try writer.write(ItemLine.of(item, matching: false).bytes)
      case .text: try writer.write(line: Self.text(item))
      case .vpdq:
        guard !item.frames.isEmpty else { return complain("warning: \(item.placeForTerminal): no video") }
        videos += 1
        if videos > 1 { throw UsageError("the frames of one video are written at a time", hint: "name one video") }
        let entry = ListEntry(recordNumber: 1, video: VideoHash(frames: item.frames))
        for line in ListWriting.vpdq.lines(of: entry) { try writer.write(line: line) }
      }
    }
    if let bundle {
      try bundle.write(to: writer)
      complain(
        "\(bundle.count.grouped) contents in the bundle\(bundle.missing > 0 ? ", \(bundle.missing.grouped) could not be hashed" : "")"
      )
    }
    try writer.finish()
    throw ExitCode(ExitStatus.of(hasMatch: false, isComplete: summary.counts.isComplete))
  }

  private static func text(_ item: ScannedItem) -> String {
    var lines = [item.placeForTerminal]
    if let reason = item.state.reason { lines[0] += ": \(item.state.name), \(reason.forTerminal)" }
    for digest in item.fingerprint?.digests ?? [] { lines.append("  \(digest.algorithm.name.padded(7)) \(digest.hex)") }
    if let hash = item.fingerprint?.perceptualHash { lines.append("  pdq     \(hash.hex) quality \(hash.quality ?? 0)") }
    for frame in item.frames {
      let seconds = String(format: "%.3f", frame.seconds)
      lines.append("  vpdq    \(frame.hash.hex) quality \(frame.hash.quality ?? 0) at \(seconds) s")
    }
    if case .unhashable(let reason) = item.perceptual { lines.append("  pdq     none: \(reason.forTerminal)") }
    if case .incomplete(let reason) = item.contents { lines.append("  members missing: \(reason.forTerminal)") }
    return lines.joined(separator: "\n")
  }
}

/// The paths, all of which must exist: a name mistyped is not an exhibit without files.
func existing(_ paths: [String]) throws -> [FilePath] {
  try paths.map { text in
    if text.contains("://") {
      throw UsageError("'\(text)' is a URL; 'muhafiz scan' visits URLs")
    }
    let path = FilePath(text)
    do { _ = try FileStatus.exists(path) } catch { throw UsageError("\(text): \(error)", hint: "nothing was scanned") }
    return path
  }
}

func digestAlgorithms(_ text: String?) throws -> Set<DigestAlgorithm> {
  Set(
    try (text ?? "").split(separator: ",").map { name in
      guard let algorithm = DigestAlgorithm(name: name) else {
        throw UsageError("'\(name)' is no digest; use md5, sha1 or sha256")
      }
      return algorithm
    })
}

func workers(_ jobs: Int?) throws -> Int {
  guard let jobs else { return processorCount }
  guard (1...256).contains(jobs) else { throw UsageError("--jobs is 1…256, not \(jobs)") }
  return jobs
}
