import Benchmark
import Exchange
import Foundation
import Matching
import SystemPackage

/// Partners' files of a million records, from the file to the entries; no list is built. The throughput is in records.
let benchmarks: @Sendable () -> Void = {
  Benchmark.defaultConfiguration = .init(
    metrics: [.wallClock, .throughput, .peakMemoryResident], warmupIterations: 1, scalingFactor: .mega,
    maxDuration: .seconds(5),
    maxIterations: 10)

  for sample in Sample.all {
    Benchmark("import of 1 M records, \(sample.name)") { benchmark in
      let file = try sample.makeFile(records: 1_000_000)
      defer { unlink(file.string) }
      benchmark.startMeasurement()
      var entries = 0
      let report = try ListImporter().read(file) { _ in entries += 1 }
      benchmark.stopMeasurement()
      precondition(entries + report.rejected == 1_000_000, "every record is taken or refused")
    }
  }
}

/// A kind of file, by one record of it.
struct Sample: Sendable {
  let name: String
  var head = ""
  var tail = ""
  var separator = "\n"
  /// One record, of its number and 64 random hex digits.
  let record: @Sendable (Int, String) -> String

  static let all: [Sample] = [
    Sample(name: "bare SHA-256") { $1 },
    Sample(name: "sha256sum lines") { "\($1)  dir/file \($0).jpg" },
    Sample(name: "SHA-256, one line in four of them broken") { number, hex in
      switch number % 16 {
      case 0: String(hex.dropLast())
      case 1: "\(hex.prefix(20))g\(hex.dropFirst(21))"
      case 2: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
      case 3: "\u{1B}[31m\(hex)"
      case 4: "  \(hex.uppercased()) \r"
      default: hex
      }
    },
    Sample(name: "CSV with SHA-256, MD5, name and category", head: "filename,SHA-256,category,MD5\n") {
      "\"a, \($0).jpg\",\($1),A,\($1.prefix(32))"
    },
    Sample(name: "hashdeep", head: "%%%% HASHDEEP-1.0\n%%%% size,md5,sha256,filename\n") {
      "\($0),\($1.prefix(32)),\($1),/cases/a,b \($0).jpg"
    },
    Sample(
      name: "Project VIC", head: "{\"@odata.context\":\"x/2.0.xml/US/$metadata#Media\",\"value\":[", tail: "]}",
      separator: ","
    ) {
      "{\"MediaID\":\($0),\"Category\":1,\"MD5\":\"\($1.prefix(32))\",\"SHA1\":\"\($1.prefix(40))\",\"MediaSize\":\($0)}"
    },
    Sample(name: "NCMEC", head: "<queryResult><images>", tail: "</images></queryResult>", separator: "\n") {
      "<image><member id=\"42\">Example</member><id>e\($0)</id><classification>A1</classification><fingerprints>"
        + "<md5>\($1.prefix(32))</md5><sha1>\($1.prefix(40))</sha1></fingerprints></image>"
    },
  ]

  func makeFile(records: Int) throws -> FilePath {
    let path = FilePath(FileManager.default.temporaryDirectory.path).appending("muhafiz-imports-\(UUID().uuidString)")
    let file = try FileDescriptor.open(
      path, .writeOnly, options: [.create, .exclusiveCreate], permissions: .ownerReadWrite)
    return try file.closeAfter {
      var text = head
      for number in 0..<records {
        let hex = (0..<4).map { _ in
          let digits = String(UInt64.random(in: 0...UInt64.max), radix: 16)
          return String(repeating: "0", count: 16 - digits.count) + digits
        }
        text += record(number, hex.joined()) + (number + 1 < records ? separator : tail)
        if text.utf8.count > 1 << 20 || number + 1 == records {
          try file.writeAll(text.utf8)
          text = ""
        }
      }
      return path
    }
  }
}
