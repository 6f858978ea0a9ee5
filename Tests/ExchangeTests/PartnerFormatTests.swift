import Hashing
import Matching
import Testing

@testable import Exchange

/// Formats that partners' systems write.
struct PartnerFormatTests {
  @Test func readsAHashSetOfProjectVIC() throws {
    let text = """
      {"value":[{"MediaID":7,"Category":2,"MD5":"\(md5.uppercased())","SHA1":"\(sha1.uppercased())","MediaSize":"3",
        "Miniature":"\(String(repeating: "A", count: 100_000))","Comments":"a \\"quoted\\" \\u00e9 \\ud83c\\udf04"},
       {"MediaID":8,"Category":null,"AlternativeHashes":[{"HashName":"PhotoDNA","HashValue":"AAAA"},
        {"HashName":"SHA-256","HashValue":"\(sha256)"}],"Exifs":[{"MD5":"\(md5)"}]},
       {"MediaID":9,"PhotoDNA":"AAAA"},{"MediaID":10},{"MediaID":11,"MD5":"12"}],
       "@odata.context":"http://example.org/DataModels/2.0.xml/CUSTOM/$metadata#Media","more":[{"deep":[1,2.5e3,null]}]}
      """
    let imported = try read(text) { $0.categoryScheme = "ours" }
    #expect(imported.report.format == .vics)
    #expect(imported.hashes == ["md5:\(md5)", "sha1:\(sha1)", "sha256:\(sha256)"])
    #expect(imported.ids == ["7", "8"] && imported.entries.map(\.recordNumber) == [1, 2])
    #expect(imported.entries.map(\.category) == [Category(scheme: "ours", label: "2"), nil])
    #expect(imported.report.leftOut == ["photodna": 2])
    #expect(
      imported.reasons == [
        "only hashes of kinds that are not compared here", "no hash in the record", "md5 has 2 hex digits, expected 32",
      ])
    #expect(imported.report.firstRejections.map(\.description).first?.hasPrefix("record 3: ") == true)
  }

  @Test func readsACaseOfProjectVICWithItsCountrysCategories() throws {
    let text = """
      {"@odata.context":"http://github.com/VICSDATAMODEL/ProjectVic/DataModels/2.0.xml/US/$metadata#Cases","value":[
       {"CaseID":"1","CaseMetadata":[{"PropertyName":"x"}],"Media":[
        {"MediaID":1,"Category":0,"MD5":"\(md5)","MediaFiles":[{"MD5":"\(md5)","FileName":"a"}]},
        {"MediaID":2,"Category":1,"MediaFiles":[{"MD5":"\(md5)","FileName":"b"}]}]},{"CaseID":"2","Media":[]}]}
      """
    let imported = try read(text)
    #expect(imported.hashes == ["md5:\(md5)", "md5:\(md5)"] && imported.report.rejected == 0)
    #expect(imported.entries[0].category == Category(scheme: "VICS 2.0 US", label: "0"))
    #expect(VICSFormat.scheme(ofContext: "http://x/DataModels/1.3.xml#Media") == nil)
  }

  @Test func readsNCMECEntriesOfEveryMemberAndDeletions() throws {
    let text = """
      <?xml version="1.0" encoding="UTF-8"?><!-- a page -->
      <n:queryResult xmlns:n='https://hashsharing.ncmec.org/hashsharing/v2'><images count="2">
      <image><member id="42">Example &amp; Co &#x41;</member><timestamp>2026-01-02T03:00:00Z</timestamp><id>e1</id>
       <classification>A1</classification><fingerprints><md5>\(md5)</md5><sha1><![CDATA[\(sha1)]]></sha1><pdna>AA</pdna>
       <tmk-pdqf rel="self" href="/x"/><pdq>\(pdq)</pdq></fingerprints></image>
      <image><member id="43">Other</member><id>e1</id><fingerprints><md5>\(md5)</md5></fingerprints>
       <feedback><negativeFeedback type="MD5"/></feedback></image>
      <image><member id="44"/><id>e2</id><fingerprints><pdna>AA</pdna></fingerprints></image>
      <deletedImage><member id="42">Example</member><id>gone</id></deletedImage></images>
      <videos count="0" maxTimestamp="2026-01-02T03:04:05Z"/><paging><next>/v2/entries?start=2001&amp;size=1000</next></paging>
      </n:queryResult>
      """
    for pieceSize in [16, 1 << 18] {
      let imported = try read(text, pieceSize: pieceSize)
      #expect(imported.report.format == .ncmec)
      #expect(imported.entries.map(\.hashNames) == [["md5:\(md5)", "sha1:\(sha1)", "pdq:\(pdq)"], ["md5:\(md5)"]])
      #expect(imported.entries.map(\.contributor) == ["Example & Co A (42)", "Other (43)"])
      #expect(
        imported.entries[0].category == Category(scheme: "NCMEC", label: "A1") && imported.entries[1].category == nil)
      #expect(imported.withdrawn.map(\.id) == ["gone"] && imported.withdrawn[0].contributor == "Example (42)")
      #expect(imported.report.leftOut == ["pdna": 2, "tmk-pdqf": 1] && imported.report.rejected == 1)
      #expect(imported.report.warnings.contains { $0.contains("more pages follow") })
    }
  }

  @Test func readsStopNCIIByState() throws {
    func record(_ type: String, _ value: String, _ status: String) -> String {
      "{\"signalType\":\"\(type)\",\"hashValue\":\"\(value)\",\"hashStatus\":\"\(status)\",\"caseNumbers\":{\"c1\":\"Active\",\"c2\":\"Active\"}}"
    }
    let records = [
      record("ImagePDQ", pdq, "Active"), record("VideoMD5", md5, "Active"), record("ImagePDQ", pdq, "Withdrawn"),
      record("VideoMD5", md5, "Deleted"), record("VideoTMK", "x", "Active"), record("ImagePDQ", pdq, "Received"), "7",
    ]
    let imported = try read("{\"hasMoreRecords\":true,\"hashRecords\":[\(records.joined(separator: ","))],\"count\":7}")
    #expect(
      imported.report.format == .stopncii && imported.hashes == ["pdq:\(pdq)", "md5:\(md5)"]
        && imported.ids == ["c1", "c1"])
    #expect(imported.withdrawn.flatMap(\.hashNames) == ["pdq:\(pdq)", "md5:\(md5)"])
    #expect(imported.report.rejected == 3 && imported.report.leftOut == ["videotmk": 1])
    #expect(imported.report.warnings.contains { $0.contains("more pages follow") })
  }

  @Test func readsMISPAttributesWhereverTheyStand() throws {
    let text = """
      {"response":[{"Event":{"uuid":"e","Attribute":[{"type":"sha256","category":"Other","value":"\(sha256)","uuid":"u1"},
      {"type":"filename|md5","value":"a|b.jpg|\(md5)"},{"type":"url","value":"https://example.org"},
      {"type":"sha1","value":"\(sha1)","deleted":true}],"Object":[{"name":"file","Attribute":[{"type":"sha1","value":"short"}]}]}}]}
      """
    let imported = try read(text)
    #expect(
      imported.report.format == .misp && imported.hashes == ["sha256:\(sha256)", "md5:\(md5)"]
        && imported.ids == ["u1", nil])
    #expect(imported.withdrawn.flatMap(\.hashNames) == ["sha1:\(sha1)"] && imported.report.rejected == 1)
  }

  @Test func readsSTIXIndicatorsAndFiles() throws {
    func indicator(_ id: String, _ pattern: String, _ more: String = "") -> String {
      "{\"type\":\"indicator\",\"spec_version\":\"2.1\",\"id\":\"\(id)\",\"pattern_type\":\"stix\",\"pattern\":\"\(pattern)\"\(more)}"
    }
    let objects = [
      indicator(
        "i1", "[file:hashes.'SHA-256' = '\(sha256)'] OR [ file:hashes.MD5='\(md5)' ]",
        ",\"created_by_ref\":\"identity--x\""),
      indicator("i2", "[file:hashes.\\\"SHA-1\\\" = '\(sha1)']", ",\"revoked\":true"),
      indicator("i3", "[NOT file:hashes.MD5 = '\(md5)']"), indicator("i4", "[file:hashes.MD5 != '\(md5)']"),
      indicator("i5", "[url:value = 'https://example.org']"), indicator("i6", "[file:hashes.SSDEEP = '3:a:b']"),
      "{\"type\":\"file\",\"id\":\"f1\",\"hashes\":{\"SHA-1\":\"\(sha1)\",\"SHA-512\":\"00\"}}",
    ]
    let imported = try read(
      "{\"type\":\"bundle\",\"id\":\"bundle--1\",\"objects\":[\(objects.joined(separator: ","))]}")
    #expect(imported.report.format == .stix)
    #expect(imported.entries.map(\.hashNames) == [["sha256:\(sha256)", "md5:\(md5)"], ["sha1:\(sha1)"]])
    #expect(imported.ids == ["i1", "f1"] && imported.entries[0].contributor == "identity--x")
    #expect(imported.withdrawn.map(\.id) == ["i2"] && imported.report.rejected == 3)
    #expect(imported.report.leftOut == ["ssdeep": 1, "sha-512": 1])
  }

  @Test func readsDigitalForensicsXML() throws {
    let text = """
      <?xml version='1.0'?><dfxml xmlns:dc='http://purl.org/dc/elements/1.1/' version='1.0'><metadata><dc:type>Hash List</dc:type></metadata>
      <fileobject><filename>docs/a &lt;b&gt;.txt</filename><filesize>3</filesize><hashdigest type='MD5'>\(md5)</hashdigest>
       <byte_run file_offset='0' len='2'><hashdigest type='SHA1'>\(sha1)</hashdigest></byte_run>
       <hashdigest type='SHA256'> \(sha256) </hashdigest></fileobject>
      <fileobject><filename>bad.bin</filename><error>Input/output error</error></fileobject></dfxml>
      """
    let imported = try read(text)
    #expect(imported.report.format == .dfxml && imported.hashes == ["md5:\(md5)", "sha256:\(sha256)"])
    #expect(imported.ids == ["docs/a <b>.txt"] && imported.reasons == ["no hash in the record"])
  }

  @Test func readsThreatExchangeVideoAndIndexLines() throws {
    let signals = try read("pdq \(pdq)\nvideo_md5 \(md5)\nvideo_tmk xyz\nnothing\npdq short\n")
    #expect(signals.report.format == .threatexchange && signals.hashes == ["pdq:\(pdq)", "md5:\(md5)"])
    #expect(signals.report.rejected == 3 && signals.report.leftOut == ["video_tmk": 1])
    let frames = try read("0,100,\(pdq),0.000\n30,49,\(pdq),1.000\n31,x,\(pdq),1.1\n32,100,\(pdq)\n")
    #expect(frames.report.format == .vpdq && frames.ids == ["list"] && frames.report.rejected == 2)
    #expect(frames.entries[0].video?.frames.map(\.seconds) == [0, 1] && frames.entries[0].video?.comparableFrames == 1)
    let flat = try read("0,49,\(pdq),0.000\n30,0,\(pdq),1.000\n")
    #expect(flat.entries.isEmpty && flat.reasons == ["no frame of quality 50 or more in the video"])
    for line in [
      "0,100,\(pdq),-1", "0,100,\(pdq),nan", "0,100,\(pdq),1e300", "-1,100,\(pdq),0", "0,101,\(pdq),0", "0,100,\(md5),0",
    ] {
      #expect(try read(line) { $0.format = .vpdq }.report.rejected == 1, "\(line)")
    }
    let zeros = String(repeating: "0", count: 40)
    let index =
      "\(zeros)0|md5sum\n\(zeros)1|known.db\n\(md5.uppercased())|0000000000000017\n\(sha1.uppercased())|0000000000000099\n\(md5)\n"
    let hfind = try read(index)
    #expect(
      hfind.report.format == .hfind && hfind.hashes == ["md5:\(md5)", "sha1:\(sha1)"] && hfind.report.rejected == 1)
  }

  @Test func kindsThatNothingComparesAreCountedInBoundedMemory() throws {
    let lines = (0..<100).map { "kind_\($0) x" }.joined(separator: "\n")
    let report = try read("pdq \(pdq)\n\(lines)\n").report
    #expect(report.leftOut.count == ImportReport.mostKinds && report.leftOut.values.reduce(0, +) == 100)
    #expect(report.rejected == 100 && report.leftOut["other"] == 100 - (ImportReport.mostKinds - 1))
    #expect(report.warnings.count == ImportReport.mostKinds)
  }

  @Test func readsHeadersOfICSEiLookHashKeeperAndNSRL() throws {
    let icse = try read(
      "MD5;SHA1;PhotoDNA;Image ID;Is distributed;Victim identified;Offender identified;Series name;Number of submissions;File Available;Media Type;Baseline\n\(md5);\(sha1);;5;1;0;0;S;2;1;image;1\n"
    )
    #expect(icse.report.format == .csv && icse.entries[0].category == Category(scheme: "INTERPOL baseline", label: "1"))
    #expect(icse.ids == ["5"] && icse.hashes.count == 2)
    let iLook = try read(
      "V3Hash,HashSHA1,FileName,FilePath,FileSize,HashSHA256,HashSHA384,HashSHA512\n\(md5),\(sha1),a,b,3,\(sha256),,\n")
    #expect(iLook.hashes.count == 3)
    let keeper = try read(
      "\"file_id\",\"hashset_id\",\"file_name\",\"directory\",\"hash\",\"file_size\"\n1,2,\"a\",\"b\",\"\(md5)\",3\n")
    #expect(keeper.hashes == ["md5:\(md5)"])
    let header =
      "\"SHA-1\",\"MD5\",\"CRC32\",\"FileName\",\"FileSize\",\"ProductCode\",\"OpSystemCode\",\"SpecialCode\"\r\n"
    let row = "\"\(sha1.uppercased())\",\"\(md5.uppercased())\",\"0\",\"5\" disk\",3,7,\"WIN\",\"\"\r\n"
    let nsrl = try read(header + row + header + row)
    #expect(nsrl.report.format == .nsrl && nsrl.hashes.count == 4 && nsrl.report.rejected == 0)
  }

  @Test func readsEnCaseHashSetsAndRefusesTruncatedOnes() throws {
    var bytes = EnCaseFormat.magic + [1, 0, 0, 0, 0, 0, 0, 0] + [2, 0, 0, 0]
    bytes += [UInt8](repeating: 0, count: 1152 - bytes.count)
    for byte in [UInt8(1), 2] { bytes += [UInt8](repeating: byte, count: 16) + [0, 0] }
    let imported = try read(bytes)
    #expect(imported.report.format == .encase)
    #expect(imported.hashes == ["01", "02"].map { "md5:" + String(repeating: $0, count: 16) })
    for length in [8, 1151, 1152, 1153, 1170, 1187] {
      #expect(throws: ExchangeError(.malformed, "")) { try read(bytes[..<length]) }
    }
    #expect(try read(bytes + bytes.suffix(18)).report.warnings.count == 1)
  }
}
