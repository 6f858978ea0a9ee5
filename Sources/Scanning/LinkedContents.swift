import Foundation
import Matching
import SystemPackage

/// What was found in files that have several names, for their other names: they are read once.
///
/// Memory is bounded: of a file that was forgotten meanwhile the next name is read anew, to the same end.
final class LinkedContents: @unchecked Sendable {
  private enum Content {
    /// A worker reads it.
    case coming
    case found([ScannedItem], namesLeft: Int)
  }

  // All below is touched only with `condition` locked.
  private let condition = NSCondition()
  private var contents: [WalkedFile.Identity: Content] = [:]
  private var itemsKept = 0

  /// Items that are kept, members of archives among them: some tens of megabytes.
  private static let mostItems = 50_000

  /// The items of a file: as they were found under another of its names, or else as `scan` finds them.
  ///
  /// - Parameters:
  ///   - emit: Gets items that come before the others.
  ///   - scan: Hands such items on. A file that has them is read anew at each of its names: whoever waits for it may be
  ///     what its items have to wait for.
  func items(
    of file: WalkedFile, at path: FilePath, _ control: ScanControl, emit: @escaping ItemScanner.Emit,
    scan: (@escaping ItemScanner.Emit) throws -> [ScannedItem]
  ) throws -> [ScannedItem] {
    if file.nameCount < 2 { return try scan(emit) }
    if let items = take(file) {
      control.skipped(file.sizeInBytes)
      return items.map { $0.moved(to: path) }
    }
    var isShared = true
    do {
      let items = try scan { items in
        if isShared { self.keep(nil, of: file) }
        isShared = false
        try emit(items)
      }
      if isShared { keep(items, of: file) }
      return items
    } catch {
      if isShared { keep(nil, of: file) }
      throw error
    }
  }

  /// - Returns: `nil` where the caller is to find out, and to call `keep` in any case.
  private func take(_ file: WalkedFile) -> [ScannedItem]? {
    condition.lock()
    defer { condition.unlock() }
    while true {
      switch contents[file.identity] {
      case nil:
        contents[file.identity] = .coming
        return nil
      case .coming: condition.wait()
      case .found(let items, let namesLeft):
        if namesLeft == 1 {
          contents[file.identity] = nil
          itemsKept -= items.count
        } else {
          contents[file.identity] = .found(items, namesLeft: namesLeft - 1)
        }
        return items
      }
    }
  }

  /// Remembers what was found in a file that could be read.
  private func keep(_ items: [ScannedItem]?, of file: WalkedFile) {
    condition.lock()
    defer { condition.unlock() }
    contents[file.identity] = nil
    if let items, items.first(where: { $0.member == nil })?.state == .hashed, itemsKept + items.count <= Self.mostItems {
      contents[file.identity] = .found(items, namesLeft: file.nameCount - 1)
      itemsKept += items.count
    }
    condition.broadcast()
  }
}

extension ScannedItem {
  /// The same, found at another path.
  fileprivate func moved(to path: FilePath) -> ScannedItem {
    var item = self
    item.place = .file(path)
    return item
  }
}
