import Foundation
import SystemPackage

/// The rows that say where hashes come from, on their way into a list; `HashListFormat.md`, "Entries", "Entry details" and
/// "Attributions".
struct EntryTable: ~Copyable {
  private typealias Layout = HashListLayout

  private var rows: SpillFile
  /// Names and dates: nothing until the first entry that has either, and then a row for each.
  private var details: SpillFile
  private var names: SpillFile
  private(set) var count = 0
  private var numbers: [Attribution: UInt32] = [:]
  private var attributions: [(Attribution, entries: UInt64)] = []
  /// The attribution of the last entry, which most often is that of the next.
  private var last: (Attribution, UInt32)?
  private var earliest = Int64.max
  private var latest = Int64.min
  /// Attributions of an earlier version, by its numbers.
  private var adopted: (list: HashList, numbers: [UInt32])?

  /// Entries of an earlier version that are no longer listed.
  private var withdrawn: Set<Name> = []

  /// What a contributor calls an entry.
  private struct Name: Hashable {
    let contributor: String?
    let id: String
  }

  /// Who lists something, and under which category.
  private struct Attribution: Hashable {
    let contributor: String?
    let category: Category?
  }

  init(spillingTo folder: FilePath) {
    rows = SpillFile(in: folder)
    details = SpillFile(in: folder)
    names = SpillFile(in: folder)
  }

  /// When the entries were listed, as far as they say.
  var period: (Date?, Date?) {
    earliest > latest
      ? (nil, nil) : (Date(timeIntervalSince1970: Double(earliest)), Date(timeIntervalSince1970: Double(latest)))
  }

  /// The number of a contributor's attribution without a category.
  mutating func number(of contributor: String?) -> UInt32 { number(of: Attribution(contributor: contributor, category: nil)) }

  /// Adds a row that has neither name nor date.
  ///
  /// - Returns: Its number.
  mutating func add(recordNumber: Int, attribution: UInt32) throws(MatchingError) -> UInt32 {
    try append(recordNumber, attribution, Layout.noString, Layout.unknownTime).row
  }

  private mutating func append(
    _ recordNumber: Int, _ attribution: UInt32, _ name: UInt64, _ listed: Int64
  ) throws(MatchingError) -> (row: UInt32, attribution: UInt32) {
    guard count < Layout.mostRecords, let number = UInt32(exactly: recordNumber) else {
      throw MatchingError(.tooLarge, "a list has at most 2^32 entries, of as many lines")
    }
    attributions[Int(attribution)].entries += 1
    try rows.append(number)
    try rows.append(attribution)
    if name != Layout.noString || listed != Layout.unknownTime || details.size > 0 { try appendDetails(name, listed) }
    count += 1
    return (UInt32(count - 1), attribution)
  }

  /// Adds a row.
  ///
  /// - Returns: The numbers of the row and of its attribution.
  mutating func add(_ entry: ListEntry) throws(MatchingError) -> (row: UInt32, attribution: UInt32) {
    let attribution = number(of: Attribution(contributor: entry.contributor, category: entry.category))
    var name = Layout.noString
    if var id = entry.id {
      let offset = names.size
      let length = try append(&id)
      guard offset >> Layout.nameOffsetBits == 0 else {
        throw MatchingError(.tooLarge, "the names of a list are too long together")
      }
      name = UInt64(offset) | UInt64(length) << UInt64(Layout.nameOffsetBits)
    }
    var listed = Layout.unknownTime
    if let date = entry.listedAt, let seconds = Int64(exactly: date.timeIntervalSince1970.rounded(.down)),
      Layout.createdRange.contains(seconds)
    {
      listed = seconds
      (earliest, latest) = (min(earliest, seconds), max(latest, seconds))
    }
    return try append(entry.recordNumber, attribution, name, listed)
  }

