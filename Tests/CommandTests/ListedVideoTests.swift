import Foundation
import TestSupport
import Testing

/// Lists of videos, as a user makes, asks and exports them.
@Suite(.serialized, .enabled(if: Corpus.isPresent)) struct ListedVideoTests {
  private let scratch = try! TemporaryDirectory()
  private let videos = Corpus.root.appending(path: "media/videos").path

  private func muhafiz(_ arguments: String...) throws -> ProgramResult {
    try run(builtProgram("muhafiz"), arguments, environment: ["MUHAFIZ_HOME": scratch.path("home")])
  }

  private func items(_ text: String) throws -> [String: [String: Any]] {
    let lines = try text.split(separator: "\n").map { try JSONSerialization.jsonObject(with: Data($0.utf8)) as! [String: Any] }
    return Dictionary(
      uniqueKeysWithValues: lines.filter { $0["type"] as? String == "item" }.map {
        (URL(filePath: $0["path"] as! String).lastPathComponent, $0)
      })
  }

  private func list(_ names: String...) throws -> [String] {
    for name in names {
      let hashed = try muhafiz("hash", "--format", "vpdq", "\(videos)/\(name).mp4", "-o", scratch.path("\(name).txt"))
      #expect(hashed.exitCode == 0, "\(hashed.errorText)")
    }
    return names.map { scratch.path("\($0).txt") }
  }

  @Test func editsOfListedVideosAreFoundAndTheListGoesOutAsItCameIn() throws {
    let files = try list("tour", "pattern")
    let imported = try muhafiz("list", "import", "--name", "films", files[0], files[1])
    #expect(imported.exitCode == 0 && imported.text.contains("accepted              2"), "\(imported.errorText)")
    #expect(try muhafiz("list", "verify").text.contains("2 hashes, intact"))
    // A name that no list has is no list that is intact.
    for command in ["verify", "show"] {
      let missing = try muhafiz("list", command, "elsewhere")
      #expect(missing.exitCode == 10 && missing.text.isEmpty && missing.errorText.contains("there is no list 'elsewhere'"))
    }
    func look(_ flags: String...) throws -> (items: [String: [String: Any]], kinds: [String: String]) {
      let scan = try run(
        builtProgram("muhafiz"), ["scan", "--all", "--format", "ndjson", videos] + flags,
        environment: ["MUHAFIZ_HOME": scratch.path("home")])
      let items = try self.items(scan.text)
      var kinds: [String: String] = [:]
      for (name, item) in items {
        let matches = (item["matches"] as? [[String: Any]] ?? []).filter { $0["algorithm"] as? String == "vpdq" }
        kinds[name] = matches.first.map { "\($0["entry"]!) \($0["video"]!)" }
        #expect(matches.allSatisfy { $0["grade"] as? String == "near" } && item["verdict"] as? String != "block", "\(name)")
      }
      print("videos met: \(kinds.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", "))")
      return (items, kinds)
    }
    let (items, kinds) = try look("--full-video")
    let edits = [
      "tour.mp4", "tour_fps.mov", "tour_lowrate.mkv", "tour_small.webm", "tour_mirror.mp4", "tour_letterbox.mp4",
    ]
    for name in edits + ["tour.avi"] { #expect(kinds[name] == "tour whole", "\(name)") }
    // The box covers so much that by the reference, too, fewer than four fifths of the frames are within 31 bits.
    #expect(kinds["tour_logo.mp4"] == "tour frame")
    for name in ["tour_cut.mp4", "tour_cut_rot.mov"] { #expect(kinds[name] == "tour clip", "\(name)") }
    for name in ["pattern.mp4", "pattern_vp8.webm"] { #expect(kinds[name] == "pattern whole", "\(name)") }
    for name in ["other.mp4", "bunny.mp4", "bunny_bright.webm", "bunny_crop.mkv", "flat.mp4"] {
      #expect(kinds[name] == nil && items[name]?["verdict"] as? String == "clear", "\(name)")
    }
    // Samples show that the edits are in the listed video, which ends the look; where each second has a key frame near they
    // are all there is, and all else is looked at as before.
    let (quick, quickKinds) = try look()
    for (name, item) in items {
      let stopped = quick[name]?["video_stopped"] as? String, frames = quick[name]?["frames"] as! Int
      #expect(quick[name]?["verdict"] as? String == item["verdict"] as? String, "\(name)")
      if edits.contains(name) {
        #expect(quickKinds[name] == "tour clip" && stopped == "listed-video" && (3...4).contains(frames), "\(name)")
      } else {
        #expect(quickKinds[name] == kinds[name] && frames <= item["frames"] as! Int, "\(name)")
        #expect((stopped != nil) == ["tour.avi", "pattern.mp4", "pattern_vp8.webm"].contains(name), "\(name)")
      }
    }
    let out = scratch.path("out")
    #expect(try muhafiz("list", "export", "films", "--format", "vpdq", "-o", out).exitCode == 0)
    let written = try FileManager.default.contentsOfDirectory(atPath: out).map {
      try String(contentsOfFile: "\(out)/\($0)", encoding: .utf8)
    }
    #expect(try Set(written) == Set(files.map { try String(contentsOfFile: $0, encoding: .utf8) }))
    let plain = try muhafiz("list", "export", "films")
    #expect(plain.exitCode == 0 && plain.text.isEmpty && plain.errorText.contains("left out: 2 of vpdq"))
  }

  @Test func aVideoIsLookedAtNoFurtherThanItsVerdictNeeds() throws {
    let tour = "\(videos)/tour.mp4"
    let digest = scratch.path("tour.sha256")
    try run("/usr/bin/env", ["sha256sum", tour]).output.write(to: URL(filePath: digest))
    // A listed video of one scene, which is a key frame.
    let first = try String(contentsOfFile: list("tour")[0], encoding: .utf8).split(separator: "\n")[0]
    let scene = scratch.path("scene.txt")
    try Data("\(first)\n".utf8).write(to: URL(filePath: scene))
    // As often as makes it longer than a minute.
    let long = scratch.path("long.mp4")
    let made = try run("/usr/bin/env", ["ffmpeg", "-v", "error", "-stream_loop", "6", "-i", tour, "-c", "copy", long])
    guard made.exitCode != 127 else { return print("skipped: a video longer than a minute, for want of ffmpeg") }
    #expect(try muhafiz("list", "import", "--name", "scenes", scene).exitCode == 0)
    func look(_ file: String, _ flags: String...) throws -> [String: Any] {
      let scan = try run(
        builtProgram("muhafiz"), ["scan", "--all", "--format", "ndjson", file] + flags,
        environment: ["MUHAFIZ_HOME": scratch.path("home")])
      #expect(scan.exitCode == 1, "\(scan.errorText)")
      return try #require(try items(scan.text).values.first)
    }
    // A listed video of one frame decides nothing.
    for (file, frames) in [(tour, 12), (long, 84)] {
      let look = try look(file)
      #expect(look["video_stopped"] == nil && look["verdict"] as? String == "review" && look["frames"] as! Int >= frames)
    }
    #expect(try muhafiz("list", "import", "--name", "films", scratch.path("tour.txt")).exitCode == 0)
    for file in [tour, long] {
      let (quick, full) = (try look(file), try look(file, "--full-video"))
      #expect(quick["video_stopped"] as? String == "listed-video" && quick["verdict"] as? String == "review")
      #expect(full["video_stopped"] == nil && full["verdict"] as? String == "review")
      #expect(3 * (quick["frames"] as! Int) <= full["frames"] as! Int)
    }
    // Whoever reads is told as well that not all was looked at.
    let (quick, full) = (try muhafiz("scan", tour).text, try muhafiz("scan", "--full-video", tour).text)
    #expect(quick.contains("\n         4 frames were looked at, which decide; --full-video looks at all\n"))
    #expect(!full.contains("looked at"))
    #expect(try muhafiz("list", "import", "--name", "exact", digest).exitCode == 0)
    #expect(try muhafiz("scan", tour).text.contains("\n         its frames were not looked at, for a digest decides; "))
    let (known, again) = (try look(tour), try look(tour, "--full-video"))
    #expect(
      known["video_stopped"] as? String == "exact-match" && known["frames"] == nil && known["verdict"] as? String == "block")
    #expect(again["video_stopped"] == nil && again["frames"] as? Int ?? 0 >= 12 && again["verdict"] as? String == "block")
  }

  @Test func aFilmThatBeginsLikeAListedOneIsLookedAtToItsEnd() throws {
    #expect(try muhafiz("list", "import", "--name", "films", list("tour")[0]).exitCode == 0)
    // Two seconds of the listed film, then another one; with a key frame each second, and with two in all.
    for interval in [25, 100] {
      let film = scratch.path("title\(interval).mp4")
      let title = "[0:v]trim=0:2,scale=320:240,setsar=1[a];[1:v]fps=25,setsar=1[b];[a][b]concat=n=2:v=1"
      let made = try run(
        "/usr/bin/env",
        [
          "ffmpeg", "-v", "error", "-i", "\(videos)/tour.mp4", "-i", "\(videos)/other.mp4", "-filter_complex", title, "-g",
          "\(interval)", "-sc_threshold", "0", film,
        ])
      guard made.exitCode == 0 else { return print("skipped: a film behind a title, for want of ffmpeg with an encoder") }
      let (quick, full) = (
        try muhafiz("scan", "--all", "--format", "ndjson", film), try muhafiz("scan", "--full-video", "--format", "ndjson", film)
      )
      for (text, frames) in [(quick.text, 7), (full.text, 7)] {
        let item = try #require(try items(text).values.first)
        let kinds = (item["matches"] as! [[String: Any]]).map { $0["video"] as? String }
        #expect(item["video_stopped"] == nil && item["frames"] as! Int >= frames && kinds == ["frame"], "\(item)")
      }
    }
  }

  /// Whoever ends the decoders, once, the film is looked at again.
  @Test func aVideoIsLookedAtAgainWhenItsDecoderIsEnded() throws {
    #expect(try muhafiz("list", "import", "--name", "films", list("tour")[0]).exitCode == 0)
    let long = scratch.path("long.mp4")
    let made = try run(
      "/usr/bin/env", ["ffmpeg", "-v", "error", "-stream_loop", "20", "-i", "\(videos)/tour.mp4", "-c", "copy", long])
    guard made.exitCode != 127 else { return print("skipped: a long video, for want of ffmpeg") }
    let scan = """
      "$0" scan --all --full-video --format ndjson "$1" >"$2" &
      scan=$!
      decoders() { grep -lzx "$scan" /proc/[0-9]*/cmdline 2>/dev/null | cut -d/ -f3; }
      until [ "$(decoders | wc -l)" -ge 2 ]; do sleep 0.05; done
      sleep 0.4
      echo "ended $(decoders | wc -l)"
      kill -9 $(decoders)
      wait $scan
      exit $?
      """
    let ended = try run(
      "/bin/bash", ["-c", scan, builtProgram("muhafiz"), long, scratch.path("out")],
      environment: ["MUHAFIZ_HOME": scratch.path("home")])
    #expect(ended.exitCode == 1 && ended.text.hasPrefix("ended "), "\(ended.errorText)")
    let whole = try muhafiz("scan", "--all", "--full-video", "--format", "ndjson", long)
    let (item, expected) = (
      try items(String(contentsOfFile: scratch.path("out"), encoding: .utf8))["long.mp4"], try items(whole.text)["long.mp4"]
    )
    #expect(item?["frames"] as? Int == expected?["frames"] as? Int && item?["frames"] as? Int ?? 0 >= 240)
    #expect(item?["perceptual"] == nil && item?["verdict"] as? String == "review")
  }

  @Test func everyKindOfHashGoesOutAsItCanComeIn() throws {
    let source = scratch.path("all.csv")
    let rows = [
      "sha256,sha1,md5,pdq,quality,id,contributor,category,category_scheme,listed_at",
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad,,,,,\"a, \"\"b\"\"\",lab,1,own,",
      ",a9993e364706816aba3e25717850c26c9cd0d89d,,,,x,,,,", ",,900150983cd24fb0d6963f7d28e17f72,,,y,,,,",
      ",,,f8f8f0cce0f4e84d0e370a22028f67f0b36e2ed596623e1d33e6339c4e9c9b22,88,z,lab,,,",
    ]
    try Data((rows.joined(separator: "\n") + "\n").utf8).write(to: URL(filePath: source))
    #expect(try muhafiz("list", "import", "--name", "own", source).exitCode == 0)
    let csv = try muhafiz("list", "export", "own", "--format", "csv")
    #expect(csv.exitCode == 0 && csv.text.split(separator: "\n").map(String.init) == rows, "\(csv.text)")
    let plain = try muhafiz("list", "export", "own")
    #expect(plain.text.split(separator: "\n").map { $0.prefix { $0 != ":" } } == ["sha256", "sha1", "md5", "pdq"])
    #expect(try muhafiz("list", "export", "own", "--format", "pdq").text.hasSuffix("9c9b22,z\n"))
    // What goes out comes in again as the same hashes.
    let out = scratch.path("out.txt")
    #expect(try muhafiz("list", "export", "own", "-o", out).exitCode == 0)
    let again = try muhafiz("list", "import", "--name", "again", out)
    #expect(again.exitCode == 0 && again.text.contains("accepted              4"), "\(again.errorText)")
    #expect(try muhafiz("list", "export", "none").exitCode != 0)
  }
}
