import Foundation
import Glibc
import TestSupport
import Testing

/// Disk images as an examiner scans them.
struct DiskImageScanTests {
  private let disks = try! TestDisks()

  private func muhafiz(_ arguments: String...) throws -> ProgramResult {
    try run(
      builtProgram("muhafiz"), arguments, environment: ["MUHAFIZ_HOME": disks.path("home")], in: disks.folder.url)
  }

  private func importLists() throws {
    let list = Corpus.packageRoot.appending(path: "testdata/lists/known.sha256").path
    #expect(try muhafiz("list", "import", "--name", "national", list).exitCode == 0)
  }

  /// The items of a scan by member, `""` for what has none, and the summary.
  private func scan(_ arguments: String...) throws -> (items: [String: [String: Any]], summary: [String: Any], exit: Int32) {
    let result = try run(
      builtProgram("muhafiz"), ["scan", "--all", "--format", "ndjson"] + arguments,
      environment: ["MUHAFIZ_HOME": disks.path("home")], in: disks.folder.url)
    let lines = try result.text.split(separator: "\n").map {
      try JSONSerialization.jsonObject(with: Data($0.utf8)) as! [String: Any]
    }
    let items = lines.filter { $0["type"] as? String == "item" }
    let named = Dictionary(items.map { ($0["member"] as? String ?? "", $0) }) { first, _ in first }
    return (named, try #require(lines.last, "\(result.errorText)"), result.exitCode)
  }

  @Test(.enabled(if: TestDisks.has("sfdisk", "mkfs.ext4", "debugfs", "mkfs.vfat", "mcopy")))
  func everyPlantedFileIsFoundWithItsPlace() throws {
    try importLists()
    try disks.makePartitioned("disk")
    let (items, summary, exit) = try scan("disk", "--carve", "--record", "--exhibit", "EX-9")
    #expect(exit == 1 && summary["contents_incomplete"] as? Int == 0)
    #expect(items[""]?["media_type"] as? String == "application/x-raw-disk-image")
    #expect(items[""]?["sha256"] as? String == (try disks.shell("sha256sum disk").prefix(64)).description)
    for volume in ["vol1", "vol2"] {
      for name in ["dunes", "harbour"] {
        #expect(items["\(volume)/DCIM/100/\(name).jpg"]?["verdict"] as? String == "block", "\(volume) \(name)")
      }
    }
    let deleted = try #require(items["vol2/lagoon.jpg"])
    #expect(deleted["allocation"] as? String == "deleted" && deleted["volume"] as? Int == 2 && deleted["inode"] != nil)
    #expect((deleted["runs"] as? [[String: Int]])?.first?["offset"] != nil)
    let carved = try #require(items["vol0/carved/0061440000.jpg"])
    #expect(carved["verdict"] as? String == "block" && carved["allocation"] as? String == "carved")
    #expect(items["vol2/docs/plain.zip/pictures/small.png"]?["pdq"] != nil)
    // The place in the record names the image and the file on it.
    let shown = try muhafiz("case", "show", "c-1").text
    #expect(shown.contains("exhibit EX-9: disk") && shown.contains("vol1/DCIM/100/"), "\(shown)")
    let numbers = try muhafiz("case", "list").text.split(separator: "\n").dropFirst().map { String($0.prefix(8)) }
    let all = try numbers.map { try muhafiz("case", "show", $0).text }.joined()
    #expect(all.contains("volume 2, inode ") && all.contains(", allocated, bytes "), "\(all)")
    #expect(all.contains("volume 0, carved, bytes 61440000–"), "\(all)")
    let run = (carved["runs"] as? [[String: Int]])?.first
    let recorded = try numbers.map { try muhafiz("case", "show", $0, "--format", "ndjson").text }.joined()
    #expect(recorded.contains("\"allocation\":\"carved\"") && recorded.contains("\"offset\":\(run?["offset"] ?? -1),"))
    #expect(try muhafiz("rematch", "--exhibit", "EX-9").exitCode == 0)
    let without = try scan("disk", "--no-disk-images")
    #expect(without.items.count == 1 && without.exit == 0)
    let quick = try scan("disk", "--no-source-digest", "--no-deleted", "--no-archives")
    #expect(quick.items[""]?["status"] as? String == "skipped" && quick.exit == 1)
    #expect(quick.items["vol2/lagoon.jpg"] == nil && quick.items["vol2/docs/plain.zip/note.txt"] == nil)
  }

  @Test(.enabled(if: TestDisks.has("mkfs.ext4", "debugfs", "ewfacquirestream"))) func segmentsBesideTheFirstBelongToIt() throws {
    try importLists()
    try disks.shell("head -c 3000000 /dev/urandom > tree/noise")
    try disks.makeExt("disk")
    try disks.shell(
      """
      mkdir raw ewf && split -b 3M -a 3 --numeric-suffixes=1 disk raw/disk.
      ewfacquirestream -q -t ewf/disk -f encase6 -c fast -d sha1 -S 1048576 < disk
      """)
    let sum = try disks.shell("sha256sum disk").prefix(64).description
    let raw = try scan("raw")
    #expect(raw.exit == 1 && raw.items["medium"]?["sha256"] as? String == sum)
    #expect(raw.items["vol1/DCIM/100/dunes.jpg"]?["verdict"] as? String == "block")
    let ewf = try scan("ewf")
    #expect(ewf.exit == 1 && ewf.items["medium"]?["sha256"] as? String == sum)
    #expect(ewf.items["vol1/DCIM/100/dunes.jpg"]?["verdict"] as? String == "block")
    let first = try scan("ewf/disk.E01").items[""]
    let stored = try #require(first?["stored_digests"] as? [[String: String]])
    #expect(stored.map { $0["medium"] } == ["equal", "equal"] && stored.map { $0["algorithm"] } == ["md5", "sha1"])
    // Without its last segment an image is not complete, whatever could be read of it.
    try disks.shell("rm $(ls raw/disk.* | tail -n 1)")
    let cut = try scan("raw/disk.001")
    #expect(cut.exit == 1 || cut.exit == 4)
  }

  private func hasLoopDevices() throws -> Bool {
    if geteuid() == 0, try run("/bin/sh", ["-c", "losetup -f"]).exitCode == 0 { return true }
    print("skipped: only root has loop devices")
    return false
  }

  private func attach(_ image: String) throws -> String {
    try disks.shell("losetup -r -f --show \(image)").trimmingCharacters(in: .whitespacesAndNewlines)
  }

  private func detach(_ device: String) {
    do { try disks.shell("losetup -d \(device)") } catch { print("left attached: \(device): \(error)") }
  }

  @Test(.enabled(if: TestDisks.has("mkfs.ext4", "debugfs", "losetup"))) func aBlockDeviceIsReadWhereItIsNamed() throws {
    guard try hasLoopDevices() else { return }
    try importLists()
    try disks.makeExt("disk")
    let device = try attach("disk")
    defer { detach(device) }
    let (items, summary, exit) = try scan(device)
    #expect(exit == 1, "\(summary)")
    #expect(items[""]?["size"] as? Int == 8 << 20)
    #expect(items[""]?["sha256"] as? String == (try disks.shell("sha256sum disk").prefix(64)).description)
    #expect(items["vol1/DCIM/100/harbour.jpg"]?["verdict"] as? String == "block")
  }

  /// 64 MiB of ext4 with the test data and forty files of 200 kB behind it.
  private func makeLongDisk() throws {
    try disks.shell(
      """
      mkdir -p tree/long && for i in $(seq 40); do head -c 200000 /dev/urandom > tree/long/$i; done
      truncate -s 64M disk && mkfs.ext4 -q -O ^has_journal -d tree disk
      """)
  }

  /// A disk that is cut off behind a loop device: reading there is an error, as it is of sectors that have gone bad.
  @Test(.enabled(if: TestDisks.has("mkfs.ext4", "losetup"))) func sectorsThatCannotBeReadAreSaidAndTheRestIsScanned() throws {
    guard try hasLoopDevices() else { return }
    try importLists()
    try makeLongDisk()
    let device = try attach("disk")
    defer { detach(device) }
    let cut = 8 << 20
    try disks.shell("truncate -s \(cut) disk")
    let (items, summary, exit) = try scan(device)
    #expect(exit == 4 && summary["block"] as? Int == 2, "\(summary)")
    #expect(items[""]?["status"] as? String == "error" && items[""]?["sha256"] == nil)
    var (read, unread) = (0, 0)
    for number in 1...40 {
      let item = try #require(items["vol1/long/\(number)"])
      let run = try #require((item["runs"] as? [[String: Int]])?.last)
      if run["offset"]! + run["length"]! <= cut {
        read += 1
        #expect(item["status"] as? String == "hashed" && item["sha256"] != nil)
      } else {
        unread += 1
        #expect(item["status"] as? String == "unhashable" && item["sha256"] == nil, "\(item)")
        #expect((item["reason"] as? String)?.contains("cannot be read") == true, "\(item)")
      }
    }
    #expect(read > 5 && unread > 5)
    #expect(items["vol1/DCIM/100/harbour.jpg"]?["verdict"] as? String == "block")
  }

  /// A mounted disk goes away in the middle of the scan, and is there again for the next.
  @Test(.enabled(if: TestDisks.has("mkfs.ext4", "mount"))) func aDiskThatIsPulledEndsNoScanAndIsReadToItsEndLater() throws {
    try importLists()
    try makeLongDisk()
    try disks.shell("cp disk whole && mkdir mounted")
    guard geteuid() == 0, try run("/bin/sh", ["-c", "mount -o loop,ro disk mounted"], in: disks.folder.url).exitCode == 0 else {
      print("skipped: nothing can be mounted here")
      return
    }
    defer { do { try disks.shell("umount mounted") } catch { print("left mounted: \(error)") } }
    // Pulled when some of it was read.
    let exit = try disks.shell(
      """
      export MUHAFIZ_HOME=$PWD/home
      \(builtProgram("muhafiz")) scan mounted --all --format ndjson --io-limit 2M > pulled.ndjson & scan=$!
      while [ $(awk '/^rchar/ { print $2 }' /proc/$scan/io) -lt 3000000 ]; do sleep 0.05; done
      truncate -s 1M disk
      wait $scan || echo $?
      """)
    let last = try #require(String(decoding: disks.bytes(of: "pulled.ndjson"), as: UTF8.self).split(separator: "\n").last)
    let first = try JSONSerialization.jsonObject(with: Data(last.utf8)) as! [String: Any]
    let errors = try #require(first["errors"] as? Int)
    #expect(exit == "4\n" && errors > 5 && first["hashed"] as! Int > 5, "\(first)")
    #expect(first["found"] as? Int == first["hashed"] as! Int + errors)

    try disks.shell("dd if=whole of=disk conv=notrunc bs=1M status=none")
    let (_, second, end) = try scan("mounted", "--resume")
    #expect(end == 1 && second["errors"] as? Int == 0 && second["block"] as? Int == 2, "\(second)")
    #expect(second["entries"] as? Int == second["entries_counted"] as? Int)
    let whole = try scan("mounted").summary
    #expect(second["report_sha256"] as? String == whole["report_sha256"] as? String)
  }

  @Test func doctorReadsADiskImage() throws {
    let result = try muhafiz("doctor")
    #expect(result.text.contains("ok    disk images a file comes out of one"), "\(result.text)")
  }
}
