/// Which values of which slots a search within some distance looks up.
///
/// With a tolerance of tᵢ bits in slot i, a hash is missed only when it differs in more than tᵢ bits in every slot: in
/// Σ(tᵢ + 1) bits at least. So tolerances with Σ(tᵢ + 1) > distance miss nothing within it, and of all such the plan takes
/// the cheapest: each step of one more bit goes to the slot where it costs least.
struct NearPlan {
  let distance: Int
  /// Differences to the query's value that are looked up in each slot; empty for a slot that is not asked.
  let differences: [[UInt32]]
  /// How many differences there are.
  let valueCount: Int
  /// Values looked up and hashes compared, on evenly spread data.
  let expectedWork: Double

  /// - Parameter distance: 0 or more.
  init(_ slots: [NearSlot], recordCount: Int, distance: Int) {
    self.distance = distance
    var tolerances = [Int](repeating: -1, count: slots.count)
    func work(_ slot: NearSlot, _ tolerance: Int) -> Double {
      if tolerance > slot.bits { return .infinity }
      // Looking a value up touches two places, comparing a hash one.
      return Self.valueCount(slot.bits, tolerance) * (2 + Double(recordCount) / Double(slot.valueCount))
    }
    var total = 0.0
    for _ in 0...distance {
      let steps = slots.indices.map { work(slots[$0], tolerances[$0] + 1) - work(slots[$0], tolerances[$0]) }
      guard let cheapest = steps.indices.min(by: { steps[$0] < steps[$1] }), steps[cheapest].isFinite else {
        (differences, valueCount, expectedWork) = ([], 0, .infinity)
        return
      }
      total += steps[cheapest]
      tolerances[cheapest] += 1
      // Comparing all hashes is cheaper than a plan like this.
      if total * Self.comparisonsPerAccess > Double(recordCount) {
        (differences, valueCount, expectedWork) = ([], 0, total)
        return
      }
    }
    expectedWork = total
    let differences = zip(slots, tolerances).map { Self.differences(bits: $0.bits, tolerance: $1) }
    valueCount = differences.reduce(0) { $0 + $1.count }
    self.differences = differences
  }

  /// How many hashes are compared with eight queries, one behind the other, in the time of one access to memory.
  static let comparisonsPerAccess = 3.0

  /// Values within a tolerance of one value.
  private static func valueCount(_ bits: Int, _ tolerance: Int) -> Double {
    if tolerance < 0 { return 0 }
    var (sum, binomial) = (1.0, 1.0)
    for chosen in 1..<max(1, tolerance + 1) {
      binomial *= Double(bits - chosen + 1) / Double(chosen)
      sum += binomial
    }
    return sum
  }

  /// All numbers of so many bits with at most `tolerance` of them set.
  private static func differences(bits: Int, tolerance: Int) -> [UInt32] {
    if tolerance < 0 { return [] }
    var all: [UInt32] = [0]
    var last: [(value: UInt32, next: Int)] = [(0, 0)]
    for _ in 0..<tolerance {
      last = last.flatMap { item in (item.next..<bits).map { (item.value | 1 << UInt32($0), $0 + 1) } }
      all += last.map(\.value)
    }
    return all
  }
}
