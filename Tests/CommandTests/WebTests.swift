import Casework
import Foundation
import Hashing
import Matching
import Scanning
import TestSupport
import Testing

@testable import muhafiz

private let hasNetworkNamespaces =
  (try? run("/usr/bin/unshare", ["-n", "-m", "ip", "link", "set", "lo", "up"]).exitCode) == 0

/// The program on a web of its own: see `web_in_namespace.py`. The policy in it is the one that users have.
@Suite(.enabled(if: hasNetworkNamespaces, "no network namespaces: nothing of the web is tested"))
struct WebTests {
  private let scratch = try! TemporaryDirectory()

  private struct Web: Decodable {
    struct Counts: Decodable {
      let publicHosts: Int
      let canary: Int
      let control: Int
      let privateAnswers: Int
      let requests: [String: Int]

      enum CodingKeys: String, CodingKey {
        case publicHosts = "public"
        case privateAnswers = "private_answers"
        case canary, control, requests
      }
    }
    struct Run: Decodable {
      let exit: Int32
      let output: String
      let errors: String

      var items: [[String: Any]] {
        output.split(separator: "\n").compactMap {
          try? JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any]
        }
        .filter { $0["type"] as? String == "item" }
      }
    }
    let counts: Counts
    let runs: [Run]
  }

  private func web(_ arguments: String..., environment: [String: String] = [:]) throws -> Web {
    try web(arguments, environment)
  }

  private func web(_ arguments: [String], _ environment: [String: String] = [:]) throws -> Web {
    let lists = Corpus.packageRoot.appending(path: "testdata/lists/known.sha256").path
    var environment = environment
    environment["MUHAFIZ_HOME"] = scratch.path("home")
    _ = try run(builtProgram("muhafiz"), ["list", "import", "--name", "national", lists], environment: environment)
    let script = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "web_in_namespace.py").path
    let result = try run(
      "/usr/bin/unshare", ["-n", "-m", "python3", script, builtProgram("muhafiz")] + arguments, environment: environment
    )
    #expect(result.exitCode == 0, "\(result.errorText)")
    return try JSONDecoder().decode(Web.self, from: result.output)
  }

  /// Names lead to public addresses and to private ones in turn, in one answer, by IPv6, by an alias.
  @Test func aNameThatChangesItsAddressLeadsNowhereWithin() throws {
    let count = isLongRun ? 10_000 : 300
    let web = try web("rebinding", "\(count)")
    #expect(web.counts.canary == 0 && web.counts.control == 1 && web.counts.privateAnswers > count / 2)
    #expect(web.counts.publicHosts > count / 10 && web.runs[0].items.count == count)
    for item in web.runs[0].items {
      let reason = item["reason"] as? String ?? ""
      #expect(
        item["status"] as? String == "hashed" || reason.hasPrefix("refused: ") || reason.hasPrefix("unresolvable: "))
    }
  }

  @Test func anyTextIsScannedAndWhatIsRefusedIsSaid() throws {
    let text = scratch.url.appending(path: "mail.txt")
    try "see hxxp://site[.]example/dunes.jpg, (http://SITE.example:80/dunes.jpg#x) and ftp://site.example/x.\n"
      .write(to: text, atomically: true, encoding: .utf8)
    let web = try web(
      "run", "scan", "--urls-from", text.path, "http://site.example/missing", "--all", "--format", "ndjson")
    let run = web.runs[0]
    #expect(run.exit == 4 && run.errors.contains("2 URLs: 2 new, 0 known; 1 refused"))
    #expect(web.counts.requests == ["/dunes.jpg": 1, "/missing": 1])
    let items = Dictionary(uniqueKeysWithValues: run.items.map { ($0["url"] as! String, $0) })
    #expect(
      items.count == 3
        && items["ftp://site.example/x"]?["reason"] as? String == "refused: its scheme is ftp, not http or https")
    #expect(items["http://site.example/missing"]?["reason"] as? String == "status: HTTP status 404")
    let picture = try #require(items["http://site.example/dunes.jpg"])
    #expect(
      picture["verdict"] as? String == "block" && picture["media_type"] as? String == "image/jpeg"
        && picture["pdq"] != nil)
    let hop = try #require((picture["chain"] as? [[String: Any]])?.first)
    #expect(
      hop["status"] as? Int == 200 && hop["sha256"] as? String == picture["sha256"] as? String
        && hop["port"] as? Int == 80)
    #expect((hop["time"] as? String)?.hasPrefix("20") == true && hop["address"] != nil)
  }

  /// Each with its page and its element, and nothing fetched twice: what is on a page, in its frame, in a list of pieces.
  @Test func whatAPageShowsIsScannedWithIt() throws {
    let web = try web("run", "scan", "http://site.example/short", "--all", "--format", "ndjson")
    let run = web.runs[0]
    #expect(run.exit == 4 && web.counts.canary == 0)
    let items = Dictionary(
      uniqueKeysWithValues: run.items.map { item in
        let member = (item["member"] as? String).map { "!" + $0 } ?? ""
        return ((item["url"] as! String).replacing("http://site.example", with: "") + member, item)
      })
    func said(_ name: String) -> String {
      guard let item = items[name] else { return "nothing" }
      let words = ["status", "verdict", "element", "attribute"].map { item[$0] as? String ?? "-" }
      return words.joined(separator: " ")
    }
    #expect(said("/short") == "hashed clear - -")
    #expect(
      (items["/short"]?["chain"] as? [Any])?.count == 2 && items["/short"]?["media_type"] as? String == "text/html")
    #expect(
      said("/dunes.jpg") == "hashed block img src"
        && items["/dunes.jpg"]?["page"] as? String == "http://site.example/page")
    #expect(said("/lagoon.jpg").hasPrefix("hashed") && said("/steppe.jpg").hasPrefix("hashed"))
    #expect(said("/harbour.jpg") == "hashed block video poster")
    #expect(items["/harbour.jpg"]?["page"] as? String == "http://site.example/frame")
    #expect(said("/missing.jpg").hasPrefix("error - img") && said("/page2").hasPrefix("skipped"))
    #expect(
      said("http://127.0.0.1/canary.jpg").hasPrefix("error") && items.keys.contains { $0.contains("inner.example") })
    #expect(items.keys.contains { $0.hasPrefix("/short!data ") })
    // Two halves of a picture, one behind the other.
    #expect(
      items["/list.m3u8!video 1"]?["media_type"] as? String == "image/jpeg"
        && said("/list.m3u8!video 1").hasPrefix("hashed"))
    #expect(items["/list.m3u8!video 1"]?["perceptual"] == nil)
    for (path, count) in web.counts.requests { #expect(count == 1, "\(path)") }
    #expect(web.counts.requests.count == 11)
  }

  @Test(arguments: [["--resume"], ["--source-digest", "/etc/hostname"], ["--tui"]])
  func whatIsForFilesIsRefusedWithURLs(_ option: [String]) throws {
    let result = try run(
      builtProgram("muhafiz"), ["scan", "http://127.0.0.1/x"] + option,
      environment: ["MUHAFIZ_HOME": scratch.path("home")])
    #expect(result.exitCode == 2 && result.errorText.contains("\(option[0]) is for files"))
  }

  @Test func aRecheckTakesNoOtherURLs() throws {
    let result = try run(
      builtProgram("muhafiz"), ["takedown", "recheck", "--fetch", "--urls-from", "-"],
      environment: ["MUHAFIZ_HOME": scratch.path("home")])
    #expect(result.exitCode == 2 && result.errorText.contains("--urls-from"))
  }

  /// What matches is kept for the authority, and nothing else; the operator's disk has no byte of it in the clear.
  @Test func whatMatchesIsSealedAndTheAuthorityOpensIt() throws {
    let sealed = scratch.url.appending(path: "sealed")
    try FileManager.default.createDirectory(at: sealed, withIntermediateDirectories: true)
    let (key, certificate) = (scratch.path("authority.key"), scratch.path("authority.pem"))
    let made = try run(
      "/usr/bin/openssl",
      [
        "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", key, "-out", certificate, "-subj",
        "/CN=a",
      ])
    try #require(made.exitCode == 0)
    let web = try web(
      "run", "scan", "http://site.example/page", "--seal-to", certificate, "--sealed-folder", sealed.path, "--all",
      "--record", "--format", "ndjson")
    let items = web.runs[0].items.filter { $0["sealed"] != nil }
    #expect(web.runs[0].items.count > items.count && items.allSatisfy { $0["verdict"] as? String == "block" })
    let names = try FileManager.default.contentsOfDirectory(atPath: sealed.path)
    #expect(Set(items.map { $0["sealed"] as! String }) == Set(names) && names.count == 2)
    for item in items {
      let path = URL(string: item["url"] as! String)!.path
      let picture = try Data(contentsOf: Corpus.packageRoot.appending(path: "testdata/pictures\(path)"))
      let out = scratch.path("opened")
      let opened = try run(
        "/usr/bin/openssl",
        [
          "cms", "-decrypt", "-binary", "-inform", "DER", "-in", sealed.appending(path: item["sealed"] as! String).path,
          "-inkey", key, "-out", out,
        ])
      #expect(opened.exitCode == 0 && FileManager.default.contents(atPath: out) == picture)
      #expect((item["sealed"] as! String).hasPrefix(item["sha256"] as! String))
    }
  }

  /// From a scan over the orders to the re-checks that visit the hosts: each answer told apart, and two of 'gone' close.
  @Test func orderedTakedownsAreVisitedUntilTheyAreGone() throws {
    let urls = [
      "http://site.example/order/up", "http://site.example/order/gone", "http://site.example/order/changed",
      "http://site.example/order/moved", "http://site.example/order/broken", "http://site.example/order/unavailable",
      "http://blocked.site.example/order/x", "http://vanished.site.example/order/x",
    ]
    var commands = [["scan"] + urls + ["--record", "--as", "analyst"], ["case", "claim", "1", "--as", "analyst"]]
    let decision = ["--decision", "takedown", "--reason", "exact", "--as", "analyst"]
    commands += [["case", "decide", "1", "propose"] + decision]
    commands += [["case", "decide", "1", "approve", "--version", "10", "--reason", "agreed", "--as", "reviewer"]]
    commands += [["takedown", "issue", "C-1", "--profile", "pk-peca-37", "--reason", "decided", "--as", "officer"]]
    commands += (1...urls.count).map {
      ["takedown", "update", "T-\($0)", "notified", "--text", "mail", "--as", "officer"]
    }
    let recheck = ["takedown", "recheck", "--fetch", "--format", "ndjson", "--as", "officer"]
    commands += [["!due"], recheck, ["!later"], ["!due"], recheck]
    commands += (1...urls.count).map { ["takedown", "show", "T-\($0)", "--format", "ndjson"] }
    commands += [["!due"], recheck, ["ledger", "verify"]]
    let contacts =
      #"{"v":1,"contacts":[{"role":"host","name":"Host","email":"abuse@site.example","hosts":["site.example","*.site.example"]}]}"#
    let home = scratch.url.appending(path: "home")
    try FileManager.default.createDirectory(at: home, withIntermediateDirectories: true)
    try Data(contacts.utf8).write(to: home.appending(path: "contacts.json"))
    let web = try web(["run"] + commands.joined(separator: ["+"]))
    #expect(web.runs.map(\.exit) == [1] + Array(repeating: 0, count: web.runs.count - 1))
    func lines(_ run: Web.Run) throws -> [[String: Any]] {
      try run.output.split(separator: "\n").map {
        try JSONSerialization.jsonObject(with: Data($0.utf8)) as! [String: Any]
      }
    }
    let shown = web.runs.dropFirst(7 + urls.count).prefix(urls.count)
    var answers: [String: [String]] = [:]
    for run in shown {
      let lines = try lines(run)
      let rechecks = lines.filter { $0["type"] as? String == "takedown.rechecked" }
      let path = (lines[0]["url"] as! String).replacing("http://site.example/order/", with: "")
      answers[path] = rechecks.map { $0["answer"] as! String }
      #expect(rechecks.allSatisfy { ($0["detail"] as? String)?.isEmpty == false })
    }
    let expected = [
      "up": "still-up", "gone": "gone", "changed": "changed", "moved": "moved", "broken": "unreachable",
      "unavailable": "blocked-here", "http://blocked.site.example/order/x": "blocked-here",
      "http://vanished.site.example/order/x": "gone",
    ]
    #expect(answers == expected.mapValues { ["still-up", $0] })
    let after = try lines(web.runs[web.runs.count - 2])
    let closed = after.filter { $0["state"] as? String == "closed" }.map { $0["url"] as! String }
    #expect(
      after.count == urls.count
        && Set(closed) == ["http://site.example/order/gone", "http://vanished.site.example/order/x"])
    #expect(web.runs.last?.output.contains("sound") == true && web.counts.canary == 0)
  }

  @Test func sealingIsRefusedByHalvesAndForFiles() throws {
    for (arguments, words) in [
      (["http://site.example/", "--seal-to", "x.pem"], "go together"),
      (["/etc/hostname", "--seal-to", "x.pem", "--sealed-folder", "/tmp"], "is for URLs"),
      (["http://site.example/", "--seal-to", "/etc/hostname", "--sealed-folder", "/tmp"], "no certificate"),
    ] {
      let result = try run(
        builtProgram("muhafiz"), ["scan"] + arguments, environment: ["MUHAFIZ_HOME": scratch.path("home")])
      #expect(result.exitCode != 0 && result.errorText.contains(words), "\(result.errorText)")
    }
  }

  /// What waits in the queue is visited once; a finding opens a case, and how it was come by is in the ledger.
  @Test func reportsWaitInTheQueueUntilTheyAreVisited() throws {
    let web = try web(
      "run", "report", "add", "http://site.example/dunes.jpg http://site.example/hello", "+", "report", "list",
      "--queued",
      "--format", "ndjson", "+", "scan", "--reports", "--record", "+", "report", "list", "--queued", "--format",
      "ndjson", "+", "scan",
      "--reports", "--record", "+", "case", "list", "--format", "ndjson", "+", "ledger", "verify")
    #expect(web.runs.map(\.exit) == [0, 0, 1, 0, 0, 0, 0])
    #expect(web.runs[1].output.split(separator: "\n").count == 2 && web.runs[3].output.isEmpty)
    #expect(web.counts.requests == ["/dunes.jpg": 1, "/hello": 1])
    #expect(web.runs[5].output.contains("C-000001"))
  }

  /// Each result goes out when it is there, also into a pipe.
  @Test func interruptionLeavesInTheQueueWhatIsNotDone() throws {
    let web = try web(
      "run", "scan", "http://site.example/dunes.jpg", "http://site.example/slow", "--record", "--format", "ndjson", "+",
      "report", "list",
      "--queued", "--format", "ndjson", environment: ["WEB_TEST_INTERRUPT": "1"])
    #expect(web.runs[0].exit == 130 && web.runs[0].errors.contains("scan --reports"))
    #expect(web.counts.requests["/slow"] == 1)
    #expect(web.runs[1].output.contains("/slow") && !web.runs[1].output.contains("dunes"))
  }
}

