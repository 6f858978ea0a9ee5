import CKernels

/// Digests of many contents in memory, sixteen side by side where the processor can: of small files an algorithm's own
/// chain of steps, each waiting for the last, is what takes the time.
///
/// As a ``Digester``, one is made for each thread.
public struct BatchDigester: ~Copyable {
  /// For what is digested by itself.
  private var digester: Digester
  private let algorithms: Set<DigestAlgorithm>
  private let lanes: DigestLanes?

  /// - Throws: ``HashingError`` with `algorithmUnavailable` where libcrypto's policy forbids an algorithm.
  public init(_ algorithms: some Sequence<DigestAlgorithm>) throws {
    self.algorithms = Set(algorithms)
    digester = try Digester(self.algorithms)
    lanes = DigestLanes.areTrusted ? DigestLanes(self.algorithms) : nil
  }

  /// How many blocks are digested one after the other in the time that one step of all lanes takes.
  private static let blocksPerStep = 8

  /// - Returns: For each content, in their order, one digest for each algorithm, in ascending order.
  /// - Throws: ``HashingError``.
  public mutating func digests(of contents: [UnsafeRawBufferPointer]) throws -> [[Digest]] {
    var digests = [[Digest]](repeating: [], count: contents.count)
    let order = contents.indices.sorted { contents[$0].count > contents[$1].count }
    let alone = lanes == nil ? order.count : Self.countAlone(order.map { contents[$0].count })
    for number in order.prefix(alone) {
      try digester.reset()
      try digester.update(contents[number])
      digests[number] = try digester.finish()
    }
    guard let lanes, alone < order.count else { return digests }
    let together = order.dropFirst(alone)
    for (number, made) in zip(together, lanes.digests(of: together.map { contents[$0] })) { digests[number] = made }
    return digests
  }

  /// How many of the longest contents are best digested by themselves: so much longer than the others that most lanes would be
  /// empty meanwhile, or too few to fill them.
  ///
  /// - Parameter sizes: In bytes, descending.
  static func countAlone(_ sizes: [Int]) -> Int {
    var (alone, rest) = (0, sizes.reduce(0, +))
    var best = (count: sizes.count, cost: rest)
    for (count, size) in sizes.enumerated() {
      let cost = alone + blocksPerStep * max(size, rest / Int(CK_LANES))
      if cost < best.cost { best = (count, cost) }
      alone += size
      rest -= size
    }
    return best.count
  }
}

/// Sixteen messages that are digested side by side.
///
/// Whole blocks first: a lane that is through with one message takes the next. Then the ends of all messages, which differ
/// between MD5 and the others.
///
/// Source: RFC 1321, sections 3.1 to 3.3; FIPS 180-4, sections 5.1.1, 5.3.1 and 5.3.3.
final class DigestLanes {
  private static let blockSize = 64
  private static let laneCount = Int(CK_LANES)
  /// A block that ends with the length, and one before it where a message's last bytes leave no room for that.
  private static let mostTail = 2 * blockSize

  private let algorithms: [DigestAlgorithm]
  private let lanes: UnsafeMutablePointer<ck_lanes>
  private let tails: UnsafeMutableRawBufferPointer

  init(_ algorithms: Set<DigestAlgorithm>) {
    self.algorithms = algorithms.sorted()
    lanes = UnsafeMutableRawPointer.allocate(byteCount: MemoryLayout<ck_lanes>.size, alignment: 64).bindMemory(
      to: ck_lanes.self, capacity: 1)
    lanes.initialize(to: ck_lanes())
    tails = .allocate(byteCount: Self.laneCount * Self.mostTail, alignment: 64)
    tails.initializeMemory(as: UInt8.self, repeating: 0)
  }

  deinit {
    lanes.deallocate()
    tails.deallocate()
  }

  /// Whether the processor can do it, and answers as OpenSSL does: looked at once, at the first use.
  static let areTrusted: Bool = {
    guard ck_has_digest_lanes() != 0 else { return false }
    let bytes = (0..<1500).map { UInt8(truncatingIfNeeded: $0 &* 167 &+ $0 / 13) }
    return bytes.withUnsafeBytes { bytes in
      let contents = (0..<40).map { UnsafeRawBufferPointer(rebasing: bytes[$0..<$0 * 37]) }
      let made = DigestLanes(Set(DigestAlgorithm.allCases)).digests(of: contents)
      do {
        return try zip(contents, made).allSatisfy { try Digester.digests(of: $0, DigestAlgorithm.allCases) == $1 }
      } catch {
        return false  // A machine that refuses an algorithm is to say so, not to be helped around it.
      }
    }
  }()

  /// - Returns: For each content one digest for each algorithm, in ascending order.
  func digests(of contents: [UnsafeRawBufferPointer]) -> [[Digest]] {
    withUnsafeTemporaryAllocation(of: UInt32.self, capacity: contents.count * State.wordCount) { words in
      let states = contents.indices.map { State(words.baseAddress! + $0 * State.wordCount) }
      for state in states { state.begin() }
      takeBlocks(of: contents, states)
      // Ends of one block, then those of two.
      for blocks in [1, 2] {
        var numbers = contents.indices.filter { Self.tailBlocks(contents[$0].count) == blocks }[...]
        while !numbers.isEmpty {
          let some = numbers.prefix(Self.laneCount)
          takeTails(of: some.map { contents[$0] }, blocks: blocks, some.map { states[$0] })
          numbers = numbers.dropFirst(Self.laneCount)
        }
      }
      return states.map { state in algorithms.map(state.digest) }
    }
  }

