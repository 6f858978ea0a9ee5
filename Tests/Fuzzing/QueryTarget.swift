import Exchange

/// Feeds a line to what reads typed hashes. What is read prints as something that reads the same.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let text = String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self)
  guard let query = try? Query(text) else { return 0 }
  precondition((try? Query(query.description)) == query, "a query prints as it is read")
  return 0
}
