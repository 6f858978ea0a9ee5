import Hashing
import Matching

/// What StopNCII answers to `FetchHashes`: records of a hash, its kind and its state.
enum StopNCIIFormat {
  static func read(_ bytes: consuming ByteStream, _ sink: inout RecordSink) throws {
    var json = JSONReader(bytes)
    var number = 0
    try json.beginObject()
    while let key = try json.nextKey() {
      switch key {
      case "hashRecords":
        guard try json.kind() == .array else {
          try json.skip()
          continue
        }
        try json.beginArray()
        while try json.nextElement() {
          number += 1
          try readRecord(&json, number, into: &sink)
        }
      case "hasMoreRecords":
        if try json.text() == "true" { sink.warn("the file is one page of an answer: it says that more pages follow") }
      default: try json.skip()
      }
    }
    try json.finish()
  }

  private static func readRecord(_ json: inout JSONReader, _ number: Int, into sink: inout RecordSink) throws {
    var type = ""
    var value = ""
    var status = ""
    var entry = ListEntry(recordNumber: number, contributor: sink.options.contributor)
    guard try json.kind() == .object else {
      try json.skip()
      return try sink.reject(number, "a record that is no object")
    }
    try json.beginObject()
    while let key = try json.nextKey() {
      switch key {
      case "signalType": type = try json.text() ?? ""
      case "hashValue": value = try json.text() ?? ""
      case "hashStatus": status = try json.text() ?? ""
      case "caseNumbers":
        guard try json.kind() == .object else {
          try json.skip()
          continue
        }
        try json.beginObject()
        while let id = try json.nextKey() {
          // The first of several cases names the entry.
          entry.id = entry.id ?? id
          try json.skip()
        }
      default: try json.skip()
      }
    }
    let kind: String
    switch type {
    case "ImagePDQ": kind = "pdq"
    case "VideoMD5": kind = "md5"
    default:
      sink.leaveOut(type)
      return try sink.reject(number, "a signal of a type that is not compared here")
    }
    switch status {
    case "Active": try sink.add([HashText(named: kind, value)], to: entry)
    case "Withdrawn", "Deleted": try sink.withdraw([HashText(named: kind, value)], of: entry)
    default: try sink.reject(number, "a state that is not Active, Withdrawn or Deleted")
    }
  }
}
