import Decoding
import Foundation
import Hashing
import Matching
import SystemPackage

// Every property of an item is written and read back: one that is forgotten here would be lost by an interruption, so a
// test fills each and looks for it. Layout: `JournalFormat.md`, "Records".

extension JournalRecord {
  func write(to bytes: inout JournalBytes) {
    bytes.put(key.root)
    bytes.put(sized: key.path.bytes)
    bytes.put(stamp) { bytes, stamp in
      bytes.put(stamp.inode)
      bytes.put(stamp.sizeInBytes)
      bytes.put(stamp.modified)
      bytes.put(stamp.changed)
    }
    bytes.put(isLast ? 1 : 0)
    bytes.put(items) { $1.write(to: &$0) }
  }

  init(from bytes: inout JournalBytesReader) throws(JournalBytesReader.Malformed) {
    let root = try bytes.int()
    let name = try bytes.sized()
    if name.contains(0) { throw JournalBytesReader.Malformed() }
    let path = FilePath(platformString: name.map(CChar.init(bitPattern:)) + [0])
    key = Key(root: root, path: path)
    stamp = try bytes.optional { bytes throws(JournalBytesReader.Malformed) in
      FileStamp(
        inode: try bytes.number(), sizeInBytes: try bytes.int64(), modified: try bytes.int64(), changed: try bytes.int64())
    }
    isLast = try bytes.number() == 1
    items = try bytes.array { bytes throws(JournalBytesReader.Malformed) in
      try ScannedItem(at: .file(path), from: &bytes)
    }
    if items.isEmpty { throw JournalBytesReader.Malformed() }
  }
}

extension ScannedItem {
  fileprivate func write(to bytes: inout JournalBytes) {
    bytes.put(member) { $0.put($1) }
    bytes.put(state.name)
    bytes.put(state.reason) { $0.put($1) }
    bytes.put(sizeInBytes) { $0.put($1) }
    bytes.put(mediaType) { $0.put($1) }
    bytes.put(modifiedAt) { $0.put($1.timeIntervalSince1970.bitPattern) }
    bytes.put(fingerprint) { $1.write(to: &$0) }
    switch perceptual {
    case .notDue: bytes.put(0)
    case .hashed: bytes.put(1)
    case .unhashable(let reason):
      bytes.put(2)
      bytes.put(reason)
    }
    switch contents {
    case .notDue: bytes.put(0)
    case .read: bytes.put(1)
    case .incomplete(let reason):
      bytes.put(2)
      bytes.put(reason)
    }
    bytes.put(origin) { $1.write(to: &$0) }
    bytes.put(storedDigests) { bytes, stored in
      bytes.put(UInt64(stored.digest.algorithm.rawValue))
      stored.digest.withBytes { bytes.put(raw: $0) }
      bytes.put(stored.isRight ? 1 : 0)
    }
    bytes.put(frames) { bytes, frame in
      bytes.put(frame.number) { $0.put(UInt64($1)) }
      bytes.put(frame.seconds.bitPattern)
      frame.hash.write(to: &bytes)
    }
    bytes.put(videoStop) { $0.put($1.rawValue) }
    bytes.put(queries) { bytes, group in bytes.put(group) { $1.write(to: &$0) } }
    bytes.put(matches) { $1.write(to: &$0) }
    bytes.put(verdict) { $0.put($1.rawValue) }
  }

  fileprivate init(
    at place: ContentLocation.Place, from bytes: inout JournalBytesReader
  ) throws(JournalBytesReader.Malformed) {
    typealias Malformed = JournalBytesReader.Malformed
    let member = try bytes.optional { bytes throws(Malformed) in try bytes.string() }
    let state = try bytes.string()
    switch (state, try bytes.optional { bytes throws(Malformed) in try bytes.string() }) {
    case ("hashed", nil): self.init(at: place, member: member, state: .hashed)
    case ("unhashable", let reason?): self.init(at: place, member: member, state: .unhashable(reason))
    case ("skipped", let reason?): self.init(at: place, member: member, state: .skipped(reason))
    case ("error", let reason?): self.init(at: place, member: member, state: .error(reason))
    default: throw Malformed()
    }
    sizeInBytes = try bytes.optional { bytes throws(Malformed) in try bytes.int64() }
    mediaType = try bytes.optional { bytes throws(Malformed) in try bytes.string() }
    modifiedAt = try bytes.optional { bytes throws(Malformed) in
      Date(timeIntervalSince1970: Double(bitPattern: try bytes.number()))
    }
    fingerprint = try bytes.optional { bytes throws(Malformed) in try Fingerprint(from: &bytes) }
    switch try bytes.number() {
    case 0: perceptual = .notDue
    case 1: perceptual = .hashed
    case 2: perceptual = .unhashable(try bytes.string())
    default: throw Malformed()
    }
    switch try bytes.number() {
    case 0: contents = .notDue
    case 1: contents = .read
    case 2: contents = .incomplete(try bytes.string())
    default: throw Malformed()
    }
    origin = try bytes.optional { bytes throws(Malformed) in try MemberOrigin(from: &bytes) }
    storedDigests = try bytes.array { bytes throws(Malformed) in
      StoredDigest(try Digest(from: &bytes), isRight: try bytes.number() == 1)
    }
    frames = try bytes.array { bytes throws(Malformed) in
      FrameHash(
        number: try bytes.optional { bytes throws(Malformed) in UInt32(truncatingIfNeeded: try bytes.number()) },
        seconds: Double(bitPattern: try bytes.number()), hash: try PerceptualHash(from: &bytes))
    }
    videoStop = try bytes.optional { bytes throws(Malformed) in try bytes.word() }
    queries = try bytes.array { bytes throws(Malformed) in
      try bytes.array { bytes throws(Malformed) in try PerceptualHash(from: &bytes) }
    }
    matches = try bytes.array { bytes throws(Malformed) in try Match(from: &bytes) }
    verdict = try bytes.optional { bytes throws(Malformed) in try bytes.word() }
  }
}