  /// Appends a name, or as much of it as a row can say.
  private mutating func append(_ name: inout String) throws(MatchingError) -> Int {
    do {
      return try name.withUTF8 { text in
        let kept = UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: text.prefix(Layout.longestName)))
        try names.append(kept)
        return kept.count
      }
    } catch { throw error as! MatchingError }
  }

  private mutating func appendDetails(_ name: UInt64, _ listed: Int64) throws(MatchingError) {
    while details.size < count * Layout.entryDetailsSize {
      try details.append(Layout.noString)
      try details.append(Layout.unknownTime)
    }
    try details.append(name)
    try details.append(listed)
  }

  private mutating func number(of attribution: Attribution) -> UInt32 {
    if let last, last.0 == attribution { return last.1 }
    let number = numbers[attribution] ?? UInt32(attributions.count)
    if number == attributions.count {
      numbers[attribution] = number
      attributions.append((attribution, entries: 0))
    }
    last = (attribution, number)
    return number
  }

  /// Takes over all rows of an earlier version, under the same numbers.
  mutating func adopt(_ list: HashList) throws(MatchingError) {
    for said in try list.attributions() {
      let number = number(of: Attribution(contributor: said.contributor, category: said.category))
      attributions[Int(number)].entries += UInt64(said.entries)
      adopted = (list, (adopted?.numbers ?? []) + [number])
    }
    try list.forEachPiece(of: .strings) { (piece) throws(MatchingError) in try names.append(piece) }
    let numbers = adopted?.numbers ?? []
    try list.forEachPiece(of: .entries) { (piece) throws(MatchingError) in
      for offset in stride(from: 0, to: piece.count, by: Layout.entrySize) {
        let row = piece.slice(offset, Layout.entrySize)
        let attribution = Int(row.load(UInt32.self, at: 4))
        guard attribution < numbers.count else { throw list.damaged("an entry has no contributor row") }
        try rows.append(row.load(UInt32.self, at: 0))
        try rows.append(numbers[attribution])
      }
    }
    count = list.entryCount
    guard list.has(.entryDetails) else { return }
    try list.forEachPiece(of: .entryDetails) { (piece) throws(MatchingError) in
      for offset in stride(from: 8, to: piece.count, by: Layout.entryDetailsSize) {
        let listed = piece.load(Int64.self, at: offset)
        if listed != Layout.unknownTime { (earliest, latest) = (min(earliest, listed), max(latest, listed)) }
      }
      try details.append(piece)
    }
  }

  /// Takes note of an entry that its contributor has withdrawn by name.
  mutating func withdraw(_ entry: ListEntry) {
    if let id = entry.id { withdrawn.insert(Name(contributor: entry.contributor, id: id)) }
  }

  /// The rows taken over from an earlier version that were withdrawn.
  func withdrawnRows() throws(MatchingError) -> Set<UInt32> {
    guard let list = adopted?.list, !withdrawn.isEmpty else { return [] }
    var rows: Set<UInt32> = []
    for row in 0..<list.entryCount {
      let entry = try list.entry(at: row)
      if let id = entry.id, withdrawn.contains(Name(contributor: entry.contributor, id: id)) { rows.insert(UInt32(row)) }
    }
    return rows
  }

  /// The attribution of a row that was taken over.
  func attribution(ofAdopted row: UInt32) throws(MatchingError) -> UInt32 {
    guard let adopted else { preconditionFailure("only rows of an earlier version are unresolved") }
    let number = try adopted.list.attributionNumber(ofEntry: Int(row))
    return adopted.numbers[number]
  }

  /// Whether one of several attributions names another category of the same scheme than a further one.
  func conflict(_ some: [UInt32], _ other: UInt32) -> Bool {
    guard let category = attributions[Int(other)].0.category else { return false }
    return some.contains { number in
      attributions[Int(number)].0.category.map { $0.scheme == category.scheme && $0.label != category.label } ?? false
    }
  }

  /// Writes the sections of entries, attributions and strings.
  mutating func write(to file: inout HashListWriter) throws {
    try file.section(.init(.entries)) { append in try rows.forEachPiece(append) }
    if details.size > 0 { try file.section(.init(.entryDetails)) { append in try details.forEachPiece(append) } }
    var places: [(offset: UInt64, length: UInt64)] = []
    for (attribution, _) in attributions {
      for text in [attribution.contributor, attribution.category?.scheme, attribution.category?.label] {
        guard let text else {
          places.append((Layout.noString, 0))
          continue
        }
        places.append((UInt64(names.size), UInt64(text.utf8.count)))
        try Array(text.utf8).withUnsafeBytes { try names.append($0) }
      }
    }
    try file.begin(.init(.attributions))
    for (index, attribution) in attributions.enumerated() {
      for place in places[index * 3..<index * 3 + 3] {
        try file.append(place.offset)
        try file.append(place.length)
      }
      try file.append(attribution.entries)
    }
    try file.section(.init(.strings)) { append in try names.forEachPiece(append) }
  }
}
