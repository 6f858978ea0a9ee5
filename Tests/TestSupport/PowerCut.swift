import Glibc

/// A moment in the life of a file system, and what the medium may hold if the power fails in it.
///
/// As SQLite's crash tests have it, each sector that was written and not synced is by itself kept, dropped or turned
/// into garbage; each change of a folder's names that was not synced is by itself kept or dropped. A real file system
/// loses less, in better order.
package struct PowerCut {
  /// What is left on the medium. Paths are relative to the folder of the ``CrashFileSystem``.
  package struct Remains {
    package var folders: Set<String> = []
    package var files: [String: [UInt8]] = [:]
    package var namesLost = 0
    package var sectorsDropped = 0
    package var sectorsTurnedToGarbage = 0
    /// A number that is the same when the same was lost.
    package var outcome: UInt64 = 0xCBF2_9CE4_8422_2325

    package init() {}

    fileprivate mutating func note(_ choice: UInt64) { outcome = (outcome ^ choice) &* 0x100_0000_01B3 }
  }

  private enum Node: Equatable {
    case folder
    case file(Int)
  }

  private enum Change {
    case add(String, Node)
    case move(String, String, Node)
    case remove(String)
  }

  private static let sectorSize = 4096
  private static let garbage: [UInt8] = {
    var generator = SeededGenerator(seed: 0xBAD)
    return (0..<1 << 16).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
  }()

  /// What the running system sees.
  private var visible: [String: Node] = [:]
  /// What is surely on the medium.
  private var names: [String: Node] = [:]
  private var contents: [Int: [UInt8]] = [:]
  /// What is perhaps there, in the order in which it was done.
  private var unsyncedChanges: [(folder: String, change: Change)] = []
  private var unsyncedWrites: [Int: [Write]] = [:]

  /// Bytes that are put at an offset; `nil` where the offset becomes the end of the file.
  private typealias Write = (offset: Int, bytes: [UInt8]?)

  package init() {}

  /// The moment while the operation is under way, and before it has been reported to be done.
  package func during(_ operation: CrashFileSystem.Operation) -> PowerCut {
    switch operation {
    case .sync, .syncFolder: return self
    default:
      var moment = self
      moment.perform(operation)
      return moment
    }
  }

  /// Moves on to where the operation is done.
  package mutating func perform(_ operation: CrashFileSystem.Operation) {
    switch operation {
    case .create(let path, let file): change(path, .add(path, .file(file))) { $0[path] = .file(file) }
    case .makeFolder(let path): change(path, .add(path, .folder)) { $0[path] = .folder }
    case .remove(let path): change(path, .remove(path)) { $0[path] = nil }
    case .rename(let old, let new):
      let node = visible[old]!
      change(new, .move(old, new, node)) { ($0[old], $0[new]) = (nil, node) }
    case .write(let file, let offset, let bytes): unsyncedWrites[file, default: []].append((offset, bytes))
    case .setLength(let file, let length): unsyncedWrites[file, default: []].append((length, nil))
    case .sync(let file):
      for (offset, bytes) in unsyncedWrites.removeValue(forKey: file) ?? [] {
        if let bytes {
          contents[file, default: []].put(bytes[...], at: offset)
        } else {
          contents[file, default: []].setLength(offset)
        }
      }
    case .syncFolder(let path):
      for (folder, change) in unsyncedChanges where folder == path { Self.apply(change, to: &names) }
      unsyncedChanges.removeAll { $0.folder == path }
    }
  }

  private mutating func change(_ path: String, _ change: Change, _ show: (inout [String: Node]) -> Void) {
    unsyncedChanges.append((Self.folder(of: path), change))
    show(&visible)
  }

  private static func folder(of path: String) -> String {
    path.lastIndex(of: "/").map { String(path[..<$0]) } ?? ""
  }

  private static func apply(_ change: Change, to names: inout [String: Node]) {
    switch change {
    case .add(let path, let node): names[path] = node
    case .move(let old, let new, let node):
      if names[old] == node { names[old] = nil }
      names[new] = node
    case .remove(let path): names[path] = nil
    }
  }

  /// Throws the dice for all that was not synced.
  package func remains(using generator: inout SeededGenerator) -> Remains {
    var remains = Remains()
    var left = names
    // Now and then nearly all is kept, now and then nearly nothing: the ends are likelier than chance would have them.
    let share = [0, 25, 50, 75, 100].randomElement(using: &generator)!
    for (_, change) in unsyncedChanges {
      let isKept = UInt64.random(in: 0..<100, using: &generator) < share
      remains.note(isKept ? 1 : 2)
      if isKept { Self.apply(change, to: &left) } else { remains.namesLost += 1 }
    }
    for (path, node) in left where Self.isReachable(path, left) {
      switch node {
      case .folder: remains.folders.insert(path)
      case .file(let file): remains.files[path] = content(of: file, share, &remains, &generator)
      }
    }
    return remains
  }

  private static func isReachable(_ path: String, _ names: [String: Node]) -> Bool {
    let folder = folder(of: path)
    return folder.isEmpty || names[folder] == .folder && isReachable(folder, names)
  }

  private func content(
    of file: Int, _ share: Int, _ remains: inout Remains, _ generator: inout SeededGenerator
  ) -> [UInt8] {
    var content = contents[file] ?? []
    for (offset, bytes) in unsyncedWrites[file] ?? [] {
      guard let bytes else {
        let isKept = UInt64.random(in: 0..<100, using: &generator) < share
        remains.note(isKept ? 5 : 6)
        if isKept { content.setLength(offset) }
        continue
      }
      var start = 0
      while start < bytes.count {
        let end = min(bytes.count, start + Self.sectorSize - (offset + start) % Self.sectorSize)
        switch UInt64.random(in: 0..<100, using: &generator) {
        case 0..<UInt64(share):
          content.put(bytes[start..<end], at: offset + start)
          remains.note(3)
        case let chance where chance % 2 == 0:
          remains.sectorsDropped += 1
          remains.note(4)
        default:
          let at = Int.random(in: 0..<Self.garbage.count - Self.sectorSize, using: &generator)
          content.put(Self.garbage[at..<at + end - start], at: offset + start)
          remains.sectorsTurnedToGarbage += 1
          remains.note(UInt64(at))
        }
        start = end
      }
    }
    return content
  }
}

extension [UInt8] {
  fileprivate mutating func setLength(_ length: Int) {
    if length < count { removeLast(count - length) } else { self += [UInt8](repeating: 0, count: length - count) }
  }

  /// Puts bytes in place of those at the offset; what lies between the end and the offset becomes zeros.
  fileprivate mutating func put(_ bytes: ArraySlice<UInt8>, at offset: Int) {
    if offset + bytes.count > count { self += [UInt8](repeating: 0, count: offset + bytes.count - count) }
    withUnsafeMutableBytes { target in
      bytes.withUnsafeBytes { _ = memcpy(target.baseAddress! + offset, $0.baseAddress!, $0.count) }
    }
  }
}