  private func takeBlocks(of contents: [UnsafeRawBufferPointer], _ states: [State]) {
    switchOn(algorithms)
    var unbegun = contents.indices.filter { contents[$0].count >= Self.blockSize }[...]
    /// Numbers of the messages in the lanes, and what is left of them.
    var numbers = [Int?](repeating: nil, count: Self.laneCount)
    var next = [UnsafePointer<UInt8>?](repeating: nil, count: Self.laneCount)
    var blocksLeft = [Int](repeating: 0, count: Self.laneCount)
    while true {
      var (least, active) = (Int.max, 0)
      for lane in 0..<Self.laneCount {
        if blocksLeft[lane] == 0 {
          if let number = numbers[lane] { load(states[number], from: lane) }
          numbers[lane] = unbegun.popFirst()
          guard let number = numbers[lane] else { continue }
          store(states[number], in: lane)
          next[lane] = contents[number].baseAddress!.assumingMemoryBound(to: UInt8.self)
          blocksLeft[lane] = contents[number].count / Self.blockSize
        }
        (least, active) = (min(least, blocksLeft[lane]), lane)
      }
      if least == Int.max { return }
      // An empty lane digests what another does, for nobody.
      for lane in 0..<Self.laneCount where numbers[lane] == nil { next[lane] = next[active] }
      ck_digest_lanes(lanes, next, least)
      for lane in 0..<Self.laneCount where numbers[lane] != nil {
        next[lane]! += least * Self.blockSize
        blocksLeft[lane] -= least
      }
    }
  }

  /// Takes the last bytes, a bit, zeros, and the length in bits, of up to as many messages as there are lanes.
  private func takeTails(of messages: [UnsafeRawBufferPointer], blocks: Int, _ states: [State]) {
    let size = blocks * Self.blockSize
    for (lane, message) in messages.enumerated() {
      let tail = UnsafeMutableRawBufferPointer(rebasing: tails[lane * Self.mostTail..<lane * Self.mostTail + size])
      let rest = message.suffix(message.count % Self.blockSize)
      tail.copyBytes(from: rest)
      tail[rest.count] = 0x80
      UnsafeMutableRawBufferPointer(rebasing: tail[(rest.count + 1)...]).initializeMemory(as: UInt8.self, repeating: 0)
      store(states[lane], in: lane)
    }
    let starts = (0..<Self.laneCount).map { lane in
      UnsafePointer(tails.baseAddress!.assumingMemoryBound(to: UInt8.self) + lane * Self.mostTail)
    }
    func take(_ algorithms: [DigestAlgorithm], length: (UInt64) -> UInt64) {
      if algorithms.isEmpty { return }
      for (lane, message) in messages.enumerated() {
        let place = lane * Self.mostTail + size - MemoryLayout<UInt64>.size
        tails.storeBytes(of: length(UInt64(message.count) * 8), toByteOffset: place, as: UInt64.self)
      }
      switchOn(algorithms)
      ck_digest_lanes(lanes, starts.map(Optional.some), blocks)
    }
    take(algorithms.filter { $0 == .md5 }, length: \.littleEndian)
    take(algorithms.filter { $0 != .md5 }, length: \.bigEndian)
    for (lane, state) in states.enumerated() { load(state, from: lane) }
  }

  private static func tailBlocks(_ count: Int) -> Int {
    count % blockSize + 1 + MemoryLayout<UInt64>.size > blockSize ? 2 : 1
  }

  private func switchOn(_ algorithms: [DigestAlgorithm]) {
    lanes.pointee.has_md5 = algorithms.contains(.md5) ? 1 : 0
    lanes.pointee.has_sha1 = algorithms.contains(.sha1) ? 1 : 0
    lanes.pointee.has_sha256 = algorithms.contains(.sha256) ? 1 : 0
  }
}

extension DigestLanes {
  /// How far the digests of one message are: words as the algorithms number them, MD5's first.
  private struct State {
    /// As the standards say.
    private static let first: [UInt32] = [
      0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476,
      0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0,
      0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19,
    ]
    static let wordCount = first.count

    let words: UnsafeMutablePointer<UInt32>

    init(_ words: UnsafeMutablePointer<UInt32>) { self.words = words }

    func begin() { words.initialize(from: Self.first, count: Self.wordCount) }

    func digest(_ algorithm: DigestAlgorithm) -> Digest {
      func pair(_ index: Int) -> UInt64 { UInt64(words[index]) << 32 | UInt64(words[index + 1]) }
      /// Of words whose bytes go from the low to the high.
      func swapped(_ index: Int) -> UInt64 { UInt64(words[index].byteSwapped) << 32 | UInt64(words[index + 1].byteSwapped) }
      return switch algorithm {
      case .md5: Digest(.md5, words: swapped(0), swapped(2))
      case .sha1: Digest(.sha1, words: pair(4), pair(6), UInt64(words[8]) << 32)
      case .sha256: Digest(.sha256, words: pair(9), pair(11), pair(13), pair(15))
      }
    }
  }

  /// The words of all lanes: word after word, of each the lanes'.
  private var words: UnsafeMutablePointer<UInt32> { UnsafeMutableRawPointer(lanes).assumingMemoryBound(to: UInt32.self) }

  private func load(_ state: State, from lane: Int) {
    for index in 0..<State.wordCount { state.words[index] = words[index * Self.laneCount + lane] }
  }

  private func store(_ state: State, in lane: Int) {
    for index in 0..<State.wordCount { words[index * Self.laneCount + lane] = state.words[index] }
  }
}
