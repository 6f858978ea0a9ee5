/// Running window sums along eight rows side by side.
///
/// Each sum is a chain of dependent additions, so one row alone leaves the processor waiting; eight
/// independent rows keep it busy. Rows past `count` repeat the last one and their sums are not used.
struct EightRowSums {
  private typealias Row = UnsafePointer<Float>
  private let r0, r1, r2, r3, r4, r5, r6, r7: Row
  private var s0: Float = 0
  private var s1: Float = 0
  private var s2: Float = 0
  private var s3: Float = 0
  private var s4: Float = 0
  private var s5: Float = 0
  private var s6: Float = 0
  private var s7: Float = 0
  private let window: BoxWindow
  /// The next output to move on to.
  private var position = 0

  /// Starts before output 0 of `count` rows, 1…8 of them, each `stride` after the one before.
  init(rows: UnsafePointer<Float>, count: Int, stride: Int, window: BoxWindow) {
    func row(_ index: Int) -> Row { rows + min(index, count - 1) * stride }
    (r0, r1, r2, r3) = (row(0), row(1), row(2), row(3))
    (r4, r5, r6, r7) = (row(4), row(5), row(6), row(7))
    self.window = window
    for x in 0..<window.reachAhead { enter(x) }
  }

  @inline(__always) private mutating func enter(_ x: Int) {
    s0 += r0[x]
    s1 += r1[x]
    s2 += r2[x]
    s3 += r3[x]
    s4 += r4[x]
    s5 += r5[x]
    s6 += r6[x]
    s7 += r7[x]
  }

  @inline(__always) private mutating func leave(_ x: Int) {
    s0 -= r0[x]
    s1 -= r1[x]
    s2 -= r2[x]
    s3 -= r3[x]
    s4 -= r4[x]
    s5 -= r5[x]
    s6 -= r6[x]
    s7 -= r7[x]
  }

  /// The eight sums at the output last moved to.
  @inline(__always) private func store(_ target: UnsafeMutablePointer<Float>, stride: Int) {
    target[0] = s0
    target[stride] = s1
    target[2 * stride] = s2
    target[3 * stride] = s3
    target[4 * stride] = s4
    target[5 * stride] = s5
    target[6 * stride] = s6
    target[7 * stride] = s7
  }

  /// Moves through the outputs up to and with `last`, showing each to `visit`; does nothing when it is there already.
  @inline(__always) private mutating func advance(through last: Int, _ visit: (borrowing Self, Int) -> Void) {
    let end = last + 1
    let filled = min(end, window.firstLeaving)
    let entered = min(end, window.lastEntered)
    var x = position
    while x < filled {
      enter(x &+ window.reachAhead)
      visit(self, x)
      x &+= 1
    }
    while x < entered {
      enter(x &+ window.reachAhead)
      leave(x &- window.reachBack &- 1)
      visit(self, x)
      x &+= 1
    }
    while x < end {
      leave(x &- window.reachBack &- 1)
      visit(self, x)
      x &+= 1
    }
    position = x
  }

  /// Writes all sums: eight rows of `window.length`, each `stride` after the one before.
  mutating func writeAll(to target: UnsafeMutablePointer<Float>, stride: Int) {
    advance(through: window.length - 1) { sums, x in sums.store(target + x, stride: stride) }
  }

  /// Writes the means at some positions only, which ascend: eight rows of as many, one after the other.
  mutating func writeMeans(at positions: [Int], to target: UnsafeMutablePointer<Float>) {
    for (index, x) in positions.enumerated() {
      advance(through: x) { _, _ in }
      store(target + index, stride: positions.count)
      let count = Float(window.count(at: x))
      for row in 0..<8 { target[row * positions.count + index] /= count }
    }
  }
}