extension Fingerprint {
  fileprivate func write(to bytes: inout JournalBytes) {
    bytes.put(sizeInBytes)
    bytes.put(digests) { bytes, digest in
      bytes.put(UInt64(digest.algorithm.rawValue))
      digest.withBytes { bytes.put(raw: $0) }
    }
    bytes.put(perceptualHash) { $1.write(to: &$0) }
  }

  fileprivate init(from bytes: inout JournalBytesReader) throws(JournalBytesReader.Malformed) {
    typealias Malformed = JournalBytesReader.Malformed
    self.init(
      sizeInBytes: try bytes.int64(),
      digests: try bytes.array { bytes throws(Malformed) in try Digest(from: &bytes) },
      perceptualHash: try bytes.optional { bytes throws(Malformed) in try PerceptualHash(from: &bytes) })
  }
}

extension Digest {
  fileprivate init(from bytes: inout JournalBytesReader) throws(JournalBytesReader.Malformed) {
    guard let algorithm = DigestAlgorithm(rawValue: UInt8(truncatingIfNeeded: try bytes.number())),
      let digest = Self(algorithm, bytes: try bytes.raw(algorithm.byteCount))
    else { throw JournalBytesReader.Malformed() }
    self = digest
  }
}

extension MemberOrigin {
  fileprivate func write(to bytes: inout JournalBytes) {
    bytes.put(volume)
    bytes.put(inode) { $0.put($1) }
    bytes.put(allocation.rawValue)
    bytes.put(runs) { bytes, run in
      bytes.put(run.offset) { $0.put($1) }
      bytes.put(run.length)
    }
    bytes.put(isFragmentedFurther ? 1 : 0)
  }

  fileprivate init(from bytes: inout JournalBytesReader) throws(JournalBytesReader.Malformed) {
    typealias Malformed = JournalBytesReader.Malformed
    self.init(
      volume: try bytes.int(), inode: try bytes.optional { bytes throws(Malformed) in try bytes.number() },
      allocation: try bytes.word(),
      runs: try bytes.array { bytes throws(Malformed) in
        Run(
          offset: try bytes.optional { bytes throws(Malformed) in try bytes.int64() }, length: try bytes.int64())
      },
      isFragmentedFurther: try bytes.number() == 1)
  }
}

extension PerceptualHash {
  fileprivate func write(to bytes: inout JournalBytes) {
    withBytes { bytes.put(raw: $0) }
    bytes.put(quality) { $0.put(UInt64($1)) }
  }

  fileprivate init(from bytes: inout JournalBytesReader) throws(JournalBytesReader.Malformed) {
    typealias Malformed = JournalBytesReader.Malformed
    let raw = Array(try bytes.raw(Self.byteCount))
    let quality = try bytes.optional { bytes throws(Malformed) in UInt8(truncatingIfNeeded: try bytes.number()) }
    guard let hash = raw.withUnsafeBytes({ Self(bytes: $0, quality: quality) }) else { throw Malformed() }
    self = hash
  }
}

extension Match {
  fileprivate func write(to bytes: inout JournalBytes) {
    bytes.put(list.name)
    bytes.put(list.version)
    bytes.put(entry)
    bytes.put(algorithm.rawValue)
    bytes.put(grade.rawValue)
    bytes.put(distanceInBits)
    bytes.put(category) { bytes, category in
      bytes.put(category.scheme)
      bytes.put(category.label)
    }
    bytes.put(contributor) { $0.put($1) }
    bytes.put(near) { bytes, near in
      bytes.put(near.query)
      bytes.put(near.queryQuality) { $0.put(UInt64($1)) }
      bytes.put(near.listedQuality) { $0.put(UInt64($1)) }
      bytes.put(near.entriesWithin)
      bytes.put(near.discount) { $0.put($1.rawValue) }
    }
    bytes.put(video) { bytes, video in
      for count in [video.listedFrames, video.listedFound, video.queryFrames, video.queryFound] { bytes.put(count) }
    }
  }

  fileprivate init(from bytes: inout JournalBytesReader) throws(JournalBytesReader.Malformed) {
    typealias Malformed = JournalBytesReader.Malformed
    self.init(
      list: ListVersion(name: try bytes.string(), version: try bytes.string()), entry: try bytes.string(),
      algorithm: try bytes.word(), grade: try bytes.word(), distanceInBits: try bytes.int(),
      category: try bytes.optional { bytes throws(Malformed) in
        Category(scheme: try bytes.string(), label: try bytes.string())
      },
      contributor: try bytes.optional { bytes throws(Malformed) in try bytes.string() },
      near: try bytes.optional { bytes throws(Malformed) in
        let query = try bytes.int()
        let queryQuality = try bytes.optional { bytes throws(Malformed) in UInt8(truncatingIfNeeded: try bytes.number()) }
        let listedQuality = try bytes.optional { bytes throws(Malformed) in UInt8(truncatingIfNeeded: try bytes.number()) }
        var near = NearMatch(
          query: query, queryQuality: queryQuality, listedQuality: listedQuality, entriesWithin: try bytes.int())
        near.discount = try bytes.optional { bytes throws(Malformed) in try bytes.word() }
        return near
      },
      video: try bytes.optional { bytes throws(Malformed) in
        func count() throws(Malformed) -> Int { Int(UInt32(truncatingIfNeeded: try bytes.number())) }
        return VideoMatch(
          listedFrames: try count(), listedFound: try count(), queryFrames: try count(), queryFound: try count())
      })
  }
}
