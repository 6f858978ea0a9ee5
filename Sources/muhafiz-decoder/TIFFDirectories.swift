/// The directories of a TIFF structure: of EXIF, of MPF, of cameras' files.
///
/// Source: TIFF 6.0, section 2. Every offset is the file's own claim: what lies beyond the end is absent.
struct TIFFDirectories {
  /// From the byte order on; offsets count from here.
  let bytes: UnsafeRawBufferPointer
  private let isLittle: Bool

  struct Entry {
    let type: Int
    let count: Int
    /// Where the value is, or where its offset is.
    let place: Int
  }

  struct Directory {
    fileprivate(set) var entries: [Int: Entry] = [:]
    /// Of the next directory; 0 where there is none.
    fileprivate(set) var next = 0
  }

  /// - Parameter isLittle: `nil` where the bytes begin with their order: "II" or "MM".
  init?(_ bytes: UnsafeRawBufferPointer, isLittle: Bool? = nil) {
    guard bytes.count >= 8 else { return nil }
    self.bytes = bytes
    if let isLittle {
      self.isLittle = isLittle
    } else {
      guard bytes[0] == bytes[1], bytes[0] == 0x49 || bytes[0] == 0x4d else { return nil }
      self.isLittle = bytes[0] == 0x49
    }
  }

  /// Offset of the first directory.
  var first: Int { number(at: 4, bytes: 4) ?? 0 }

  func number(at offset: Int, bytes count: Int) -> Int? {
    guard offset >= 0, offset <= bytes.count - count else { return nil }
    let field = bytes[offset..<offset + count]
    return isLittle ? field.reversed().reduce(0) { $0 << 8 | Int($1) } : field.reduce(0) { $0 << 8 | Int($1) }
  }

  /// Entries of one directory that are looked at; cameras write some hundred.
  private static let mostEntries = 4096

  func directory(at offset: Int) -> Directory? {
    guard offset >= 8, let count = number(at: offset, bytes: 2), count > 0 else { return nil }
    var directory = Directory()
    for index in 0..<min(count, Self.mostEntries) {
      let at = offset + 2 + 12 * index
      guard let tag = number(at: at, bytes: 2), let type = number(at: at + 2, bytes: 2),
        let values = number(at: at + 4, bytes: 4), number(at: at + 8, bytes: 4) != nil
      else { return directory }
      directory.entries[tag] = Entry(type: type, count: values, place: at + 8)
    }
    directory.next = number(at: offset + 2 + 12 * count, bytes: 4) ?? 0
    return directory
  }

  /// The numbers of an entry, whole ones without a sign, 64 at most.
  func numbers(_ entry: Entry?) -> [Int] {
    guard let entry else { return [] }
    let size: Int
    switch entry.type {
    case 1, 7: size = 1
    case 3: size = 2
    case 4, 13: size = 4
    default: return []
    }
    let count = min(entry.count, 64)
    let start = entry.count <= 4 / size ? entry.place : number(at: entry.place, bytes: 4) ?? 0
    return (0..<count).compactMap { number(at: start + $0 * size, bytes: size) }
  }

  /// Where the value of an entry of more than four bytes begins.
  func offset(_ entry: Entry?) -> Int? { entry.flatMap { number(at: $0.place, bytes: 4) } }
}
