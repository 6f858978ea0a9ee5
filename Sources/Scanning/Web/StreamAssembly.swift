import Decoding
import Matching
import Synchronization

/// A video that is fetched in pieces, until the last has come.
final class StreamAssembly: Sendable {
  /// One piece, for the target that fetches it.
  struct Piece: Sendable {
    let assembly: StreamAssembly
    let number: Int
    /// The bytes of the resource that are meant; `nil` for all of it.
    let byteRange: Range<UInt64>?
  }

  private struct State {
    var bodies: [[UInt8]] = []
    var left: Int
    var size = 0
    var chain: [FetchHop] = []
    var failure: String?
  }

  /// Where the list of the pieces is.
  let place: ContentLocation.Place
  /// Which of the videos in it.
  let member: String
  let reference: PageReference?
  /// Why more of the video is elsewhere or still to come; `nil` where the pieces are all of it.
  let gap: String?
  private let pieces: Int
  private let mostBytes: Int
  private let state: Mutex<State>

  init(
    _ place: ContentLocation.Place, member: String, reference: PageReference?, gap: String?, pieces: Int, mostBytes: Int
  ) {
    self.place = place
    self.member = member
    self.reference = reference
    self.gap = gap
    self.pieces = pieces
    self.mostBytes = mostBytes
    state = Mutex(State(bodies: Array(repeating: [], count: pieces), left: pieces))
  }

  /// Takes a piece that has come, or has not.
  ///
  /// - Returns: With the last piece the whole video, which is still held, or why there is none; else `nil`.
  func put(
    _ fetched: Fetched, as piece: Piece, within memory: Fetcher
  ) -> (body: Result<[UInt8], FetchFailure>, chain: [FetchHop])? {
    state.withLock { state in
      state.left -= 1
      if piece.number == 0 { state.chain = fetched.chain }
      if state.failure == nil { take(fetched, as: piece, within: memory, &state) }
      guard state.left == 0 else { return nil }
      if let failure = state.failure { return (.failure(FetchFailure(.brokenAnswer, failure)), state.chain) }
      var whole: [UInt8] = []
      whole.reserveCapacity(state.size)
      for number in state.bodies.indices {
        whole += state.bodies[number]
        state.bodies[number] = []
      }
      return (.success(whole), state.chain)
    }
  }

  private func take(_ fetched: Fetched, as piece: Piece, within memory: Fetcher, _ state: inout State) {
    switch Self.content(of: fetched, piece.byteRange) {
    case .failure(let failure): state.failure = "piece \(piece.number + 1) of \(pieces): \(failure)"
    case .success(let body) where state.size + body.count > mostBytes:
      state.failure = "limit: \(mostBytes) bytes of a video in pieces"
    case .success(let body) where !memory.hold(body):
      state.failure = "limit: memory for the pieces of all videos at once"
    case .success(let body):
      state.size += body.count
      state.bodies[piece.number] = body
      return
    }
    memory.letGo(state.size)
    state.size = 0
    state.bodies = []
  }

  /// The bytes that are meant of a body: a host that knows no ranges sends all.
  private static func content(of fetched: Fetched, _ range: Range<UInt64>?) -> Result<[UInt8], FetchFailure> {
    fetched.body.flatMap { body in
      guard let range, fetched.chain.last?.status != 206 else { return .success(body) }
      guard range.upperBound <= UInt64(body.count) else {
        return .failure(FetchFailure(.brokenAnswer, "the host sends less than its list says"))
      }
      return .success(Array(body[Int(range.lowerBound)..<Int(range.upperBound)]))
    }
  }
}
