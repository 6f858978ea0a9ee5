import Glibc
import Hashing

/// What is read back of an entry to check the ledger: the members that it begins with.
///
///     {"v":1,"type":"case.moved","time":"…Z","subject":"C-000012","previous":"…","state":"approved","by":…
///
/// `subject`, `previous` and `state` may be missing; the order is always this.
struct LedgerEntryHead {
  let kind: String
  /// Milliseconds since 1970.
  let time: Int64
  let subject: String?
  let previous: Digest?
  let state: String?

  /// - Returns: `nil` for bytes that no entry begins with.
  init?(_ entry: UnsafeRawBufferPointer) {
    var rest = entry[...]
    func skip(_ text: StaticString) -> Bool {
      guard rest.count >= text.utf8CodeUnitCount,
        memcmp(rest.base.baseAddress! + rest.startIndex, text.utf8Start, text.utf8CodeUnitCount) == 0
      else { return false }
      rest = rest.dropFirst(text.utf8CodeUnitCount)
      return true
    }
    /// What is up to the next quotation mark: none of the head's members has one, or an escape, in it.
    func value() -> UnsafeRawBufferPointer? {
      let all = UnsafeRawBufferPointer(rebasing: rest)
      guard let start = all.baseAddress, let end = memchr(start, CInt(UInt8(ascii: "\"")), all.count) else { return nil }
      let count = UnsafeRawPointer(end) - start
      rest = rest.dropFirst(count + 1)
      return UnsafeRawBufferPointer(start: start, count: count)
    }
    guard skip("{\"v\":1,\"type\":\""), let kind = value(), skip(",\"time\":\""), let time = value(),
      let milliseconds = LedgerTime.milliseconds(time)
    else { return nil }
    self.kind = String(decoding: kind, as: UTF8.self)
    self.time = milliseconds
    var (subject, previous, state): (String?, Digest?, String?)
    if skip(",\"subject\":\"") {
      guard let text = value() else { return nil }
      subject = String(decoding: text, as: UTF8.self)
    }
    if skip(",\"previous\":\"") {
      guard let text = value(), let digest = Digest(.sha256, hex: String(decoding: text, as: UTF8.self)) else {
        return nil
      }
      previous = digest
    }
    if skip(",\"state\":\"") {
      guard let text = value() else { return nil }
      state = String(decoding: text, as: UTF8.self)
    }
    (self.subject, self.previous, self.state) = (subject, previous, state)
  }
}