struct ContentCheckTests {
  private let digest = Digest(.sha256, bytes: Array(repeating: 1, count: 32))!
  private let url = try! WebURL("http://no-such-name.invalid/x")

  private func item(_ status: Int?, _ failure: FetchFailure? = nil, digest: Digest? = nil, hops: Int = 1) -> ScannedItem {
    var hop = FetchHop(url, at: Date())
    hop.status = status
    hop.failure = failure
    var item = ScannedItem(at: .url(url.description), state: failure.map { .error($0.reason) } ?? .hashed)
    item.chain = Array(repeating: hop, count: hops)
    if let digest { item.fingerprint = Fingerprint(sizeInBytes: 1, digests: [digest]) }
    return item
  }

  @Test func eachAnswerIsToldApart() {
    func answer(_ items: ScannedItem..., isBlocked: Bool = false) -> RecheckAnswer {
      ContentCheck(items, expecting: digest, isBlocked: isBlocked).answer
    }
    let other = Digest(.sha256, bytes: Array(repeating: 2, count: 32))!
    #expect(answer(item(200, digest: digest)) == .stillUp)
    #expect(answer(item(200, digest: other)) == .changed)
    #expect(answer(item(200, digest: other, hops: 2)) == .moved)
    #expect(answer(item(200, digest: digest, hops: 2)) == .stillUp)
    for status in [404, 410] { #expect(answer(item(status, FetchFailure(.status, "x"))) == .gone) }
    for status in [401, 403, 429, 500, 503] {
      #expect(answer(item(status, FetchFailure(.status, "x"))) == .unreachable)
    }
    #expect(answer(item(451, FetchFailure(.status, "x"))) == .blockedHere)
    #expect(answer(item(nil, FetchFailure(.refused, "x"))) == .blockedHere)
    for code in [FetchFailure.Code.timedOut, .unreachable, .insecure, .brokenAnswer, .tooLarge, .badRedirect] {
      #expect(answer(item(nil, FetchFailure(code, "x"))) == .unreachable)
    }
    #expect(answer(item(nil, FetchFailure(.unresolvable, "x")), isBlocked: true) == .blockedHere)
    #expect(ContentCheck([], expecting: digest).answer == .unreachable)
  }

  @Test func whatCouldNotBeComparedIsNotCalledChanged() {
    var page = item(200, digest: Digest(.sha256, bytes: Array(repeating: 2, count: 32))!)
    page.contents = .incomplete("limit")
    #expect(ContentCheck([page], expecting: digest).answer == .unreachable)
  }
}
